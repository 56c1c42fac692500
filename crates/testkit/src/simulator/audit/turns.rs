//! Turns: one for each prompt, in order, begun once and ended once, with all that belongs to them in between.

use super::super::invariant::{Checked, Invariant, hold};
use super::effects::Effects;
use agent::{
    Access, Answer, EffectId, EffectKind, Event, Failure, Interruption, Limit, Limits, ModelName, Money, Seq,
    ToolOutcome, TurnId, TurnOutcome, Usage,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(Debug, Default)]
pub(super) struct Turns {
    limits: Option<Limits>,
    waiting: VecDeque<(TurnId, Seq)>,
    last: TurnId,
    running: Option<Running>,
    finished: u64,
    last_outcome: Option<TurnOutcome>,
}

/// What the running turn's events add up to.
#[derive(Debug)]
struct Running {
    id: TurnId,
    /// The highest limits that it has seen.
    limits: Limits,
    /// How it must end, once that is decided.
    ending: Option<(TurnOutcome, Option<Limit>)>,
    newest_prompt: Seq,
    /// Calls that run, and whom they call.
    calling: BTreeMap<EffectId, ModelName>,
    /// Who failed since the last pause, or will not work in this step at all; the last one is the newest.
    failed: Vec<(ModelName, Failure)>,
    /// The newest failure came after something had been said, so only a pause may follow.
    said: bool,
    /// How often in a row the last call was asked for.
    alike: u32,
    /// Prompts steered into it, each with whether a model call began after it.
    steers: Vec<(Seq, bool)>,
    /// Tools that touch the world: one that a shutdown stops may be shown as cancelled.
    world_tools: BTreeSet<EffectId>,
    /// The model has nothing more to do.
    all_said: bool,
    steps: u32,
    /// Pauses of the present step.
    pauses: u32,
    changed: u32,
    usage: Usage,
    cost: Money,
}

impl Turns {
    pub(super) fn limits(&mut self, limits: &Limits) {
        self.limits = Some(*limits);
        if let Some(running) = &mut self.running {
            running.limits.steps = running.limits.steps.max(limits.steps);
            running.limits.attempts = running.limits.attempts.max(limits.attempts);
            running.limits.alike_calls = running.limits.alike_calls.max(limits.alike_calls);
        }
    }

    pub(super) fn leave_to_the_parent(&mut self) {
        self.waiting.clear();
        self.running = None;
        self.finished = u64::from(self.last.0);
    }

    pub(super) fn finished(&self) -> u64 {
        self.finished
    }

    pub(super) fn last_outcome(&self) -> Option<TurnOutcome> {
        self.last_outcome
    }

    /// The newest prompt of the running turn is in its contexts.
    pub(super) fn context(&self, messages: &[Seq]) -> Checked {
        let newest = self.running.as_ref().map(|running| running.newest_prompt);
        let there = newest.is_none_or(|newest| messages.contains(&newest));
        hold(there, Invariant::NewestPromptStays, || format!("prompt {newest:?} is not in {messages:?}"))
    }

    pub(super) fn observe(&mut self, seq: Seq, event: &Event, effects: &Effects) -> Checked {
        match event {
            Event::PromptAccepted { turn, .. } | Event::PromptQueued { turn, .. } => {
                let next = *turn == self.last.next();
                hold(next, Invariant::PromptsGetTurns, || format!("{turn} after {}", self.last))?;
                let idle = self.running.is_none() && self.waiting.is_empty();
                let accepted = matches!(event, Event::PromptAccepted { .. });
                hold(idle == accepted, Invariant::PromptsGetTurns, || format!("{turn}: idle is {idle}"))?;
                self.last = *turn;
                self.waiting.push_back((*turn, seq));
                Ok(())
            }
            Event::TurnStarted { turn } => self.start(*turn),
            _ => self.within(seq, event, effects),
        }
    }

    fn start(&mut self, turn: TurnId) -> Checked {
        hold(self.running.is_none(), Invariant::TurnsInOrder, || format!("{turn} starts within another"))?;
        let first = self.waiting.pop_front();
        let next = first.filter(|(next, _)| *next == turn);
        hold(next.is_some(), Invariant::PromptsGetTurns, || format!("{turn} starts, {first:?} is next"))?;
        self.running = Some(Running {
            id: turn,
            newest_prompt: next.map_or(Seq(0), |(_, prompt)| prompt),
            calling: BTreeMap::new(),
            failed: Vec::new(),
            said: false,
            alike: 0,
            limits: self.limits.unwrap_or_default(),
            ending: None,
            steers: Vec::new(),
            world_tools: BTreeSet::new(),
            all_said: false,
            steps: 0,
            pauses: 0,
            changed: 0,
            usage: Usage::default(),
            cost: Money(0),
        });
        Ok(())
    }

    fn within(&mut self, seq: Seq, event: &Event, effects: &Effects) -> Checked {
        let Some(running) = self.running.as_mut() else {
            return hold(event.turn().is_none(), Invariant::TurnsInOrder, || format!("no turn runs at {event:?}"));
        };
        let belongs = event.turn().is_none_or(|turn| turn == running.id);
        hold(belongs, Invariant::TurnsInOrder, || format!("{} runs at {event:?}", running.id))?;
        running.add(seq, event)?;
        if let Event::TurnFinished { turn, outcome, .. } = event {
            self.last_outcome = Some(*outcome);
            let open: Vec<_> = effects.of_turn(*turn).collect();
            hold(open.is_empty(), Invariant::TurnClosesAll, || format!("{turn} leaves {open:?} open"))?;
            running.check_end(event)?;
            self.running = None;
            self.finished += 1;
        }
        Ok(())
    }

