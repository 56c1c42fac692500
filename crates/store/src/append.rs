//! What an append is: plain data, made by a session's owner, carried out by the writer.

use crate::blob::Blob;
use crate::list::SessionRow;
use agent::{EffectId, Epoch, Generation, Micros, Money, Scope, Seq, SessionId};
use std::fmt;
use wire::{BlobHash, ChainHash};

/// Whose journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JournalId {
    /// The daemon's own.
    Daemon,
    /// A session's.
    Session(SessionId),
}

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalId::Daemon => f.write_str("daemon"),
            JournalId::Session(session) => session.fmt(f),
        }
    }
}

/// One append: facts, which are never refused for a start's sake, then starts, then what is kept beside them in the
/// same transaction. It happens wholly or not at all.
#[derive(Debug, Clone)]
pub struct Append {
    /// Whose journal.
    pub journal: JournalId,
    /// The owner's epoch. A newer one than the head's claims the journal; an older one is refused.
    pub epoch: Epoch,
    /// The daemon's generation. One older than the newest known is refused.
    pub generation: Generation,
    /// The head that the owner knows; the first event takes the next place.
    pub after: Seq,
    /// What happened and what was decided, in order.
    pub facts: Vec<NewEvent>,
    /// What begins once this is on disk, in order.
    pub starts: Vec<NewStart>,
    /// The bytes that the events refer to. One that is stored already is not stored again, one that no event of this
    /// append holds is not stored at all.
    pub blobs: Vec<Blob>,
    /// Earlier events whose words go, together with their blobs if nobody else holds them. The chain still verifies.
    /// All folds of the journal go too, because they may hold the words; those of this append are written afterwards.
    pub forget: Vec<Seq>,
    /// What lists show of the session from now on; `None` leaves it as it is.
    pub row: Option<SessionRow>,
    /// Whether a new owner would have to go on with something.
    pub waking: bool,
    /// Projections to keep.
    pub folds: Vec<FoldRow>,
    /// The answer to keep under an idempotency key. If the key has an answer, the append is refused with it.
    pub answer: Option<NewAnswer>,
}

impl Append {
    /// An append with nothing in it yet.
    pub fn new(journal: JournalId, epoch: Epoch, generation: Generation, after: Seq) -> Append {
        Append {
            journal,
            epoch,
            generation,
            after,
            facts: Vec::new(),
            starts: Vec::new(),
            blobs: Vec::new(),
            forget: Vec::new(),
            row: None,
            waking: false,
            folds: Vec::new(),
            answer: None,
        }
    }
}

/// An event as it will be stored.
#[derive(Debug, Clone, Default)]
pub struct NewEvent {
    /// The whole header, as [`wire::Header::to_json`] writes it, with its place inside.
    pub header: String,
    /// The body, a JSON object.
    pub body: String,
    /// The blobs that the body names.
    pub blobs: Vec<BlobHash>,
    /// Money that it settles.
    pub settle: Vec<Settle>,
    /// Effects that it ends, whose partial text is dropped.
    pub ends: Vec<EffectId>,
}

/// The event that starts an effect, and the money that must be there for it.
#[derive(Debug, Clone)]
pub struct NewStart {
    /// The event.
    pub event: NewEvent,
    /// The money to set aside. Whatever costs must reserve, be it nothing, or its cost is not booked.
    pub reserve: Option<Reserve>,
}

/// Money to set aside for an effect until it is settled.
#[derive(Debug, Clone)]
pub struct Reserve {
    /// The effect.
    pub effect: EffectId,
    /// How much.
    pub amount: Money,
    /// The day (UTC) whose account it belongs to, as [`wire::time::day`] writes it.
    pub day: String,
    /// The session's limit.
    pub session: Option<Ceiling>,
    /// The day's limit.
    pub per_day: Option<Ceiling>,
}

/// A limit, and the event that takes the start's place when it would be passed.
#[derive(Debug, Clone)]
pub struct Ceiling {
    /// The most that may be settled and set aside together.
    pub limit: Money,
    /// The event that stands in, with the same place in its header.
    pub otherwise: NewEvent,
}

/// What an effect cost in the end. Releases what was set aside for it and books the cost on the same day. An effect
/// with nothing set aside has been settled before, so nothing is booked: money is counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settle {
    /// The effect.
    pub effect: EffectId,
    /// What it cost.
    pub cost: Money,
}

/// A projection of a session's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldRow {
    /// What of.
    pub kind: String,
    /// The version of its format.
    pub format: u32,
    /// The last event in it.
    pub seq: Seq,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// An answer to keep under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAnswer {
    /// Whose keys.
    pub scope: String,
    /// The key.
    pub key: String,
    /// The hash of the request's body.
    pub body_hash: BlobHash,
    /// The answer that was given.
    pub answer: String,
    /// Now.
    pub now: Micros,
    /// Until when the key holds.
    pub expires: Micros,
}

/// What an append did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The place of the last event.
    pub head: Seq,
    /// Its hash.
    pub hash: ChainHash,
    /// Which starts were refused, by their place in [`Append::starts`], and by which budget.
    pub refused: Vec<(usize, Scope)>,
}
