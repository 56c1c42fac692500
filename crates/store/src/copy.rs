//! A copy of the whole journal, made while it is in use.
//!
//! It goes over a connection of its own that holds one read transaction from the first page to the last, so the copy is
//! one moment of the journal, and what is committed meanwhile does not make it begin anew (SQLite's backup starts over
//! when its source changes between two steps; a source that stands still by its transaction does not). Pages are
//! written in bounded steps with pauses between them, so that whoever appends finds the disk and a core free.
//!
//! While the transaction is held, the write-ahead log cannot be begun anew and grows by all that is written: that is
//! bounded, and passing the bound ends the copy. Whoever needs every connection closed (a store that opens its file
//! anew after a failure, a removal that empties the log) ends it too; it can be tried again.

use crate::error::OpenError;
use crate::file::File;
use crate::gate::Gate;
use crate::proof::{self, Proof};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How a copy is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Pages of 4096 bytes that one step copies.
    pub pages_per_step: u32,
    /// How long a pause is, in hundredths of the step before it.
    pub pause_percent: u32,
    /// Bytes after which what was written is given to the disk, so that no sync of an append waits for all of it.
    pub sync_bytes: u64,
    /// The most that the write-ahead log may hold while the copy is made.
    pub log_bytes: u64,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { pages_per_step: 256, pause_percent: 50, sync_bytes: 16 << 20, log_bytes: 1 << 30 }
    }
}

/// A copy that is whole and on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Its size.
    pub bytes: u64,
    /// How many steps it took.
    pub steps: u64,
    /// The largest write-ahead log that was seen meanwhile.
    pub log_bytes: u64,
    /// What it proves.
    pub proof: Proof,
}

/// There is no copy; what was written of it is gone, or can be removed by its name.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// No room where the copy goes.
    #[error("there is no room on the disk for a copy of the journal at {path}; free some and try again")]
    Full {
        /// Where it was to go.
        path: PathBuf,
    },
    /// Too much was written meanwhile.
    #[error(
        "more than {limit} bytes were written to the journal while it was copied, so the copy was given up; try again \
         when less is going on"
    )]
    Outgrown {
        /// The bound on the write-ahead log.
        limit: u64,
    },
    /// Every connection had to be closed, or nobody wants the copy any more.
    #[error("the copy of the journal was given up, because the journal was needed otherwise; try again")]
    Interrupted,
    /// The store is closed.
    #[error("the journal is closed")]
    Closed,
    /// The copy cannot be written, or the journal cannot be read.
    #[error("the journal could not be copied to {path}: {detail}")]
    Failed {
        /// Where it was to go.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// What was copied is no journal.
    #[error(transparent)]
    Wrong(#[from] OpenError),
}

/// Copies the journal to a new file. Blocks for as long as it takes.
pub(crate) fn copy(
    file: &File,
    gate: &Gate,
    to: &Path,
    pace: &Pace,
    is_wanted: &dyn Fn() -> bool,
) -> Result<Copied, CopyError> {
    let inside = gate.enter().ok_or(CopyError::Closed)?;
    let go_on = || is_wanted() && !inside.is_wanted();
    let written =
        std::fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(to).map_err(io_at(to))?;
    let copied = copy_pages(file, &go_on, to, &written, pace);
    if copied.is_err() {
        // The error counts; a file that could not be taken away is private and has its name for whoever looks.
        let _ = std::fs::remove_file(to);
    }
    drop(inside);
    copied
}

fn copy_pages(
    file: &File,
    go_on: &dyn Fn() -> bool,
    to: &Path,
    written: &std::fs::File,
    pace: &Pace,
) -> Result<Copied, CopyError> {
    let failed = |error: rusqlite::Error| wrong(to, &error);
    let from = file.reader().map_err(failed)?;
    // The read begins the transaction: a BEGIN alone does not.
    from.execute_batch("BEGIN").map_err(failed)?;
    from.query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(())).map_err(failed)?;
    let mut target = open_target(file, to).map_err(failed)?;
    let (mut steps, mut log_bytes, mut unsynced) = (0, 0, 0);
    let backup = Backup::new(&from, &mut target).map_err(failed)?;
    loop {
        if !go_on() {
            return Err(CopyError::Interrupted);
        }
        let began = Instant::now();
        let step = backup.step(i32::try_from(pace.pages_per_step.max(1)).unwrap_or(i32::MAX)).map_err(failed)?;
        steps += 1;
        unsynced += u64::from(pace.pages_per_step) * PAGE_BYTES;
        log_bytes = log_bytes.max(file.log_bytes().map_err(io_at(to))?);
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            _ => return Err(CopyError::Failed { path: to.to_owned(), detail: "the journal is locked".to_owned() }),
        }
        if log_bytes > pace.log_bytes {
            return Err(CopyError::Outgrown { limit: pace.log_bytes });
        }
        if unsynced >= pace.sync_bytes {
            unsynced = 0;
            written.sync_data().map_err(io_at(to))?;
        }
        std::thread::sleep(pause(began.elapsed(), pace.pause_percent));
    }
    drop(backup);
    crate::file::close(target).map_err(failed)?;
    crate::file::close(from).map_err(failed)?;
    written.sync_all().map_err(io_at(to))?;
    let bytes = written.metadata().map_err(io_at(to))?.len();
    Ok(Copied { bytes, steps, log_bytes, proof: proof::read(to)? })
}

/// Bytes of a page.
const PAGE_BYTES: u64 = 4096;
/// The longest pause between two steps.
const MAX_PAUSE: Duration = Duration::from_millis(200);

fn pause(step: Duration, percent: u32) -> Duration {
    (step * percent / 100).min(MAX_PAUSE)
}

/// The copy's connection. Nobody reads the file before it is whole and synced, so it needs no journal of its own.
fn open_target(file: &File, to: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let target = file.open(to, flags)?;
    target.execute_batch("PRAGMA synchronous = OFF")?;
    target.query_row("PRAGMA journal_mode = OFF", (), |_| Ok(()))?;
    Ok(target)
}

fn wrong(path: &Path, error: &rusqlite::Error) -> CopyError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => CopyError::Full { path: path.to_owned() },
        _ => CopyError::Failed { path: path.to_owned(), detail: error.to_string() },
    }
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> CopyError {
    let path = path.to_owned();
    move |error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => CopyError::Full { path: path.clone() },
        _ => CopyError::Failed { path: path.clone(), detail: error.to_string() },
    }
}
