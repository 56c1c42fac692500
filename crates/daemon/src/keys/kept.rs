//! Files that tinkerbell keeps keys in: one a key, in a directory that only its user may enter.
//!
//! Everything is opened relative to the directory, never through a symbolic link, and owner and mode are checked on
//! what was opened, so that nobody can put something else in between. A new key is written beside the old one, synced
//! and renamed over it.

use super::name::KeyName;
use super::secret::Secret;
use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The most that is read of a file that should hold a key. A key may have 16 KiB; the rest is white space.
pub(super) const MAX_FILE_BYTES: u64 = 32 * 1024;

/// Ends the name of an empty hidden file that says: this key is in the keyring.
const IN_KEYRING: &str = ".keyring";

/// Why kept keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// Others may read or write it.
    #[error(
        "{path} can be read or written by others (mode {mode:03o}), so no key in it is used; make it private with `chmod {wanted:o} {path}`, and ask the provider for a new key if others use this machine"
    )]
    Open {
        /// The directory or file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it should have.
        wanted: u32,
    },
    /// It belongs to somebody else.
    #[error("{0} belongs to another user, so no key in it is used; move it away")]
    Foreign(PathBuf),
    /// It is a symbolic link or no plain file.
    #[error("{0} is not a plain file or directory, so no key in it is used; move it away")]
    Strange(PathBuf),
    /// It cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// What stands in the file is no key.
    #[error("{path} holds no key: {error}")]
    NoKey {
        /// The file.
        path: PathBuf,
        /// Why.
        error: models::KeyError,
    },
}

/// What is kept under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    /// A file with the key.
    File(KeyName),
    /// A note that the key is in the keyring.
    Keyring(KeyName),
}

/// The directory.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(super) fn new(path: PathBuf) -> Directory {
        Directory { path }
    }

    /// Where a key of this name is kept.
    pub(super) fn place(&self, name: &KeyName) -> PathBuf {
        self.path.join(name.as_str())
    }

    /// The key of a name; `None` where there is none.
    pub(super) fn read(&self, name: &KeyName) -> Result<Option<Secret>, KeptError> {
        let Some(directory) = self.open()? else { return Ok(None) };
        let path = self.place(name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match rustix::fs::openat(&directory, name.as_str(), flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(refused(&path, error)),
        };
        private(&file, &path, is_file, 0o600)?;
        let mut text = String::new();
        let file = File::from(file).take(MAX_FILE_BYTES);
        std::io::BufReader::new(file).read_to_string(&mut text).map_err(|error| io_error(&path, error))?;
        Secret::new(&text).map(Some).map_err(|error| KeptError::NoKey { path, error })
    }

    /// Whether a note says that the key of a name is in the keyring.
    pub(super) fn in_keyring(&self, name: &KeyName) -> Result<bool, KeptError> {
        let Some(directory) = self.open()? else { return Ok(false) };
        match rustix::fs::statat(&directory, note(name), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(refused(&self.path, error)),
        }
    }

    /// Keeps a key; one of the same name is replaced in one step.
    pub(super) fn write(&self, name: &KeyName, secret: &Secret) -> Result<(), KeptError> {
        self.put(name.as_str(), secret.text().as_bytes())
    }

    /// Notes that the key of a name is in the keyring.
    pub(super) fn write_note(&self, name: &KeyName) -> Result<(), KeptError> {
        self.put(&note(name), b"")
    }

    fn put(&self, file_name: &str, bytes: &[u8]) -> Result<(), KeptError> {
        let directory = self.make()?;
        let path = self.path.join(file_name);
        let fresh = format!(".{file_name}.{}.new", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        clear_unfinished(&directory, file_name);
        let file = rustix::fs::openat(&directory, &fresh, flags, Mode::RUSR | Mode::WUSR);
        let mut file = File::from(file.map_err(|error| refused(&path, error))?);
        let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| {
            rustix::fs::renameat(&directory, &fresh, &directory, file_name)?;
            Ok(rustix::fs::fsync(&directory)?)
        });
        written.map_err(|error| {
            // The error counts; a file that could not be taken away is hidden and private.
            let _ = rustix::fs::unlinkat(&directory, &fresh, AtFlags::empty());
            io_error(&path, error)
        })
    }

    /// Takes a kept key, or the note of one, away; says whether there was one.
    pub(super) fn remove(&self, what: &Kept) -> Result<bool, KeptError> {
        let Some(directory) = self.open()? else { return Ok(false) };
        let file_name = match what {
            Kept::File(name) => name.as_str().to_owned(),
            Kept::Keyring(name) => note(name),
        };
        clear_unfinished(&directory, &file_name);
        match rustix::fs::unlinkat(&directory, &file_name, AtFlags::empty()) {
            Ok(()) => rustix::fs::fsync(&directory).map(|()| true).map_err(|error| refused(&self.path, error)),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(refused(&self.path.join(file_name), error)),
        }
    }

    /// All that is kept, by name.
    pub(super) fn list(&self) -> Result<Vec<Kept>, KeptError> {
        let Some(directory) = self.open()? else { return Ok(Vec::new()) };
        let entries = rustix::fs::Dir::read_from(&directory).map_err(|error| refused(&self.path, error))?;
        let mut all = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| refused(&self.path, error))?;
            let Ok(file_name) = entry.file_name().to_str() else { continue };
            let noted = file_name.strip_prefix('.').and_then(|name| name.strip_suffix(IN_KEYRING));
            match (noted, KeyName::new(file_name)) {
                (Some(name), _) => all.extend(KeyName::new(name).ok().map(Kept::Keyring)),
                (None, Ok(name)) => all.push(Kept::File(name)),
                (None, Err(_)) => {}
            }
        }
        all.sort_by(|one, other| one.name().cmp(other.name()));
        Ok(all)
    }

    /// Opens the directory; `None` where there is none.
    fn open(&self) -> Result<Option<OwnedFd>, KeptError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::open(&self.path, flags, Mode::empty()) {
            Ok(directory) => {
                private(&directory, &self.path, is_directory, 0o700)?;
                Ok(Some(directory))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(refused(&self.path, error)),
        }
    }

    /// Opens the directory, and makes it first if need be.
    fn make(&self) -> Result<OwnedFd, KeptError> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|error| io_error(&self.path, error))?;
        let gone = || io_error(&self.path, io::ErrorKind::NotFound.into());
        self.open()?.ok_or_else(gone)
    }
}

