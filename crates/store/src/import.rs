//! Importing: a journal that was made elsewhere becomes one of this store.
//!
//! It is made like a fork: in slices between other appends, into a journal that nobody sees because its head is 0; the
//! last transaction adds the import's own append and moves the head. So an import is whole or it is not there, and what a
//! killed store, a full disk or a damaged source leaves of one is swept.
//!
//! Under its own name a session keeps its chain to the byte. Under another name its headers say so, which makes a chain
//! of its own under fresh salts, as forks have.
//!
//! A session that comes back from the archive is imported into the journal that it has, and nothing is added.
//!
//! Whoever imports has read the source before and found it right; here only the chain is computed once more, since it is
//! the chain that is promised afterwards.

use crate::append::{Append, Appended, JournalId};
use crate::archive;
use crate::blob::{self, Blob};
use crate::carry::{Stored, StoredBody};
use crate::error::Invalid;
use crate::fork::{hidden, renamed};
use crate::ledger::{self, Account};
use crate::options::Limits;
use crate::origin;
use crate::query::Head;
use crate::removal::SLICE_BYTES;
use crate::sql::{Hash, Int, Refusal};
use crate::transact::{self, Salts};
use agent::{EffectId, Generation, Micros, Money, Seq, SessionId};
use rusqlite::Connection;
use std::fmt;
use wire::ChainHash;
use wire::chain::seal;

/// A session that shall be imported.
pub struct Import {
    /// The session that the headers name.
    pub from: SessionId,
    /// What the import adds to the copy: its journal must never have existed; `after` is the last event that comes.
    pub append: Append,
    /// The events in order, each after the blobs that it is the first to hold.
    pub pieces: Pieces,
    /// What model calls that are open had said.
    pub partials: Vec<(EffectId, String)>,
    /// What counts as spent by the session.
    pub settled: Money,
}

/// Where an import comes from, read as it is needed. Called on the writer's thread, so it must be a quick source: a file
/// of this machine. The error ends the import, which then never was.
pub type Pieces = Box<dyn Iterator<Item = Result<Piece, String>> + Send>;

/// A piece of an import.
#[derive(Debug)]
pub enum Piece {
    /// Bytes that the next event holds.
    Blob(Blob),
    /// The next event.
    Event(Box<Stored>),
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Import").field("from", &self.from).field("append", &self.append).finish_non_exhaustive()
    }
}

/// Events copied in one transaction.
const SLICE_EVENTS: usize = 512;

/// A session that shall come back from its file.
pub struct Unarchive {
    /// The session.
    pub session: SessionId,
    /// The daemon's generation.
    pub generation: Generation,
    /// When.
    pub at: Micros,
    /// The events in order, each after the blobs that it is the first to hold.
    pub pieces: Pieces,
}

impl fmt::Debug for Unarchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unarchive").field("session", &self.session).finish_non_exhaustive()
    }
}

/// How far an import has come.
#[derive(Debug)]
pub(crate) struct Importing {
    import: Box<Import>,
    /// For a session that comes back: the head that it must have, and when.
    back: Option<(Head, Micros)>,
    row: i64,
    seq: Seq,
    hash: ChainHash,
}

/// Checks what can be checked now, and makes the journal that nobody sees.
pub(crate) fn begin(connection: &Connection, import: Box<Import>, limits: &Limits) -> Result<Importing, Refusal> {
    for (_, text) in &import.partials {
        let (what, size, limit) = ("a partial text", text.len() as u64, limits.partial_bytes as u64);
        if size > limit {
            return Err(Invalid::TooLarge { what, size, limit_name: "partial_bytes", limit }.into());
        }
    }
    Int::checked(import.settled.0, "what was spent")?;
    let row = hidden(connection, &import.append, limits)?;
    Ok(Importing { import, back: None, row, seq: Seq(0), hash: ChainHash::START })
}

/// Begins to copy a session back into the journal that it has: under its own name, so its chain is the same.
pub(crate) fn begin_return(connection: &Connection, unarchive: Unarchive) -> Result<Importing, Refusal> {
    let Unarchive { session, generation, at, pieces } = unarchive;
    transact::check_generation(connection, generation)?;
    let (row, head) = archive::returning(connection, session)?;
    let append = Append::new(JournalId::Session(session), head.epoch, generation, head.seq);
    let import = Box::new(Import { from: session, append, pieces, partials: Vec::new(), settled: Money(0) });
    Ok(Importing { import, back: Some((head, at)), row, seq: Seq(0), hash: ChainHash::START })
}

