//! What a new owner owes to a turn that the old one left behind: it says that it resumes, and it asks first when the
//! daemon died in it again and again.

use super::super::invariant::{Checked, Invariant, hold};
use agent::{EffectKind, Event, Limits, ToolOutcome, TurnId};

#[derive(Debug, Default)]
pub(super) struct Deaths {
    running: Option<TurnId>,
    /// A new owner has the turn and has not said so.
    unresumed: bool,
    /// Beginnings that lost something, since anything came of a beginning.
    fruitless: u32,
    most: u32,
}

impl Deaths {
    pub(super) fn limits(&mut self, limits: &Limits) {
        self.most = self.most.max(limits.fruitless);
    }

    pub(super) fn leave_to_the_parent(&mut self) {
        *self = Deaths::default();
    }

    /// Takes an event; `open` says whether any effect was open before it.
    pub(super) fn observe(&mut self, event: &Event, open: bool) -> Checked {
        match event {
            Event::OwnerBegan { .. } => {
                self.unresumed = self.running.is_some();
                self.fruitless += u32::from(open);
            }
            Event::TurnResumed { turn } => {
                let said = std::mem::take(&mut self.unresumed);
                hold(said, Invariant::ResumesAloud, || format!("{turn} is resumed without a new owner"))?;
            }
            Event::TurnStarted { turn } => self.running = Some(*turn),
            Event::TurnFinished { .. } => (self.running, self.unresumed, self.fruitless) = (None, false, 0),
            Event::ToolFinished { outcome: ToolOutcome::Interrupted, .. } => {}
            Event::ModelFinished { .. } | Event::ToolFinished { .. } | Event::ApprovalResolved { .. } => {
                self.fruitless = 0
            }
            Event::PromptAccepted { .. } | Event::PromptQueued { .. } => self.fruitless = 0,
            _ => {}
        }
        let asks = matches!(event, Event::ApprovalRequested { .. });
        let starts = event.starts().is_some_and(|effect| effect.kind != EffectKind::Accept);
        hold(!(asks || starts) || !self.unresumed, Invariant::ResumesAloud, || {
            format!("{event:?} before turn.resumed")
        })?;
        hold(!starts || self.fruitless < self.most, Invariant::DeadlyTurnsAsk, || {
            format!("{event:?} after {} fruitless beginnings", self.fruitless)
        })
    }
}
