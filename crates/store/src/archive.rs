//! Archiving: a session's events leave the tables and lie in a file that whoever asks for it has written and read back.
//!
//! Like a removal it is true by one transaction, the mark: from then on nobody sees the events here, and they are swept
//! away in slices. The way back is an import under the session's own name, in slices that nobody sees; the last one takes
//! the mark away. So a session is wholly here or wholly in its file, and a store that is killed in between sweeps what is
//! here and stays with the file.
//!
//! The journal's row keeps its head all the while, and each way adds a link over that same head: the chain of heads says
//! when a session left and came back, and vouches for what the file must hold.

use crate::append::JournalId;
use crate::error::{AppendError, Invalid, ReadError};
use crate::query::{self, Head, session_of};
use crate::sql::{Hash, Int, Refusal, Time};
use crate::{chain, transact};
use agent::{Epoch, Generation, Micros, Seq, SessionId};
use rusqlite::{Connection, OptionalExtension};
use wire::{BlobHash, ChainHash};

/// A session that shall leave the tables: what it is at the moment that its file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Archive {
    /// The session.
    pub session: SessionId,
    /// The daemon's generation.
    pub generation: Generation,
    /// The last event that the file holds. It must be the journal's head.
    pub head: Seq,
    /// Its hash.
    pub hash: ChainHash,
    /// What is noted of the file.
    pub file: Filed,
}

/// What is noted of an archived session's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filed {
    /// Since when the session is there.
    pub at: Micros,
    /// The file's size.
    pub bytes: u64,
    /// The hash of its bytes.
    pub sha256: BlobHash,
}

/// An archived session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Archived {
    /// Which.
    pub session: SessionId,
    /// The head that its file must have.
    pub head: Head,
    /// Its file.
    pub file: Filed,
}

/// What became of a session, for whoever finds a file that no archived session names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its events are in the tables.
    Here,
    /// They are in a file, up to this event.
    Away(Seq),
    /// It was removed.
    Removed,
    /// This journal has never had it, or is still making it.
    Unknown,
}

/// In a condition over `journals j`: its events are not in the tables.
pub(crate) const IS_AWAY: &str = "EXISTS (SELECT 1 FROM archives a WHERE a.journal = j.id AND a.state <> 'back')";

/// Makes it true. Gives the journal's row and how many events it has.
pub(crate) fn mark(connection: &Connection, archive: &Archive) -> Result<(i64, u64), Refusal> {
    let journal = JournalId::Session(archive.session);
    Int::checked(archive.file.bytes, "the size of the file")?;
    transact::check_generation(connection, archive.generation)?;
    let (row, head) = query::head(connection, journal)?.ok_or(Invalid::NoJournal)?;
    if (head.seq, head.hash) != (archive.head, archive.hash) {
        return Err(AppendError::Stale { head: head.seq }.into());
    }
    let has_work = "SELECT EXISTS (SELECT 1 FROM waking WHERE journal = ?1)
                        OR EXISTS (SELECT 1 FROM reservations WHERE journal = ?1)";
    if connection.prepare_cached(has_work)?.query_row([row], |row| row.get(0))? {
        return Err(Invalid::AtWork { session: archive.session }.into());
    }
    for table in ["folds", "partials"] {
        connection.prepare_cached(&format!("DELETE FROM {table} WHERE journal = ?"))?.execute([row])?;
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO archives (journal, state, at, bytes, sha256) VALUES (?, 'moving', ?, ?, ?)",
        )?
        .execute((row, Time(archive.file.at), Int(archive.file.bytes), Hash(archive.file.sha256.0)))?;
    chain::add_link(connection, (journal, row), head.seq, head.hash)?;
    Ok((row, head.seq.0))
}

/// The row and head of a session that is away, to which nothing is being done.
pub(crate) fn returning(connection: &Connection, session: SessionId) -> Result<(i64, Head), Refusal> {
    let (row, head) = query::any_head(connection, JournalId::Session(session))?.ok_or(Invalid::NoJournal)?;
    match state(connection, row)?.as_deref() {
        Some("away") => {}
        // What an earlier way left here could not be swept yet, for want of room.
        Some("moving") => return Err(AppendError::Full.into()),
        _ => return Err(Invalid::NoJournal.into()),
    }
    set_state(connection, row, "moving")?;
    Ok((row, head))
}

