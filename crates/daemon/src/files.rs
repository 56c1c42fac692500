//! The canvas as the tools' view of files: where two rooms that do not know each other meet.

use canvas::{BlobError, ReadError, View, WorkTreeError};
use std::io;
use tools::{Files, FilesError};
use wire::{BlobHash, Entry, Found, RelPath};

/// A session's canvas over its work tree.
pub(crate) struct CanvasFiles(pub View);

/// The work tree's own bound is what counts here; tools have theirs beside it.
const NO_FURTHER_BOUND: u64 = u64::MAX;

impl Files for CanvasFiles {
    fn read(&self, path: &RelPath) -> Result<Found, FilesError> {
        self.0.read(path, NO_FURTHER_BOUND).map_err(|error| translated(error, path.as_str()))
    }

    fn list(&self, directory: Option<&RelPath>) -> Result<Vec<Entry>, FilesError> {
        self.0.list(directory).map_err(|error| translated(error, directory.map_or(".", RelPath::as_str)))
    }

    fn seen(&self, path: &RelPath) -> Option<Option<BlobHash>> {
        self.0.seen(path)
    }
}

fn translated(error: ReadError, path: &str) -> FilesError {
    match error {
        ReadError::WorkTree(WorkTreeError::TooLarge { path, bytes, limit }) => {
            FilesError::TooLarge { path, bytes, limit }
        }
        ReadError::WorkTree(WorkTreeError::NotADirectory(path)) => FilesError::NotADirectory(path),
        ReadError::WorkTree(WorkTreeError::Outside(path)) => FilesError::Outside(path),
        ReadError::Blob(BlobError::Missing(_)) => match RelPath::new(path) {
            Ok(path) => FilesError::Forgotten(path),
            Err(error) => FilesError::Io { path: path.to_owned(), source: io::Error::other(error) },
        },
        other => FilesError::Io { path: path.to_owned(), source: io::Error::other(other.to_string()) },
    }
}
