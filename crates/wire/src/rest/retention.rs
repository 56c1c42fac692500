//! What lies where, and what was tidied.

use agent::Micros;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What lies where, beside what `status` measures each time. Measured now and then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageStatus {
    /// When.
    #[serde(with = "crate::time::text")]
    pub measured_at: Micros,
    /// Bytes of the journal's file that nothing uses.
    pub journal_free_bytes: u64,
    /// Whether the journal's file gives them back; one that an early version made uses them again instead.
    pub journal_shrinks: bool,
    /// The index of search.
    pub search_bytes: u64,
    /// The canvas' pictures in git.
    pub pictures_bytes: u64,
    /// The logs.
    pub log_bytes: u64,
    /// The snapshots.
    pub snapshot_bytes: u64,
    /// Archived sessions.
    #[serde(default)]
    pub archived: u64,
    /// Their files.
    #[serde(default)]
    pub archive_bytes: u64,
    /// Sessions by what they do, but for the archived ones.
    pub sessions: BTreeMap<String, u64>,
    /// What the janitor last did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tidied: Option<Tidied>,
}

/// Answer of `daemon.gc`: what was tidied, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tidied {
    /// When.
    #[serde(with = "crate::time::text")]
    pub at: Micros,
    /// Whether this is only what would be done.
    pub dry_run: bool,
    /// Answers under idempotency keys that had expired.
    pub answers: u64,
    /// Partial texts that nobody goes on with.
    pub partials: u64,
    /// Bytes of the journal that were given back.
    pub freed_bytes: u64,
    /// The journal's file before.
    pub journal_bytes_before: u64,
    /// The journal's file after.
    pub journal_bytes_after: u64,
    /// Pictures of canvases that were thrown away; they are drawn anew when somebody looks.
    pub pictures: u64,
    /// Their bytes.
    pub pictures_bytes: u64,
    /// Sessions that were archived, since nothing happened in them for long.
    #[serde(default)]
    pub archived: u64,
    /// How long it took.
    pub lasted_ms: u64,
}
