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
    Offline, Ollama, OllamaConfig, OpenAiChat, Server, ServerKind,
};
use std::collections::BTreeMap;
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
    }
}

/// A model that the daemon was assembled with.
pub(super) fn given(model: ExtraModel) -> Voice {
    let ExtraModel { name, backend, spec, abilities } = model;
    let provider_model = name.to_string();
    Voice { backend, provider_model, spec, abilities, source: ModelSource::BuiltIn, missing: None, key_place: None }
}

/// Whether a name may stand for a model that a look finds.
pub(super) fn may_be_local(name: &ModelName) -> bool {
    let local = |word: &str| models::provider(word).is_none_or(|provider| !provider.remote);
    name.as_str().split_once("::").is_none_or(|(word, _)| local(word))
}

/// The model that `provider::model` stands for; `None` where the name is no such thing.
pub(super) fn named(name: &ModelName, keys: &KeyStore) -> Option<Voice> {
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
    Some(Voice { source: ModelSource::Named, ..configured(name, &model, keys) })
}

/// A model of the configuration.
pub(super) fn configured(name: &ModelName, model: &Model, keys: &KeyStore) -> Voice {
    let source = model.key.clone().or_else(|| keys.usual(name, model.provider));
    let place = source.as_ref().map(KeySource::place);
    let made = key(source.as_ref(), model, keys).and_then(|key| backend(model, key.as_ref()));
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
    let (source, provider_model) = (ModelSource::Configured, model.model.clone());
    Voice { backend, provider_model, spec, abilities, source, missing, key_place: place }
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

/// The models that servers of this machine hold.
pub(super) fn found(servers: &[Server]) -> BTreeMap<ModelName, Voice> {
    let mut voices = BTreeMap::new();
    for server in servers {
        for model in &server.models {
            let name = ModelName::new(&format!("{}::{}", word(server.kind), model.name));
            match of_server(server, model) {
                Ok(voice) => drop(voices.insert(name, voice)),
                Err(error) => tracing::debug!(model = %name, error, "a model that was found cannot be used"),
            }
        }
    }
    voices
}

/// What a server is called, in lists and before the names of its models.
pub(super) fn word(kind: ServerKind) -> &'static str {
    match kind {
        ServerKind::Ollama => "ollama",
        ServerKind::LlamaCpp => "llamacpp",
        ServerKind::OpenAiCompatible => "local",
    }
}

fn of_server(server: &Server, model: &FoundModel) -> Result<Voice, String> {
    let (context_tokens, backend): (Tokens, Arc<dyn Backend>) = match server.kind {
        ServerKind::Ollama => {
            let context = model.trained_context_tokens.unwrap_or(OLLAMA_CONTEXT).min(OLLAMA_CONTEXT);
            let mut config = OllamaConfig::new(&server.base_url);
            config.context_tokens = Some(context);
            (context, Arc::new(Ollama::new(config).map_err(|error| error.to_string())?))
        }
        ServerKind::LlamaCpp | ServerKind::OpenAiCompatible => {
            let context = model.context_tokens.or(model.trained_context_tokens).unwrap_or(UNKNOWN_CONTEXT);
            let chat = OpenAiChat::new(ChatConfig::new(&server.base_url)).map_err(|error| error.to_string())?;
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
    Ok(Voice { backend, provider_model, spec, abilities, source: ModelSource::Found, missing: None, key_place: None })
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
