//! What can really go wrong, with what to do about it.

use crate::query::Answer;
use agent::{EffectId, Epoch, Generation, Seq, SessionId};
use std::path::PathBuf;
use wire::BlobHash;

/// The store could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or the file cannot be made or read.
    #[error("cannot use {path}: {source}; check that it exists and that this user may write there")]
    Path {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is damaged.
    #[error(
        "the journal {path} is damaged ({detail}) and was left as it is; restore it from a snapshot, or move it away \
         to begin with an empty one"
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The file is something else.
    #[error(
        "{path} is not a journal of tinkerbell and was left as it is; move it away, or use another state directory"
    )]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// A later tinkerbell wrote the file.
    #[error(
        "the journal {path} has version {found}, this tinkerbell knows versions up to {known}; start the newer \
         tinkerbell, or restore a snapshot made before it was updated"
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// The version of the file.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// Another program holds the file.
    #[error("the journal {path} is locked by another program; end that program and try again")]
    Locked {
        /// Which.
        path: PathBuf,
    },
    /// No room.
    #[error("there is no room on the disk for the journal {path}; free some and try again")]
    Full {
        /// Which.
        path: PathBuf,
    },
    /// The file system gave no write-ahead log.
    #[error("the journal {path} could not be put into write-ahead mode; use a local file system")]
    NotWriteAhead {
        /// Which.
        path: PathBuf,
    },
    /// SQLite failed otherwise.
    #[error("the journal {path} cannot be opened: {source}")]
    Database {
        /// Which.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// No thread could be started.
    #[error("cannot start a thread for the journal: {0}; raise the limit on processes")]
    Thread(std::io::Error),
}

/// An append was not done; or, for one of these, nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The journal has gone on.
    #[error("the journal's head is {head}, not what its owner knew; read the events after that and try again")]
    Stale {
        /// Where it is.
        head: Seq,
    },
    /// Another owner has the journal.
    #[error("the journal was taken over by a newer owner, epoch {}", current.0)]
    Epoch {
        /// The epoch that holds it.
        current: Epoch,
    },
    /// Another daemon has the store.
    #[error("a newer daemon, generation {}, has taken over this state directory", newest.0)]
    Generation {
        /// The generation that holds it.
        newest: Generation,
    },
    /// The idempotency key has its answer already.
    #[error("this idempotency key has an answer already")]
    Answered(Answer),
    /// The append makes no sense.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It surely did not happen; it can be tried again when there is room.
    #[error("there is no room left on the disk; nothing was written, free some and try again")]
    Full,
    /// It surely did not happen; it can be tried again.
    #[error("another program has locked the journal; nothing was written, end that program and try again")]
    Locked,
    /// Nobody knows whether it happened. Read the head to see.
    #[error("the disk failed; whether this was written shows when the journal is read again")]
    OutcomeUnknown,
    /// The disk failed twice.
    #[error("the journal takes no writes after repeated failures of the disk; mend it and restart the daemon")]
    ReadOnly,
    /// The store was closed.
    #[error("the journal is closed")]
    Closed,
}

/// Why an append makes no sense: a fault of its maker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A header with another place inside than the one it gets, or not JSON as `wire` writes it.
    #[error("the header of event {expected} does not begin with its place")]
    Header {
        /// The place it gets.
        expected: Seq,
    },
    /// A body that is no JSON object.
    #[error("the body of event {seq} is no JSON object")]
    Body {
        /// The event.
        seq: Seq,
    },
    /// Something is larger than a limit of [`Limits`](crate::Limits).
    #[error("{what} has a size of {size}, the limit {limit_name} is {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// How large: bytes, or a count.
        size: u64,
        /// Which limit.
        limit_name: &'static str,
        /// The limit.
        limit: u64,
    },
    /// An event names a blob that is neither stored nor in the append.
    #[error("event {seq} names blob {blob}, which was not given")]
    MissingBlob {
        /// The event.
        seq: Seq,
        /// The blob.
        blob: BlobHash,
    },
    /// Money is set aside for this effect already.
    #[error("effect {effect} was started before")]
    StartedBefore {
        /// The effect.
        effect: EffectId,
    },
    /// A day that is none.
    #[error("{day:?} is not a day such as 2026-11-23")]
    Day {
        /// What was given.
        day: String,
    },
    /// Something that only sessions have, for the daemon's journal.
    #[error("the daemon's journal has no {what}")]
    NotOfDaemon {
        /// What.
        what: &'static str,
    },
    /// A session that has work left.
    #[error("{session} has work left, so it stays in the journal")]
    AtWork {
        /// Which.
        session: SessionId,
    },
    /// A journal that does not exist and gets no events by this.
    #[error("there is no such journal")]
    NoJournal,
    /// A session that was removed, or is still being made by a fork or an import.
    #[error("{journal} was removed, is archived, or is still being made; nothing can be added to it")]
    Unusable {
        /// Whose journal.
        journal: String,
    },
    /// An event to copy into a fork that is not there, or not as it was written.
    #[error("nothing can be forked at event {seq}: there is none, or it is damaged")]
    NothingToFork {
        /// The event.
        seq: Seq,
    },
    /// An event to import that is not as it was written elsewhere.
    #[error("nothing was imported: event {seq}: {detail}")]
    NotImported {
        /// The event.
        seq: Seq,
        /// What is wrong with it.
        detail: String,
    },
    /// An event to forget that is not there.
    #[error("event {seq} cannot be forgotten: there is none")]
    NothingToForget {
        /// The event.
        seq: Seq,
    },
    /// A signature over a link that is not there, or is another one.
    #[error("link {place} of the chain of heads is not the one that was signed")]
    NoLink {
        /// Which.
        place: u64,
    },
    /// A number that the tables cannot hold.
    #[error("{what} is too large a number for the journal")]
    Number {
        /// What.
        what: &'static str,
    },
    /// A rule of the tables that the checks above do not know.
    #[error("the journal's tables refuse this: {0}")]
    Constraint(String),
}

/// Something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// An event that must be there is not.
    #[error("{journal} has no event {seq}")]
    Missing {
        /// Whose journal.
        journal: String,
        /// The event.
        seq: Seq,
    },
    /// What is stored cannot be right.
    #[error("the journal is damaged: {what}; restore it from a snapshot")]
    Damaged {
        /// What is wrong.
        what: String,
    },
    /// SQLite or the disk failed.
    #[error("the journal cannot be read: {detail}")]
    Disk {
        /// SQLite's words.
        detail: String,
    },
    /// The store was closed.
    #[error("the journal is closed")]
    Closed,
}
