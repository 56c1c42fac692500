//! Money: set aside at a start, settled once, by the event that ends the call or by the owner that finds it lost.

use super::super::invariant::{Checked, Invariant, hold};
use agent::{EffectId, Event, Money, State};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Books {
    spent: Money,
    reserved: BTreeMap<EffectId, Money>,
}

impl Books {
    pub(super) fn observe(&mut self, event: &Event) -> Checked {
        match event {
            Event::ModelStarted { effect, reserve_microusd, .. } => {
                self.reserved.insert(*effect, *reserve_microusd);
            }
            Event::OwnerBegan { cost_microusd, .. } => {
                let lost: Money = std::mem::take(&mut self.reserved).into_values().sum();
                hold(lost == *cost_microusd, Invariant::MoneyOnce, || {
                    format!("{} were set aside for lost calls and {} are settled", lost.0, cost_microusd.0)
                })?;
            }
            _ => {}
        }
        if let Some(effect) = event.ends() {
            self.reserved.remove(&effect);
        }
        self.spent += event.cost();
        Ok(())
    }

    pub(super) fn compare(&self, state: &State) -> Checked {
        let reserved: Money = self.reserved.values().copied().sum();
        let equal = self.spent == state.cost && reserved == state.reserved();
        hold(equal, Invariant::MoneyOnce, || {
            let (cost, held) = (state.cost.0, state.reserved().0);
            format!("headers: {} spent, {} reserved; state: {cost} spent, {held} reserved", self.spent.0, reserved.0)
        })
    }
}
