//! Forking: the beginning of a session becomes the beginning of another one.
//!
//! The events are copied in slices between other appends, into a journal that nobody sees because its head is 0; the
//! last transaction adds the fork's own append and moves the head, so a fork is whole or it is not there. What a killed
//! store, a full disk or a refusal leaves of one stands in the waking table and is swept like a removed session.
//!
//! The copy is a chain of its own: headers name the new session, bodies are the same under fresh salts, blobs are
//! shared and counted. Money, open reservations, partial texts, folds and keys are not copied. Events forgotten in the
//! parent are forgotten in the fork, also when that happens while it is made.

use crate::append::{Append, Appended, JournalId};
use crate::error::{AppendError, Invalid};
use crate::options::Limits;
use crate::query::{self, Head};
use crate::removal::{SLICE_BYTES, WEIGHT};
use crate::sql::{Hash, Int, Refusal};
use crate::transact::{self, Salts};
use crate::{blob, forget, origin};
use agent::{Seq, SessionId};
use rusqlite::{Connection, Row};
use wire::ChainHash;
use wire::chain::{Salt, seal};

/// A fork that shall be made.
#[derive(Debug, Clone)]
pub struct Fork {
    /// The session whose beginning is copied.
    pub from: SessionId,
    /// What the fork adds to the copy: its journal is the new session's, which must never have existed; `after` is the
    /// last event that is copied; the first fact says what this session is a fork of.
    pub append: Append,
}

/// Events copied in one transaction.
const SLICE_EVENTS: u64 = 512;

/// How far a fork has come.
#[derive(Debug)]
pub(crate) struct Copying {
    fork: Box<Fork>,
    parent: i64,
    row: i64,
    seq: Seq,
    hash: ChainHash,
}

struct Original {
    seq: Seq,
    header: String,
    body: Option<String>,
    seal: Option<Hash>,
}

fn original(row: &Row<'_>) -> rusqlite::Result<Original> {
    Ok(Original { seq: row.get::<_, Int>(0)?.into(), header: row.get(1)?, body: row.get(2)?, seal: row.get(3)? })
}

/// Checks what can be checked now, and makes the journal that nobody sees.
pub(crate) fn begin(connection: &Connection, fork: Box<Fork>, limits: &Limits) -> Result<Copying, Refusal> {
    let parent = parent(connection, &fork)?;
    let row = hidden(connection, &fork.append, limits)?;
    Ok(Copying { fork, parent, row, seq: Seq(0), hash: ChainHash::START })
}

/// Makes the journal that nobody sees: its head is 0, and it stands in the waking table, so that it is swept if `append`,
/// its last transaction, never comes. Its name must never have been used.
pub(crate) fn hidden(connection: &Connection, append: &Append, limits: &Limits) -> Result<i64, Refusal> {
    transact::check_sizes(append, limits)?;
    transact::check_generation(connection, append.generation)?;
    let JournalId::Session(_) = append.journal else { return Err(Invalid::NotOfDaemon { what: "copies" }.into()) };
    if append.facts.is_empty() {
        return Err(Invalid::NoJournal.into());
    }
    if let Some((_, head)) = query::head(connection, append.journal)? {
        return Err(AppendError::Stale { head: head.seq }.into());
    }
    transact::check_unused(connection, append.journal)?;
    let row = connection
        .prepare_cached("INSERT INTO journals (name, seq, hash, epoch, generation) VALUES (?, 0, ?, ?, ?)")?
        .insert((
            append.journal.to_string(),
            Hash(ChainHash::START.0),
            Int(append.epoch.0),
            Int(append.generation.0),
        ))?;
    connection.prepare_cached("INSERT INTO waking (journal) VALUES (?)")?.execute([row])?;
    Ok(row)
}

/// A header with another session's name in the place of its own: spliced and not parsed, so that nothing else in it
/// changes, whichever version wrote it. `wire` writes the session right behind place and time.
pub(crate) fn renamed(header: &str, from: SessionId, to: JournalId) -> Option<String> {
    let (place, rest) = header.split_once(&format!("\",\"session\":\"{from}\""))?;
    let written_by_wire = place.bytes().filter(|byte| *byte == b'{' || *byte == b',').count() == 2;
    written_by_wire.then(|| format!("{place}\",\"session\":\"{to}\"{rest}"))
}

