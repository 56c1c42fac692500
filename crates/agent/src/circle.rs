//! One turn of the circle: what happened, in; what must be appended before anything follows from it, out.

use crate::effect::{Effect, Timer};
use crate::event::{Event, TurnOutcome};
use crate::id::{EffectId, EffectKind};
use crate::settings::{Limit, Settings};
use crate::state::State;
use crate::turn::Turn;
use crate::wants::wants;

/// More decisions than this in a row without an effect between them would be a fault of the brain; a question for each
/// call of a reply, and beginning and end of each turn that waits, come on top.
const DECISIONS: usize = 64;

/// What one append holds: facts, which are never refused, then starts.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// What happened and what was decided, in order.
    pub facts: Vec<Event>,
    /// What shall begin once the append is on disk. The daemon makes the `*.started` events, because these carry a
    /// recipe and a price.
    pub starts: Vec<Effect>,
    /// What runs and shall go on; what runs and is not here is to be cancelled.
    pub keep: Vec<EffectId>,
    /// Timers that shall be running.
    pub timers: Vec<Timer>,
    /// The state after the facts, before the starts.
    pub after: State,
}

/// Takes what happened and says what to append. The state is not changed: it is, once the append is on disk, by
/// applying what the append really holds (a start may have been refused and another event stand in its place).
pub fn advance(state: &State, settings: &Settings, happened: Vec<Event>) -> Batch {
    let mut batch = Batch { after: state.clone(), ..Batch::default() };
    for event in happened {
        note(&mut batch, event);
    }
    let questions = batch.after.turn.as_ref().map_or(0, Turn::calls);
    let turns = 2 * batch.after.queue.len();
    for _ in 0..DECISIONS + questions + turns {
        let wants = wants(&batch.after, settings);
        if let Some(decision) = wants.decision {
            note(&mut batch, decision);
            continue;
        }
        batch.starts = wants.start;
        batch.keep = wants.keep;
        batch.timers = wants.timers;
        return batch;
    }
    unreachable!("the brain decided {DECISIONS} times in a row without an effect or a call to ask about")
}

/// Adds an event, and the decision that a reached deadline is.
fn note(batch: &mut Batch, event: Event) {
    batch.after.apply(batch.after.head.next(), &event);
    let deadline = match &event {
        Event::TimerFired { turn, effect } if effect.kind == EffectKind::Deadline => Some(*turn),
        _ => None,
    };
    batch.facts.push(event);
    if let Some(turn) = deadline {
        let (outcome, limit) = (TurnOutcome::Limit, Some(Limit::Time));
        note(batch, Event::TurnEnding { turn, outcome, limit });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Seq, TurnId};
    use crate::units::{ModelName, Tokens};

    #[test]
    fn a_long_queue_of_prompts_that_no_model_can_answer_is_worked_off() {
        let mut state = State::default();
        let model = Some(ModelName::new("gone"));
        for n in 1..=64 {
            let prompt = Event::PromptQueued { turn: TurnId(n), tokens: Tokens(1), model: model.clone() };
            state.apply(Seq(u64::from(n)), &prompt);
        }
        let batch = advance(&state, &Settings::default(), Vec::new());
        let finished = batch.facts.iter().filter(|event| matches!(event, Event::TurnFinished { .. })).count();
        assert_eq!((finished, batch.after.has_work()), (64, false));
    }
}
