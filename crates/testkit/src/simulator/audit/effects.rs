//! Effects: started once, ended once, lost by the next owner.

use super::super::invariant::{Checked, Invariant, hold};
use agent::{EffectId, EffectKind, Epoch, Event, State, TurnId};
use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub(super) struct Effects {
    epoch: Epoch,
    started: BTreeSet<EffectId>,
    open: BTreeSet<EffectId>,
}

impl Effects {
    pub(super) fn observe(&mut self, event: &Event) -> Checked {
        if let Event::OwnerBegan { epoch, .. } = event {
            let rises = epoch.0 == self.epoch.0 + 1;
            hold(rises, Invariant::EpochsRise, || format!("{} after {}", epoch.0, self.epoch.0))?;
            self.epoch = *epoch;
            self.open.clear();
        }
        if let Some(effect) = event.starts() {
            hold(self.started.insert(effect), Invariant::StartedOnce, || effect.to_string())?;
            self.open.insert(effect);
        }
        if let Some(effect) = event.ends() {
            hold(self.open.remove(&effect), Invariant::EndsOnce, || format!("{effect} was not open"))?;
        }
        Ok(())
    }

    /// A fork's first epoch is 1, whatever its parent had.
    pub(super) fn leave_to_the_parent(&mut self) {
        self.epoch = Epoch(1);
        self.open.clear();
    }

    pub(super) fn compare(&self, state: &State) -> Checked {
        hold(self.open.iter().eq(state.open.keys()), Invariant::ReplayIsLive, || {
            format!("open by the journal {:?}, by the state {:?}", self.open, state.open.keys())
        })
    }

    pub(super) fn any_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// What a turn has open.
    pub(super) fn of_turn(&self, turn: TurnId) -> impl Iterator<Item = &EffectId> {
        self.open.iter().filter(move |effect| effect.turn == turn)
    }

    /// Whether an accept is open, another one than this aside.
    pub(super) fn accept_open(&self, aside: Option<EffectId>) -> bool {
        self.open.iter().any(|effect| effect.kind == EffectKind::Accept && Some(*effect) != aside)
    }

    pub(super) fn rests(&self) -> Checked {
        hold(self.open.is_empty(), Invariant::ComesToRest, || format!("still open: {:?}", self.open))
    }
}