/// The parent's row, provided that it has all that shall be copied. It may be removed at any time.
fn parent(connection: &Connection, fork: &Fork) -> Result<i64, Refusal> {
    let (parent, head) = query::head(connection, JournalId::Session(fork.from))?.ok_or(Invalid::NoJournal)?;
    match fork.append.after {
        seq if seq == Seq(0) || seq > head.seq => Err(Invalid::NothingToFork { seq }.into()),
        _ => Ok(parent),
    }
}

impl Copying {
    /// Copies the next slice. The last one adds the fork's own append, and the fork is there.
    pub(crate) fn slice(&mut self, connection: &Connection, salts: &mut Salts) -> Result<Option<Appended>, Refusal> {
        parent(connection, &self.fork)?;
        if self.seq < self.fork.append.after {
            self.copy(connection, salts)?;
            return Ok(None);
        }
        self.forget_as_parent(connection)?;
        let append = &self.fork.append;
        origin::note_origin(connection, self.row, self.fork.from, append.after)?;
        let head = Head { seq: self.seq, hash: self.hash, epoch: append.epoch, generation: append.generation };
        transact::append_to(connection, append, salts, (self.row, head)).map(Some)
    }

    fn copy(&mut self, connection: &Connection, salts: &mut Salts) -> Result<(), Refusal> {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT seq, header, body, seal, {WEIGHT} FROM events
             WHERE journal = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
        ))?;
        let range = (self.parent, Int(self.seq.0), Int(self.fork.append.after.0), Int(SLICE_EVENTS));
        let mut rows = statement.query(range)?;
        let (before, mut bytes) = (self.seq, 0);
        while bytes <= SLICE_BYTES
            && let Some(row) = rows.next()?
        {
            let event = original(row)?;
            bytes += row.get::<_, Int>(4)?.0;
            self.push(connection, &event, salts)?;
        }
        if self.seq == before {
            return Err(Invalid::NothingToFork { seq: before.next() }.into());
        }
        blob::hold_as(connection, (self.parent, self.row), (before, self.seq))?;
        Ok(())
    }

    fn push(&mut self, connection: &Connection, event: &Original, salts: &mut Salts) -> Result<(), Refusal> {
        let seq = self.seq.next();
        let header = renamed(&event.header, self.fork.from, self.fork.append.journal).filter(|_| event.seq == seq);
        let header = header.ok_or(Invalid::NothingToFork { seq })?;
        let salt: Option<Salt> = event.body.is_some().then(|| salts.next());
        let sealed = match (&event.body, &salt, &event.seal) {
            (Some(body), Some(salt), _) => seal(salt, body.as_bytes()),
            (_, _, Some(Hash(sealed))) => *sealed,
            _ => return Err(Invalid::NothingToFork { seq }.into()),
        };
        let kept = event.body.is_none().then_some(Hash(sealed));
        let hash = self.hash.next(header.as_bytes(), &sealed);
        connection
            .prepare_cached(
                "INSERT INTO events (journal, seq, header, body, salt, seal, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute((self.row, Int(seq.0), header, &event.body, salt, kept, Hash(hash.0)))?;
        (self.seq, self.hash) = (seq, hash);
        Ok(())
    }

    /// Forgets what was forgotten in the parent after it was copied.
    fn forget_as_parent(&self, connection: &Connection) -> Result<(), Refusal> {
        let seqs: Vec<Seq> = connection
            .prepare_cached(
                "SELECT copy.seq FROM events copy JOIN events event ON event.journal = ? AND event.seq = copy.seq
                 WHERE copy.journal = ? AND copy.body IS NOT NULL AND event.body IS NULL",
            )?
            .query_map((self.parent, self.row), |row| row.get::<_, Int>(0).map(Seq::from))?
            .collect::<rusqlite::Result<_>>()?;
        forget::forget(connection, self.row, &seqs)
    }
}
