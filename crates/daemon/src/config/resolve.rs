//! From what is written to what it means: what no single value can show, such as a name that means nothing.

use super::meaning::{Config, Instructions, KeySource, Model, OFFLINE, Retention, Route, Snapshots, ToolUse};
use super::names::named;
use super::raw::{RawConfig, RawKey, RawLimits, RawModel, RawRetention, RawRoute, RawSnapshots};
use super::suggest::suggestion;
use super::table;
use super::walk::{Wrong, dotted};
use agent::{Limits, ModelName, Money, Tokens};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tracing::level_filters::LevelFilter;

/// Finds out what a file means, or all that contradicts itself in it.
pub(super) fn resolve(file: &Path, found: bool, raw: RawConfig) -> Result<Config, Vec<Wrong>> {
    let mut wrongs = Vec::new();
    let models = models(raw.models, &mut wrongs);
    let routes = routes(raw.routes, &models, &mut wrongs);
    let default_model = raw.default_model.as_deref().map(ModelName::new);
    if let Some(name) = &default_model
        && !routes.contains_key(name)
        && let Err(message) = known_model(name, &models, &routes)
    {
        wrongs.push(Wrong { key: "default_model".to_owned(), message });
    }
    let limits = limits(raw.limits, raw.budget.per_turn_usd.map(money), &mut wrongs);
    if !wrongs.is_empty() {
        return Err(wrongs);
    }
    Ok(Config {
        file: file.to_owned(),
        found,
        socket: raw.daemon.socket,
        log: raw.daemon.log.and_then(|word| word.parse().ok()).unwrap_or(LevelFilter::INFO),
        grace_ms: raw.daemon.grace_ms.unwrap_or(table::GRACE_MS),
        upgrade_ms: raw.daemon.upgrade_ms.unwrap_or(table::UPGRADE_MS),
        idle_ms: raw.daemon.idle_ms.unwrap_or(table::IDLE_MS),
        awake_bytes: raw.daemon.awake_bytes.unwrap_or(table::AWAKE_BYTES),
        discover: raw.daemon.discover.unwrap_or(true),
        default_model,
        models,
        routes,
        limits,
        per_session: raw.budget.per_session_usd.map(money),
        per_day: raw.budget.per_day_usd.map(money),
        instructions: Instructions {
            files: raw
                .instructions
                .files
                .unwrap_or_else(|| table::INSTRUCTION_FILES.iter().map(|name| (*name).to_owned()).collect()),
            max_bytes: raw.instructions.max_bytes.unwrap_or(table::INSTRUCTION_BYTES),
        },
        retention: retention(&raw.retention),
        snapshots: snapshots(raw.snapshots),
        rules: raw.permissions.rules,
        said: Vec::new(),
        text: Arc::default(),
    })
}

fn models(raw: BTreeMap<String, RawModel>, wrongs: &mut Vec<Wrong>) -> BTreeMap<ModelName, Model> {
    let mut models = BTreeMap::new();
    for (name, raw) in raw {
        match model(raw) {
            Ok(model) => drop(models.insert(ModelName::new(&name), model)),
            Err((key, message)) => wrongs.push(Wrong { key: dotted(&["models", &name, key]), message }),
        }
    }
    models
}

/// A model, or the key that is wrong and why.
fn model(raw: RawModel) -> Result<Model, (&'static str, String)> {
    let missing = |key: &'static str, what: &str| (key, format!("is missing: {what}"));
    let word = raw.provider.ok_or_else(|| missing("provider", "who provides the model"))?;
    let provider = models::provider(&word).ok_or_else(|| ("provider", "is not known".to_owned()))?;
    let model = raw.model.ok_or_else(|| missing("model", "the provider's name for it"))?;
    if raw.base_url.is_none() && provider.default_base_url.is_none() {
        return Err(missing("base_url", "this provider has no usual address"));
    }
    if let (Some(window), Some(reply)) = (raw.context_tokens, raw.max_output_tokens)
        && reply >= window
    {
        return Err(("max_output_tokens", format!("must be less than context_tokens, which is {window}")));
    }
    for (key, given) in [("keep_alive", raw.keep_alive.is_some()), ("think", raw.think.is_some())] {
        if given && provider.dialect != models::Dialect::Ollama {
            return Err((key, format!("means something to the provider ollama alone, not to {word}")));
        }
    }
    Ok(Model {
        provider,
        model,
        base_url: raw.base_url,
        key: raw.key.map(key_source),
        context_tokens: raw.context_tokens.map(Tokens),
        max_output_tokens: raw.max_output_tokens.map(Tokens),
        input_microusd_per_mtok: raw.input_usd_per_mtok.map(money),
        output_microusd_per_mtok: raw.output_usd_per_mtok.map(money),
        tools: match raw.tools.as_deref() {
            Some("native") => ToolUse::Native,
            Some("constrained") => ToolUse::Constrained,
            Some("none") => ToolUse::None,
            _ => ToolUse::Auto,
        },
        images: raw.images,
        documents: raw.documents,
        keep_alive: raw.keep_alive,
        think: raw.think,
    })
}

