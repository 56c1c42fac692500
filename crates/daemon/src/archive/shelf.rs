//! Where the files lie, what they are called, and when one may be taken away.

use agent::{Seq, SessionId};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;
use wire::snapshot::ARCHIVE;

/// How the name of a file ends.
const SUFFIX: &str = ".session.gz";
/// How the name of one ends that is being written.
const NEW: &str = ".new";

/// The directory of archived sessions. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    directory: PathBuf,
    held: Arc<Mutex<Held>>,
    /// Held by whoever writes a file that the journal does not name yet, and by whoever takes strangers away.
    pub(super) line: Arc<Semaphore>,
}

/// What stays because somebody reads it.
#[derive(Debug, Default)]
struct Held {
    by: usize,
    /// What would have been taken away meanwhile.
    later: Vec<PathBuf>,
}

/// While it lives no file is taken away: the journal that somebody copies still names it.
#[derive(Debug)]
pub(crate) struct Hold(Shelf);

/// A file of an archived session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Whose it is.
    pub(super) session: SessionId,
    /// Up to which event; `None` of one that was never finished.
    pub(super) head: Option<Seq>,
}

impl Shelf {
    /// The one of this state directory; it need not be there.
    pub(crate) fn new(state_dir: &Path) -> Shelf {
        let (directory, line) = (state_dir.join(ARCHIVE.trim_end_matches('/')), Arc::new(Semaphore::new(1)));
        Shelf { directory, held: Arc::default(), line }
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// How many bytes its files have. Blocks.
    pub(crate) fn bytes(&self) -> u64 {
        let entries = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
    }

    /// Where a session's file lies.
    pub(crate) fn path(&self, session: SessionId, head: Seq) -> PathBuf {
        self.directory.join(name(session, head))
    }

    /// Where it is written before it has its name.
    pub(super) fn new_path(&self, session: SessionId, head: Seq) -> PathBuf {
        self.directory.join(format!("{}{NEW}", name(session, head)))
    }

    /// Lets no file go.
    pub(crate) fn hold(&self) -> Hold {
        self.lock().by += 1;
        Hold(self.clone())
    }

    /// Takes a file away, or says that it goes when those who read have done. Blocks.
    pub(super) fn take_away(&self, path: &Path) -> io::Result<bool> {
        {
            let mut held = self.lock();
            if held.by > 0 {
                held.later.push(path.to_owned());
                return Ok(false);
            }
        }
        remove(path)?;
        Ok(true)
    }

    /// The same for all files of a session; whether none is left. Blocks.
    pub(super) fn take_all_away(&self, session: SessionId) -> io::Result<bool> {
        let mut gone = true;
        for file in self.found()?.into_iter().filter(|file| file.session == session) {
            gone &= self.take_away(&file.path)?;
        }
        Ok(gone)
    }

    /// A file is about to get this name and is to stay, whatever was to become of one before it.
    pub(super) fn keep(&self, path: &Path) {
        self.lock().later.retain(|later| later != path);
    }

    /// All files in the directory.
    pub(super) fn found(&self) -> io::Result<Vec<Found>> {
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            // What is not ours is nobody's business here.
            if let Some((session, head)) = parse(name.strip_suffix(NEW).unwrap_or(&name)) {
                found.push(Found { path, session, head: Some(head).filter(|_| !name.ends_with(NEW)) });
            }
        }
        Ok(found)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // Nothing under this lock can panic half-way.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.0.lock();
        held.by -= 1;
        let later = if held.by == 0 { std::mem::take(&mut held.later) } else { Vec::new() };
        // Under the lock: one that is written anew under the same name is not among them.
        for path in later {
            if let Err(error) = remove(&path) {
                tracing::warn!(path = %path.display(), %error, "an archived session's old file goes at the next start");
            }
        }
    }
}

/// The name of a session's file.
pub(crate) fn name(session: SessionId, head: Seq) -> String {
    format!("{session}.{head}{SUFFIX}")
}

fn parse(text: &str) -> Option<(SessionId, Seq)> {
    let (session, head) = text.strip_suffix(SUFFIX)?.split_once('.')?;
    let of = (session.parse().ok()?, Seq(head.parse().ok()?));
    (name(of.0, of.1) == text).then_some(of)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    sync_directory(path.parent().unwrap_or(Path::new("/")))
}

/// Makes what was done to the names in a directory last.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
