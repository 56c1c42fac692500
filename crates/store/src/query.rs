//! What can be read, apart from lists, blobs and money. Each function is one short read transaction.

use crate::append::{FoldRow, JournalId};
use crate::archive::IS_AWAY;
use crate::error::ReadError;
use crate::sql::{Hash, Int, Time};
use agent::{EffectId, Epoch, Generation, Micros, Seq, SessionId};
use rusqlite::{Connection, OptionalExtension, Row};
use wire::{BlobHash, ChainHash, Record};

/// The head of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The place of the last event.
    pub seq: Seq,
    /// Its hash.
    pub hash: ChainHash,
    /// The owner that has the journal.
    pub epoch: Epoch,
    /// The daemon of that owner.
    pub generation: Generation,
}

/// An answer that was given under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The hash of the request's body: another body under the same key is an error.
    pub body_hash: BlobHash,
    /// The answer.
    pub answer: String,
}

/// A journal's row and head; `None` as well for one that was removed or is not whole yet, whose head is 0, and for one
/// whose events are archived.
pub(crate) fn head(connection: &Connection, journal: JournalId) -> rusqlite::Result<Option<(i64, Head)>> {
    head_where(connection, journal, &format!("AND NOT {IS_AWAY}"))
}

/// The same also of one whose events are archived.
pub(crate) fn any_head(connection: &Connection, journal: JournalId) -> rusqlite::Result<Option<(i64, Head)>> {
    head_where(connection, journal, "")
}

fn head_where(connection: &Connection, journal: JournalId, and: &str) -> rusqlite::Result<Option<(i64, Head)>> {
    connection
        .prepare_cached(&format!(
            "SELECT id, seq, hash, epoch, generation FROM journals j WHERE name = ? AND seq > 0 {and}"
        ))?
        .query_row([journal.to_string()], |row| {
            let (seq, hash) = (row.get::<_, Int>(1)?.into(), row.get::<_, Hash>(2)?.into());
            let (epoch, generation) = (Epoch(row.get::<_, Int>(3)?.0), Generation(row.get::<_, Int>(4)?.0));
            Ok((row.get(0)?, Head { seq, hash, epoch, generation }))
        })
        .optional()
}

/// What SQLite says of the file.
pub(crate) fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    connection.query_row(&format!("PRAGMA {name}"), (), |row| row.get::<_, Int>(0)).map(|number| number.0)
}

/// A number of the whole file; 0 if it was never set.
pub(crate) fn meta(connection: &Connection, key: &str) -> rusqlite::Result<u64> {
    let value: Option<Int> = connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    Ok(value.map_or(0, |number| number.0))
}

/// Places in the chain of heads that concern a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first link over an event that was asked for.
    pub first: u64,
    /// The link that says that the session was removed.
    pub removed: Option<u64>,
}

/// Where a session's events from `seq` on begin in the chain of heads, and where it was removed.
pub(crate) fn span(connection: &Connection, session: SessionId, seq: Seq) -> rusqlite::Result<Option<Span>> {
    let sql = "SELECT min(h.place) FILTER (WHERE h.seq >= ?2 AND h.seq > 0), max(h.place) FILTER (WHERE h.seq = 0)
               FROM heads h JOIN journals j ON j.id = h.journal WHERE j.name = ?1";
    connection.prepare_cached(sql)?.query_row((session.to_string(), Int(seq.0)), |row| {
        let (first, removed): (Option<Int>, Option<Int>) = (row.get(0)?, row.get(1)?);
        Ok(first.map(|Int(first)| Span { first, removed: removed.map(|Int(place)| place) }))
    })
}

const EVENTS: &str =
    "SELECT e.seq, e.header, e.body FROM events e JOIN journals j ON j.id = e.journal WHERE j.name = ?1 AND j.seq > 0";

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record { seq: row.get::<_, Int>(0)?.into(), header: row.get(1)?, body: row.get(2)? })
}

