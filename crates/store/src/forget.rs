//! Forgetting: the words of an event go, the event stays.

use crate::archive::IS_AWAY;
use crate::error::{Invalid, ReadError};
use crate::sql::{Hash, Int, Refusal};
use crate::{blob, gaps, query};
use agent::{Seq, SessionId};
use rusqlite::{Connection, OptionalExtension};
use std::collections::{BTreeMap, BTreeSet};
use wire::BlobHash;
use wire::chain::{Salt, seal};

/// Deletes bodies and salts, keeps their seals so that the chain still verifies, releases the blobs. Forgetting what is
/// forgotten changes nothing. What may repeat the words goes too: folds, partial texts, answers under idempotency keys.
/// `secure_delete` overwrites the bytes in the database; copies in gaps of pages and in the write-ahead log go by
/// [`Store::scrub`](crate::Store::scrub).
pub(crate) fn forget(connection: &Connection, journal: i64, seqs: &[Seq]) -> Result<(), Refusal> {
    if !seqs.is_empty() {
        gaps::words_went(connection)?;
        // Folds may hold paths and words; they are made again from what is left.
        connection.prepare_cached("DELETE FROM folds WHERE journal = ?")?.execute([journal])?;
        connection.prepare_cached("DELETE FROM partials WHERE journal = ?")?.execute([journal])?;
        // Answers belong to sessions. The keys stay taken, so that nothing is done twice: a request that comes again is told that its key was used
        // for another one. Neither the answer nor the hash of the request, which has no salt, is kept.
        connection
            .prepare_cached(
                "UPDATE answers SET body_hash = randomblob(32), answer = '{}'
                 WHERE EXISTS (SELECT 1 FROM journals j WHERE j.id = ? AND j.name <> 'daemon'
                               AND (instr(answers.scope, j.name) > 0 OR instr(answers.answer, j.name) > 0))",
            )?
            .execute([journal])?;
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

/// Of these blobs, those that somebody would still hold after these events of these journals were forgotten.
pub(crate) fn left(
    connection: &Connection,
    forgets: &[(SessionId, Vec<Seq>)],
    blobs: &[BlobHash],
) -> Result<Vec<BlobHash>, ReadError> {
    let mut released: BTreeMap<i64, u64> = BTreeMap::new();
    for (session, seqs) in forgets {
        for seq in seqs {
            let mut statement = connection.prepare_cached(
                "SELECT h.blob FROM event_blobs h JOIN journals j ON j.id = h.journal WHERE j.name = ? AND h.seq = ?",
            )?;
            for blob in statement.query_map((session.to_string(), Int(seq.0)), |row| row.get::<_, i64>(0))? {
                *released.entry(blob?).or_default() += 1;
            }
        }
    }
    let mut left = Vec::new();
    for hash in blobs {
        let found: Option<(i64, Int)> = connection
            .prepare_cached("SELECT id, holders FROM blobs WHERE hash = ?")?
            .query_row([Hash(hash.0)], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((id, Int(holders))) = found
            && holders > released.get(&id).copied().unwrap_or(0)
        {
            left.push(*hash);
        }
    }
    Ok(left)
}

/// Events anywhere, other than these of these journals, that hold blobs which these hold. At most so many.
pub(crate) fn also_held(
    connection: &Connection,
    forgets: &[(SessionId, Vec<Seq>)],
    limit: usize,
) -> Result<Vec<(SessionId, Seq)>, ReadError> {
    let mut blobs = BTreeSet::new();
    let mut own = BTreeSet::new();
    for (session, seqs) in forgets {
        for seq in seqs {
            let mut statement = connection.prepare_cached(
                "SELECT h.journal, h.blob FROM event_blobs h JOIN journals j ON j.id = h.journal
                 JOIN blobs b ON b.id = h.blob WHERE j.name = ? AND h.seq = ? AND b.holders > 1",
            )?;
            for held in statement.query_map((session.to_string(), Int(seq.0)), |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })? {
                let (journal, blob) = held?;
                own.insert((journal, seq.0));
                blobs.insert(blob);
            }
        }
    }
    if blobs.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(&format!(
        "SELECT h.journal, h.seq, h.blob, j.name FROM event_blobs h JOIN journals j ON j.id = h.journal
         WHERE j.seq > 0 AND j.name <> 'daemon' AND NOT {IS_AWAY}",
    ))?;
    let mut rows = statement.query(())?;
    let mut found = BTreeSet::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let (journal, Int(seq)) = (row.get::<_, i64>(0)?, row.get::<_, Int>(1)?);
        if blobs.contains(&row.get::<_, i64>(2)?) && !own.contains(&(journal, seq)) {
            found.insert((query::session_of(&row.get::<_, String>(3)?)?, Seq(seq)));
        }
    }
    Ok(found.into_iter().collect())
}
