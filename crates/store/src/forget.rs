//! Forgetting: the words of an event go, the event stays.

use crate::blob;
use crate::error::Invalid;
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