/// Whether a journal's events lie in a file, so that nothing can be read of it here.
pub(crate) fn is_away(connection: &Connection, row: i64) -> rusqlite::Result<bool> {
    Ok(state(connection, row)?.is_some_and(|state| state != "back"))
}

/// Whether the rows of a session may still be copied back: it was not removed meanwhile.
pub(crate) fn is_moving(connection: &Connection, row: i64) -> rusqlite::Result<bool> {
    Ok(state(connection, row)?.as_deref() == Some("moving"))
}

/// All events are here again.
pub(crate) fn returned(
    connection: &Connection,
    (session, row): (SessionId, i64),
    head: Head,
    at: Micros,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE archives SET state = 'back', at = ?, bytes = 0 WHERE journal = ?")?
        .execute((Time(at), row))?;
    chain::add_link(connection, (JournalId::Session(session), row), head.seq, head.hash)
}

/// No row of it is here any more. Says whether the session is an archived one.
pub(crate) fn swept(connection: &Connection, row: i64) -> rusqlite::Result<bool> {
    let moving = is_moving(connection, row)?;
    if moving {
        set_state(connection, row, "away")?;
    }
    Ok(moving)
}

fn state(connection: &Connection, row: i64) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT state FROM archives WHERE journal = ?")?
        .query_row([row], |row| row.get(0))
        .optional()
}

fn set_state(connection: &Connection, row: i64, state: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE archives SET state = ? WHERE journal = ?")?.execute((state, row))?;
    Ok(())
}

/// The archived sessions after a row, oldest first, with their rows.
pub(crate) fn page(connection: &Connection, after: i64, limit: u64) -> Result<Vec<(i64, Archived)>, ReadError> {
    let mut statement = connection.prepare_cached(
        "SELECT j.id, j.name, j.seq, j.hash, j.epoch, j.generation, a.at, a.bytes, a.sha256
         FROM archives a JOIN journals j ON j.id = a.journal
         WHERE a.state <> 'back' AND j.seq > 0 AND j.id > ? ORDER BY j.id LIMIT ?",
    )?;
    let rows = statement.query_map((after, Int(limit)), |row| {
        let head = Head {
            seq: row.get::<_, Int>(2)?.into(),
            hash: row.get::<_, Hash>(3)?.into(),
            epoch: Epoch(row.get::<_, Int>(4)?.0),
            generation: Generation(row.get::<_, Int>(5)?.0),
        };
        let sha256 = row.get::<_, Hash>(8)?.into();
        let file = Filed { at: row.get::<_, Time>(6)?.0, bytes: row.get::<_, Int>(7)?.0, sha256 };
        Ok((row.get(0)?, row.get::<_, String>(1)?, head, file))
    })?;
    rows.map(|row| {
        let (place, name, head, file) = row?;
        Ok((place, Archived { session: session_of(&name)?, head, file }))
    })
    .collect()
}

/// A session, if it is archived.
pub(crate) fn one(connection: &Connection, session: SessionId) -> Result<Option<Archived>, ReadError> {
    let row: Option<i64> = connection
        .prepare_cached("SELECT id FROM journals WHERE name = ?")?
        .query_row([session.to_string()], |row| row.get(0))
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    Ok(page(connection, row - 1, 1)?.into_iter().map(|(_, archived)| archived).find(|one| one.session == session))
}

/// What became of a session.
pub(crate) fn fate(connection: &Connection, session: SessionId) -> Result<Fate, ReadError> {
    if let Some(archived) = one(connection, session)? {
        return Ok(Fate::Away(archived.head.seq));
    }
    let found: Option<(Int, Hash)> = connection
        .prepare_cached("SELECT seq, hash FROM journals WHERE name = ?")?
        .query_row([session.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match found {
        None => Fate::Unknown,
        Some((Int(0), hash)) if ChainHash::from(Hash(hash.0)) == ChainHash::START => Fate::Unknown,
        Some((Int(0), _)) => Fate::Removed,
        Some(_) => Fate::Here,
    })
}

/// How many there are, and the bytes of their files.
pub(crate) fn sum(connection: &Connection) -> Result<(u64, u64), ReadError> {
    let sql = "SELECT count(*), coalesce(sum(bytes), 0) FROM archives a JOIN journals j ON j.id = a.journal
               WHERE a.state <> 'back' AND j.seq > 0";
    Ok(connection.query_row(sql, (), |row| Ok((row.get::<_, Int>(0)?.0, row.get::<_, Int>(1)?.0)))?)
}
