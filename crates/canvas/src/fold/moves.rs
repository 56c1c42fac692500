//! Rewind, redo and reject: computed once, at the command, and written down as explicit changes, so that replaying
//! the journal never merges anything again.
//!
//! Rewinding takes micro-commits back from the last to the first, each as a merge in three ways (after → before, upon
//! what is current), so that what the user changed meanwhile and what was taken over stays.

use super::{Fold, Older, StepStatus};
use crate::blobs::{BlobError, Blobs, Draft};
use crate::merge::{Merged, merge};
use agent::Seq;
use std::collections::BTreeMap;
use wire::body::Moved;
use wire::{BlobHash, Change, FileState, RelPath};

/// Why the canvas cannot be moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// There is no such micro-commit in force.
    #[error("{0} is not a micro-commit that is in force; `tinkerbell log` lists them, 0 is the beginning")]
    NotInForce(Seq),
    /// There is no such micro-commit to redo.
    #[error("{0} is not a micro-commit that can be redone; `tinkerbell log` lists them")]
    NotUndone(Seq),
    /// The canvas stands there already, or there is nothing to drop.
    #[error("nothing would change")]
    Nothing,
    /// A path has no pending change.
    #[error("{0} has no change on the canvas to reject")]
    NotPending(RelPath),
    /// Taking a step back, or doing it again, contradicts what came after it.
    #[error("{path} was changed since step {seq} in ways that do not merge; reject the path, then try again")]
    Conflict {
        /// The path.
        path: RelPath,
        /// The step.
        seq: Seq,
    },
    /// Bytes are missing.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The move needs steps that this fold no longer has.
    #[error(transparent)]
    Older(#[from] Older),
}

impl Fold {
    /// What `canvas.rewound` must say so that the micro-commits after `to` are taken back; 0 takes all back.
    pub fn rewind(&self, to: Seq, blobs: &Blobs) -> Result<Draft<Moved>, MoveError> {
        let kept = self.history.older.last_edit;
        if to < kept {
            return Err(Older.into());
        }
        if to != kept && to != Seq(0) && !self.history.edits(StepStatus::InForce).any(|step| step.seq == to) {
            return Err(MoveError::NotInForce(to));
        }
        if !self.history.edits(StepStatus::InForce).any(|step| step.seq > to) {
            return Err(MoveError::Nothing);
        }
        let mut hand = Hand::new(self, blobs);
        for step in self.history.edits(StepStatus::InForce).rev().take_while(|step| step.seq > to) {
            for Change { path, before, after } in step.changes.iter().rev() {
                hand.carry(step.seq, path, *after, *before)?;
            }
        }
        Ok(hand.finish())
    }

    /// What `canvas.rewound` must say so that the rewound micro-commits up to `to` are done again.
    pub fn redo(&self, to: Seq, blobs: &Blobs) -> Result<Draft<Moved>, MoveError> {
        if self.history.older.last_edit > self.position {
            return Err(Older.into());
        }
        if !self.history.edits(StepStatus::Undone).any(|step| step.seq == to) {
            return Err(MoveError::NotUndone(to));
        }
        let mut hand = Hand::new(self, blobs);
        for step in self.history.edits(StepStatus::Undone).take_while(|step| step.seq <= to) {
            for Change { path, before, after } in &step.changes {
                hand.carry(step.seq, path, *before, *after)?;
            }
        }
        Ok(hand.finish())
    }

    /// What `canvas.rejected` must say so that the pending changes at and below `paths` are dropped; of everything
    /// when `paths` is empty.
    pub fn reject(&self, paths: &[RelPath]) -> Result<Moved, MoveError> {
        let pending = self.pending();
        let chosen = |change: &Change, path: &RelPath| change.path.is_at_or_below(path);
        if let Some(missing) = paths.iter().find(|path| !pending.iter().any(|change| chosen(change, path))) {
            return Err(MoveError::NotPending(missing.clone()));
        }
        let changes: Vec<Change> = pending
            .into_iter()
            .filter(|change| paths.is_empty() || paths.iter().any(|path| chosen(change, path)))
            .map(|Change { path, before, after }| Change { path, before: after, after: before })
            .collect();
        if changes.is_empty() { Err(MoveError::Nothing) } else { Ok(Moved { changes }) }
    }
}

/// The current states while a move is computed.
struct Hand<'a> {
    fold: &'a Fold,
    blobs: &'a Blobs,
    moved: BTreeMap<RelPath, Option<FileState>>,
    made: BTreeMap<BlobHash, Vec<u8>>,
}

impl<'a> Hand<'a> {
    fn new(fold: &'a Fold, blobs: &'a Blobs) -> Hand<'a> {
        Hand { fold, blobs, moved: BTreeMap::new(), made: BTreeMap::new() }
    }

    fn current(&self, path: &RelPath) -> Option<FileState> {
        let in_fold = || self.fold.paths.get(path).and_then(|tracked| tracked.current);
        self.moved.get(path).copied().unwrap_or_else(in_fold)
    }

    /// Does to the current state of `path` what leads from `from` to `to`.
    fn carry(
        &mut self,
        seq: Seq,
        path: &RelPath,
        from: Option<FileState>,
        to: Option<FileState>,
    ) -> Result<(), MoveError> {
        let read = |state: &FileState| match self.made.get(&state.blob) {
            Some(bytes) => Ok(bytes.clone()),
            None => self.blobs.get(state.blob),
        };
        let state = match merge(from, self.current(path), to, &read)? {
            Merged::Known(state) => state,
            Merged::New(contents) => {
                let state = contents.state();
                self.made.insert(state.blob, contents.bytes);
                Some(state)
            }
            Merged::Conflict => return Err(MoveError::Conflict { path: path.clone(), seq }),
        };
        self.moved.insert(path.clone(), state);
        Ok(())
    }

    fn finish(mut self) -> Draft<Moved> {
        let mut changes = Vec::new();
        let mut blobs = Vec::new();
        for (path, after) in std::mem::take(&mut self.moved) {
            let before = self.current(&path);
            if before != after {
                blobs.extend(after.and_then(|state| self.made.remove(&state.blob)));
                changes.push(Change { path, before, after });
            }
        }
        Draft { body: Moved { changes }, blobs }
    }
}
