//! The value itself, and what can be asked of it: what it says of a path, what is pending, which blobs it needs.

use super::history::History;
use agent::Seq;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Bound;
use wire::{BlobHash, Change, Changeset, FileState, RelPath};

/// The canvas of one session. Made by [`Fold::default`] (or [`Fold::whole`]) and [`Fold::apply`] only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fold {
    pub(super) head: Seq,
    pub(super) position: Seq,
    pub(super) paths: BTreeMap<RelPath, Tracked>,
    pub(super) seen: BTreeMap<RelPath, Option<FileState>>,
    pub(super) history: History,
}

/// A path that the session touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tracked {
    pub(super) base: Option<FileState>,
    pub(super) current: Option<FileState>,
}

/// What the canvas says of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlay {
    /// Nothing: the work tree is read.
    Live,
    /// There is no such file on the canvas, whatever the work tree has.
    Absent,
    /// This file is there, whatever the work tree has.
    Present(FileState),
}

impl Fold {
    /// The version of the written form. One written in another version is thrown away and made again.
    pub const FORMAT: u32 = 2;

    /// The last event that was applied.
    pub fn head(&self) -> Seq {
        self.head
    }

    /// The last micro-commit that is in force; 0 for none.
    pub fn position(&self) -> Seq {
        self.position
    }

    /// What the canvas says of `path`.
    pub fn overlay(&self, path: &RelPath) -> Overlay {
        match self.paths.get(path) {
            Some(tracked) if tracked.is_dirty() => tracked.current.map_or(Overlay::Absent, Overlay::Present),
            _ if self.file_above(path).is_some() => Overlay::Absent,
            _ => Overlay::Live,
        }
    }

    /// Whether the canvas has a file somewhere below `path`, so that `path` is a directory.
    pub fn is_directory(&self, path: &RelPath) -> bool {
        self.below(Some(path)).any(|(_, tracked)| tracked.current.is_some())
    }

    /// What the canvas says of the paths below `directory` (all of them for `None`), at any depth.
    pub fn overlaid(&self, directory: Option<&RelPath>) -> impl Iterator<Item = (&RelPath, Option<FileState>)> {
        self.below(directory).map(|(path, tracked)| (path, tracked.current))
    }

    /// What the session last saw at `path`: `None` when it never looked, `Some(None)` when nothing was there.
    pub fn seen(&self, path: &RelPath) -> Option<Option<BlobHash>> {
        self.seen.get(path).map(|state| state.map(|state| state.blob))
    }

    /// What an accept of everything would do to the work tree.
    pub fn pending(&self) -> Changeset {
        self.below(None).map(|(path, tracked)| tracked.change(path)).collect()
    }

    /// How many paths it knows: those that the session touched.
    pub fn known_paths(&self) -> usize {
        self.paths.len()
    }

    /// The pending change of one path.
    pub fn pending_at(&self, path: &RelPath) -> Option<Change> {
        self.paths.get(path).filter(|tracked| tracked.is_dirty()).map(|tracked| tracked.change(path))
    }

    /// The blobs without which pending changes can neither be shown nor accepted.
    pub fn needed_blobs(&self) -> impl Iterator<Item = BlobHash> {
        self.below(None).flat_map(|(_, tracked)| [tracked.base, tracked.current]).flatten().map(|state| state.blob)
    }

    fn below(&self, directory: Option<&RelPath>) -> impl Iterator<Item = (&RelPath, &Tracked)> {
        let from = directory.map_or(Bound::Unbounded, Bound::Excluded);
        let prefix = directory.map_or("", RelPath::as_str);
        self.paths
            .range((from, Bound::Unbounded))
            .take_while(move |(path, _)| path.as_str().starts_with(prefix))
            .filter(move |(path, _)| directory.is_none_or(|directory| path.is_at_or_below(directory)))
            .filter(|(_, tracked)| tracked.is_dirty())
    }

    /// A file of the canvas in whose place `path` would need a directory.
    fn file_above(&self, path: &RelPath) -> Option<RelPath> {
        let is_file = |above: &RelPath| self.paths.get(above).is_some_and(|t| t.is_dirty() && t.current.is_some());
        std::iter::successors(path.parent(), RelPath::parent).find(is_file)
    }
}

impl Tracked {
    pub(super) fn is_dirty(&self) -> bool {
        self.base != self.current
    }

    fn change(&self, path: &RelPath) -> Change {
        Change { path: path.clone(), before: self.base, after: self.current }
    }
}
