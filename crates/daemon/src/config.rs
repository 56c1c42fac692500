//! The configuration: what is in the file ([`RawConfig`]), then what it means ([`Config`]), once, before anything is
//! opened. Every key has a default; unknown keys are errors with a suggestion.

use agent::{Limits, ModelName, ModelSpec, Money, Rule, Tokens};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tracing::level_filters::LevelFilter;

/// The built-in model that needs nothing.
pub const OFFLINE: &str = "offline";

/// The file, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawConfig {
    default_model: Option<String>,
    daemon: RawDaemon,
    models: BTreeMap<String, RawModel>,
    limits: RawLimits,
    budget: RawBudget,
    permissions: RawPermissions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawDaemon {
    socket: Option<PathBuf>,
    log: Option<String>,
    grace_ms: Option<u64>,
    idle_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    provider: String,
    model: Option<String>,
    base_url: Option<String>,
    key: Option<RawKey>,
    context_tokens: Option<u64>,
    max_output_tokens: Option<u64>,
    #[serde(default)]
    input_usd_per_mtok: f64,
    #[serde(default)]
    output_usd_per_mtok: f64,
}

/// Where a key is. Read by hand, so that no error quotes what may be a key that somebody wrote here by mistake.
#[derive(Debug)]
enum RawKey {
    Env(String),
    File(PathBuf),
}

