//! One daemon per state directory: a kernel lock on a file, not a file with a pid in it.
//!
//! The lock lives as long as the open file, so it goes with the process however that ends. The file is opened
//! close-on-exec, else a child would keep the lock after the daemon is killed. What stands in the file only tells
//! others whom to look for.

use rustix::fs::{FlockOperation, Mode, OFlags};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use wire::places::Running;

/// The lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another daemon holds it.
    #[error("another tinkerbell daemon ({holder}) already runs on {state_dir}; stop it with `tinkerbell daemon stop`")]
    Held {
        /// The directory.
        state_dir: PathBuf,
        /// Who holds it, as far as is known.
        holder: String,
    },
    /// The directory is not private.
    #[error("the state directory {0} can be written by others; make it private with `chmod 700 {0}`")]
    Open(PathBuf),
    /// The directory belongs to somebody else.
    #[error("the state directory {0} belongs to another user; set TINKERBELL_HOME to a directory of your own")]
    Foreign(PathBuf),
    /// The directory or the file cannot be used.
    #[error("cannot use the state directory {path}: {error}; make it writable or set TINKERBELL_HOME")]
    Io {
        /// What failed.
        path: PathBuf,
        /// How.
        error: io::Error,
    },
    /// What was handed over is not the lock.
    #[error("what was handed over is not the lock on {0}, which somebody else may hold")]
    NotTheLock(PathBuf),
}

impl Lock {
    /// Makes the directory if need be, and takes the lock in it.
    pub fn take(state_dir: &Path, lock_file: &Path) -> Result<Lock, LockError> {
        private_directory(state_dir)?;
        let failed = |error: rustix::io::Errno| LockError::Io { path: lock_file.to_owned(), error: error.into() };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = rustix::fs::open(lock_file, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = match holder(File::from(fd)) {
                    Some(running) => format!("process {}, version {}", running.pid, running.version),
                    None => "which has only just begun".to_owned(),
                };
                return Err(LockError::Held { state_dir: state_dir.to_owned(), holder });
            }
            Err(error) => return Err(failed(error)),
        }
        let lock = Lock { file: File::from(fd) };
        lock.announce(None).map_err(|error| LockError::Io { path: lock_file.to_owned(), error })?;
        Ok(lock)
    }

    /// Takes over the lock that another process holds, by its descriptor: both hold it until one closes its own.
    pub(crate) fn adopt(descriptor: OwnedFd, state_dir: &Path, lock_file: &Path) -> Result<Lock, LockError> {
        private_directory(state_dir)?;
        let failed = |error: rustix::io::Errno| LockError::Io { path: lock_file.to_owned(), error: error.into() };
        let is_it = || -> Result<bool, rustix::io::Errno> {
            let (given, there) = (rustix::fs::fstat(&descriptor)?, rustix::fs::lstat(lock_file)?);
            Ok((given.st_dev, given.st_ino) == (there.st_dev, there.st_ino))
        };
        if !is_it().map_err(failed)? {
            return Err(LockError::NotTheLock(lock_file.to_owned()));
        }
        // The lock is the open file's, which is the same, so this asks for what we have and fails where we do not.
        match rustix::fs::flock(&descriptor, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock { file: File::from(descriptor) }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::NotTheLock(lock_file.to_owned())),
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes who we are, and where we listen once we do.
    pub fn announce(&self, socket: Option<PathBuf>) -> io::Result<()> {
        let running = Running { pid: std::process::id(), version: crate::VERSION.to_owned(), socket };
        let text = serde_json::to_vec(&running).expect("plain data");
        let mut file = &self.file;
        file.rewind()?;
        file.write_all(&text)?;
        self.file.set_len(text.len() as u64)
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn holder(mut file: File) -> Option<Running> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Makes a directory that only we may enter, or checks that it is one.
pub(crate) fn private_directory(path: &Path) -> Result<(), LockError> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let failed = |error| LockError::Io { path: path.to_owned(), error };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(LockError::Foreign(path.to_owned()));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(LockError::Open(path.to_owned()));
    }
    Ok(())
}
