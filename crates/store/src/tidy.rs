//! Tidying: what nobody needs any more goes, and pages that nobody uses are given back to the file system. Done by the
//! writer in slices, each a transaction of its own, when somebody asks for one; so no append waits for more than that.
//!
//! A file gives pages back if it was made to (`auto_vacuum = INCREMENTAL`, since tinkerbell has this room). An older one
//! keeps its size and uses its free pages again.

use crate::error::ReadError;
use crate::query::pragma;
use crate::sql::{Int, Refusal, Time};
use agent::Micros;
use rusqlite::Connection;

/// What may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tidy {
    /// Now: answers under idempotency keys that expired before go.
    pub now: Micros,
    /// Free pages that stay for what comes next, in bytes.
    pub keep_free_bytes: u64,
}

/// What one slice did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tidied {
    /// Answers under idempotency keys that had expired.
    pub answers: u64,
    /// What model calls had said that nobody goes on with.
    pub partials: u64,
    /// Bytes given back to the file system; the file is shorter after the next checkpoint.
    pub freed_bytes: u64,
    /// Whether there is more to do.
    pub more: bool,
}

/// What a file is made of, and what tidying would find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waste {
    /// Bytes of all pages.
    pub bytes: u64,
    /// Bytes of those that nobody uses.
    pub free_bytes: u64,
    /// Whether they can be given back.
    pub shrinks: bool,
    /// Answers that have expired.
    pub answers: u64,
    /// Partial texts that nobody goes on with.
    pub partials: u64,
}

/// Rows removed in one slice.
const ROWS: u64 = 512;
/// Pages given back in one slice: a mebibyte.
const PAGES: u64 = 256;

/// Partial texts of sessions that have nothing to go on with.
const ORPHANS: &str = "FROM partials WHERE journal NOT IN (SELECT journal FROM waking)";

/// One slice.
pub(crate) fn slice(connection: &Connection, tidy: Tidy) -> Result<Tidied, Refusal> {
    let answers = connection
        .prepare_cached("DELETE FROM answers WHERE id IN (SELECT id FROM answers WHERE expires <= ? LIMIT ?)")?
        .execute((Time(tidy.now), Int(ROWS)))? as u64;
    let partials = connection
        .prepare_cached(&format!(
            "DELETE FROM partials WHERE (journal, effect) IN (SELECT journal, effect {ORPHANS} LIMIT ?)"
        ))?
        .execute([Int(ROWS)])? as u64;
    let (freed_bytes, pages_left) = give_back(connection, tidy.keep_free_bytes)?;
    let more = answers == ROWS || partials == ROWS || pages_left;
    Ok(Tidied { answers, partials, freed_bytes, more })
}

/// Gives free pages back, down to what is kept; how many bytes, and whether there are more.
fn give_back(connection: &Connection, keep_bytes: u64) -> rusqlite::Result<(u64, bool)> {
    let page = pragma(connection, "page_size")?;
    let too_many = |free: u64| free.saturating_sub(keep_bytes / page.max(1));
    let before = pragma(connection, "freelist_count")?;
    let most = too_many(before).min(PAGES);
    if most == 0 || !shrinks(connection)? {
        return Ok((0, false));
    }
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({most})"))?;
    let mut rows = statement.query(())?;
    while rows.next()?.is_some() {}
    let after = pragma(connection, "freelist_count")?;
    Ok((before.saturating_sub(after) * page, too_many(after) > 0 && after < before))
}

fn shrinks(connection: &Connection) -> rusqlite::Result<bool> {
    const INCREMENTAL: u64 = 2;
    Ok(pragma(connection, "auto_vacuum")? == INCREMENTAL)
}

/// What there is to do.
pub(crate) fn waste(connection: &Connection, now: Micros) -> Result<Waste, ReadError> {
    let page = pragma(connection, "page_size")?;
    let count = |sql: &str| connection.query_row(sql, (), |row| row.get::<_, Int>(0)).map(|count| count.0);
    let expired = "SELECT count(*) FROM answers WHERE expires <= ?";
    Ok(Waste {
        bytes: page * pragma(connection, "page_count")?,
        free_bytes: page * pragma(connection, "freelist_count")?,
        shrinks: shrinks(connection)?,
        answers: connection.query_row(expired, [Time(now)], |row| row.get::<_, Int>(0))?.0,
        partials: count(&format!("SELECT count(*) {ORPHANS}"))?,
    })
}
