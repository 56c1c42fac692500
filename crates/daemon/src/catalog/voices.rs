//! How each model is reached, and what the brain has to know of it: from the configuration first, then from what its
//! server said, then from what is known of its family, then from a careful guess.

use super::outfit::Voice;
use crate::assemble::ExtraModel;
use crate::config::{self, KeySource, Model, OFFLINE, ToolUse};
use crate::keys::KeyStore;
use crate::unusable::Unusable;
use agent::{ModelName, ModelSpec, Money, Tokens};
use models::{
    Adaptive, Backend, ChatConfig, Constrained, Dialect, FoundModel, GenAi, GenAiConfig, GenAiProvider, Key, Known,
    Offline, Ollama, OllamaConfig, OpenAiChat, Reach, Server, ServerKind,
};
use std::sync::Arc;
use wire::rest::{Abilities, ModelSource, Tooling};

/// The window that Ollama is told to give a model, unless the configuration says otherwise or the model has less. Each
/// window takes memory, and a change of it loads the model anew, so it is the same for all calls.
const OLLAMA_CONTEXT: Tokens = Tokens(16_384);
/// The window of a model of which nothing is known.
const UNKNOWN_CONTEXT: Tokens = Tokens(32_768);
/// The most that a reply of such a model may have; less where its window is small.
const UNKNOWN_OUTPUT: Tokens = Tokens(8_192);

/// The built-in model.
pub(super) fn offline() -> Voice {
    let spec = ModelSpec {
        context_tokens: Tokens(1_000_000),
        max_output_tokens: Tokens(100_000),
        input_microusd_per_mtok: Money(0),
        output_microusd_per_mtok: Money(0),
        priced: true,
    };
    Voice {
        backend: Arc::new(Offline),
        provider_model: OFFLINE.to_owned(),
        spec,
        abilities: Abilities { tools: Tooling::Native, ..Abilities::default() },
        source: ModelSource::BuiltIn,
        missing: None,
        key_place: None,
        trial: None,
    }
}

/// A model that the daemon was assembled with.
pub(super) fn given(model: ExtraModel) -> Voice {
    let ExtraModel { name, backend, spec, abilities } = model;
    let provider_model = name.to_string();
    let (source, missing, key_place, trial) = (ModelSource::BuiltIn, None, None, None);
    Voice { backend, provider_model, spec, abilities, source, missing, key_place, trial }
}

/// Whether a name may stand for a model that a look finds.
pub(super) fn may_be_local(name: &ModelName) -> bool {
    let local = |word: &str| models::provider(word).is_none_or(|provider| !provider.remote);
    name.as_str().split_once("::").is_none_or(|(word, _)| local(word))
}

/// Whether a name is of the form `provider::model`, with a provider that there is.
pub(super) fn is_named(name: &ModelName) -> bool {
    matches!(config::named(name.as_str()), Ok(Some(_)))
}

/// What a voice is made of. As long as this stays the same, so does the voice.
#[derive(Clone, PartialEq)]
pub(super) enum Made {
    /// Of a configuration's entry, or a name that stands for one; with its key, or what is missing.
    Model { model: Model, source: ModelSource, place: Option<String>, key: Result<Option<Key>, String> },
    /// Of a server that was found.
    Found { kind: ServerKind, base_url: String, model: FoundModel },
}

impl Made {
    /// The model that `provider::model` stands for; `None` where the name is no such thing.
    pub(super) fn named(name: &ModelName, keys: &KeyStore) -> Option<Made> {
        let (provider, model) = config::named(name.as_str()).ok()??;
        let model = Model {
            provider,
            model: model.to_owned(),
            base_url: None,
            key: None,
            context_tokens: None,
            max_output_tokens: None,
            input_microusd_per_mtok: None,
            output_microusd_per_mtok: None,
            tools: ToolUse::Auto,
            images: None,
            documents: None,
            keep_alive: None,
            think: None,
        };
        Some(Made::model(name, &model, keys, ModelSource::Named))
    }

    /// A model of the configuration.
    pub(super) fn configured(name: &ModelName, model: &Model, keys: &KeyStore) -> Made {
        Made::model(name, model, keys, ModelSource::Configured)
    }

    fn model(name: &ModelName, model: &Model, keys: &KeyStore, source: ModelSource) -> Made {
        let from = model.key.clone().or_else(|| keys.usual(name, model.provider));
        let (place, key) = (from.as_ref().map(KeySource::place), key(from.as_ref(), model, keys));
        Made::Model { model: model.clone(), source, place, key }
    }

    /// The models that servers of this machine hold.
    pub(super) fn found(servers: &[Server]) -> impl Iterator<Item = (ModelName, Made)> {
        servers.iter().flat_map(|server| {
            server.models.iter().map(|model| {
                let name = ModelName::new(&format!("{}::{}", word(server.kind), model.name));
                let mut model = model.clone();
                if server.kind == ServerKind::Ollama {
                    // Whether it is loaded at this moment says nothing of how it is called.
                    model.context_tokens = None;
                }
                (name, Made::Found { kind: server.kind, base_url: server.base_url.clone(), model })
            })
        })
    }

