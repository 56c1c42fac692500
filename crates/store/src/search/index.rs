//! The file of the index: `search.db`, an FTS5 table whose row numbers say whose words they are.
//!
//! A row's number is journal, event and kind packed together. So matches come grouped by session, the youngest session
//! first, and most questions are answered without a look at another table.

use super::query::{self, MARKS, Snippet};
use super::words::{Doc, WordsKind};
use crate::sql::{Hash, Int, Time};
use agent::{Micros, Seq};
use rusqlite::{Connection, OpenFlags, params};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use wire::ChainHash;

/// "tink" and "search": says in the file's header what it is.
const APPLICATION_ID: i64 = 0x746b_7365;
/// A file of another format is deleted and made anew.
const FORMAT: i64 = 1;
/// The most that is kept of the file in memory, in KiB, while it is open.
const CACHE_KIB: u32 = 2048;

/// A row has one of the three texts. Accents do not matter.
const COLUMNS: &str = "title, prompt, reply, at UNINDEXED, tokenize = 'unicode61 remove_diacritics 2'";

const SCHEMA: &str = "
    CREATE TABLE journals (journal INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
    CREATE TABLE state (
        one INTEGER PRIMARY KEY CHECK (one = 1), place INTEGER NOT NULL, hash BLOB NOT NULL,
        forgettings INTEGER NOT NULL, unscrubbed INTEGER NOT NULL);
    INSERT INTO state VALUES (1, 0, zeroblob(32), 0, 0);";

/// How far the index has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    /// The last link of the chain of heads that it took in.
    pub(super) place: u64,
    /// The hash of that link: with another one there, this is the index of another journal.
    pub(super) hash: ChainHash,
    /// The count of forgettings that it followed.
    pub(super) forgettings: u64,
    /// Whether words were deleted of which bytes may be left in the file.
    pub(super) unscrubbed: bool,
}

/// The open index.
pub(super) struct Index {
    connection: Connection,
    path: PathBuf,
}

/// Events beyond this place of a session are not searched; the row's number has no room for them.
const LAST_SEQ: u64 = (1 << 24) - 1;
const JOURNAL_BITS: u32 = 26;

/// A match, as its row's number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) journal: i64,
    pub(super) seq: Seq,
    pub(super) kind: WordsKind,
}

impl Match {
    /// The number of its row.
    fn row(self) -> i64 {
        first_row(self.journal) | (self.seq.0.min(LAST_SEQ) << 2) as i64 | self.kind as i64
    }

    fn of(row: i64) -> Match {
        let kind = match row & 3 {
            0 => WordsKind::Title,
            1 => WordsKind::Prompt,
            _ => WordsKind::Reply,
        };
        Match { journal: row >> JOURNAL_BITS, seq: Seq((row >> 2) as u64 & LAST_SEQ), kind }
    }
}

fn first_row(journal: i64) -> i64 {
    journal << JOURNAL_BITS
}

