//! The canvas as the tools' view of files: where two rooms that do not know each other meet.

use crate::secrets::Secrets;
use agent::{Access, Rule, ToolOutcome, Verdict};
use canvas::{BlobError, ReadError, View, WorkTreeError};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use tools::{Files, FilesError, Output};
use wire::{BlobHash, Contents, Entry, FileState, Found, RelPath};

/// A session's canvas over its work tree. What a rule forbids to read is in no listing either, so that a search does not
/// show what `read_file` may not.
///
/// Keys are masked before a tool sees them, not after: a tool cuts lines, perhaps in the middle of a key, and whoever may
/// search among keys can guess one letter after the other. A tool that changes files gets them as they are, and is refused
/// whatever it did if one of them held a key.
pub(crate) struct CanvasFiles<'a> {
    view: View,
    rules: &'a [Rule],
    secrets: &'a Secrets,
    access: Access,
    /// The files with keys in them that were read, as they really are.
    keyed: Mutex<BTreeMap<RelPath, FileState>>,
}

impl<'a> CanvasFiles<'a> {
    /// The view of one call.
    pub(crate) fn new(view: View, rules: &'a [Rule], secrets: &'a Secrets, access: Access) -> CanvasFiles<'a> {
        CanvasFiles { view, rules, secrets, access, keyed: Mutex::default() }
    }

    /// What came of the call: what it saw is what is really there.
    pub(crate) fn settled(self, mut output: Output) -> Output {
        let keyed = self.keyed.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = keyed.keys().next().filter(|_| self.access != Access::Read) {
            return ended(ToolOutcome::Failed, unchangeable(path));
        }
        for (path, state) in &mut output.seen {
            if let (Some(state), Some(real)) = (state, keyed.get(path)) {
                *state = *real;
            }
        }
        output
    }

    fn shown(&self, path: &RelPath, contents: Contents) -> Contents {
        if self.secrets.holds(&contents.bytes).is_none() {
            return contents;
        }
        self.keyed.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), contents.state());
        if self.access == Access::Read { self.secrets.masked_file(contents) } else { contents }
    }

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
        match self.view.read(path, NO_FURTHER_BOUND).map_err(|error| translated(error, path.as_str()))? {
            Found::File(contents) => Ok(Found::File(self.shown(path, contents))),
            other => Ok(other),
        }
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

/// An end that changed nothing.
pub(crate) fn ended(outcome: ToolOutcome, text: String) -> Output {
    Output { outcome, text, changes: Vec::new(), seen: Vec::new(), attachments: Vec::new() }
}

/// Why a file that holds a key is not changed.
pub(crate) fn unchangeable(path: &RelPath) -> String {
    format!(
        "{path}: not changed. It holds, or would hold, a key of the user that is shown as a mask here; the user has to \
         change this file by hand."
    )
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
