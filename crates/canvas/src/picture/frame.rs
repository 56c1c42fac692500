//! The commits that a canvas is drawn as, before git has anything to do with it: a pure function of the steps.

use crate::fold::Step;
use agent::{Micros, Seq};
use std::collections::BTreeMap;
use wire::{FileState, RelPath};

/// A commit to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) seq: Seq,
    pub(super) at: Micros,
    pub(super) kind: &'static str,
    pub(super) title: String,
    /// Paths set or removed by it.
    pub(super) edits: BTreeMap<RelPath, Option<FileState>>,
    /// How many files it is about.
    pub(super) files: usize,
}

const BASE: &str = "base";

/// One frame for each step and, before a step that finds other bytes than the picture has, one with what it found.
pub(super) fn frames(steps: &[Step]) -> Vec<Frame> {
    let mut shown: BTreeMap<&RelPath, Option<FileState>> = BTreeMap::new();
    let mut frames = Vec::new();
    for step in steps {
        let found = |shown: &BTreeMap<&RelPath, Option<FileState>>| -> BTreeMap<RelPath, Option<FileState>> {
            let differs = |path: &RelPath, before| shown.get(path).copied().flatten() != before;
            let changes = step.changes.iter().filter(|change| differs(&change.path, change.before));
            changes.map(|change| (change.path.clone(), change.before)).collect()
        };
        let found = found(&shown);
        if !found.is_empty() {
            let files = found.len();
            let title = format!("as found: {}", if files == 1 { "1 file".into() } else { format!("{files} files") });
            frames.push(Frame { seq: step.seq, at: step.at, kind: BASE, title, edits: found, files });
        }
        let edits: BTreeMap<_, _> = step.changes.iter().map(|change| (change.path.clone(), change.after)).collect();
        shown.extend(step.changes.iter().map(|change| (&change.path, change.after)));
        let files = if step.changes.is_empty() { step.bases.len() } else { edits.len() };
        let (seq, at, kind, title) = (step.seq, step.at, step.kind.word(), step.title.clone());
        frames.push(Frame { seq, at, kind, title, edits, files });
    }
    frames
}

impl Frame {
    /// The line that ties a commit to its event.
    pub(super) fn trailer(&self) -> String {
        format!("Tinkerbell-Event: {} {}", self.seq, self.kind)
    }

    /// The commit's message. The time and the trailer make it, and so its id, the same whenever it is made.
    pub(super) fn message(&self) -> String {
        let title = self.title.trim();
        let title = if title.is_empty() { self.kind } else { title };
        format!("{title}\n\n{}\n", self.trailer())
    }
}