impl Index {
    /// Opens the index, or makes it anew where it is not what it should be.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Index> {
        remove(&fresh(path)).map_err(|error| failed(&error))?;
        if let Ok(connection) = connect(path)
            && recognise(&connection).unwrap_or(false)
        {
            return Ok(Index { connection, path: path.to_owned() });
        }
        destroy(path).map_err(|error| failed(&error))?;
        create(path).map_err(|error| failed(&error))?;
        let connection = connect(path)?;
        connection.execute_batch(&format!(
            "BEGIN; CREATE VIRTUAL TABLE words USING fts5({COLUMNS}); {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}; COMMIT;"
        ))?;
        Ok(Index { connection, path: path.to_owned() })
    }

    pub(super) fn state(&self) -> rusqlite::Result<State> {
        self.connection.prepare_cached("SELECT place, hash, forgettings, unscrubbed FROM state")?.query_row((), |row| {
            let (place, hash) = (row.get::<_, Int>(0)?.0, row.get::<_, Hash>(1)?.into());
            Ok(State { place, hash, forgettings: row.get::<_, Int>(2)?.0, unscrubbed: row.get(3)? })
        })
    }

    pub(super) fn set_state(&self, state: State) -> rusqlite::Result<()> {
        let State { place, hash, forgettings, unscrubbed } = state;
        self.connection
            .prepare_cached("UPDATE state SET place = ?, hash = ?, forgettings = ?, unscrubbed = ?")?
            .execute((Int(place), Hash(hash.0), Int(forgettings), unscrubbed))?;
        Ok(())
    }

    /// Does something in one transaction.
    pub(super) fn together<T>(&self, act: impl FnOnce(&Index) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let transaction = self.connection.unchecked_transaction()?;
        let done = act(self)?;
        transaction.commit()?;
        Ok(done)
    }

    /// The last event of a journal that was taken in.
    pub(super) fn indexed(&self, journal: i64) -> rusqlite::Result<Seq> {
        let mut statement = self.connection.prepare_cached("SELECT max(seq) FROM journals WHERE journal = ?")?;
        let seq: Option<Int> = statement.query_row([journal], |row| row.get(0))?;
        Ok(seq.map_or(Seq(0), Seq::from))
    }

    pub(super) fn set_indexed(&self, journal: i64, seq: Seq) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO journals (journal, seq) VALUES (?, ?)")?
            .execute((journal, Int(seq.0)))?;
        Ok(())
    }

    /// Takes a text in. A title takes the place of the titles before it.
    pub(super) fn insert(&self, doc: &Doc) -> rusqlite::Result<()> {
        if doc.seq.0 > LAST_SEQ {
            return Ok(());
        }
        let column = match doc.kind {
            WordsKind::Title => "title",
            WordsKind::Prompt => "prompt",
            WordsKind::Reply => "reply",
        };
        if doc.kind == WordsKind::Title {
            let old = self.of_journal(doc.journal)?.into_iter().filter(|known| known.kind == WordsKind::Title);
            self.delete(&old.collect::<Vec<_>>())?;
        }
        let row = Match { journal: doc.journal, seq: doc.seq, kind: doc.kind }.row();
        // Whatever an interrupted pass may have left under this number gives way.
        self.connection
            .prepare_cached(&format!("INSERT OR REPLACE INTO words (rowid, {column}, at) VALUES (?, ?, ?)"))?
            .execute(params![row, doc.text, Time(doc.at)])?;
        Ok(())
    }

    /// All that is known of a journal.
    pub(super) fn of_journal(&self, journal: i64) -> rusqlite::Result<Vec<Match>> {
        let mut statement = self.connection.prepare_cached("SELECT rowid FROM words WHERE rowid BETWEEN ? AND ?")?;
        let range = (first_row(journal), first_row(journal + 1) - 1);
        statement.query_map(range, |row| row.get(0).map(Match::of))?.collect()
    }

    pub(super) fn delete(&self, matches: &[Match]) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached("DELETE FROM words WHERE rowid = ?")?;
        matches.iter().try_for_each(|known| statement.execute([known.row()]).map(|_| ()))
    }

    /// Deletes all that is known of a journal.
    pub(super) fn delete_journal(&self, journal: i64) -> rusqlite::Result<()> {
        self.delete(&self.of_journal(journal)?)?;
        self.connection.prepare_cached("DELETE FROM journals WHERE journal = ?")?.execute([journal])?;
        Ok(())
    }

    /// Writes the index in one piece, without what was deleted, and that into a file of its own, which takes the place of
    /// this one: where SQLite moves rows from page to page it leaves copies of them in the gaps, and `secure_delete` reaches
    /// only those that it knows of.
    pub(super) fn scrubbed(self) -> rusqlite::Result<Index> {
        self.connection.execute_batch("INSERT INTO words (words) VALUES ('optimize')")?;
        let fresh = fresh(&self.path);
        if let Err(error) = self.copy_into(&fresh) {
            // The error counts; what is left of the copy goes with the next one.
            let _ = remove(&fresh);
            return Err(error);
        }
        let Index { connection, path } = self;
        connection.close().map_err(|(_, error)| error)?;
        let named = fs::rename(&fresh, &path).and_then(|()| File::open(path.parent().unwrap_or(&path))?.sync_all());
        named.map_err(|error| failed(&error))?;
        Ok(Index { connection: connect(&path)?, path })
    }

    /// Copies what counts into a new file, which is on the disk then: what is said to be gone does not come back when the
    /// power goes.
    fn copy_into(&self, fresh: &Path) -> rusqlite::Result<()> {
        remove(fresh).and_then(|()| create(fresh)).map_err(|error| failed(&error))?;
        self.connection.execute("VACUUM INTO ?", [fresh.to_string_lossy()])?;
        File::open(fresh).and_then(|file| file.sync_all()).map_err(|error| failed(&error))
    }

    /// Gives the matches one after the other, the youngest session first and in it the last event, until told to stop.
    pub(super) fn matches<E: From<rusqlite::Error>>(
        &self,
        expression: &str,
        mut each: impl FnMut(Match) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut statement =
            self.connection.prepare_cached("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC")?;
        let mut rows = statement.query([expression])?;
        while let Some(row) = rows.next()? {
            if !each(Match::of(row.get(0)?))? {
                break;
            }
        }
        Ok(())
    }

    /// The words of each match with what stands around them, and when they were said. Asking the whole index for one row
    /// costs as much as asking it for all, so the few texts are matched again in a table of their own, in memory.
    pub(super) fn snippets(&self, expression: &str, found: &[Match]) -> rusqlite::Result<Vec<(Snippet, Micros)>> {
        let mut copy = self.connection.prepare_cached(
            "INSERT INTO temp.shown (rowid, title, prompt, reply, at)
             SELECT rowid, title, prompt, reply, at FROM words WHERE rowid = ?",
        )?;
        let mut show = self.connection.prepare_cached(
            "SELECT snippet(shown, -1, ?, ?, '…', 16), at FROM temp.shown WHERE shown MATCH ? AND rowid = ?",
        )?;
        let (open, close) = (MARKS.0.to_string(), MARKS.1.to_string());
        let show = |found: &Match| {
            copy.execute([found.row()])?;
            show.query_row((&open, &close, expression, found.row()), |row| {
                Ok((query::snippet(row.get_ref(0)?.as_str()?), row.get::<_, Time>(1)?.0))
            })
        };
        let snippets = found.iter().map(show).collect();
        self.connection.prepare_cached("DELETE FROM temp.shown")?.execute(())?;
        snippets
    }
}