fn key_source(raw: RawKey) -> KeySource {
    match raw {
        RawKey::Env(name) => KeySource::Env(name),
        RawKey::File(path) => KeySource::File(path),
        RawKey::Keyring(name) => KeySource::Keyring(name),
        RawKey::Kept(name) => KeySource::Kept(name),
    }
}

fn routes(
    raw: BTreeMap<String, RawRoute>,
    models: &BTreeMap<ModelName, Model>,
    wrongs: &mut Vec<Wrong>,
) -> BTreeMap<ModelName, Route> {
    let mut routes = BTreeMap::new();
    for (name, raw) in raw {
        match route(&name, raw, models) {
            Ok(route) => drop(routes.insert(ModelName::new(&name), route)),
            Err((key, message)) => {
                let path: Vec<&str> = ["routes", name.as_str()].into_iter().chain(key).collect();
                wrongs.push(Wrong { key: dotted(&path), message });
            }
        }
    }
    routes
}

fn route(
    name: &str,
    raw: RawRoute,
    models: &BTreeMap<ModelName, Model>,
) -> Result<Route, (Option<&'static str>, String)> {
    if models.contains_key(name) {
        return Err((None, "a model has this name already; choose another".to_owned()));
    }
    let wrong = |message: String| (Some("models"), message);
    let names = raw.models.ok_or_else(|| wrong("is missing: the models, the first that works first".to_owned()))?;
    let mut list: Vec<ModelName> = Vec::new();
    for name in names.iter().map(|name| ModelName::new(name)) {
        known_model(&name, models, &BTreeMap::new()).map_err(wrong)?;
        if list.contains(&name) {
            return Err(wrong(format!("names {name} twice")));
        }
        list.push(name);
    }
    Ok(Route { models: list })
}

/// Whether a name means a model; the complaint lists routes too where they are given.
fn known_model(
    name: &ModelName,
    models: &BTreeMap<ModelName, Model>,
    routes: &BTreeMap<ModelName, Route>,
) -> Result<(), String> {
    if name.as_str() == OFFLINE || models.contains_key(name) {
        return Ok(());
    }
    match named(name.as_str()) {
        Ok(Some(_)) => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(None) => {
            let known: Vec<&str> =
                [OFFLINE].into_iter().chain(models.keys().chain(routes.keys()).map(ModelName::as_str)).collect();
            Err(format!(
                "names no model; there are: {}, and provider::model{}",
                known.join(", "),
                suggestion(name.as_str(), known)
            ))
        }
    }
}

fn limits(raw: RawLimits, turn_cost_microusd: Option<Money>, wrongs: &mut Vec<Wrong>) -> Limits {
    let default = Limits::default();
    let limits = Limits {
        steps: raw.steps.unwrap_or(default.steps),
        turn_ms: raw.turn_ms.unwrap_or(default.turn_ms),
        output_tokens: raw.output_tokens.map_or(default.output_tokens, Tokens),
        alike_calls: raw.alike_calls.unwrap_or(default.alike_calls),
        turn_cost_microusd,
        attempts: raw.attempts.unwrap_or(default.attempts),
        backoff_ms: raw.backoff_ms.unwrap_or(default.backoff_ms),
        max_backoff_ms: raw.max_backoff_ms.unwrap_or(default.max_backoff_ms),
        fruitless: raw.fruitless.unwrap_or(default.fruitless),
    };
    if limits.backoff_ms > limits.max_backoff_ms {
        let message = format!("must not be less than limits.backoff_ms, which is {}", limits.backoff_ms);
        wrongs.push(Wrong { key: "limits.max_backoff_ms".to_owned(), message });
    }
    limits
}

fn retention(raw: &RawRetention) -> Retention {
    let default = Retention::default();
    Retention {
        archive_idle_ms: raw.archive_idle_ms.unwrap_or(default.archive_idle_ms),
        every_ms: raw.every_ms.unwrap_or(default.every_ms),
        free_bytes: raw.free_bytes.unwrap_or(default.free_bytes),
        pictures_bytes: raw.pictures_bytes.unwrap_or(default.pictures_bytes),
        pictures_idle_ms: raw.pictures_idle_ms.unwrap_or(default.pictures_idle_ms),
    }
}

fn snapshots(raw: RawSnapshots) -> Snapshots {
    Snapshots {
        every_ms: raw.every_ms.unwrap_or(table::SNAPSHOT_EVERY_MS),
        keep: raw.keep.unwrap_or(table::SNAPSHOTS_KEPT),
        max_age_ms: raw.max_age_ms.unwrap_or(0),
        max_bytes: raw.max_bytes.unwrap_or(table::SNAPSHOT_BYTES),
        on_stop: raw.on_stop.unwrap_or(false),
        directory: raw.directory,
        passphrase: raw.passphrase.map(key_source),
    }
}

/// An amount that the table let through.
fn money(usd: f64) -> Money {
    Money((usd * 1e6).round() as u64)
}
