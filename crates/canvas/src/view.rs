//! What tools read: the work tree as it would be if the session's changes were in it.

use crate::blobs::{BlobError, Blobs};
use crate::fold::{Fold, Overlay};
use crate::worktree::{WorkTree, WorkTreeError};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::{BlobHash, Entry, EntryKind, FileState, Found, Mode, RelPath};

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The work tree could not be read.
    #[error(transparent)]
    WorkTree(#[from] WorkTreeError),
    /// The journal's bytes could not be had.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// The canvas over the work tree, at one moment of the session. Cheap to clone, and may go to other threads.
#[derive(Debug, Clone)]
pub struct View {
    fold: Arc<Fold>,
    tree: Arc<WorkTree>,
    blobs: Blobs,
}

impl View {
    /// A view of `fold` over `tree`.
    pub fn new(fold: Arc<Fold>, tree: Arc<WorkTree>, blobs: Blobs) -> View {
        View { fold, tree, blobs }
    }

    /// What is at `path`, if it has at most `max_bytes` (and no more than the work tree's own limit).
    pub fn read(&self, path: &RelPath, max_bytes: u64) -> Result<Found, ReadError> {
        match self.fold.overlay(path) {
            Overlay::Present(state) => {
                let limit = max_bytes.min(self.tree.limits().max_file_bytes);
                if state.bytes > limit {
                    let too_large = WorkTreeError::TooLarge { path: path.clone(), bytes: state.bytes, limit };
                    return Err(too_large.into());
                }
                Ok(Found::File(self.blobs.contents(&state)?))
            }
            _ if self.fold.is_directory(path) => Ok(Found::Directory),
            Overlay::Absent => Ok(Found::Absent),
            Overlay::Live => Ok(self.tree.read(path, max_bytes)?),
        }
    }

    /// The names in a directory, of the workspace itself for `None`: those of the work tree with those of the canvas.
    pub fn list(&self, directory: Option<&RelPath>) -> Result<Vec<Entry>, ReadError> {
        let only_on_canvas = directory.is_some_and(|directory| self.fold.is_directory(directory));
        let hidden = directory.filter(|directory| self.fold.overlay(directory) != Overlay::Live);
        let live = match hidden {
            Some(hidden) if !only_on_canvas => return Err(WorkTreeError::NotADirectory(hidden.clone()).into()),
            Some(_) => Vec::new(),
            None => match self.tree.list(directory) {
                Err(WorkTreeError::NotADirectory(_)) if only_on_canvas => Vec::new(),
                listed => listed?,
            },
        };
        let mut names: BTreeMap<String, Entry> = BTreeMap::new();
        let mut unreachable = Vec::new();
        for entry in live {
            if entry.reachable {
                names.insert(entry.name.clone(), entry);
            } else {
                unreachable.push(entry);
            }
        }
        self.lay_over(directory, &mut names);
        let mut entries: Vec<Entry> = names.into_values().chain(unreachable).collect();
        entries.sort();
        Ok(entries)
    }

    /// What the session last saw at `path`: `None` when it never looked, `Some(None)` when nothing was there.
    pub fn seen(&self, path: &RelPath) -> Option<Option<BlobHash>> {
        self.fold.seen(path)
    }

    /// Whether accept could write at `path`; see [`WorkTree::check_writable`].
    pub fn check_writable(&self, path: &RelPath) -> Result<(), ReadError> {
        Ok(self.tree.check_writable(path)?)
    }

    fn lay_over(&self, directory: Option<&RelPath>, names: &mut BTreeMap<String, Entry>) {
        let skipped = directory.map_or(0, |directory| directory.as_str().len() + 1);
        for (path, state) in self.fold.overlaid(directory) {
            match (path.as_str()[skipped..].split_once('/'), state) {
                (None, Some(state)) => {
                    let entry = Entry { name: path.name().to_owned(), kind: kind_of(&state), reachable: true };
                    names.insert(entry.name.clone(), entry);
                }
                // A file that was taken away leaves the name to a directory that took its place.
                (None, None) => {
                    if names.get(path.name()).is_some_and(|entry| entry.kind != EntryKind::Directory) {
                        names.remove(path.name());
                    }
                }
                (Some((name, _)), Some(_)) => {
                    let entry = Entry { name: name.to_owned(), kind: EntryKind::Directory, reachable: true };
                    names.insert(entry.name.clone(), entry);
                }
                (Some(_), None) => {}
            }
        }
    }
}

fn kind_of(state: &FileState) -> EntryKind {
    match state.mode {
        Mode::Regular | Mode::Executable => EntryKind::File(state.bytes),
        Mode::Symlink => EntryKind::Symlink,
    }
}