/// TRUNCATE: of a file that one connection keeps to itself, DELETE would leave the journal of the last change with all that
/// it overwrote.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF; PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -{CACHE_KIB};
         CREATE VIRTUAL TABLE temp.shown USING fts5({COLUMNS});"
    ))?;
    Ok(connection)
}

fn recognise(connection: &Connection) -> rusqlite::Result<bool> {
    let number = |sql: &str| connection.query_row(sql, (), |row| row.get::<_, i64>(0));
    Ok(number("PRAGMA application_id")? == APPLICATION_ID && number("PRAGMA user_version")? == FORMAT)
}

/// Deletes the file, and what was to take its place.
pub(super) fn destroy(path: &Path) -> io::Result<()> {
    remove(path)?;
    remove(&fresh(path))
}

/// Where the file is written that takes the place of this one.
fn fresh(path: &Path) -> PathBuf {
    path.with_extension("db-new")
}

/// Makes an empty file for this user alone.
fn create(path: &Path) -> io::Result<()> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

/// Deletes a file with what SQLite puts beside it.
fn remove(path: &Path) -> io::Result<()> {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// An error of the file system as one of SQLite's, since both mean the same here.
fn failed(error: &io::Error) -> rusqlite::Error {
    let code = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => rusqlite::ffi::SQLITE_FULL,
        _ => rusqlite::ffi::SQLITE_CANTOPEN,
    };
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), Some(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rows_number_says_whose_words_they_are() {
        for (journal, seq, kind) in
            [(1, 1, WordsKind::Title), (99_999, LAST_SEQ, WordsKind::Reply), (1 << 36, 7, WordsKind::Prompt)]
        {
            let known = Match { journal, seq: Seq(seq), kind };
            assert_eq!(Match::of(known.row()), known);
            assert!(known.row() >= first_row(journal) && known.row() < first_row(journal + 1));
        }
    }
}
