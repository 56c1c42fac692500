//! The canvas as the tools' view of files: where two rooms that do not know each other meet.

use agent::{Access, Rule, Verdict};
use canvas::{BlobError, ReadError, View, WorkTreeError};
use std::io;
use tools::{Files, FilesError};
use wire::{BlobHash, Entry, Found, RelPath};

/// A session's canvas over its work tree. What a rule forbids to read is in no listing either, so that a search does not
/// show what `read_file` may not.
pub(crate) struct CanvasFiles<'a> {
    pub(crate) view: View,
    pub(crate) rules: &'a [Rule],
}

impl CanvasFiles<'_> {
    fn hidden(&self, directory: Option<&RelPath>, entry: &Entry) -> bool {
        let path = match directory {
            Some(directory) => format!("{directory}/{}", entry.name),
            None => entry.name.clone(),
        };
        agent::judge(self.rules, READ_TOOL, Access::Read, &[&path]) == Verdict::Deny
    }
}

/// The tool whose permission decides what may be read.
const READ_TOOL: &str = "read_file";

/// The work tree's own bound is what counts here; tools have theirs beside it.
const NO_FURTHER_BOUND: u64 = u64::MAX;

impl Files for CanvasFiles<'_> {
    fn read(&self, path: &RelPath) -> Result<Found, FilesError> {
        self.view.read(path, NO_FURTHER_BOUND).map_err(|error| translated(error, path.as_str()))
    }

    fn list(&self, directory: Option<&RelPath>) -> Result<Vec<Entry>, FilesError> {
        let listed = self.view.list(directory);
        let mut entries = listed.map_err(|error| translated(error, directory.map_or(".", RelPath::as_str)))?;
        entries.retain(|entry| !self.hidden(directory, entry));
        Ok(entries)
    }

    fn seen(&self, path: &RelPath) -> Option<Option<BlobHash>> {
        self.view.seen(path)
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