impl Kept {
    /// The name.
    pub(super) fn name(&self) -> &KeyName {
        let (Kept::File(name) | Kept::Keyring(name)) = self;
        name
    }
}

/// Takes away what daemons left behind that were killed while they wrote under this name: it may hold a key. There is
/// one daemon to a state directory, so none of it is somebody else's.
fn clear_unfinished(directory: &OwnedFd, file_name: &str) {
    let beginning = format!(".{file_name}.");
    for entry in rustix::fs::Dir::read_from(directory).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().to_str() else { continue };
        let writer = name.strip_prefix(&beginning).and_then(|rest| rest.strip_suffix(".new"));
        if writer.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())) {
            // What cannot be taken away is hidden and private.
            let _ = rustix::fs::unlinkat(directory, name, AtFlags::empty());
        }
    }
}

fn note(name: &KeyName) -> String {
    format!(".{name}{IN_KEYRING}")
}

fn is_file(stat: &Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file()
}

fn is_directory(stat: &Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir()
}

/// Checks what was opened: its kind, that it is ours, and that nobody else may use it.
fn private(fd: impl AsFd, path: &Path, kind: fn(&Stat) -> bool, wanted: u32) -> Result<(), KeptError> {
    let stat = rustix::fs::fstat(fd).map_err(|error| refused(path, error))?;
    if !kind(&stat) {
        return Err(KeptError::Strange(path.to_owned()));
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(KeptError::Foreign(path.to_owned()));
    }
    let mode = stat.st_mode & 0o777;
    if mode & !wanted != 0 {
        return Err(KeptError::Open { path: path.to_owned(), mode, wanted });
    }
    Ok(())
}

fn refused(path: &Path, error: Errno) -> KeptError {
    match error {
        // What NOFOLLOW and DIRECTORY say of a link.
        Errno::LOOP | Errno::NOTDIR | Errno::ISDIR => KeptError::Strange(path.to_owned()),
        error => io_error(path, error.into()),
    }
}

fn io_error(path: &Path, error: io::Error) -> KeptError {
    KeptError::Io { path: path.to_owned(), error }
}
