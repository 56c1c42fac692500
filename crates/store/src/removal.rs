//! Removing a session: everything that it said and did goes, its place in the chain of heads stays.
//!
//! The first transaction makes the removal true: the journal's head becomes 0, which no journal with events has, and a
//! link over it says in the chain of heads that this was meant. From then on nobody sees the session. Its events are
//! then swept away in slices between other appends; until that is done the journal stands in the waking table, so a
//! store that is killed goes on sweeping when it is opened again. A fork that was never finished looks the same, apart
//! from its hash, and is swept with everything that names it.
//!
//! What stays: the session's id, so that it is never used again, its links, and the money in the accounts of the days.

use crate::append::JournalId;
use crate::error::{AppendError, Invalid};
use crate::sql::{Hash, Int, Refusal};
use crate::{archive, blob, chain, gaps, ledger, query, transact};
use agent::{Epoch, Generation, Seq, SessionId};
use rusqlite::{Connection, OptionalExtension};
use wire::ChainHash;

/// Which session shall be removed, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remove {
    /// The session.
    pub session: SessionId,
    /// The epoch of whoever removes it: an owner with a newer one is not passed over.
    pub epoch: Epoch,
    /// The daemon's generation.
    pub generation: Generation,
}

/// A session that is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    /// How many events it had.
    pub events: u64,
    /// Whether its words are gone from all files already, the write-ahead log and the index of search included. If not
    /// (the disk is full, another program reads the file), they go with later writes or when the store is next opened.
    pub cleared: bool,
}

/// Events swept in one transaction.
const SLICE_EVENTS: u64 = 512;
/// Bytes of bodies and blobs swept in one transaction; the event that passes this is the last one.
pub(crate) const SLICE_BYTES: u64 = 1 << 20;

/// What an event weighs in a slice: its body and the blobs that it holds. These count although a fork shares them: where
/// the number of holders leaves 1 or comes back to it, SQLite writes the whole row anew.
pub(crate) const WEIGHT: &str = "coalesce(octet_length(body), 0) + coalesce(
    (SELECT sum(octet_length(b.data)) FROM event_blobs h JOIN blobs b ON b.id = h.blob
     WHERE h.journal = events.journal AND h.seq = events.seq), 0)";

/// Makes the removal true. Gives the journal's row and how many events it had.
pub(crate) fn mark(connection: &Connection, remove: &Remove) -> Result<(i64, u64), Refusal> {
    let journal = JournalId::Session(remove.session);
    Int::checked(remove.epoch.0, "the epoch")?;
    Int::checked(remove.generation.0, "the generation")?;
    transact::check_generation(connection, remove.generation)?;
    let (row, head) = query::any_head(connection, journal)?.ok_or(Invalid::NoJournal)?;
    if remove.epoch < head.epoch {
        return Err(AppendError::Epoch { current: head.epoch }.into());
    }
    ledger::close(connection, (journal, row))?;
    for table in ["sessions", "folds", "partials", "archives"] {
        connection.prepare_cached(&format!("DELETE FROM {table} WHERE journal = ?"))?.execute([row])?;
    }
    let name = remove.session.to_string();
    connection
        .prepare_cached("DELETE FROM answers WHERE instr(scope, ?1) > 0 OR instr(answer, ?1) > 0")?
        .execute([&name])?;
    connection.prepare_cached("UPDATE journals SET seq = 0, epoch = ?, generation = ? WHERE id = ?")?.execute((
        Int(remove.epoch.0),
        Int(remove.generation.0),
        row,
    ))?;
    connection.prepare_cached("INSERT OR IGNORE INTO waking (journal) VALUES (?)")?.execute([row])?;
    chain::add_link(connection, (journal, row), Seq(0), head.hash)?;
    Ok((row, head.seq.0))
}

/// A journal that is to be swept: removed, archived, or the beginning of a fork or of a return that was given up.
pub(crate) fn unswept(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT w.journal FROM waking w JOIN journals j ON j.id = w.journal WHERE j.seq = 0
             UNION ALL SELECT journal FROM archives WHERE state = 'moving' LIMIT 1",
        )?
        .query_row((), |row| row.get(0))
        .optional()
}

/// Sweeps the next slice of a journal and says whether that was the last one. `secure_delete` overwrites the bytes in
/// the database; its file does not shrink, the pages are used again.
pub(crate) fn sweep(connection: &Connection, journal: i64) -> rusqlite::Result<bool> {
    let (mut seqs, mut bytes) = (Vec::new(), 0);
    let mut statement = connection
        .prepare_cached(&format!("SELECT seq, {WEIGHT} FROM events WHERE journal = ? ORDER BY seq LIMIT ?"))?;
    let mut rows = statement.query((journal, Int(SLICE_EVENTS)))?;
    while bytes <= SLICE_BYTES
        && let Some(row) = rows.next()?
    {
        seqs.push(Seq::from(row.get::<_, Int>(0)?));
        bytes += row.get::<_, Int>(1)?.0;
    }
    let Some(last) = seqs.last() else {
        if !archive::swept(connection, journal)? {
            forget_journal(connection, journal)?;
        }
        return Ok(true);
    };
    for seq in &seqs {
        blob::release(connection, journal, *seq)?;
    }
    connection.prepare_cached("DELETE FROM events WHERE journal = ? AND seq <= ?")?.execute((journal, Int(last.0)))?;
    Ok(false)
}

/// Nothing is left to sweep. A fork that never was leaves no trace; links name a session that was removed.
fn forget_journal(connection: &Connection, journal: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM waking WHERE journal = ?")?.execute([journal])?;
    let never_was = connection
        .prepare_cached("DELETE FROM journals WHERE id = ? AND hash = ?")?
        .execute((journal, Hash(ChainHash::START.0)))?;
    if never_was == 0 { gaps::words_went(connection) } else { Ok(()) }
}