/// Events after a place, at most `limit` of them and, after the first, at most `page_bytes` of text.
pub(crate) fn events(
    connection: &Connection,
    journal: JournalId,
    after: Seq,
    limit: usize,
    page_bytes: usize,
) -> Result<Vec<Record>, ReadError> {
    let mut statement =
        connection.prepare_cached(&format!("{EVENTS} AND NOT {IS_AWAY} AND e.seq > ?2 ORDER BY e.seq LIMIT ?3"))?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    for found in statement.query_map((journal.to_string(), Int(after.0), Int(limit as u64)), record)? {
        let found = found?;
        bytes += found.header.len() + found.body.as_ref().map_or(0, String::len);
        if bytes > page_bytes && !page.is_empty() {
            break;
        }
        page.push(found);
    }
    Ok(page)
}

/// One event.
pub(crate) fn event(connection: &Connection, journal: JournalId, seq: Seq) -> Result<Option<Record>, ReadError> {
    let mut statement = connection.prepare_cached(&format!("{EVENTS} AND NOT {IS_AWAY} AND e.seq = ?2"))?;
    Ok(statement.query_row((journal.to_string(), Int(seq.0)), record).optional()?)
}

/// Events by their places, in the order asked for.
pub(crate) fn events_at(connection: &Connection, journal: JournalId, seqs: &[Seq]) -> Result<Vec<Record>, ReadError> {
    let moment = connection.unchecked_transaction()?;
    let missing = |seq: &Seq| ReadError::Missing { journal: journal.to_string(), seq: *seq };
    seqs.iter().map(|seq| event(&moment, journal, *seq)?.ok_or_else(|| missing(seq))).collect()
}

/// A projection of a journal.
pub(crate) fn fold(connection: &Connection, journal: JournalId, kind: &str) -> Result<Option<FoldRow>, ReadError> {
    let found = connection
        .prepare_cached(
            "SELECT f.format, f.seq, f.bytes FROM folds f JOIN journals j ON j.id = f.journal
             WHERE j.name = ? AND f.kind = ?",
        )?
        .query_row((journal.to_string(), kind), |row| {
            let (format, seq) = (row.get(0)?, row.get::<_, Int>(1)?.into());
            Ok(FoldRow { kind: kind.to_owned(), format, seq, bytes: row.get(2)? })
        })
        .optional()?;
    Ok(found)
}

/// Sessions with work left.
pub(crate) fn waking(connection: &Connection) -> Result<Vec<SessionId>, ReadError> {
    let mut statement = connection.prepare_cached(
        "SELECT j.name FROM waking w JOIN journals j ON j.id = w.journal WHERE j.seq > 0 ORDER BY w.journal",
    )?;
    statement.query_map((), |row| row.get::<_, String>(0))?.map(|name| session_of(&name?)).collect()
}

/// The answer under an idempotency key, unless it has expired.
pub(crate) fn answer(connection: &Connection, scope: &str, key: &str, now: Micros) -> rusqlite::Result<Option<Answer>> {
    connection
        .prepare_cached("SELECT body_hash, answer FROM answers WHERE scope = ? AND key = ? AND expires > ?")?
        .query_row((scope, key, Time(now)), |row| {
            Ok(Answer { body_hash: row.get::<_, Hash>(0)?.into(), answer: row.get(1)? })
        })
        .optional()
}

/// What running model calls of a session have said so far.
pub(crate) fn partials(connection: &Connection, session: SessionId) -> Result<Vec<(EffectId, String)>, ReadError> {
    let mut statement = connection.prepare_cached(
        "SELECT p.effect, p.text FROM partials p JOIN journals j ON j.id = p.journal WHERE j.name = ? ORDER BY p.effect",
    )?;
    let rows = statement.query_map([session.to_string()], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    let id = |text: String| text.parse().map_err(|_| ReadError::Damaged { what: format!("{text:?} is no effect") });
    rows.map(|row| row.map_err(ReadError::from).and_then(|(effect, text)| Ok((id(effect)?, text)))).collect()
}

/// The session that a journal's name names.
pub(crate) fn session_of(name: &str) -> Result<SessionId, ReadError> {
    name.parse().map_err(|_| ReadError::Damaged { what: format!("{name:?} is no session") })
}
