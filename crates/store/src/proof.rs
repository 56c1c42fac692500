//! What a journal that nobody has open says of itself: whose it is, how far it goes, and the hash that vouches for all
//! of it. Looked at without a lock, a log or any other file beside it, so only for files that nobody writes.

use crate::archive::{self, Archived};
use crate::error::{OpenError, ReadError};
use crate::sql::Int;
use crate::store::Store;
use crate::{file, gaps, signature};
use agent::Generation;
use rusqlite::{Connection, OpenFlags};
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use wire::ChainHash;

/// What a journal proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// The version of its tables.
    pub schema: u32,
    /// The first link of the chain of heads: no two journals have the same. Zero for one without a link.
    pub state: ChainHash,
    /// How many links the chain of heads has.
    pub links: u64,
    /// The last of them, which vouches for all before it.
    pub head: ChainHash,
    /// How many sessions there are.
    pub sessions: u64,
    /// The newest daemon that wrote to it.
    pub generation: Generation,
    /// How many removed sessions, and forks that were given up, still have words in it; one more where words that went may
    /// have copies in gaps of pages.
    pub unswept: u64,
}

/// Copies, which nobody has open.
impl Store {
    /// What a copy proves; for files that nobody has open. Opens no file beside it and changes nothing.
    pub fn prove_copy(path: &Path) -> Result<Proof, OpenError> {
        read(path)
    }

    /// Looks through a copy for damage; for files that nobody has open. Reads all of it.
    pub fn check_copy(path: &Path) -> Result<(), OpenError> {
        check(path)
    }

    /// The workspaces that a copy's sessions work in, with how many do, the busiest first and at most so many; and how many
    /// workspaces there are in all. For files that nobody has open.
    pub fn workspaces_of_copy(path: &Path, most: u64) -> Result<(Vec<(String, u64)>, u64), OpenError> {
        workspaces(path, most)
    }

    /// Headers of the daemon's own events that hold any of these words, oldest first; for files that nobody has open.
    pub fn daemon_headers_of_copy(path: &Path, words: &[String]) -> Result<Vec<String>, OpenError> {
        daemon_headers(path, words)
    }

    /// The archived sessions of a copy; for files that nobody has open.
    pub fn archived_in_copy(path: &Path) -> Result<Vec<Archived>, OpenError> {
        archived(path)
    }
}

/// Reads the proof of a file that nobody writes. Reads some pages only: it does not look for damage.
pub(crate) fn read(path: &Path) -> Result<Proof, OpenError> {
    let wrong = |error| file::error_at(path, error);
    let connection = open_still(path).map_err(wrong)?;
    let schema = file::recognise(path, &connection, file::known())?;
    prove(&connection, schema).map_err(wrong)
}

/// Looks through the whole file for damage; nobody may write it.
fn check(path: &Path) -> Result<(), OpenError> {
    let wrong = |error| file::error_at(path, error);
    let connection = open_still(path).map_err(wrong)?;
    let said: String = connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0)).map_err(wrong)?;
    if said == "ok" { Ok(()) } else { Err(OpenError::Damaged { path: path.to_owned(), detail: said }) }
}

/// The archived sessions of a file that nobody writes.
fn archived(path: &Path) -> Result<Vec<Archived>, OpenError> {
    let wrong = |error| file::error_at(path, error);
    let connection = open_still(path).map_err(wrong)?;
    let all = archive::page(&connection, 0, i64::MAX as u64);
    let all = all.map_err(|error| OpenError::Damaged { path: path.to_owned(), detail: error.to_string() })?;
    Ok(all.into_iter().map(|(_, archived)| archived).collect())
}

/// The workspaces of a file that nobody writes, with how many sessions each has, the busiest first; and how many there
/// are in all.
fn workspaces(path: &Path, most: u64) -> Result<(Vec<(String, u64)>, u64), OpenError> {
    let wrong = |error| file::error_at(path, error);
    let connection = open_still(path).map_err(wrong)?;
    let read = || -> rusqlite::Result<_> {
        let sql = "SELECT workspace, count(*) FROM sessions GROUP BY workspace ORDER BY 2 DESC, 1 LIMIT ?";
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([Int(most)], |row| Ok((row.get(0)?, row.get::<_, Int>(1)?.0)))?;
        let named = rows.collect::<rusqlite::Result<_>>()?;
        let all =
            connection.query_row("SELECT count(DISTINCT workspace) FROM sessions", (), |row| row.get::<_, Int>(0))?;
        Ok((named, all.0))
    };
    read().map_err(wrong)
}