impl<'de> Deserialize<'de> for RawKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<RawKey, D::Error> {
        let value = toml::Value::deserialize(deserializer)?;
        let text = |name: &str| value.get(name).and_then(toml::Value::as_str);
        match (text("env"), text("file"), value.as_table().map(toml::Table::len)) {
            (Some(name), None, Some(1)) => Ok(RawKey::Env(name.to_owned())),
            (None, Some(path), Some(1)) => Ok(RawKey::File(path.into())),
            _ => Err(serde::de::Error::custom(
                "a key is not written here itself; say where it is: { env = \"NAME\" } or { file = \"/path\" }",
            )),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLimits {
    steps: Option<u32>,
    turn_ms: Option<u64>,
    output_tokens: Option<u64>,
    attempts: Option<u32>,
    backoff_ms: Option<u64>,
    max_backoff_ms: Option<u64>,
    fruitless: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawBudget {
    per_session_usd: Option<f64>,
    per_day_usd: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawPermissions {
    rules: Vec<Rule>,
}

/// What the configuration means.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it came from, and whether there was one.
    pub file: PathBuf,
    /// Whether the file exists.
    pub found: bool,
    /// A socket that the file names.
    pub socket: Option<PathBuf>,
    /// How much is logged.
    pub log: LevelFilter,
    /// How long a shutdown waits for effects.
    pub grace_ms: u64,
    /// How long an idle session stays in memory.
    pub idle_ms: u64,
    /// The model that prompts go to when none is named.
    pub default_model: ModelName,
    /// The models.
    pub models: BTreeMap<ModelName, Model>,
    /// Where a turn stops.
    pub limits: Limits,
    /// The most that a session may spend.
    pub per_session: Option<Money>,
    /// The most that all sessions may spend in a day (UTC).
    pub per_day: Option<Money>,
    /// Who may do what.
    pub rules: Vec<Rule>,
}

/// A model that can be called.
#[derive(Debug, Clone)]
pub struct Model {
    /// Who provides it.
    pub provider: Provider,
    /// What the brain needs to know of it.
    pub spec: ModelSpec,
}

/// Who provides a model.
#[derive(Debug, Clone)]
pub enum Provider {
    /// The built-in offline model.
    Offline,
    /// A server that speaks the OpenAI chat dialect.
    OpenAi {
        /// The URL below which `/chat/completions` lies.
        base_url: String,
        /// The provider's name for the model.
        model: String,
        /// Where its key is.
        key: Option<KeySource>,
    },
}

/// Where a key is; never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// An environment variable of the daemon.
    Env(String),
    /// A file.
    File(PathBuf),
}

/// A configuration that cannot be used. Nothing of it is.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is not TOML, or says what no key means.
    #[error("the configuration {path} is not valid:\n{message}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
}

impl Config {
    /// Reads and checks a file; a missing one means all defaults.
    pub fn load(file: &Path) -> Result<Config, ConfigError> {
        match std::fs::read_to_string(file) {
            Ok(text) => Config::parse(file, &text, true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Config::parse(file, "", false),
            Err(error) => Err(ConfigError::Unreadable { path: file.to_owned(), error }),
        }
    }

    fn parse(file: &Path, text: &str, found: bool) -> Result<Config, ConfigError> {
        let invalid = |message: String| ConfigError::Invalid { path: file.to_owned(), message };
        let raw: RawConfig = toml::from_str(text).map_err(|error| {
            // Not the error's own picture of the line: there may be a key in it.
            let place = error.span().map(|span| place(text, span.start)).unwrap_or_default();
            invalid(format!("{place}{}{}", error.message(), suggestion(error.message())))
        })?;
        resolve(file, found, raw).map_err(invalid)
    }
}

fn resolve(file: &Path, found: bool, raw: RawConfig) -> Result<Config, String> {
    let mut models = BTreeMap::from([(ModelName::new(OFFLINE), offline())]);
    for (name, model) in raw.models {
        if name == OFFLINE {
            return Err(format!("models.{OFFLINE}: this name is taken by the built-in model; choose another"));
        }
        let model = resolve_model(model).map_err(|why| format!("models.{name}: {why}"))?;
        models.insert(ModelName::new(&name), model);
    }
    let default_model = ModelName::new(raw.default_model.as_deref().unwrap_or(OFFLINE));
    if !models.contains_key(&default_model) {
        let known: Vec<_> = models.keys().map(ModelName::as_str).collect();
        return Err(format!("default_model: there is no model {default_model:?}; there are: {}", known.join(", ")));
    }
    let log = match raw.daemon.log.as_deref() {
        None => LevelFilter::INFO,
        Some(word) => word.parse().map_err(|_| {
            format!("daemon.log: {word:?} is no level; levels are off, error, warn, info, debug, trace")
        })?,
    };
    if let Some(socket) = &raw.daemon.socket
        && (!socket.is_absolute() || socket.as_os_str().len() > wire::places::MAX_SOCKET_PATH_BYTES)
    {
        let most = wire::places::MAX_SOCKET_PATH_BYTES;
        return Err(format!("daemon.socket: {socket:?} must be an absolute path of at most {most} bytes"));
    }
    Ok(Config {
        file: file.to_owned(),
        found,
        socket: raw.daemon.socket,
        log,
        grace_ms: raw.daemon.grace_ms.unwrap_or(5_000),
        idle_ms: raw.daemon.idle_ms.unwrap_or(5 * 60 * 1000),
        default_model,
        models,
        limits: limits(raw.limits)?,
        per_session: raw.budget.per_session_usd.map(|usd| money("budget.per_session_usd", usd)).transpose()?,
        per_day: raw.budget.per_day_usd.map(|usd| money("budget.per_day_usd", usd)).transpose()?,
        rules: raw.permissions.rules,
    })
}

fn offline() -> Model {
    Model {
        provider: Provider::Offline,
        spec: ModelSpec {
            context_tokens: Tokens(1_000_000),
            max_output_tokens: Tokens(100_000),
            input_microusd_per_mtok: Money(0),
            output_microusd_per_mtok: Money(0),
        },
    }
}

fn resolve_model(raw: RawModel) -> Result<Model, String> {
    if raw.provider != "openai" {
        return Err(format!(
            "provider {:?} is not known yet; \"openai\" speaks to any server with an OpenAI-compatible chat endpoint",
            raw.provider
        ));
    }
    let base_url = raw.base_url.unwrap_or_else(|| "https://api.openai.com/v1".to_owned());
    if !base_url.starts_with("http://") && !base_url.starts_with("https://") {
        return Err(format!("base_url {base_url:?} must begin with http:// or https://"));
    }
    let model = raw.model.ok_or("model is missing: the provider's name for it")?;
    let context_tokens = Tokens(raw.context_tokens.unwrap_or(32_768));
    let max_output_tokens = Tokens(raw.max_output_tokens.unwrap_or((context_tokens.0 / 4).min(8_192)));
    if max_output_tokens >= context_tokens || max_output_tokens.is_zero() {
        return Err("max_output_tokens must be more than 0 and less than context_tokens".to_owned());
    }
    Ok(Model {
        provider: Provider::OpenAi {
            base_url,
            model,
            key: raw.key.map(|key| match key {
                RawKey::Env(name) => KeySource::Env(name),
                RawKey::File(path) => KeySource::File(path),
            }),
        },
        spec: ModelSpec {
            context_tokens,
            max_output_tokens,
            input_microusd_per_mtok: money("input_usd_per_mtok", raw.input_usd_per_mtok)?,
            output_microusd_per_mtok: money("output_usd_per_mtok", raw.output_usd_per_mtok)?,
        },
    })
}

fn limits(raw: RawLimits) -> Result<Limits, String> {
    let default = Limits::default();
    let limits = Limits {
        steps: raw.steps.unwrap_or(default.steps),
        turn_ms: raw.turn_ms.unwrap_or(default.turn_ms),
        output_tokens: raw.output_tokens.map_or(default.output_tokens, Tokens),
        attempts: raw.attempts.unwrap_or(default.attempts),
        backoff_ms: raw.backoff_ms.unwrap_or(default.backoff_ms),
        max_backoff_ms: raw.max_backoff_ms.unwrap_or(default.max_backoff_ms),
        fruitless: raw.fruitless.unwrap_or(default.fruitless),
    };
    let zero = [("steps", limits.steps), ("attempts", limits.attempts), ("fruitless", limits.fruitless)]
        .into_iter()
        .find(|(_, value)| *value == 0);
    match zero {
        Some((name, _)) => Err(format!("limits.{name} must be at least 1")),
        None if limits.turn_ms == 0 => Err("limits.turn_ms must be at least 1".to_owned()),
        None => Ok(limits),
    }
}

fn money(key: &str, usd: f64) -> Result<Money, String> {
    const MOST_USD: f64 = 1e9;
    if (0.0..=MOST_USD).contains(&usd) {
        Ok(Money((usd * 1e6).round() as u64))
    } else {
        Err(format!("{key}: {usd} is not an amount between 0 and {MOST_USD}"))
    }
}

/// Line and column of a byte, as people count.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    format!("line {line}, column {column}: ")
}

/// For "unknown field `x`, expected one of `a`, `b`": the nearest of those, when it is near.
fn suggestion(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted.next().filter(|_| message.starts_with("unknown")) else { return String::new() };
    match quoted.min_by_key(|known| distance(unknown, known)) {
        Some(known) if distance(unknown, known) <= unknown.len().div_ceil(3) => {
            format!("\nDid you mean `{known}`?")
        }
        _ => String::new(),
    }
}

/// Levenshtein's distance between two short words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("c.toml"), text, true).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_file_means_the_offline_model_and_the_defaults() {
        let config = parse("").unwrap();
        assert_eq!(config.default_model.as_str(), OFFLINE);
        assert_eq!(config.limits, Limits::default());
    }

    #[test]
    fn every_key_is_documented() {
        let document = include_str!("../../../docs/configuration.md");
        let sections = ["", "[daemon]", "[models.x]\nprovider = \"openai\"", "[limits]", "[budget]", "[permissions]"];
        for section in sections {
            // The error for an unknown key lists the known ones.
            let error = parse(&format!("{section}\nunknown_key = 1")).unwrap_err();
            let known: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
            assert!(!known.is_empty(), "{error}");
            for key in known.iter().filter(|key| **key != "unknown_key") {
                let row = [format!("| `{key}` |"), format!("`[{key}]`"), format!("`[{key}.")];
                assert!(row.iter().any(|row| document.contains(row)), "{key} of {section:?} is not in the document");
            }
        }
    }

    #[test]
    fn a_whole_file_is_understood() {
        let config = parse(
            r#"
            default_model = "local"
            [daemon]
            log = "debug"
            [models.local]
            provider = "openai"
            base_url = "http://127.0.0.1:8080/v1"
            model = "qwen3"
            key = { env = "LOCAL_KEY" }
            context_tokens = 8192
            input_usd_per_mtok = 0.25
            [budget]
            per_day_usd = 20.0
            [permissions]
            rules = [{ tool = "write_file", argument = "secrets/*", decision = "deny" }]
            "#,
        )
        .unwrap();
        let model = &config.models["local"];
        assert_eq!(model.spec.max_output_tokens, Tokens(2048));
        assert_eq!(model.spec.input_microusd_per_mtok, Money(250_000));
        assert!(
            matches!(&model.provider, Provider::OpenAi { key: Some(KeySource::Env(name)), .. } if name == "LOCAL_KEY")
        );
        assert_eq!((config.per_day, config.rules.len()), (Some(Money(20_000_000)), 1));
    }

    #[test]
    fn what_is_wrong_is_named_with_the_way_out() {
        for (text, expected) in [
            ("[limits]\nstep = 3", "Did you mean `steps`?"),
            ("default_model = \"gpt\"", "there are: offline"),
            ("[models.x]\nprovider = \"openai\"", "models.x: model is missing"),
            ("[models.x]\nprovider = \"acme\"\nmodel = \"m\"", "not known yet"),
            ("[models.offline]\nprovider = \"openai\"\nmodel = \"m\"", "taken by the built-in model"),
            ("[limits]\nsteps = 0", "limits.steps must be at least 1"),
            ("[limits]\nsteps = \"many\"", "line 2"),
            ("[daemon]\nlog = \"loud\"", "levels are off"),
            ("[budget]\nper_day_usd = -1.0", "not an amount"),
            ("[models.x\nprov", "line 1"),
            ("[models.x]\nprovider = \"openai\"\nmodel = \"m\"\nkey = \"sk-CANARY\"", "say where it is"),
            ("[models.x]\nprovider = \"openai\"\nmodel = \"m\"\nkey = { sk-CANARY = 1 }", "say where it is"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text:?} gave {error:?}");
            assert!(!error.contains("CANARY"), "a key stands in {error:?}");
        }
    }
}
