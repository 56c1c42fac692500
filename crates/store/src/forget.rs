//! Forgetting: the words of an event go, the event stays.

use crate::blob;
use crate::error::Invalid;
use crate::query;
use crate::sql::{Hash, Int, Refusal};
use agent::Seq;
use rusqlite::{Connection, OptionalExtension};
use wire::chain::{Salt, seal};

/// Deletes bodies and salts, keeps their seals so that the chain still verifies, releases the blobs. Forgetting what is
/// forgotten changes nothing. `secure_delete` overwrites the bytes in the database; copies in the write-ahead log go
/// when it is overwritten, at the latest when the store is closed.
pub(crate) fn forget(connection: &Connection, journal: i64, seqs: &[Seq]) -> Result<(), Refusal> {
    if !seqs.is_empty() {
        // Folds may hold paths and words; they are made again from what is left.
        connection.prepare_cached("DELETE FROM folds WHERE journal = ?")?.execute([journal])?;
    }
    for seq in seqs {
        let stored: Option<(Option<String>, Option<Salt>)> = connection
            .prepare_cached("SELECT body, salt FROM events WHERE journal = ? AND seq = ?")?
            .query_row((journal, Int(seq.0)), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (body, salt) = stored.ok_or(Invalid::NothingToForget { seq: *seq })?;
        if let (Some(body), Some(salt)) = (body, salt) {
            connection
                .prepare_cached("UPDATE events SET body = NULL, salt = NULL, seal = ? WHERE journal = ? AND seq = ?")?
                .execute((Hash(seal(&salt, body.as_bytes())), journal, Int(seq.0)))?;
        }
        blob::release(connection, journal, *seq)?;
    }
    Ok(())
}

/// Numbers the forgettings, and notes of each journal which was its last, so that the index of search finds out what it
/// must forget as well, also when it was not there.
pub(crate) fn count(connection: &Connection, journal: i64) -> rusqlite::Result<()> {
    let number = Int(query::meta(connection, "forgettings")? + 1);
    for key in ["forgettings".to_owned(), format!("forgotten in {journal}")] {
        connection.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")?.execute((key, number))?;
    }
    Ok(())
}

/// How many forgettings there were, and in which journals there were some after the first `since`.
pub(crate) fn forgettings(connection: &Connection, since: u64) -> rusqlite::Result<(u64, Vec<i64>)> {
    let number = query::meta(connection, "forgettings")?;
    if number <= since {
        return Ok((number, Vec::new()));
    }
    let journals = connection
        .prepare_cached(
            "SELECT CAST(substr(key, 14) AS INTEGER) FROM meta WHERE key GLOB 'forgotten in *' AND value > ?",
        )?
        .query_map([Int(since)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok((number, journals))
}
