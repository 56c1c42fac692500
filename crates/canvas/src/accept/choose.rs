//! From chosen hunks to a selection: only of the change that the chooser looked at.

use super::Selection;
use crate::blobs::Blobs;
use crate::diff::DiffError;
use crate::fold::Fold;
use crate::hunks::take_hunks;
use std::collections::{BTreeMap, BTreeSet};
use wire::{BlobHash, RelPath};

/// Hunks chosen of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The bytes beneath the change that was looked at; `None` when there was no file.
    pub before: Option<BlobHash>,
    /// The bytes on the canvas that were looked at; `None` when the file was deleted.
    pub after: Option<BlobHash>,
    /// The context with which the hunks were counted.
    pub context_lines: u32,
    /// Their numbers.
    pub hunks: BTreeSet<usize>,
}

/// Why a choice does not hold.
#[derive(Debug, thiserror::Error)]
pub enum ChoiceError {
    /// Nothing is pending there.
    #[error("{0} has no change on the canvas to choose from")]
    NotPending(RelPath),
    /// The change is another one by now.
    #[error("{0} was changed since you looked at it; look at its diff again, then choose")]
    Changed(RelPath),
    /// The hunks could not be made, or a chosen one is not there.
    #[error(transparent)]
    Diff(#[from] DiffError),
}

/// What an accept of the chosen hunks writes; what was not chosen stays pending upon it.
pub fn choose(fold: &Fold, choices: &BTreeMap<RelPath, Choice>, blobs: &Blobs) -> Result<Selection, ChoiceError> {
    let mut results = BTreeMap::new();
    for (path, choice) in choices {
        let pending = fold.pending_at(path).ok_or_else(|| ChoiceError::NotPending(path.clone()))?;
        let looked_at = (pending.before.map(|state| state.blob), pending.after.map(|state| state.blob));
        if looked_at != (choice.before, choice.after) {
            return Err(ChoiceError::Changed(path.clone()));
        }
        let result = take_hunks(&pending, blobs, choice.context_lines, &choice.hunks)?;
        results.insert(path.clone(), result);
    }
    Ok(Selection::Results(results))
}
