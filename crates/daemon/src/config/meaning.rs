//! What the configuration means. What a model can do and costs stays open (`None`) where the file does not say.

use super::fault::ConfigError;
use super::walk::Found;
use super::{raw, resolve, table, trust, walk};
use agent::{Limits, ModelName, Money, Rule, Tokens};
use models::ProviderInfo;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::level_filters::LevelFilter;
use wire::places::Places;

/// The built-in model that needs nothing.
pub const OFFLINE: &str = "offline";

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
    /// How long each step of an upgrade may take the new binary.
    pub upgrade_ms: u64,
    /// How long an idle session stays in memory.
    pub idle_ms: u64,
    /// How many bytes the sessions in memory may hold together.
    pub awake_bytes: u64,
    /// Whether model servers of this machine are looked for.
    pub discover: bool,
    /// Where prompts go when none is named: a model, a route, or `provider::model`. `None`: nobody said.
    pub default_model: Option<ModelName>,
    /// The models that the file has. The built-in one is not among them.
    pub models: BTreeMap<ModelName, Model>,
    /// The routes.
    pub routes: BTreeMap<ModelName, Route>,
    /// Where a turn stops.
    pub limits: Limits,
    /// The most that a session may spend.
    pub per_session: Option<Money>,
    /// The most that all sessions may spend in a day (UTC).
    pub per_day: Option<Money>,
    /// Which files of a workspace are read as instructions.
    pub instructions: Instructions,
    /// What goes, and when.
    pub retention: Retention,
    /// When snapshots are made and which are kept.
    pub snapshots: Snapshots,
    /// Who may do what.
    pub rules: Vec<Rule>,
    /// The keys as the file has them, for whoever asks who said what.
    pub(super) said: Vec<Found>,
    /// What stands in the file, for a daemon that takes over.
    pub(crate) text: Arc<str>,
}

/// What goes, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How long nothing happens in a session before it is archived; 0 for never.
    pub archive_idle_ms: u64,
    /// How often it is tidied up.
    pub every_ms: u64,
    /// What the journal's file may hold that nothing uses.
    pub free_bytes: u64,
    /// What the pictures of canvases may hold together.
    pub pictures_bytes: u64,
    /// How long a picture stays that nobody looks at.
    pub pictures_idle_ms: u64,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention {
            archive_idle_ms: table::ARCHIVE_IDLE_MS,
            every_ms: table::TIDY_MS,
            free_bytes: table::FREE_BYTES,
            pictures_bytes: table::PICTURES_BYTES,
            pictures_idle_ms: table::PICTURES_IDLE_MS,
        }
    }
}

/// A model that the file has.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Who provides it.
    pub provider: &'static ProviderInfo,
    /// The provider's name for it.
    pub model: String,
    /// Where the provider is, if not at its usual address.
    pub base_url: Option<String>,
    /// Where its key is. `None`: see [`KeyStore::usual`](crate::keys::KeyStore::usual).
    pub key: Option<KeySource>,
    /// The whole window.
    pub context_tokens: Option<Tokens>,
    /// The most that one reply may have.
    pub max_output_tokens: Option<Tokens>,
    /// Price of a million tokens read, in millionths of a dollar.
    pub input_microusd_per_mtok: Option<Money>,
    /// Price of a million tokens written, in millionths of a dollar.
    pub output_microusd_per_mtok: Option<Money>,
    /// How it comes to call tools.
    pub tools: ToolUse,
    /// Whether it takes images.
    pub images: Option<bool>,
    /// Whether it takes PDF documents.
    pub documents: Option<bool>,
    /// How long Ollama keeps it loaded, in Ollama's words.
    pub keep_alive: Option<String>,
    /// Whether Ollama has it think aloud.
    pub think: Option<bool>,
}

/// Models that stand in for each other, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Names of models, or `provider::model`. Never empty.
    pub models: Vec<ModelName>,
}

/// How a model comes to call tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ToolUse {
    /// A probe finds out.
    #[default]
    Auto,
    /// By its own means.
    Native,
    /// It is held to a JSON schema made from the tool table.
    Constrained,
    /// Not at all.
    None,
}

/// Which files of a workspace are read as instructions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instructions {
    /// Paths from the workspace's root.
    pub files: Vec<String>,
    /// The most that is read of each.
    pub max_bytes: u64,
}

/// When snapshots are made and which are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshots {
    /// How often one is made; 0 for never.
    pub every_ms: u64,
    /// How many of the daemon's own are kept.
    pub keep: u64,
    /// How old the daemon's own become; 0 for no bound.
    pub max_age_ms: u64,
    /// What all may hold together; 0 for no bound.
    pub max_bytes: u64,
    /// Whether one is made when the daemon stops.
    pub on_stop: bool,
    /// Where they lie, if not in the state directory.
    pub directory: Option<PathBuf>,
    /// Where the passphrase is that encrypts them.
    pub passphrase: Option<KeySource>,
}

/// Where a key is; never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeySource {
    /// In an environment variable of the daemon.
    Env(String),
    /// In a file.
    File(PathBuf),
    /// In the desktop's keyring, under this name.
    Keyring(String),
    /// In a file that tinkerbell keeps, under this name.
    Kept(String),
}

impl KeySource {
    /// Where the key is, in a few words; the same for the same place.
    pub fn place(&self) -> String {
        match self {
            KeySource::Env(variable) => variable.clone(),
            KeySource::File(path) => path.display().to_string(),
            KeySource::Keyring(name) => format!("service tinkerbell, username {name}"),
            KeySource::Kept(name) => format!("keys/{name}"),
        }
    }
}

impl Config {
    /// Where to listen, the first that can be had: what the command line or the environment says counts more.
    pub(crate) fn sockets(&self, places: &Places) -> Vec<PathBuf> {
        match &self.socket {
            Some(socket) if !places.socket_chosen => vec![socket.clone()],
            _ => places.sockets.clone(),
        }
    }

    /// Reads and checks a file, which must be the user's own word; a missing one means all defaults.
    pub fn load(file: &Path) -> Result<Config, ConfigError> {
        let text = trust::read_own(file)?;
        Config::parse(file, text.as_deref().unwrap_or_default(), text.is_some())
    }

    /// Checks a text that stands, or will stand, in a file. All that is wrong is told at once, as far as that can be.
    pub(crate) fn parse(file: &Path, text: &str, found: bool) -> Result<Config, ConfigError> {
        let invalid = |faults| ConfigError::Invalid { path: file.to_owned(), faults };
        let walked = walk::walk(text).map_err(|fault| invalid(vec![fault]))?;
        if !walked.faults.is_empty() {
            return Err(invalid(walked.faults));
        }
        let raw = raw::read(text).map_err(|fault| invalid(vec![fault]))?;
        match resolve::resolve(file, found, raw) {
            Ok(config) => Ok(Config { said: walked.found, text: text.into(), ..config }),
            Err(wrong) => Err(invalid(wrong.into_iter().map(|wrong| walked.locate(wrong)).collect())),
        }
    }
}
