//! The steps of a canvas: the last ones, and what must be known of those before them.
//!
//! A session that lives long has many thousands of steps, and waking it must not read them all. So a fold keeps a
//! bounded number of them and, of the older ones, four numbers. These say exactly what can be undone and redone, and
//! which questions need the older steps themselves: such a question is answered with [`Older`], never with a guess, and
//! asked again of a fold that was made with [`Fold::whole`] from the journal's beginning.

use super::{Fold, Step, StepKind, StepStatus};
use agent::Seq;
use serde::{Deserialize, Serialize};

/// The most steps that a fold keeps.
pub const MAX_RECENT_STEPS: usize = 256;
/// The most changes that the steps of a fold have together; the last step is kept whatever it has.
pub const MAX_RECENT_CHANGES: usize = 1024;

/// The question is about steps that this fold no longer has. To be asked again of a [`Fold::whole`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is about steps that are older than those at hand; they must be read from the journal")]
pub struct Older;

/// The steps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct History {
    /// Whether every step is kept. Such a fold answers questions and is not written down.
    #[serde(skip)]
    pub(super) whole: bool,
    pub(super) steps: Vec<Step>,
    #[serde(default)]
    pub(super) older: OlderSteps,
}

/// What is known of the steps that are no longer kept.
///
/// It is enough because the micro-commits that were not left stand in one row: those up to the canvas' position are in
/// force, those after it are undone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OlderSteps {
    /// How many.
    pub(super) count: u64,
    /// The last of them; 0 for none.
    pub(super) last: Seq,
    /// The last of them that is a micro-commit and was not left; 0 for none.
    pub(super) last_edit: Seq,
    /// How many of them are accepts that were not taken back.
    pub(super) accepts: u64,
}

impl History {
    pub(super) fn push(&mut self, step: Step) {
        self.steps.push(step);
        if self.whole {
            return;
        }
        let changes = |step: &Step| step.changes.len() + step.bases.len();
        let mut total: usize = self.steps.iter().map(changes).sum();
        let mut dropped = 0;
        while self.steps.len() - dropped > MAX_RECENT_STEPS
            || (total > MAX_RECENT_CHANGES && self.steps.len() - dropped > 1)
        {
            total -= changes(&self.steps[dropped]);
            self.older.add(&self.steps[dropped]);
            dropped += 1;
        }
        self.steps.drain(..dropped);
    }

    /// The session went another way from `position`: what was undone can no longer be redone.
    pub(super) fn leave_undone(&mut self, position: Seq) {
        for step in self.steps.iter_mut().filter(|step| step.kind == StepKind::Edit) {
            if step.status == StepStatus::Undone {
                step.status = StepStatus::Left;
            }
        }
        // What was undone stood after the position, which is itself a micro-commit in force, or the beginning.
        self.older.last_edit = self.older.last_edit.min(position);
    }

    /// The canvas was set to `position`.
    pub(super) fn set_position(&mut self, position: Seq) {
        for step in self.steps.iter_mut().filter(|step| step.kind == StepKind::Edit) {
            if step.status != StepStatus::Left {
                step.status = if step.seq <= position { StepStatus::InForce } else { StepStatus::Undone };
            }
        }
    }

    pub(super) fn take_accept_back(&mut self, accept: Seq) {
        if accept <= self.older.last {
            self.older.accepts = self.older.accepts.saturating_sub(1);
        }
        for step in self.steps.iter_mut().filter(|step| step.seq == accept && step.kind == StepKind::Accept) {
            step.status = StepStatus::Undone;
        }
    }

    pub(super) fn edits(&self, status: StepStatus) -> impl DoubleEndedIterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.kind == StepKind::Edit && step.status == status)
    }
}

impl OlderSteps {
    fn add(&mut self, step: &Step) {
        self.count += 1;
        self.last = step.seq;
        match (step.kind, step.status) {
            (StepKind::Edit, StepStatus::InForce | StepStatus::Undone) => self.last_edit = step.seq,
            (StepKind::Accept, StepStatus::InForce) => self.accepts += 1,
            _ => {}
        }
    }
}

impl Fold {
    /// An empty fold that will keep every step that it takes, to answer what one of bounded size answers with
    /// [`Older`]. It is to be given the journal from its beginning.
    pub fn whole() -> Fold {
        let mut fold = Fold::default();
        fold.history.whole = true;
        fold
    }

    /// The changes of the canvas that this fold has, in order: the last ones, or all.
    pub fn steps(&self) -> &[Step] {
        &self.history.steps
    }

    /// How many there were before [`Fold::steps`].
    pub fn older_steps(&self) -> u64 {
        self.history.older.count
    }

    /// The change of the canvas that this event made.
    pub fn step(&self, seq: Seq) -> Result<Option<&Step>, Older> {
        if self.older_steps() > 0 && seq <= self.history.older.last {
            return Err(Older);
        }
        Ok(self.steps().iter().find(|step| step.seq == seq))
    }

    /// The last accept that was not taken back.
    pub fn last_accept(&self) -> Result<Option<&Step>, Older> {
        let in_force = |step: &&Step| step.kind == StepKind::Accept && step.status == StepStatus::InForce;
        match self.steps().iter().rev().find(in_force) {
            None if self.history.older.accepts > 0 => Err(Older),
            found => Ok(found),
        }
    }

    /// Whether there is an accept that can be taken back.
    pub fn is_undoable(&self) -> bool {
        self.last_accept().map_or(true, |accept| accept.is_some())
    }

    /// Whether there is a micro-commit that can be redone.
    pub fn is_redoable(&self) -> bool {
        self.next_redo().map_or(true, |step| step.is_some())
    }

    /// The micro-commit that a plain "redo" means: the first that was rewound.
    pub fn next_redo(&self) -> Result<Option<Seq>, Older> {
        if self.history.older.last_edit > self.position {
            return Err(Older);
        }
        Ok(self.history.edits(StepStatus::Undone).next().map(|step| step.seq))
    }

    /// The micro-commit that a plain "rewind" means: the one before the last in force, 0 when there is only one.
    pub fn previous(&self) -> Result<Option<Seq>, Older> {
        let OlderSteps { last_edit, .. } = self.history.older;
        let mut back = self.history.edits(StepStatus::InForce).rev();
        match back.next() {
            Some(_) => Ok(Some(back.next().map_or(last_edit, |step| step.seq))),
            None if last_edit > Seq(0) && self.position > Seq(0) => Err(Older),
            None => Ok(None),
        }
    }
}