impl Importing {
    /// Copies the next slice. The last one adds the import's own append, and the session is there.
    pub(crate) fn slice(&mut self, connection: &Connection, salts: &mut Salts) -> Result<Option<Appended>, Refusal> {
        let (mut events, mut bytes) = (0, 0);
        if self.back.is_some() && !archive::is_moving(connection, self.row)? {
            return Err(Invalid::NoJournal.into());
        }
        // A slice ends at an event's border: blobs whose event is not there would not be found by sweeping.
        while events < SLICE_EVENTS && bytes <= SLICE_BYTES {
            loop {
                let unreadable = |detail| Invalid::NotImported { seq: self.seq.next(), detail };
                match self.import.pieces.next().transpose().map_err(unreadable)? {
                    None => return self.finish(connection, salts).map(Some),
                    Some(Piece::Blob(blob)) => {
                        bytes += blob.stored_bytes();
                        let hash = blob.hash();
                        blob::hold(connection, self.row, self.seq.next(), &[hash], std::slice::from_ref(&blob))?;
                    }
                    Some(Piece::Event(event)) => {
                        bytes += event.body.text().map_or(0, |text| text.len() as u64);
                        events += 1;
                        self.push(connection, &event, salts)?;
                        break;
                    }
                }
            }
        }
        Ok(None)
    }

    fn push(&mut self, connection: &Connection, event: &Stored, salts: &mut Salts) -> Result<(), Refusal> {
        let seq = self.seq.next();
        let wrong = |detail: &str| Invalid::NotImported { seq, detail: detail.to_owned() };
        if event.seq != seq {
            return Err(wrong("it is missing").into());
        }
        let same_name = self.import.append.journal == JournalId::Session(self.import.from);
        let header = match same_name {
            true => event.header.clone(),
            false => renamed(&event.header, self.import.from, self.import.append.journal)
                .ok_or_else(|| wrong("its header does not name its session where it should"))?,
        };
        let (body, salt, sealed) = match &event.body {
            StoredBody::Forgotten { seal } => (None, None, *seal),
            StoredBody::Whole { text, salt } => {
                let salt = if same_name { *salt } else { salts.next() };
                (Some(text), Some(salt), seal(&salt, text.as_bytes()))
            }
        };
        let hash = self.hash.next(header.as_bytes(), &sealed);
        if same_name && hash != event.hash {
            return Err(wrong("its hash is another one than its chain gives").into());
        }
        let kept = body.is_none().then_some(Hash(sealed));
        connection
            .prepare_cached(
                "INSERT INTO events (journal, seq, header, body, salt, seal, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute((self.row, Int(seq.0), header, body, salt, kept, Hash(hash.0)))?;
        let held = blob::held(connection, self.row, seq)?;
        let rest: Vec<_> = event.blobs.iter().copied().filter(|hash| !held.contains(hash)).collect();
        blob::hold(connection, self.row, seq, &rest, &[])?;
        (self.seq, self.hash) = (seq, hash);
        Ok(())
    }

    fn finish(&self, connection: &Connection, salts: &mut Salts) -> Result<Appended, Refusal> {
        let append = &self.import.append;
        if self.seq != append.after {
            return Err(Invalid::NotImported { seq: self.seq.next(), detail: "it is missing".to_owned() }.into());
        }
        if let Some((head, at)) = self.back {
            if self.hash != head.hash {
                let detail = "the file does not end with the head that the journal has".to_owned();
                return Err(Invalid::NotImported { seq: self.seq, detail }.into());
            }
            archive::returned(connection, (self.import.from, self.row), head, at)?;
            return Ok(Appended { head: self.seq, hash: self.hash, refused: Vec::new() });
        }
        let head = Head { seq: self.seq, hash: self.hash, epoch: append.epoch, generation: append.generation };
        let appended = transact::append_to(connection, append, salts, (self.row, head))?;
        for (effect, text) in &self.import.partials {
            transact::keep_partial(connection, self.row, *effect, text)?;
        }
        if append.journal != JournalId::Session(self.import.from) {
            origin::note_origin(connection, self.row, self.import.from, append.after)?;
        }
        origin::note_forks_in(connection, self.row)?;
        if let JournalId::Session(session) = append.journal {
            ledger::carry_over(connection, &Account::Session(session), self.import.settled)?;
        }
        Ok(appended)
    }
}