    /// Whether somebody else is asked than by the other, or with another key: only that can prove bad.
    pub(super) fn reaches_otherwise(&self, other: &Made) -> bool {
        match (self, other) {
            (Made::Model { model, key, .. }, Made::Model { model: other, key: other_key, .. }) => {
                (model.provider, &model.base_url, key) != (other.provider, &other.base_url, other_key)
            }
            _ => self != other,
        }
    }

    /// What is missing for it to work.
    pub(super) fn missing(&self) -> Option<&str> {
        match self {
            Made::Model { key: Err(missing), .. } => Some(missing),
            _ => None,
        }
    }

    /// Whether its provider answers and takes its key. `None` for what was found, which has just answered.
    pub(super) async fn reach(&self) -> Option<Reach> {
        match self {
            Made::Model { model, key: Ok(key), .. } => {
                Some(models::reach(model.provider, model.base_url.as_deref(), key.as_ref()).await)
            }
            _ => None,
        }
    }

    /// Where it goes, for people.
    pub(super) fn address(&self) -> &str {
        match self {
            Made::Model { model, .. } => {
                model.base_url.as_deref().or(model.provider.default_base_url).unwrap_or(model.provider.word)
            }
            Made::Found { base_url, .. } => base_url,
        }
    }

    /// The voice; `None` where a server is such that nothing can be made of it.
    pub(super) fn voice(&self) -> Option<Voice> {
        match self {
            Made::Model { model, source, place, key } => Some(configured(model, *source, place.clone(), key.clone())),
            Made::Found { kind, base_url, model } => of_server(*kind, base_url, model)
                .inspect_err(|error| {
                    tracing::debug!(model = model.name, error, "a model that was found cannot be used")
                })
                .ok(),
        }
    }
}

fn configured(
    model: &Model,
    source: ModelSource,
    key_place: Option<String>,
    key: Result<Option<Key>, String>,
) -> Voice {
    let made = key.and_then(|key| backend(model, key.as_ref()));
    let (backend, missing) = match made {
        Ok(backend) => (backend, None),
        Err(missing) => (Arc::new(Unusable::new(missing.clone())) as Arc<dyn Backend>, Some(missing)),
    };
    let known = models::known(model.provider.word, &model.model);
    let spec = spec(model, known.as_ref(), backend.describe().remote);
    let of_known = |of: fn(&Known) -> bool| known.as_ref().map(of);
    let abilities = Abilities {
        tools: match model.tools {
            ToolUse::Constrained => Tooling::Constrained,
            ToolUse::Native | ToolUse::None => Tooling::Native,
            ToolUse::Auto if backend.describe().remote => Tooling::Native,
            ToolUse::Auto => Tooling::Unknown,
        },
        images: model.images.or(of_known(|known| known.images)),
        documents: model.documents.or(of_known(|known| known.documents)),
        json: None,
        reasoning: None,
    };
    let (provider_model, trial) = (model.model.clone(), None);
    Voice { backend, provider_model, spec, abilities, source, missing, key_place, trial }
}

fn key(source: Option<&KeySource>, model: &Model, keys: &KeyStore) -> Result<Option<Key>, String> {
    match source {
        Some(source) => keys.resolve(source).map(Some).map_err(|missing| missing.to_string()),
        // A server of one's own may want none.
        None if model.base_url.is_some() || !model.provider.remote => Ok(None),
        None => {
            let word = model.provider.word;
            let variable = model.provider.key_variable.unwrap_or("the key");
            Err(format!(
                "there is no key for {word}: `tinkerbell keys set {word}` keeps one; or start the daemon with {variable} in \
                 its environment, since it does not see what is exported later"
            ))
        }
    }
}