/// A connection that neither locks nor writes anything.
fn open_still(path: &Path) -> rusqlite::Result<Connection> {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(char::from(*byte)),
            byte => write!(uri, "%{byte:02x}").expect("a text takes all that is written"),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")?;
    Ok(connection)
}

fn prove(connection: &Connection, schema: i64) -> rusqlite::Result<Proof> {
    let state = signature::state_name(connection)?.unwrap_or(ChainHash::START);
    let (links, head) = signature::last_link(connection)?.map_or((0, ChainHash::START), |link| (link.place, link.hash));
    let number = |sql: &str| connection.query_row(sql, (), |row| row.get::<_, Int>(0)).map(|number| number.0);
    let to_sweep = number("SELECT count(*) FROM waking w JOIN journals j ON j.id = w.journal WHERE j.seq = 0")?;
    Ok(Proof {
        schema: u32::try_from(schema).unwrap_or(0),
        state,
        links,
        head,
        sessions: number("SELECT count(*) FROM sessions")?,
        generation: Generation(number("SELECT coalesce(max(generation), 0) FROM journals")?),
        unswept: to_sweep + u64::from(gaps::are_due(connection)?),
    })
}

/// Bodies of the daemon's own events whose headers hold these words, oldest first; of a journal that this process does
/// not have open. After an end in good order nothing is made beside it; else SQLite may make its shared memory anew.
pub(crate) fn daemon_bodies(journal: &Path, words: &str) -> Result<Vec<String>, OpenError> {
    let wrong = |error| file::error_at(journal, error);
    let mut log = journal.as_os_str().to_owned();
    log.push("-wal");
    let connection = match std::fs::metadata(&log) {
        Ok(log) if log.len() > 0 => {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            Connection::open_with_flags(journal, flags).map_err(wrong)?
        }
        _ => open_still(journal).map_err(wrong)?,
    };
    file::recognise(journal, &connection, file::known())?;
    let sql = "SELECT e.body FROM events e JOIN journals j ON j.id = e.journal
               WHERE j.name = 'daemon' AND instr(e.header, ?) > 0 AND e.body IS NOT NULL ORDER BY e.seq";
    let mut statement = connection.prepare(sql).map_err(wrong)?;
    let bodies = statement.query_map([words], |row| row.get(0)).map_err(wrong)?;
    bodies.collect::<rusqlite::Result<_>>().map_err(wrong)
}

/// Headers of the daemon's own events, of a file that nobody writes.
fn daemon_headers(path: &Path, words: &[String]) -> Result<Vec<String>, OpenError> {
    let wrong = |error| file::error_at(path, error);
    let connection = open_still(path).map_err(wrong)?;
    let read = || -> rusqlite::Result<_> {
        let sql = "SELECT e.seq, e.header FROM events e JOIN journals j ON j.id = e.journal
                   WHERE j.name = 'daemon' AND instr(e.header, ?) > 0";
        let (mut statement, mut found) = (connection.prepare(sql)?, Vec::<(i64, String)>::new());
        for words in words {
            for row in statement.query_map([words], |row| Ok((row.get(0)?, row.get(1)?)))? {
                found.push(row?);
            }
        }
        found.sort_by_key(|(seq, _)| *seq);
        Ok(found.into_iter().map(|(_, header)| header).collect())
    };
    read().map_err(wrong)
}

/// Whether a session wrote something after a link of the chain of heads.
pub(crate) fn changed_since(connection: &Connection, place: u64) -> Result<bool, ReadError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM heads h JOIN journals j ON j.id = h.journal
               WHERE h.place > ? AND j.name <> 'daemon')";
    Ok(connection.query_row(sql, [Int(place)], |row| row.get(0))?)
}
