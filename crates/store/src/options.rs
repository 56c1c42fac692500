//! How a store is opened: every limit with its name and its default.

use crate::search::Vocabulary;
use std::time::Duration;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The SQLite VFS to go through; `None` is the system's own. Tests give one that fails on purpose.
    pub vfs: Option<String>,
    /// Everything is done at once by whoever asks, and by no thread of the store: for simulations, which go the same way
    /// each time. There is no search then, and the log is copied only when it is large.
    pub inline: bool,
    /// Threads that read. Reads are short, so two keep a slow one from holding up all others.
    pub readers: usize,
    /// Appends that may wait for the writer. An owner has one out at a time, so this is how many sessions can write at
    /// once before they wait in line; a group of so many takes the writer about 10 ms.
    pub queued_appends: usize,
    /// Reads that may wait for a reader.
    pub queued_reads: usize,
    /// The write-ahead log is copied into the database when it has grown by so many bytes.
    pub checkpoint_bytes: u64,
    /// It is also copied when nothing was written for so long; `None` leaves that out.
    pub checkpoint_idle: Option<Duration>,
    /// Whether commits are safe against a power cut.
    pub synchronous: Synchronous,
    /// Which words of the events can be searched for; `None` leaves search out.
    pub words: Option<Vocabulary>,
    /// How long after an append the index of search takes it in. A search does not wait for that, it does it first.
    pub index_after: Duration,
    /// Versions of the tables that come after those that are known. Tests play the next tinkerbell by this.
    pub later: &'static [&'static str],
    /// What may be how large.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            vfs: None,
            inline: false,
            readers: 2,
            queued_appends: 512,
            queued_reads: 256,
            checkpoint_bytes: 4 << 20,
            checkpoint_idle: Some(Duration::from_millis(100)),
            synchronous: Synchronous::Extra,
            words: None,
            index_after: Duration::from_millis(500),
            later: &[],
            limits: Limits::default(),
        }
    }
}

/// When SQLite syncs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// At every commit. The only setting for a journal.
    #[default]
    Extra,
    /// At checkpoints only: a power cut loses acknowledged appends. It exists as the control of the fault tests, which
    /// must be able to fail.
    Normal,
}

/// What may be how large. What is larger is refused with [`Invalid::TooLarge`](crate::Invalid::TooLarge).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Events in one append, starts included.
    pub events_per_append: usize,
    /// A header.
    pub header_bytes: usize,
    /// A body. Texts over [`wire::body::INLINE_BYTES`] belong into blobs, so this is far more than a body needs.
    pub body_bytes: usize,
    /// A blob, before it is compressed.
    pub blob_bytes: usize,
    /// All blobs of one append, as stored.
    pub blobs_bytes_per_append: usize,
    /// A fold.
    pub fold_bytes: usize,
    /// The partial text of one effect.
    pub partial_bytes: usize,
    /// Each text of a listing row or of an idempotency key.
    pub text_bytes: usize,
    /// The answer under an idempotency key.
    pub answer_bytes: usize,
    /// Events that one page of events holds.
    pub events_per_page: usize,
    /// Headers and bodies that one page of events holds; at least one event is always given.
    pub page_bytes: usize,
    /// Rows that one page of a list, or of what a search found, holds.
    pub rows_per_page: usize,
    /// What is searched for.
    pub query_bytes: usize,
    /// Of each text, the beginning that can be searched for.
    pub searched_bytes: usize,
    /// Sessions that one search chooses from, the youngest: where more match, the answer says that it is not complete.
    pub searched_sessions: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            events_per_append: 1024,
            header_bytes: 64 << 10,
            body_bytes: 4 << 20,
            blob_bytes: 64 << 20,
            blobs_bytes_per_append: 256 << 20,
            fold_bytes: 16 << 20,
            partial_bytes: 4 << 20,
            text_bytes: 16 << 10,
            answer_bytes: 256 << 10,
            events_per_page: 1024,
            page_bytes: 1 << 20,
            rows_per_page: 200,
            query_bytes: 1024,
            searched_bytes: 64 << 10,
            searched_sessions: 1000,
        }
    }
}
