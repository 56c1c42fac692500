//! The last word of a stream: the daemon brings everything to an end, and why.
//!
//! It has no place in any journal: a client that misses it sees the stream end, and loses nothing by its cursor.

use serde::{Deserialize, Serialize};

/// The update that says that the daemon brings everything to an end. What ends meanwhile still comes after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draining {
    /// Always the same.
    pub kind: DrainingKind,
    /// Why.
    pub reason: DrainReason,
}

/// The kind of that update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DrainingKind {
    /// The only one.
    #[serde(rename = "daemon.draining")]
    Draining,
}

/// Why a daemon brings everything to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainReason {
    /// It was asked to stop; what runs goes on at the next start.
    Stop,
    /// Another binary takes over: connect again, and go on by the cursor.
    Upgrade,
}

impl Draining {
    /// The word for it on every door.
    pub const NAME: &'static str = "daemon.draining";

    /// The update.
    pub fn new(reason: DrainReason) -> Draining {
        Draining { kind: DrainingKind::Draining, reason }
    }
}
