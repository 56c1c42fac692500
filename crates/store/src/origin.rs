//! Which sessions are copies of which: so that forgetting reaches the copies.
//!
//! A fork shares its parent's events by their numbers, and a fork of a fork those of both, as far as each was copied.

use crate::error::ReadError;
use crate::query;
use crate::sql::Int;
use agent::{Seq, SessionId};
use rusqlite::Connection;

/// The sessions that are copies of a session, or copies of copies, and have its events up to a place; with the last
/// event that each shares. Those that were removed are left out.
pub(crate) fn copies(connection: &Connection, session: SessionId) -> Result<Vec<(SessionId, Seq)>, ReadError> {
    let mut statement = connection.prepare_cached(
        "WITH RECURSIVE copies (name, upto) AS (
             SELECT j.name, o.upto FROM origins o JOIN journals j ON j.id = o.journal WHERE o.parent = ?1
             UNION
             SELECT j.name, min(o.upto, c.upto) FROM copies c
                 JOIN origins o ON o.parent = c.name JOIN journals j ON j.id = o.journal)
         SELECT c.name, max(c.upto) FROM copies c JOIN journals j ON j.name = c.name
         WHERE j.seq > 0 AND c.name <> ?1 GROUP BY c.name ORDER BY j.id",
    )?;
    let rows =
        statement.query_map([session.to_string()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Int>(1)?)))?;
    rows.map(|row| row.map_err(ReadError::from).and_then(|(name, upto)| Ok((query::session_of(&name)?, upto.into()))))
        .collect()
}

/// The sessions that this one was copied from, the nearest first, with the last event that each shares with it; also
/// those that were removed since.
pub(crate) fn originals(connection: &Connection, session: SessionId) -> Result<Vec<(SessionId, Seq)>, ReadError> {
    let mut statement = connection.prepare_cached(
        "WITH RECURSIVE originals (name, upto, far) AS (
             SELECT o.parent, o.upto, 1 FROM origins o JOIN journals j ON j.id = o.journal WHERE j.name = ?1
             UNION
             SELECT o.parent, min(o.upto, c.upto), c.far + 1 FROM originals c
                 JOIN journals j ON j.name = c.name JOIN origins o ON o.journal = j.id WHERE c.far < 1000)
         SELECT name, max(upto) FROM originals GROUP BY name ORDER BY min(far)",
    )?;
    let rows =
        statement.query_map([session.to_string()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Int>(1)?)))?;
    rows.map(|row| row.map_err(ReadError::from).and_then(|(name, upto)| Ok((query::session_of(&name)?, upto.into()))))
        .collect()
}

/// Notes where a fork comes from.
pub(crate) fn note_origin(connection: &Connection, journal: i64, parent: SessionId, upto: Seq) -> rusqlite::Result<()> {
    connection.prepare_cached("INSERT OR REPLACE INTO origins (journal, parent, upto) VALUES (?, ?, ?)")?.execute((
        journal,
        parent.to_string(),
        Int(upto.0),
    ))?;
    Ok(())
}

/// Notes the forks that a journal's own events tell of: those which were made where it came from.
pub(crate) fn note_forks_in(connection: &Connection, journal: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO origins (journal, parent, upto)
             SELECT journal, json_extract(header, '$.parent'), json_extract(header, '$.at_seq') FROM events
             WHERE journal = ? AND header LIKE '%\"kind\":\"session.forked\"%'
                 AND json_extract(header, '$.kind') = 'session.forked'
                 AND typeof(json_extract(header, '$.at_seq')) = 'integer'",
        )?
        .execute([journal])?;
    Ok(())
}
