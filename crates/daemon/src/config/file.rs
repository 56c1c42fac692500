//! The file itself: read within a bound, replaced in one step.
//!
//! A replacement is written beside the file, synced and renamed over it, so that a daemon that starts meanwhile reads
//! the old text or the new one and never half of either. Where the file is a symbolic link, as those who keep their
//! settings in a repository like it, what it points at is replaced and the link stays.

use super::fault::{ConfigError, MAX_CONFIG_BYTES};
use super::meaning::Config;
use super::trust;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Reads a file; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    match open(path) {
        Ok(file) => text(path, file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ConfigError::Unreadable { path: path.to_owned(), error }),
    }
}

/// All of an open file, as long as it is no larger than a configuration may be.
pub(crate) fn text(path: &Path, source: impl Read) -> Result<String, ConfigError> {
    let mut text = String::new();
    let read = source.take(MAX_CONFIG_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
    if text.len() as u64 > MAX_CONFIG_BYTES {
        return Err(ConfigError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

/// Opens a plain file, or a device such as `/dev/null`. A pipe would keep the daemon waiting for whoever writes to it.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let kind = file.metadata()?.file_type();
    if kind.is_file() || kind.is_char_device() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"))
}

/// The configuration file as something to look into and to change, without a daemon.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    pub(super) path: PathBuf,
}

impl ConfigFile {
    /// A file, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> ConfigFile {
        ConfigFile { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it, whoever wrote it; the error has all that is wrong.
    pub fn check(&self) -> Result<Config, ConfigError> {
        let text = read(&self.path)?;
        Config::parse(&self.path, text.as_deref().unwrap_or_default(), text.is_some())
    }

    /// Whether a daemon would believe it.
    pub fn is_own(&self) -> Result<(), ConfigError> {
        trust::read_own(&self.path).map(drop)
    }

    /// Puts a text in the place of the file, provided that `before` still stands there. The text has been checked.
    pub(super) fn replace(&self, before: Option<&str>, text: &str) -> Result<(), ReplaceError> {
        let failed = |error| ReplaceError::Io { path: self.path.clone(), error };
        // A link that leads nowhere has no real path; a plain file is made in its place only if there is nothing there.
        let target = match self.path.canonicalize() {
            Ok(target) => target,
            Err(_) if self.path.is_symlink() => return Err(ReplaceError::DanglingLink(self.path.clone())),
            Err(_) => self.path.clone(),
        };
        let directory = target.parent().unwrap_or(Path::new("/"));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let mode = std::fs::metadata(&target).map_or(0o600, |old| old.permissions().mode() & 0o777);
        let fresh = beside(&target);
        let result = write_new(&fresh, text, mode).and_then(|()| {
            let unchanged = read(&self.path).is_ok_and(|now| now.as_deref() == before);
            if unchanged { std::fs::rename(&fresh, &target).map(|()| true) } else { Ok(false) }
        });
        match result {
            Ok(true) => File::open(directory)
                .and_then(|directory| directory.sync_all())
                .map_err(|error| ReplaceError::NotSynced { path: self.path.clone(), error }),
            Ok(false) => {
                remove(&fresh);
                Err(ReplaceError::ChangedMeanwhile(self.path.clone()))
            }
            Err(error) => {
                remove(&fresh);
                Err(failed(error))
            }
        }
    }
}

/// Why the file was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// Writing failed.
    #[error("cannot write the configuration {path}: {error}; nothing was changed")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It was written, and the disk does not say that it stays.
    #[error(
        "the configuration {path} was written, but the disk failed ({error}), so a power cut may bring the old one back; \
         look after the disk and do this again"
    )]
    NotSynced {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Somebody else changed the file.
    #[error("the configuration {0} was changed by somebody else meanwhile; nothing was changed here, try again")]
    ChangedMeanwhile(PathBuf),
    /// The file is a link to nothing.
    #[error("the configuration {0} is a symbolic link that leads nowhere; remove it or make its target")]
    DanglingLink(PathBuf),
}

/// A name in the same directory that nobody else uses.
pub(super) fn beside(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.{}.new", std::process::id()))
}

/// Writes a file that is not there yet, and syncs it.
pub(super) fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    // What a process of the same id left behind when it was killed.
    remove(path);
    let mut file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Takes away a file of our own, if it is there.
pub(super) fn remove(path: &Path) {
    // What cannot be removed does no harm: it is ours, hidden, and written over by its next user.
    let _ = std::fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, mknodat};

    #[test]
    fn a_pipe_or_a_directory_is_refused_and_waits_for_nobody() {
        let home = tempfile::tempdir().unwrap();
        let pipe = home.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for strange in [pipe.as_path(), home.path()] {
            let said = read(strange).unwrap_err().to_string();
            assert!(said.contains("no plain file"), "{said}");
        }
        assert_eq!(read(Path::new("/dev/null")).unwrap().as_deref(), Some(""));
        assert_eq!(read(&home.path().join("none")).unwrap(), None);
    }
}
