//! The file as plain data, exactly as it is written. A test holds it against the table.

use super::fault::Fault;
use agent::Rule;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConfig {
    pub(super) default_model: Option<String>,
    pub(super) daemon: RawDaemon,
    pub(super) models: BTreeMap<String, RawModel>,
    pub(super) routes: BTreeMap<String, RawRoute>,
    pub(super) limits: RawLimits,
    pub(super) budget: RawBudget,
    pub(super) instructions: RawInstructions,
    pub(super) retention: RawRetention,
    pub(super) snapshots: RawSnapshots,
    pub(super) permissions: RawPermissions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDaemon {
    pub(super) socket: Option<PathBuf>,
    pub(super) log: Option<String>,
    pub(super) grace_ms: Option<u64>,
    pub(super) upgrade_ms: Option<u64>,
    pub(super) idle_ms: Option<u64>,
    pub(super) awake_bytes: Option<u64>,
    pub(super) discover: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawModel {
    pub(super) provider: Option<String>,
    pub(super) model: Option<String>,
    pub(super) base_url: Option<String>,
    pub(super) key: Option<RawKey>,
    pub(super) context_tokens: Option<u64>,
    pub(super) max_output_tokens: Option<u64>,
    pub(super) input_usd_per_mtok: Option<f64>,
    pub(super) output_usd_per_mtok: Option<f64>,
    pub(super) tools: Option<String>,
    pub(super) images: Option<bool>,
    pub(super) documents: Option<bool>,
    pub(super) keep_alive: Option<String>,
    pub(super) think: Option<bool>,
}

/// Where a key is. What the table lets through has exactly one of these words.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawKey {
    Env(String),
    File(PathBuf),
    Keyring(String),
    Kept(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRoute {
    pub(super) models: Option<Vec<String>>,
    // Read so that it is known; there is one policy, so there is nothing to remember.
    pub(super) policy: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLimits {
    pub(super) steps: Option<u32>,
    pub(super) turn_ms: Option<u64>,
    pub(super) output_tokens: Option<u64>,
    pub(super) alike_calls: Option<u32>,
    pub(super) attempts: Option<u32>,
    pub(super) backoff_ms: Option<u64>,
    pub(super) max_backoff_ms: Option<u64>,
    pub(super) fruitless: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawBudget {
    pub(super) per_turn_usd: Option<f64>,
    pub(super) per_session_usd: Option<f64>,
    pub(super) per_day_usd: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawInstructions {
    pub(super) files: Option<Vec<String>>,
    pub(super) max_bytes: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRetention {
    pub(super) archive_idle_ms: Option<u64>,
    pub(super) every_ms: Option<u64>,
    pub(super) free_bytes: Option<u64>,
    pub(super) pictures_bytes: Option<u64>,
    pub(super) pictures_idle_ms: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSnapshots {
    pub(super) every_ms: Option<u64>,
    pub(super) keep: Option<u64>,
    pub(super) max_age_ms: Option<u64>,
    pub(super) max_bytes: Option<u64>,
    pub(super) on_stop: Option<bool>,
    pub(super) directory: Option<PathBuf>,
    pub(super) passphrase: Option<RawKey>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPermissions {
    pub(super) rules: Vec<Rule>,
}

/// Reads a text that the table let through.
pub(super) fn read(text: &str) -> Result<RawConfig, Fault> {
    toml::from_str(text).map_err(|error| Fault::at(text, error.span().map(|span| span.start), "", error.message()))
}
