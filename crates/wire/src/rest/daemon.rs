//! What the daemon says of itself.

use super::{ConfigStatus, SnapshotStatus, StorageStatus};
use agent::{Generation, Micros, ModelName, Money};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `daemon.status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// How often a daemon has begun on this state directory.
    pub generation: Generation,
    /// Since when it runs.
    #[serde(with = "crate::time::text")]
    pub started_at: Micros,
    /// Where its state lies.
    pub state_dir: PathBuf,
    /// Its socket.
    pub socket: PathBuf,
    /// Its configuration file, and whether there is one.
    pub config_file: PathBuf,
    /// Whether the configuration file exists.
    pub config_found: bool,
    /// Which configuration is in force since when, and what was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigStatus>,
    /// The model that prompts go to when none is named.
    pub default_model: Option<ModelName>,
    /// The sessions in memory.
    pub cache: CacheStatus,
    /// Sessions with a running turn.
    pub running: u32,
    /// Sessions on disk.
    pub sessions: u64,
    /// The store's health.
    pub store: StoreStatus,
    /// What lies where, as far as it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageStatus>,
    /// Copies of the whole state.
    #[serde(default)]
    pub snapshots: SnapshotStatus,
    /// How the last upgrade went that this process had a part in, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<UpgradeReport>,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// Spent today (UTC).
    pub spent_today_microusd: Money,
}

/// `daemon.upgrade`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpgradeRequest {
    /// The binary, by its absolute path; otherwise what lies now where the running one was started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary: Option<PathBuf>,
}

/// The new binary is fit, and is about to be handed everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeBegun {
    /// The binary.
    pub binary: PathBuf,
    /// The process that hands over.
    pub from_pid: u32,
    /// Its version.
    pub from_version: String,
    /// The process that takes over.
    pub to_pid: u32,
    /// Its version.
    pub to_version: String,
    /// Whether it brings the state's tables to a newer version.
    pub migrates: bool,
}

/// How an upgrade went, as the process says it that serves now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeReport {
    /// Whether this process took over, or tried to hand over and went on.
    pub outcome: UpgradeOutcome,
    /// The binary that was to take over.
    pub binary: PathBuf,
    /// When that was known.
    #[serde(with = "crate::time::text")]
    pub at: Micros,
    /// The version that was to hand over.
    pub from_version: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How an upgrade ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpgradeOutcome {
    /// This process took over.
    TakenOver,
    /// The new binary failed, and this process goes on.
    Failed,
}

/// How the store fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// `open`, or `read_only` after the disk failed twice.
    pub health: String,
    /// Size of the journal's file.
    pub journal_bytes: u64,
    /// Size of its write-ahead log.
    pub wal_bytes: u64,
}

/// The cache of awake sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheStatus {
    /// Sessions in memory.
    pub awake: u32,
    /// Bytes that they hold, as counted by themselves.
    pub bytes: u64,
    /// The most that they may hold while one of them can be let go.
    pub limit_bytes: u64,
    /// How long one stays without use, in milliseconds.
    pub idle_ms: u64,
    /// Sessions that were woken since the daemon began.
    pub wakings: u64,
    /// Sessions that were let go since: after idle time, or for room.
    pub let_go: u64,
    /// Those of them that were let go for room.
    pub evicted: u64,
}
