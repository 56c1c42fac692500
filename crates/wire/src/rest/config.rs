//! The configuration in force, and what became of the last one that was read.

use agent::{Micros, ModelName};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `config.get`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigView {
    /// The file, and whether there was one.
    pub file: PathBuf,
    /// Whether there was one when it was read.
    pub found: bool,
    /// Which configuration is in force since when, and what was refused.
    pub status: ConfigStatus,
    /// What counts, and who said so.
    pub keys: Vec<ConfigKey>,
}

/// A key with the value that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigKey {
    /// The key.
    pub key: String,
    /// Its value as TOML; absent where it has none.
    pub value: Option<String>,
    /// What happens where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// Who said so.
    pub origin: ConfigOrigin,
    /// What numbers count.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// What it means.
    pub meaning: String,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigOrigin {
    /// From whom.
    pub from: ConfigFrom,
    /// The line of the file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The variable of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
}

/// Who said what counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigFrom {
    /// Nobody said anything else.
    Default,
    /// The file.
    File,
    /// A variable of the environment.
    Environment,
}

/// Which configuration is in force, and what was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigStatus {
    /// Since when.
    #[serde(with = "crate::time::text")]
    pub loaded_at: Micros,
    /// Why it was read.
    pub cause: ReloadCause,
    /// Whether changes of the file are noticed by themselves.
    pub watched: bool,
    /// The last one that was read, where it was refused: what counted before counts still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<ConfigRefused>,
    /// Models that are reached as before, since what was to take its place proved bad.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldModel>,
}

/// A configuration that was refused whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRefused {
    /// When.
    #[serde(with = "crate::time::text")]
    pub at: Micros,
    /// Why it was read.
    pub cause: ReloadCause,
    /// Why it was refused, and what to do.
    pub message: String,
    /// All that is wrong in the file, with lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<ConfigFault>,
}

/// One thing that is wrong in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigFault {
    /// The line, from 1; absent where the fault is that something is not there at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column in characters, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The key it is about; empty where the text is no TOML.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// A model that is reached as before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldModel {
    /// The model.
    pub model: ModelName,
    /// Since when.
    #[serde(with = "crate::time::text")]
    pub since: Micros,
    /// What proved bad, and how.
    pub reason: String,
}

/// Why the configuration was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReloadCause {
    /// The daemon began.
    Start,
    /// The file changed.
    Watch,
    /// Somebody sent SIGHUP.
    Signal,
    /// Somebody asked for it.
    Asked,
}

/// `config.reload`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReloadRequest {
    /// Take it also where a probe says that a key or an address does not work.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// What a reload did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// The file.
    pub file: PathBuf,
    /// Whether there is one.
    pub found: bool,
    /// The keys that say something else than before, in the order of the table.
    pub changed: Vec<String>,
    /// What a probe found that replaces nothing which works.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// `config.check`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// The text; by default what stands in the daemon's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What is to be said of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChecked {
    /// Whether a reload would take it.
    pub valid: bool,
    /// All that is wrong, with lines.
    pub faults: Vec<ConfigFault>,
    /// Why it would be refused; absent where it would be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What a reload would do; absent where it would be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would: Option<Reloaded>,
}
