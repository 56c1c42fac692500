//! What runs outside the session: models that answer, tools that do things, files that are exchanged. Each may be
//! slow, fail, hang, or end late after a cancel. Tools that touch the world count how often they did.

use super::invariant::{Checked, Invariant, hold};
use super::random::Random;
use agent::{
    AcceptOutcome, Access, CallFact, EffectId, Event, Failure, Interruption, ModelSpec, Money, Seq, Stop, Tokens,
    ToolOutcome, TurnId, Usage, Verdict,
};
use std::collections::BTreeMap;

/// An effect that runs.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) effect: EffectId,
    pub(super) what: What,
    /// When it ends; `None` for one that hangs until it is cancelled.
    pub(super) end_ms: Option<u64>,
    pub(super) cancelled: bool,
}

/// What an effect does.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Model { turn: TurnId, spec: Option<ModelSpec>, reserve: Money },
    Tool { turn: TurnId, access: Access },
    Accept { files: u32, undoes: Option<Seq> },
}

/// All that runs, and what was done to the world.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) running: BTreeMap<EffectId, Running>,
    /// For each call that touches the world: how often it did since somebody last said that it may.
    counters: BTreeMap<(TurnId, u32, u32), u32>,
    /// How often the world was changed in all.
    pub(super) changes: u64,
}

impl World {
    /// Begins an effect. In calm times nothing hangs.
    pub(super) fn begin(&mut self, random: &mut Random, now_ms: u64, effect: EffectId, what: What, calm: bool) {
        let hangs = !calm && random.chance(3) && !matches!(what, What::Accept { .. });
        let end_ms = (!hangs).then(|| now_ms + random.weighed(&[(60, 20), (30, 150), (10, 4_000)]) + random.below(40));
        self.running.insert(effect, Running { effect, what, end_ms, cancelled: false });
    }

    /// Asks an effect to end soon.
    pub(super) fn cancel(&mut self, random: &mut Random, now_ms: u64, effect: EffectId) {
        if let Some(running) = self.running.get_mut(&effect)
            && !running.cancelled
        {
            running.cancelled = true;
            let soon_ms = now_ms + random.between(1, 200);
            running.end_ms = Some(running.end_ms.map_or(soon_ms, |end_ms| end_ms.min(soon_ms)));
        }
    }

    /// The time at which the next effect ends.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.running.values().filter_map(|running| running.end_ms).min()
    }

    /// Takes the effects that have ended by now.
    pub(super) fn take_ended(&mut self, now_ms: u64) -> Vec<Running> {
        let due = |running: &Running| running.end_ms.is_some_and(|end_ms| end_ms <= now_ms);
        let ended: Vec<Running> = self.running.values().filter(|running| due(running)).cloned().collect();
        self.running.retain(|_, running| !due(running));
        ended
    }

    /// How an effect ended, as the event that says so.
    pub(super) fn end(&mut self, random: &mut Random, running: &Running, calm: bool) -> Checked<Event> {
        let effect = running.effect;
        match running.what {
            What::Model { turn, spec, reserve } => {
                Ok(model_end(random, turn, effect, spec, reserve, running.cancelled, calm))
            }
            What::Tool { turn, access } => {
                let outcome = tool_outcome(random, running.cancelled);
                let acts = outcome == ToolOutcome::Done || (outcome == ToolOutcome::Unknown && random.chance(50));
                if acts {
                    self.act(running)?;
                }
                let written = outcome == ToolOutcome::Done && access == Access::Write;
                let changed = if written { random.between(0, 3) as u32 } else { 0 };
                let tokens = Tokens(random.pick(&[5, 60, 900]));
                Ok(Event::ToolFinished { turn, effect, outcome, tokens, changed })
            }
            What::Accept { files, undoes } => {
                let outcome = random.weighed(&[
                    (7, AcceptOutcome::Done),
                    (2, AcceptOutcome::Conflict),
                    (1, AcceptOutcome::Failed),
                ]);
                Ok(match (undoes, outcome) {
                    (Some(undoes), AcceptOutcome::Done) => Event::AcceptUndone { effect, undoes, files },
                    _ => Event::AcceptFinished { effect, outcome, files },
                })
            }
        }
    }

    /// How an effect ends when the daemon shuts down; `None` when it does not within the grace.
    pub(super) fn end_in_grace(&mut self, random: &mut Random, running: &Running) -> Checked<Option<Event>> {
        let effect = running.effect;
        match (random.below(3), running.what) {
            (0, _) => {
                self.perish(random, running)?;
                Ok(None)
            }
            (1, What::Model { turn, spec, reserve }) => {
                let (usage, tokens) = (usage(random, true), Tokens(random.pick(&[0, 30])));
                let interruption = Interruption::Released;
                let cost_microusd = cost(spec, usage, reserve);
                Ok(Some(Event::ModelInterrupted { turn, effect, interruption, tokens, usage, cost_microusd }))
            }
            (1, What::Tool { turn, access }) => {
                // What touches the world may be shown as cancelled instead: the model is told, nobody is asked.
                let cancelled = access == Access::World && random.chance(50);
                let outcome = if cancelled { ToolOutcome::Cancelled } else { ToolOutcome::Interrupted };
                let tokens = Tokens(3);
                Ok(Some(Event::ToolFinished { turn, effect, outcome, tokens, changed: 0 }))
            }
            _ => self.end(random, running, false).map(Some),
        }
    }

    /// An effect dies with the daemon: it may have done its work by then.
    pub(super) fn perish(&mut self, random: &mut Random, running: &Running) -> Checked {
        if random.chance(50) { self.act(running) } else { Ok(()) }
    }

    /// A tool does what it does, once more.
    pub(super) fn act(&mut self, running: &Running) -> Checked {
        if let What::Tool { turn, access: Access::World } = running.what {
            let count = self.counters.entry((turn, running.effect.step, running.effect.ordinal)).or_default();
            *count += 1;
            self.changes += 1;
            let count = *count;
            hold(count <= 1, Invariant::WorldChangesOnce, || format!("{}: {count} times", running.effect))?;
        }
        Ok(())
    }

    /// Somebody said that a lost call may be tried again.
    pub(super) fn permit_again(&mut self, question: EffectId) {
        self.counters.remove(&(question.turn, question.step, question.ordinal));
    }
}

