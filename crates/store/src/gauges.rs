//! What `status` shows of the store.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whether the store takes writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    Open,
    /// It does not, until the daemon is restarted. Reads go on.
    ReadOnly,
}

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Whether it takes writes.
    pub mode: Mode,
    /// Commits since it was opened. A group of appends is one.
    pub commits: u64,
    /// How often everything was closed and opened anew after a failure, since it was opened.
    pub reopened: u64,
    /// Checkpoints of the write-ahead log since it was opened.
    pub checkpoints: u64,
}

/// Bytes on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// The database.
    pub database_bytes: u64,
    /// The write-ahead log.
    pub log_bytes: u64,
}

/// The counters, written by the writer, read by anybody. Nothing is decided by them, so the order in which other
/// threads see them does not matter.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) read_only: AtomicBool,
    pub(crate) commits: AtomicU64,
    pub(crate) reopened: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
}

impl Gauges {
    pub(crate) fn health(&self) -> Health {
        Health {
            mode: if self.read_only.load(Ordering::Relaxed) { Mode::ReadOnly } else { Mode::Open },
            commits: self.commits.load(Ordering::Relaxed),
            reopened: self.reopened.load(Ordering::Relaxed),
            checkpoints: self.checkpoints.load(Ordering::Relaxed),
        }
    }
}

/// Counts one more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
