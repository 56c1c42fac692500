//! The file: making it, recognising it, putting it into write-ahead mode, bringing its tables up to date.

use crate::error::OpenError;
use crate::options::{Options, Synchronous};
use crate::sql::GroupFailure;
use crate::{rehearsal, transact};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing::warn;

/// The versions of the tables, in order. A version that was released is never edited; `tests/golden` holds them to it.
const MIGRATIONS: &[&str] =
    &[include_str!("schema/0001.sql"), include_str!("schema/0002.sql"), include_str!("schema/0003.sql")];

/// "tink": says in the file's header whose it is.
const APPLICATION_ID: i64 = 0x7469_6e6b;

/// How long to wait for another program that has the file locked.
const LOCK_WAIT: Duration = Duration::from_secs(1);
/// The most that the writer keeps of the database in memory, in KiB. What is not used is not taken.
const WRITER_CACHE_KIB: u32 = 1024;
/// The same for each reader.
const READER_CACHE_KIB: u32 = 256;
/// Statements that a connection keeps prepared: all there are.
const STATEMENTS: usize = 64;

/// Where the journal is and how it is opened.
#[derive(Debug, Clone)]
pub(crate) struct File {
    path: PathBuf,
    vfs: Option<String>,
    synchronous: Synchronous,
    later: &'static [&'static str],
}