fn backend(model: &Model, key: Option<&Key>) -> Result<Arc<dyn Backend>, String> {
    let base_url = model.base_url.clone().or_else(|| model.provider.default_base_url.map(str::to_owned));
    let address = || base_url.clone().ok_or_else(|| "base_url is missing: where the server is".to_owned());
    let backend: Arc<dyn Backend> = match model.provider.dialect {
        Dialect::Chat => {
            let mut config = ChatConfig::new(address()?);
            config.key = key.cloned();
            Arc::new(OpenAiChat::new(config).map_err(|error| error.to_string())?)
        }
        Dialect::Ollama => {
            let mut config = OllamaConfig::new(address()?);
            config.key = key.cloned();
            config.context_tokens = Some(model.context_tokens.unwrap_or(OLLAMA_CONTEXT));
            config.keep_alive = model.keep_alive.clone();
            config.think = model.think;
            Arc::new(Ollama::new(config).map_err(|error| error.to_string())?)
        }
        Dialect::Anthropic | Dialect::Gemini | Dialect::Responses => {
            let word = model.provider.word;
            let provider =
                GenAiProvider::from_word(word).ok_or_else(|| format!("provider {word} cannot be spoken to"))?;
            let mut config = GenAiConfig::new(provider);
            (config.base_url, config.key) = (model.base_url.clone(), key.cloned());
            Arc::new(GenAi::new(config).map_err(|error| error.to_string())?)
        }
    };
    Ok(match model.tools {
        ToolUse::Constrained => Arc::new(Constrained::new(backend)),
        ToolUse::Auto if !backend.describe().remote => Arc::new(Adaptive::new(backend, key)),
        ToolUse::Auto | ToolUse::Native | ToolUse::None => backend,
    })
}

fn spec(model: &Model, known: Option<&Known>, remote: bool) -> ModelSpec {
    let unknown = if model.provider.dialect == Dialect::Ollama { OLLAMA_CONTEXT } else { UNKNOWN_CONTEXT };
    let known_context = known.map(|known| Tokens(known.context_tokens));
    let context_tokens = model.context_tokens.or(known_context).unwrap_or(unknown);
    let usual = Tokens((context_tokens.0 / 4).min(UNKNOWN_OUTPUT.0));
    let known_output = known.map(|known| Tokens(known.max_output_tokens));
    let max_output_tokens = model.max_output_tokens.or(known_output).unwrap_or(usual);
    let input = model.input_microusd_per_mtok.or(known.map(|known| Money(known.input_microusd_per_mtok)));
    let output = model.output_microusd_per_mtok.or(known.map(|known| Money(known.output_microusd_per_mtok)));
    let priced = !remote || (input.is_some() && output.is_some());
    // A price that is known for a family is the maker's; a server of one's own costs what the configuration says.
    let of = |given: Option<Money>, price: Option<Money>| if remote { price } else { given }.unwrap_or(Money(0));
    ModelSpec {
        context_tokens,
        max_output_tokens: Tokens(max_output_tokens.0.min(context_tokens.0 / 2).max(1)),
        input_microusd_per_mtok: of(model.input_microusd_per_mtok, input),
        output_microusd_per_mtok: of(model.output_microusd_per_mtok, output),
        priced,
    }
}

/// What a server is called, in lists and before the names of its models.
pub(super) fn word(kind: ServerKind) -> &'static str {
    match kind {
        ServerKind::Ollama => "ollama",
        ServerKind::LlamaCpp => "llamacpp",
        ServerKind::OpenAiCompatible => "local",
    }
}

fn of_server(kind: ServerKind, base_url: &str, model: &FoundModel) -> Result<Voice, String> {
    let (context_tokens, backend): (Tokens, Arc<dyn Backend>) = match kind {
        ServerKind::Ollama => {
            let context = model.trained_context_tokens.unwrap_or(OLLAMA_CONTEXT).min(OLLAMA_CONTEXT);
            let mut config = OllamaConfig::new(base_url);
            config.context_tokens = Some(context);
            (context, Arc::new(Ollama::new(config).map_err(|error| error.to_string())?))
        }
        ServerKind::LlamaCpp | ServerKind::OpenAiCompatible => {
            let context = model.context_tokens.or(model.trained_context_tokens).unwrap_or(UNKNOWN_CONTEXT);
            let chat = OpenAiChat::new(ChatConfig::new(base_url)).map_err(|error| error.to_string())?;
            (context, Arc::new(chat))
        }
    };
    let backend: Arc<dyn Backend> = match model.abilities.tools {
        models::Tooling::Native => backend,
        models::Tooling::Constrained => Arc::new(Constrained::new(backend)),
        models::Tooling::Unknown => Arc::new(Adaptive::new(backend, None)),
    };
    let spec = ModelSpec {
        context_tokens,
        max_output_tokens: Tokens((context_tokens.0 / 4).clamp(1, UNKNOWN_OUTPUT.0)),
        input_microusd_per_mtok: Money(0),
        output_microusd_per_mtok: Money(0),
        priced: true,
    };
    let (abilities, provider_model) = (abilities(&model.abilities), model.name.clone());
    let (source, missing, key_place, trial) = (ModelSource::Found, None, None, None);
    Ok(Voice { backend, provider_model, spec, abilities, source, missing, key_place, trial })
}

fn abilities(found: &models::Abilities) -> Abilities {
    Abilities {
        tools: match found.tools {
            models::Tooling::Native => Tooling::Native,
            models::Tooling::Constrained => Tooling::Constrained,
            models::Tooling::Unknown => Tooling::Unknown,
        },
        images: found.images,
        documents: found.documents,
        json: found.json,
        reasoning: found.reasoning,
    }
}
