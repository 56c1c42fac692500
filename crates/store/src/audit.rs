//! What an audit looks at beside the chains, a page at a time: which journals there are, whether events and blobs hold
//! each other as they say, and whether every blob is what its name says.

use crate::archive::IS_AWAY;
use crate::blob;
use crate::chain::VerifyError;
use crate::error::ReadError;
use crate::query::Head;
use crate::sql::{Hash, Int};
use agent::{Epoch, Generation, Seq};
use rusqlite::{Connection, OptionalExtension};
use wire::BlobHash;

/// A journal, as an audit walks through them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    /// Its row, the cursor of the next page.
    pub row: i64,
    /// Its name.
    pub name: String,
    /// Its head.
    pub head: Head,
    /// Whether its events lie in a file.
    pub archived: bool,
}

/// Journals that have events, after a row.
pub(crate) fn journals(connection: &Connection, after: i64, limit: u64) -> Result<Vec<JournalRow>, ReadError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, name, seq, hash, epoch, generation, {IS_AWAY} FROM journals j
         WHERE id > ? AND seq > 0 ORDER BY id LIMIT ?",
    ))?;
    let rows = statement.query_map((after, Int(limit)), |row| {
        let (seq, hash) = (row.get::<_, Int>(2)?.into(), row.get::<_, Hash>(3)?.into());
        let (epoch, generation) = (Epoch(row.get::<_, Int>(4)?.0), Generation(row.get::<_, Int>(5)?.0));
        let head = Head { seq, hash, epoch, generation };
        Ok(JournalRow { row: row.get(0)?, name: row.get(1)?, head, archived: row.get(6)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The journals that have links up to a place, with the event that the last of these gives (0: removed by then).
pub(crate) fn journals_at(connection: &Connection, place: u64) -> Result<Vec<(String, Seq)>, ReadError> {
    // With `max` alone beside them, bare columns are those of the row that has it: a promise of SQLite's.
    let mut statement = connection.prepare(
        "SELECT j.name, h.seq, max(h.place) FROM heads h JOIN journals j ON j.id = h.journal
         WHERE h.place <= ? GROUP BY h.journal ORDER BY h.journal",
    )?;
    let rows = statement.query_map([Int(place)], |row| Ok((row.get(0)?, row.get::<_, Int>(1)?.into())))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether events after `range.0` up to `range.1` hold what they say they hold: blobs that are there, and that their
/// bodies name.
pub(crate) fn verify_holds(connection: &Connection, journal: &str, range: (Seq, Seq)) -> Result<(), VerifyError> {
    let stray: Option<(Int, bool)> = connection
        .prepare_cached(
            "SELECT h.seq, b.id IS NULL FROM event_blobs h JOIN journals j ON j.id = h.journal
             LEFT JOIN blobs b ON b.id = h.blob
             LEFT JOIN events e ON e.journal = h.journal AND e.seq = h.seq
             WHERE j.name = ?1 AND h.seq > ?2 AND h.seq <= ?3
                 AND (b.id IS NULL OR e.body IS NULL OR instr(e.body, lower(hex(b.hash))) = 0)
             ORDER BY h.seq LIMIT 1",
        )
        .and_then(|mut statement| {
            let columns = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            statement.query_row((journal, Int(range.0.0), Int(range.1.0)), columns).optional()
        })
        .map_err(ReadError::from)?;
    match stray {
        None => Ok(()),
        Some((seq, gone)) => {
            let what = if gone { "holds a blob that is gone" } else { "holds a blob that its body does not name" };
            Err(VerifyError::Event { journal: journal.to_owned(), seq: seq.into(), what })
        }
    }
}

/// How far an audit of the blobs has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlobsProgress {
    pub(crate) row: i64,
    pub(crate) blobs: u64,
    pub(crate) bytes: u64,
    pub(crate) ended: bool,
}

/// Blobs looked at in one read transaction, unless they are large.
const BLOBS: u64 = 64;
/// Bytes after which a page of blobs ends.
const BLOB_BYTES: u64 = 4 << 20;

/// Reads the next blobs: each unpacks to the bytes that its name says.
pub(crate) fn verify_blobs(
    connection: &Connection,
    mut at: BlobsProgress,
    limit_bytes: usize,
) -> Result<BlobsProgress, VerifyError> {
    let mut statement = connection
        .prepare_cached("SELECT id, hash, bytes FROM blobs WHERE id > ? ORDER BY id LIMIT ?")
        .map_err(ReadError::from)?;
    let mut rows = statement.query((at.row, Int(BLOBS))).map_err(ReadError::from)?;
    let before = at.bytes;
    at.ended = true;
    while let Some(row) = rows.next().map_err(ReadError::from)? {
        at.ended = false;
        let hash: BlobHash = row.get::<_, Hash>(1).map_err(ReadError::from)?.into();
        let bytes = row.get::<_, Int>(2).map_err(ReadError::from)?.0;
        match blob::read(connection, hash, limit_bytes) {
            Ok(Some(unpacked)) if unpacked.len() as u64 == bytes => {}
            Ok(_) => return Err(VerifyError::Blob { blob: hash, what: "has another length than is noted".into() }),
            Err(ReadError::Damaged { what }) => return Err(VerifyError::Blob { blob: hash, what }),
            Err(error) => return Err(error.into()),
        }
        (at.row, at.blobs, at.bytes) = (row.get(0).map_err(ReadError::from)?, at.blobs + 1, at.bytes + bytes);
        if at.bytes - before > BLOB_BYTES {
            break;
        }
    }
    Ok(at)
}

/// Whether each blob has as many holders as it counts, and each of these is an event that is there.
pub(crate) fn verify_holders(connection: &Connection) -> Result<(), VerifyError> {
    let nobody: Option<(String, Int)> = connection
        .prepare(
            "SELECT coalesce(j.name, 'a journal that is gone'), max(h.seq, 0) FROM event_blobs h
             LEFT JOIN journals j ON j.id = h.journal
             LEFT JOIN events e ON e.journal = h.journal AND e.seq = h.seq
             WHERE e.id IS NULL LIMIT 1",
        )
        .and_then(|mut statement| statement.query_row((), |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(ReadError::from)?;
    if let Some((journal, seq)) = nobody {
        return Err(VerifyError::Event { journal, seq: seq.into(), what: "holds a blob and is not there" });
    }
    let stray: Option<Hash> = connection
        .prepare(
            "SELECT b.hash FROM blobs b
             LEFT JOIN (SELECT blob, count(*) AS held FROM event_blobs GROUP BY blob) h ON h.blob = b.id
             WHERE coalesce(h.held, 0) <> b.holders LIMIT 1",
        )
        .and_then(|mut statement| statement.query_row((), |row| row.get(0)).optional())
        .map_err(ReadError::from)?;
    match stray {
        None => Ok(()),
        Some(hash) => {
            let what = "is not held by as many events as it counts".into();
            Err(VerifyError::Blob { blob: hash.into(), what })
        }
    }
}

/// The blobs that events of a journal hold, by their rows.
pub(crate) fn held(connection: &Connection, journal: &str) -> Result<Vec<i64>, ReadError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT h.blob FROM event_blobs h JOIN journals j ON j.id = h.journal WHERE j.name = ?",
    )?;
    Ok(statement.query_map([journal], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// The next blob after a row.
pub(crate) fn next_blob(connection: &Connection, after: i64) -> Result<Option<(i64, BlobHash)>, ReadError> {
    let mut statement = connection.prepare_cached("SELECT id, hash FROM blobs WHERE id > ? ORDER BY id LIMIT 1")?;
    Ok(statement.query_row([after], |row| Ok((row.get(0)?, row.get::<_, Hash>(1)?.into()))).optional()?)
}

/// The name of a blob by its row.
pub(crate) fn blob_name(connection: &Connection, row: i64) -> Result<Option<BlobHash>, ReadError> {
    let mut statement = connection.prepare_cached("SELECT hash FROM blobs WHERE id = ?")?;
    Ok(statement.query_row([row], |row| Ok(row.get::<_, Hash>(0)?.into())).optional()?)
}