    pub(super) fn rests(&self) -> Checked {
        hold(self.running.is_none(), Invariant::ComesToRest, || format!("still runs: {:?}", self.running))?;
        hold(self.waiting.is_empty(), Invariant::PromptsGetTurns, || format!("still wait: {:?}", self.waiting))?;
        hold(self.finished == u64::from(self.last.0), Invariant::PromptsGetTurns, || {
            format!("{} turns finished of {} prompts", self.finished, self.last.0)
        })
    }
}

impl Running {
    fn add(&mut self, seq: Seq, event: &Event) -> Checked {
        self.cost += event.cost();
        let starts = event.starts().is_some_and(|effect| effect.kind != EffectKind::Accept);
        if starts || matches!(event, Event::ApprovalRequested { .. }) {
            hold(self.ending.is_none(), Invariant::EndingStartsNothing, || format!("{event:?}"))?;
        }
        match event {
            Event::PromptSteered { .. } => {
                self.steers.push((seq, false));
                self.newest_prompt = seq;
                self.all_said = false;
                self.alike = 0;
            }
            Event::TimerFired { effect, .. } if effect.kind == EffectKind::Backoff => {
                self.failed.retain(|(_, failure)| !can_pass(*failure));
                (self.said, self.pauses) = (false, self.pauses + 1);
            }
            Event::TurnEnding { outcome, limit, .. } => self.end(*outcome, *limit),
            Event::BudgetExhausted { .. } => self.end(TurnOutcome::Limit, Some(Limit::Budget)),
            Event::ApprovalResolved { answer: Answer::Abandon, .. } => self.end(TurnOutcome::Abandoned, None),
            Event::ModelStarted { effect, model, .. } => {
                hold(!self.all_said, Invariant::StopsWhenDone, || format!("{event:?}"))?;
                let anew = !self.said && self.failed.iter().all(|(failed, _)| failed != model);
                hold(anew, Invariant::PausesHold, || format!("{event:?} after {:?}", self.failed))?;
                self.steers.iter_mut().for_each(|(_, shown)| *shown = true);
                let (steps, rounds) = (self.steps < self.limits.steps, self.pauses < self.limits.attempts);
                hold(steps && rounds, Invariant::LimitsHold, || format!("{} of {:?}", self.steps, self.limits))?;
                self.calling.insert(*effect, model.clone());
            }
            Event::ModelFinished { usage, calls, alike, .. } => {
                self.steers.retain(|(_, shown)| !shown);
                self.all_said = calls.is_empty() && self.steers.is_empty();
                self.steps += 1;
                (self.pauses, self.alike) = (0, *alike);
                self.failed.clear();
                self.usage += *usage;
            }
            Event::ModelFailed { effect, usage, failure, tokens, .. } => {
                let model = self.calling.remove(effect);
                self.failed.extend(model.map(|model| (model, *failure)));
                self.said = !tokens.is_zero();
                self.usage += *usage;
            }
            Event::ModelInterrupted { usage, interruption, .. } => {
                self.usage += *usage;
                let wanted = *interruption == Interruption::Released || self.ending.is_some();
                hold(wanted, Invariant::RunningIsKept, || format!("{event:?}"))?;
            }
            Event::ToolStarted { effect, access, .. } => {
                let few = self.alike < self.limits.alike_calls;
                hold(few, Invariant::LimitsHold, || format!("{event:?} after {} alike", self.alike))?;
                if *access == Access::World {
                    self.world_tools.insert(*effect);
                }
            }
            // What runs of a call that is forbidden by now is stopped.
            Event::PermissionTightened { effect, .. } => {
                self.world_tools.insert(*effect);
            }
            Event::ToolFinished { effect, changed, outcome, .. } => {
                self.changed += changed;
                let wanted =
                    *outcome != ToolOutcome::Cancelled || self.ending.is_some() || self.world_tools.contains(effect);
                hold(wanted, Invariant::RunningIsKept, || format!("{event:?}"))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, outcome: TurnOutcome, limit: Option<Limit>) {
        self.ending = self.ending.or(Some((outcome, limit)));
    }

    fn check_end(&self, event: &Event) -> Checked {
        let Event::TurnFinished { outcome, limit, failure, steps, changed, usage, cost_microusd, .. } = event else {
            return Ok(());
        };
        let sums = (self.steps, self.changed, self.usage, self.cost);
        let said = (*steps, *changed, *usage, *cost_microusd);
        hold(sums == said, Invariant::TurnTotals, || format!("{} says {said:?}, the sum is {sums:?}", self.id))?;
        let decided = self.ending.is_none_or(|ending| ending == (*outcome, *limit));
        let words = limit.is_some() == (*outcome == TurnOutcome::Limit)
            && failure.is_some() == (*outcome == TurnOutcome::Failed);
        hold(decided && words, Invariant::TurnTotals, || format!("{event:?} after {:?}", self.ending))?;
        let seen = *outcome != TurnOutcome::Done || self.steers.is_empty();
        hold(seen, Invariant::SteersAreSeen, || format!("{} is done, unanswered: {:?}", self.id, self.steers))
    }
}

/// Whether a failure may pass by waiting.
fn can_pass(failure: Failure) -> bool {
    use Failure::*;
    matches!(failure, Unreachable | RateLimited | Overloaded | Broken | TimedOut)
}