fn model_end(
    random: &mut Random,
    turn: TurnId,
    effect: EffectId,
    spec: Option<ModelSpec>,
    reserve: Money,
    cancelled: bool,
    calm: bool,
) -> Event {
    let usage = usage(random, cancelled);
    let cost_microusd = cost(spec, usage, reserve);
    let partial = Tokens(random.pick(&[0, 0, 40]));
    if cancelled && random.chance(70) {
        let interruption = Interruption::Cancelled;
        return Event::ModelInterrupted { turn, effect, interruption, tokens: partial, usage, cost_microusd };
    }
    if !calm && random.chance(18) {
        use Failure::*;
        let failure = random.weighed(&[
            (3, Unreachable),
            (1, Unauthorized),
            (1, UnknownModel),
            (4, RateLimited),
            (4, Overloaded),
            (4, Broken),
            (3, TimedOut),
            (1, ContextTooLong),
            (1, Rejected),
        ]);
        let retry_after_ms = (failure == RateLimited).then(|| random.pick(&[0, 900, 86_400_000]));
        return Event::ModelFailed { turn, effect, failure, retry_after_ms, tokens: partial, usage, cost_microusd };
    }
    let calls = calls(random, calm);
    let stop = match calls.as_slice() {
        [] => random.weighed(&[(8, Stop::End), (1, Stop::Length), (1, Stop::Filtered)]),
        _ => Stop::ToolCalls,
    };
    let alike = if calls.is_empty() {
        0
    } else if calm {
        1
    } else {
        random.weighed(&[(80, 1), (12, 2), (5, 4), (3, 7)])
    };
    Event::ModelFinished { turn, effect, stop, calls, alike, tokens: usage.output_tokens, usage, cost_microusd }
}

fn calls(random: &mut Random, calm: bool) -> Vec<CallFact> {
    if !calm && random.below(400) == 0 {
        // More calls than anybody would make in good faith, each of them to be asked about.
        let call = CallFact { access: random.pick(&[Access::Read, Access::World]), verdict: Verdict::Ask };
        return vec![call; random.between(40, 90) as usize];
    }
    let count = match (random.chance(if calm { 80 } else { 30 }), calm) {
        (true, _) => 0,
        (false, true) => random.between(1, 2),
        (false, false) => random.between(1, 5),
    };
    let accesses = [(5, Access::Read), (4, Access::Write), (4, Access::World)];
    let verdicts = [(11, Verdict::Allow), (4, Verdict::Ask), (2, Verdict::Deny), (2, Verdict::Invalid)];
    (0..count).map(|_| CallFact { access: random.weighed(&accesses), verdict: random.weighed(&verdicts) }).collect()
}

fn tool_outcome(random: &mut Random, cancelled: bool) -> ToolOutcome {
    use ToolOutcome::*;
    match cancelled {
        true => random.weighed(&[(6, Cancelled), (2, Done), (1, Failed), (2, Unknown)]),
        false => random.weighed(&[(16, Done), (4, Failed), (1, Unknown)]),
    }
}

fn usage(random: &mut Random, estimated: bool) -> Usage {
    Usage {
        input_tokens: Tokens(random.between(10, 900)),
        output_tokens: Tokens(random.between(1, 300)),
        cached_tokens: Tokens(random.pick(&[0, 0, 9])),
        estimated,
    }
}

/// What a call cost: never more than was set aside for it, as a provider that keeps to the request's limits would.
fn cost(spec: Option<ModelSpec>, usage: Usage, reserve: Money) -> Money {
    spec.map_or(Money(0), |spec| spec.cost(usage.input_tokens, usage.output_tokens)).min(reserve)
}
