//! The directory itself: opened once, asked for contents and for states.

use super::{Examined, WorkTreeError, examine, hash_of, read_whole};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode as Permissions, OFlags};
use std::path::{Path, PathBuf};
use wire::{Contents, FileState, Found, RelPath};

/// What one look at the work tree may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// The largest file that is read as a whole, in bytes.
    pub max_file_bytes: u64,
    /// The most names that a directory may have to be listed.
    pub max_entries: usize,
}

impl Default for ReadLimits {
    fn default() -> ReadLimits {
        ReadLimits { max_file_bytes: 10 * 1024 * 1024, max_entries: 50_000 }
    }
}

/// A directory of the user's, and the files beneath it.
#[derive(Debug)]
pub struct WorkTree {
    pub(super) root: OwnedFd,
    pub(super) at: PathBuf,
    pub(super) limits: ReadLimits,
}

impl WorkTree {
    /// Opens a directory, with the default limits.
    pub fn open(at: &Path) -> Result<WorkTree, WorkTreeError> {
        WorkTree::open_with(at, ReadLimits::default())
    }

    /// Opens a directory; makes sure that the kernel can keep us inside of it.
    pub fn open_with(at: &Path, limits: ReadLimits) -> Result<WorkTree, WorkTreeError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(at, flags, Permissions::empty())
            .map_err(|source| WorkTreeError::NotOpened { at: at.to_owned(), source: source.into() })?;
        let tree = WorkTree { root, at: at.to_owned(), limits };
        tree.probe()?;
        Ok(tree)
    }

    /// Where it is.
    pub fn at(&self) -> &Path {
        &self.at
    }

    /// Its limits.
    pub fn limits(&self) -> ReadLimits {
        self.limits
    }

    /// What is at `path`, with at most `max_bytes` of it (and never more than [`ReadLimits::max_file_bytes`]).
    pub fn read(&self, path: &RelPath, max_bytes: u64) -> Result<Found, WorkTreeError> {
        let limit = max_bytes.min(self.limits.max_file_bytes);
        let io = |source| WorkTreeError::io("reading", path, source);
        Ok(match self.examine(path)? {
            Examined::Absent => Found::Absent,
            Examined::Directory => Found::Directory,
            Examined::Other(word) => Found::Other(word),
            Examined::Link(contents) => Found::File(contents),
            Examined::File(mut file, mode, print) => {
                let bytes = if print.bytes <= limit { read_whole(&mut file, limit).map_err(io)? } else { None };
                match bytes {
                    Some(bytes) => Found::File(Contents { bytes, mode }),
                    None => {
                        let bytes = print.bytes.max(limit + 1);
                        return Err(WorkTreeError::TooLarge { path: path.clone(), bytes, limit });
                    }
                }
            }
        })
    }

    /// The state of the file at `path`, however large; `None` when no file is there.
    pub fn state(&self, path: &RelPath) -> Result<Option<FileState>, WorkTreeError> {
        Ok(match self.examine(path)? {
            Examined::Absent | Examined::Directory | Examined::Other(_) => None,
            Examined::Link(contents) => Some(contents.state()),
            Examined::File(mut file, mode, _) => {
                let (blob, bytes) = hash_of(&mut file).map_err(|source| WorkTreeError::io("reading", path, source))?;
                Some(FileState { blob, bytes, mode })
            }
        })
    }

    pub(crate) fn examine(&self, path: &RelPath) -> Result<Examined, WorkTreeError> {
        examine(&|flags| self.open_to_read(path, flags), |errno| WorkTreeError::io("opening", path, errno.into()))
    }
}
