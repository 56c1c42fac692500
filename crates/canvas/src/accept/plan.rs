//! What an accept will do, made before anything is done.

use crate::blobs::Draft;
use crate::fold::{Fold, Older, Step, StepKind, StepStatus};
use agent::Seq;
use std::collections::BTreeMap;
use wire::body::{AcceptPlan, PlannedFile};
use wire::{Change, Changeset, Contents, RelPath};

/// The most files that one accept writes.
pub const MAX_ACCEPT_FILES: usize = 10_000;

/// What is to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Everything that is pending.
    All,
    /// What is pending at and below these paths.
    Paths(Vec<RelPath>),
    /// These files, each with the contents that it shall have: what chosen hunks make of it. `None` deletes it.
    Results(BTreeMap<RelPath, Option<Contents>>),
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Nothing is pending.
    #[error("there is nothing to accept")]
    Nothing,
    /// Nothing is pending there.
    #[error("{0} has no change on the canvas to accept")]
    NotPending(RelPath),
    /// More files than one accept writes.
    #[error(
        "{files} files are more than the {MAX_ACCEPT_FILES} that one accept writes; accept some of the paths first"
    )]
    TooManyFiles {
        /// How many.
        files: usize,
    },
    /// There is no such accept, or it was taken back.
    #[error("{0} is not an accept that can be taken back")]
    NotAnAccept(Seq),
    /// The accept is one of the steps that this fold no longer has.
    #[error(transparent)]
    Older(#[from] Older),
    /// The system gave no random bytes.
    #[error("no random name for temporary files: {0}")]
    Random(getrandom::Error),
}

/// Plans an accept of what is selected; with the blobs that are new because hunks were chosen.
pub fn plan(fold: &Fold, selection: &Selection) -> Result<Draft<AcceptPlan>, PlanError> {
    let (changes, blobs) = match selection {
        Selection::All => (fold.pending(), Vec::new()),
        Selection::Paths(paths) => (selected(fold.pending(), paths)?, Vec::new()),
        Selection::Results(results) => of_results(fold, results)?,
    };
    Ok(Draft { body: planned(changes)?, blobs })
}

/// Plans to take an accept back: the files get the bytes that they had before it.
pub fn plan_undo(fold: &Fold, accept: Seq) -> Result<AcceptPlan, PlanError> {
    let accepted = |step: &&Step| step.kind == StepKind::Accept && step.status == StepStatus::InForce;
    let step = fold.step(accept)?.filter(accepted).ok_or(PlanError::NotAnAccept(accept))?;
    let turned = |Change { path, before, after }: Change| Change { path, before: after, after: before };
    planned(step.bases.iter().cloned().map(turned).collect())
}

fn selected(pending: Changeset, paths: &[RelPath]) -> Result<Changeset, PlanError> {
    let at = |change: &Change, path: &RelPath| change.path.is_at_or_below(path);
    if let Some(missing) = paths.iter().find(|path| !pending.iter().any(|change| at(change, path))) {
        return Err(PlanError::NotPending(missing.clone()));
    }
    Ok(pending.into_iter().filter(|change| paths.iter().any(|path| at(change, path))).collect())
}

fn of_results(
    fold: &Fold,
    results: &BTreeMap<RelPath, Option<Contents>>,
) -> Result<(Changeset, Vec<Vec<u8>>), PlanError> {
    let (mut changes, mut blobs) = (Vec::new(), Vec::new());
    for (path, result) in results {
        let pending = fold.pending_at(path).ok_or_else(|| PlanError::NotPending(path.clone()))?;
        let after = result.as_ref().map(Contents::state);
        if after != pending.before {
            blobs.extend(result.as_ref().map(|contents| contents.bytes.clone()));
            changes.push(Change { after, ..pending });
        }
    }
    Ok((changes, blobs))
}

/// Deletions come first, so that a directory can take the place of a file and a file that of a directory.
fn planned(mut changes: Changeset) -> Result<AcceptPlan, PlanError> {
    match changes.len() {
        0 => return Err(PlanError::Nothing),
        files if files > MAX_ACCEPT_FILES => return Err(PlanError::TooManyFiles { files }),
        _ => {}
    }
    changes.sort_by(|a, b| (a.after.is_some(), &a.path).cmp(&(b.after.is_some(), &b.path)));
    let with_name = |change| Ok::<_, PlanError>(PlannedFile { change, temporary: temporary_name()? });
    Ok(AcceptPlan { files: changes.into_iter().map(with_name).collect::<Result<_, _>>()?, commit: None })
}

/// A name that nobody can guess, so that nobody can be there before us.
fn temporary_name() -> Result<String, PlanError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(PlanError::Random)?;
    Ok(format!(".tinkerbell-{:032x}.tmp", u128::from_le_bytes(random)))
}
