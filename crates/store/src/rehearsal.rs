//! Trying a newer version of the tables on a copy, and keeping the journal aside while it is tried on the journal itself.
//!
//! Both are for the moment in which one daemon hands over to the next. The copy is made by a reader while the old daemon
//! writes on; what is kept aside is the file itself, once nobody has it open.

use crate::error::OpenError;
use crate::file::{self, File};
use crate::options::Options;
use crate::store::Store;
use std::io;
use std::path::{Path, PathBuf};

/// Where the copy is tried, in the state directory. What a rehearsal that was killed left goes when the journal is next
/// opened.
const REHEARSAL: &str = "rehearsal";
/// The file as it was.
const ASIDE: &str = "journal.db.aside";
/// The same, once it is decided that it is to come back.
const BACK: &str = "journal.db.back";

/// The journal as it was before a newer version of the tables. Let go of, it stays where it is until the next daemon serves.
#[derive(Debug)]
pub struct Aside {
    dir: PathBuf,
}

/// Why the journal could not be kept aside, or not be brought back.
#[derive(Debug, thiserror::Error)]
pub enum AsideError {
    /// The write-ahead log is still there, so the file alone is not the journal.
    #[error("the journal in {0} was not closed cleanly, so it cannot be copied; start the daemon anew and try again")]
    NotClosed(PathBuf),
    /// The disk.
    #[error("cannot copy {path}: {source}; free some room and try again")]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Store {
    /// Whether the journal in `dir` would be brought to a newer version of the tables by being opened; if so, that was
    /// done on a copy and went well. Nothing is changed, and another process may have the journal open. Blocks.
    pub fn rehearse(dir: &Path, options: &Options) -> Result<bool, OpenError> {
        let file = File::existing(dir, options);
        let failed = |source| OpenError::Path { path: dir.to_owned(), source };
        let place = dir.join(REHEARSAL);
        remove_directory(&place).map_err(failed)?;
        if !file.path().exists() || !file.is_behind()? {
            return Ok(false);
        }
        file::private_directory(&place).map_err(failed)?;
        let outcome = file.copy_into(&place.join("journal.db")).and_then(|()| Store::open_once(&place, options));
        remove_directory(&place).map_err(failed)?;
        outcome.map(|()| true)
    }

    /// Opens a journal and closes it again.
    fn open_once(dir: &Path, options: &Options) -> Result<(), OpenError> {
        let file = File::prepare(dir, options)?;
        file::close(file.writer()?).map_err(|error| file.error(error))
    }
}

impl Aside {
    /// Copies the journal in `dir`, which nobody has open. Blocks.
    pub fn keep(dir: &Path) -> Result<Aside, AsideError> {
        let aside = Aside { dir: dir.to_owned() };
        let (journal, log, copy) = (aside.path("journal.db"), aside.path("journal.db-wal"), aside.path(ASIDE));
        if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            return Err(AsideError::NotClosed(dir.to_owned()));
        }
        let copied = remove_file(&copy).and_then(|()| std::fs::copy(&journal, &copy));
        let synced = copied.and_then(|_| std::fs::File::open(&copy)?.sync_all()).and_then(|()| sync(dir));
        if let Err(source) = synced {
            // Half a copy is worth nothing.
            let _ = remove_file(&copy);
            return Err(AsideError::Io { path: copy, source });
        }
        Ok(aside)
    }

    /// Puts it back in the place of what stands there now, which nobody has open. Killed in the middle, the next opening
    /// of the journal finishes it. Blocks.
    pub fn bring_back(self) -> Result<(), AsideError> {
        let (copy, back) = (self.path(ASIDE), self.path(BACK));
        let moved = std::fs::rename(&copy, &back).and_then(|()| sync(&self.dir));
        moved.and_then(|()| finish(&self.dir)).map_err(|source| AsideError::Io { path: copy, source })
    }

    /// It is not needed any more.
    pub fn discard(self) -> Result<(), AsideError> {
        Aside::sweep(&self.dir)
    }

    /// Takes away what a kill, or a disk that failed, left of one in `dir`. For whoever serves: nobody brings it back any
    /// more. Blocks.
    pub fn sweep(dir: &Path) -> Result<(), AsideError> {
        let copy = dir.join(ASIDE);
        remove_file(&copy).map_err(|source| AsideError::Io { path: copy, source })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// Finishes a bringing back that was killed in the middle. For the moment before the journal is opened.
pub(crate) fn finish(dir: &Path) -> io::Result<()> {
    let back = dir.join(BACK);
    if !back.exists() {
        return Ok(());
    }
    // What is in the log belongs to the file that goes.
    for name in ["journal.db-wal", "journal.db-shm"] {
        remove_file(&dir.join(name))?;
    }
    std::fs::rename(back, dir.join("journal.db"))?;
    sync(dir)
}

/// Takes away what a rehearsal that was killed left. For whoever has opened the journal, beside which nobody tries anything.
pub(crate) fn sweep(dir: &Path) -> io::Result<()> {
    remove_directory(&dir.join(REHEARSAL))
}

fn remove_file(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove_directory(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync(dir: &Path) -> io::Result<()> {
    std::fs::File::open(dir)?.sync_all()
}
