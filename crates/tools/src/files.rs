//! The view of a session's files that tools read through.

use std::io;
use wire::{BlobHash, Entry, Found, RelPath};

/// A session's files as they are now: its canvas over the work tree. The daemon implements it; tools never open
/// anything themselves.
///
/// An implementation keeps every path inside the workspace and never blocks on a pipe or a device. It need not sort,
/// and it need not hide `.git`: walks do both.
pub trait Files: Sync {
    /// What is at a path. A final symbolic link is [`Found::File`] with the link's target as its bytes.
    fn read(&self, path: &RelPath) -> Result<Found, FilesError>;

    /// The names in a directory, or in the workspace itself for `None`.
    fn list(&self, directory: Option<&RelPath>) -> Result<Vec<Entry>, FilesError>;

    /// What the session last saw at a path: `None` if it never looked, `Some(None)` if there was no file.
    fn seen(&self, path: &RelPath) -> Option<Option<BlobHash>>;
}

/// Why a view cannot show something.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The file is larger than the view reads.
    #[error("{path} is {bytes} bytes; files over {limit} bytes are not read")]
    TooLarge {
        /// The file.
        path: RelPath,
        /// Its size.
        bytes: u64,
        /// The view's limit.
        limit: u64,
    },
    /// The directory has more names than the view lists.
    #[error("{directory} holds more than {limit} names, which are not listed; name a path below it")]
    TooManyNames {
        /// The directory, `.` for the workspace itself.
        directory: String,
        /// The view's limit.
        limit: u64,
    },
    /// What is listed is no directory, or is no more.
    #[error("{0} is not a directory")]
    NotADirectory(RelPath),
    /// A symbolic link on the way leads out of the workspace.
    #[error("{0} leads out of the workspace through a symbolic link; only files of the workspace can be touched")]
    Outside(RelPath),
    /// The bytes were in the journal and somebody had them forgotten.
    #[error("the contents of {0} were forgotten at somebody's wish and cannot be shown")]
    Forgotten(RelPath),
    /// The file system, or the store that holds the session's bytes, said no.
    #[error("{path} cannot be read: {source}")]
    Io {
        /// The path, `.` for the workspace itself.
        path: String,
        /// What it said.
        source: io::Error,
    },
}
