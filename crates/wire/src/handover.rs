//! What an old daemon and a new one say to each other while one hands over to the other.
//!
//! The two may be of different versions, so this is a format like any other: a word of it is never changed, and a
//! daemon that hears one that it does not know gives the hand-over up, which costs nothing. Each word is one message
//! on a socket pair that keeps the borders of messages; descriptors travel beside it.
//!
//! ```text
//! old  hello (+ descriptor)    the new one reads the configuration and tries the state, on a copy where it must change
//! new  fit | unfit            the old one brings turns to the border of a step and closes the journal
//! old  take (+ descriptors)   the new one opens the journal
//! new  opened | failed
//! old  go                     the new one serves
//! new  serving                the old one leaves
//! ```

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The version of what is said here.
pub const PROTOCOL: u32 = 1;
/// The longest message.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// The most sockets that are handed over, beside the lock.
pub const MAX_SOCKETS: usize = 16;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum HandOver {
    /// The old one: who asks, and what it has to give.
    Hello {
        /// The version of this conversation.
        protocol: u32,
        /// The version of the old daemon.
        version: String,
        /// The state directory that it holds.
        state_dir: PathBuf,
        /// The configuration that is in force; its text lies behind the descriptor. `None`: the old one is of a version
        /// that does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        config: Option<GivenConfig>,
    },
    /// The new one: it could take over.
    Fit {
        /// Its version.
        version: String,
        /// Whether it would bring the tables of the journal to a newer version.
        migrates: bool,
    },
    /// The new one: it could not.
    Unfit {
        /// Why.
        why: String,
    },
    /// The old one: all there is. The descriptors are that of the lock, one for each socket, and that of the configuration.
    Take {
        /// The sockets, in the order of their descriptors.
        sockets: Vec<GivenSocket>,
        /// Whether to wait for the old one's end before the state is opened: something of it still runs.
        after_us: bool,
        /// As in `hello`, by now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        config: Option<GivenConfig>,
    },
    /// The new one: the state is open, and nobody is served yet.
    Opened {},
    /// The new one: it cannot go on, and leaves.
    Failed {
        /// Why.
        why: String,
    },
    /// The old one: serve.
    Go {},
    /// The new one: it serves.
    Serving {},
}

/// A socket that is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenSocket {
    /// Where it lies.
    pub path: PathBuf,
    /// Whether the daemon made its file, and is to remove it.
    pub ours: bool,
}

/// A configuration that is handed over: what was in force stays so, also where the file says something by now that was
/// refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenConfig {
    /// Whether there was a file. Its text is empty where there was none.
    pub found: bool,
}