impl File {
    /// Makes the directory (0700) and the file (0600) if there are none, and makes sure that the file is a journal in
    /// write-ahead mode.
    pub(crate) fn prepare(dir: &Path, options: &Options) -> Result<File, OpenError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Path { path, source }
        };
        private_directory(dir).map_err(failed(dir))?;
        rehearsal::finish(dir).map_err(failed(dir))?;
        let file = File::existing(dir, options);
        file.create(dir).map_err(failed(&file.path))?;
        if !file.writes_ahead().map_err(failed(&file.path))? {
            close(file.connect_writer()?).map_err(|error| file.error(error))?;
        }
        file.check_writes_ahead()?;
        Ok(file)
    }

    /// The file as it is; it need not be there.
    pub(crate) fn existing(dir: &Path, options: &Options) -> File {
        let (path, vfs) = (dir.join("journal.db"), options.vfs.clone());
        File { path, vfs, synchronous: options.synchronous, later: options.later }
    }

    /// Whether its tables have an older version than the newest that is known.
    pub(crate) fn is_behind(&self) -> Result<bool, OpenError> {
        let connection = self.reader().map_err(|error| self.error(error))?;
        Ok(recognise(&self.path, &connection, self.newest())? < self.newest())
    }

    /// Copies what is committed into a file that does not exist, while others write on.
    pub(crate) fn copy_into(&self, copy: &Path) -> Result<(), OpenError> {
        // Not a reader as the others are: `query_only` would hold for the copy as well.
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|error| self.error(error))?;
        let copied = connection.execute("VACUUM INTO ?1", (copy.to_string_lossy(),));
        copied.map(drop).map_err(|error| self.error(error))
    }

    /// The file's path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The write-ahead log's path.
    pub(crate) fn log_path(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push("-wal");
        path.into()
    }

    /// The connection that writes. There is one.
    ///
    /// What an unclean end left in the log is copied into the database before anything is written behind it. After a sync
    /// that failed, the system takes those bytes for written though they are only in its memory: a commit behind them would
    /// be lost with them when the power goes.
    pub(crate) fn writer(&self) -> Result<Connection, OpenError> {
        let connection = self.connect_writer()?;
        match connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get::<_, i64>(0)) {
            Ok(busy) => {
                if busy != 0 {
                    warn!("another program reads the journal, so its log was not copied");
                }
                Ok(connection)
            }
            Err(error) => match error.into() {
                // Without room the log keeps everything, and reading must go on.
                GroupFailure::Not(error) => {
                    warn!(%error, "the journal's log was not copied");
                    Ok(connection)
                }
                GroupFailure::Unknown(error) => Err(self.error(error)),
            },
        }
    }

    /// The connection that writes after a failure. No other may be open. The synced commit settles what was unknown:
    /// whatever a failed commit left behind the log's valid end is overwritten by it.
    pub(crate) fn writer_after_failure(&self) -> Result<Connection, OpenError> {
        self.check_writes_ahead()?;
        let mut connection = self.connect_writer()?;
        let commit = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transact::count_reopening(&transaction)?;
            transaction.commit()
        };
        commit(&mut connection).map_err(|error| self.error(error))?;
        Ok(connection)
    }

    /// A connection that reads.
    pub(crate) fn reader(&self) -> rusqlite::Result<Connection> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.execute_batch(&format!(
            "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;
             PRAGMA cache_size = -{READER_CACHE_KIB};"
        ))?;
        Ok(connection)
    }

    /// Bytes of the write-ahead log, without opening it.
    pub(crate) fn log_bytes(&self) -> io::Result<u64> {
        match std::fs::metadata(self.log_path()) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// A connection to another file, by the same way to the disk.
    pub(crate) fn open(&self, path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
        match &self.vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str()),
            None => Connection::open_with_flags(path, flags),
        }
    }

    fn connect(&self, mode: OpenFlags) -> rusqlite::Result<Connection> {
        let connection = self.open(&self.path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(LOCK_WAIT)?;
        // A plan that may depend on what is bound is made anew each time something else is, which for every `LIMIT ?` costs
        // more than the query itself.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    }

    /// Nothing is changed before it is known that the file is ours.
    fn connect_writer(&self) -> Result<Connection, OpenError> {
        let failed = |error| self.error(error);
        let mut connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
        let version = recognise(&self.path, &connection, self.newest())?;
        if connection.is_readonly("main").map_err(failed)? {
            let source = io::Error::from(io::ErrorKind::ReadOnlyFilesystem);
            return Err(OpenError::Path { path: self.path.clone(), source });
        }
        self.set_up(&connection).map_err(failed)?;
        self.migrate(&mut connection, version).map_err(failed)?;
        Ok(connection)
    }

    /// A file that gives pages back can only be made so before it has any, which is before the log is switched on; on one
    /// that has, this does nothing. EXTRA comes before the log is switched on: should that fail unseen (SQLite swallows an I/O error there and says
    /// "wal"), then EXTRA is what keeps the rollback journal's unsynced deletion from undoing a commit. Checkpoints are
    /// the writer's business, so SQLite's own are off. Foreign keys are documentation, not checked: deleting a blob
    /// would have to look through all that refer to one.
    fn set_up(&self, connection: &Connection) -> rusqlite::Result<()> {
        let synchronous = match self.synchronous {
            Synchronous::Extra => "EXTRA",
            Synchronous::Normal => "NORMAL",
        };
        connection.execute_batch(&format!("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = {synchronous}"))?;
        connection.query_row("PRAGMA journal_mode = WAL", (), |_| Ok(()))?;
        connection.execute_batch(&format!(
            "PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = OFF; PRAGMA secure_delete = ON;
             PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -{WRITER_CACHE_KIB};"
        ))
    }

    /// The newest version of the tables that is known.
    fn newest(&self) -> i64 {
        (MIGRATIONS.len() + self.later.len()) as i64
    }

    /// Brings the tables from `version` to the newest, in one transaction.
    fn migrate(&self, connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
        let known = MIGRATIONS.iter().chain(self.later);
        let mut missing = known.skip(usize::try_from(version).unwrap_or(0)).peekable();
        if missing.peek().is_none() {
            return Ok(());
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for migration in missing {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", self.newest())?;
        transaction.commit()
    }

    fn create(&self, dir: &Path) -> io::Result<()> {
        match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path) {
            Ok(_) => std::fs::File::open(dir)?.sync_all(),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether the file's own header says that it is in write-ahead mode; the pragma's answer cannot be trusted. Only
    /// for moments when no connection is open: closing any descriptor of the file drops the locks of all.
    fn writes_ahead(&self) -> io::Result<bool> {
        let mut header = Vec::new();
        std::fs::File::open(&self.path)?.take(20).read_to_end(&mut header)?;
        Ok(header.get(18..20) == Some(&[2, 2]))
    }

    fn check_writes_ahead(&self) -> Result<(), OpenError> {
        match self.writes_ahead() {
            Ok(true) => Ok(()),
            Ok(false) => Err(OpenError::NotWriteAhead { path: self.path.clone() }),
            Err(source) => Err(OpenError::Path { path: self.path.clone(), source }),
        }
    }

    pub(crate) fn error(&self, source: rusqlite::Error) -> OpenError {
        error_at(&self.path, source)
    }
}

/// The newest version of the tables that this tinkerbell knows.
pub(crate) fn known() -> i64 {
    MIGRATIONS.len() as i64
}

/// The version of the tables: 0 for a file without any. What is not ours, or newer than we are, is refused.
pub(crate) fn recognise(path: &Path, connection: &Connection, known: i64) -> Result<i64, OpenError> {
    let number =
        |sql: &str| connection.query_row(sql, (), |row| row.get::<_, i64>(0)).map_err(|error| error_at(path, error));
    let version = number("PRAGMA user_version")?;
    let (application, tables) = (number("PRAGMA application_id")?, number("SELECT count(*) FROM sqlite_schema")?);
    match (application, version) {
        (0, 0) if tables == 0 => Ok(0),
        (APPLICATION_ID, found) if found > known => Err(OpenError::Newer { path: path.to_owned(), found, known }),
        (APPLICATION_ID, found) if found > 0 => Ok(found),
        _ => Err(OpenError::Foreign { path: path.to_owned() }),
    }
}

/// What an error of SQLite means for a file.
pub(crate) fn error_at(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            OpenError::Damaged { path, detail: source.to_string() }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked { path },
        Some(ErrorCode::DiskFull) => OpenError::Full { path },
        _ => OpenError::Database { path, source },
    }
}

/// Makes a directory, and those above it, that only we may enter.
pub(crate) fn private_directory(dir: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Closes a connection and says whether that went well; it is closed in any case.
pub(crate) fn close(connection: Connection) -> rusqlite::Result<()> {
    connection.close().map_err(|(_, error)| error)
}
