//! Another configuration is in force while a turn runs. What it loosens counts from the next decision on; what it tightens
//! counts at once: calls that may not run any more do not begin, those that run are stopped, each by its event.

use super::fact::{Fact, Gathered};
use super::owner::Owner;
use super::perform::PreparedCall;
use super::recipe::exhausted;
use crate::catalog::{self, Outfit};
use crate::toolbox::Inspected;
use agent::{Call, CallStatus, EffectId, EffectKind, Event, Failure, Money, Phase, Scope, State, Turn, Verdict};
use models::{Ended as ModelEnd, Partial};
use std::sync::atomic::Ordering;
use store::Account;
use wire::body;

impl Owner {
    /// Looks at what runs with the eyes of the new configuration.
    pub(super) async fn configuration_replaced(&mut self) {
        if self.stopping || self.state.turn.is_none() {
            return;
        }
        let outfit = self.house.catalog.current();
        let mut facts = self.tightened();
        facts.extend(self.over_budget(&outfit).await);
        if let Err(problem) = self.happen(facts, None).await {
            tracing::warn!(session = %self.id, %problem, "tighter permissions wait for the journal");
        }
    }

    /// The calls of the present step that permissions judge more strictly by now than when they were asked for.
    pub(super) fn tightened(&self) -> Vec<Fact> {
        let Some(turn) = self.state.turn.as_ref().filter(|turn| turn.ending.is_none()) else { return Vec::new() };
        let Phase::Tools { calls, .. } = &turn.phase else { return Vec::new() };
        let outfit = self.house.catalog.current();
        let judged = calls.iter().zip(&self.jobs).enumerate().filter_map(|(ordinal, (call, job))| {
            let verdict = stricter(&outfit, call, job)?;
            Some(tightened(turn, run_of(turn, ordinal, call), job, verdict))
        });
        judged.collect()
    }

    /// What stands in the place of a start that was permitted once, and is not by the configuration that it is decided under.
    pub(super) fn tightened_start(&self, effect: EffectId, after: &State, outfit: &Outfit) -> Option<Fact> {
        let turn = after.turn.as_ref()?;
        let Phase::Tools { calls, .. } = &turn.phase else { return None };
        let ordinal = effect.ordinal as usize;
        let (call, job) = (calls.get(ordinal)?, self.jobs.get(ordinal)?);
        Some(tightened(turn, effect, job, stricter(outfit, call, job)?))
    }

    /// A budget that was lowered below what is spent and what the running call may cost.
    async fn over_budget(&self, outfit: &Outfit) -> Option<Fact> {
        let turn = self.state.turn.as_ref().filter(|turn| turn.ending.is_none())?;
        let of_turn = |effect: &&EffectId| effect.kind == EffectKind::Model && effect.turn == turn.id;
        let effect = *self.state.open.keys().find(of_turn)?;
        let (model, _) = self.running.get(&effect)?.call.as_ref()?;
        let reserve = self.state.open[&effect].reserve;
        let over = |limit: Option<Money>, sum: Money| limit.is_some_and(|limit| sum > limit);
        let config = &outfit.config;
        let scope = if over(outfit.settings.limits.turn_cost_microusd, turn.cost + reserve) {
            Scope::Turn
        } else if over(config.per_session, self.state.cost + reserve) {
            Scope::Session
        } else if config.per_day.is_some() {
            let today = wire::time::day(self.house.clock.now());
            let spent = self.house.store.spent(Account::Day(today)).await.ok()?;
            over(config.per_day, spent.settled + spent.reserved).then_some(Scope::Day)?
        } else {
            return None;
        };
        let body = body::Exhausted { model: model.clone(), message: exhausted(scope, reserve) };
        Some(Fact::new(Event::BudgetExhausted { turn: turn.id, effect, scope }, &body, Gathered::default()))
    }

    /// A model that was given another key or address has answered, or not: where it is refused, what worked before comes
    /// back, and the call is tried again.
    pub(super) async fn on_trial(&mut self, effect: EffectId, end: ModelEnd) -> ModelEnd {
        let Some(running) = self.running.get(&effect) else { return end };
        let Some((model, outfit)) = running.call.clone() else { return end };
        let Some(voice) = outfit.voices.get(&model) else { return end };
        let Some(trial) = voice.trial.as_ref().filter(|trial| !trial.is_proved()) else { return end };
        match &end {
            ModelEnd::Finished(_) => trial.prove(),
            ModelEnd::Failed { failure: Failure::Unauthorized, message, .. } => {
                if catalog::take_back(&self.house, &model, voice, message).await {
                    if let Some(running) = self.running.get(&effect) {
                        running.released.store(true, Ordering::Relaxed);
                    }
                    return ModelEnd::Interrupted { partial: Partial::default() };
                }
            }
            ModelEnd::Failed { .. } | ModelEnd::Interrupted { .. } => {}
        }
        end
    }
}

/// What permissions say of a call by now, where that is stricter than what it has.
fn stricter(outfit: &Outfit, call: &Call, job: &PreparedCall) -> Option<Verdict> {
    use CallStatus::{Asking, Lost, NeedsPermission, Ready, Running};
    let verdict = verdict(outfit, job)?;
    let counts = match (verdict, call.status) {
        (Verdict::Deny, Running) => !call.revoked,
        (Verdict::Deny, Ready | NeedsPermission | Asking(_) | Lost) => true,
        // What a person has allowed is not asked about again.
        (Verdict::Ask, Ready) => call.asked == 0,
        _ => false,
    };
    counts.then_some(verdict)
}

fn tightened(turn: &Turn, effect: EffectId, job: &PreparedCall, verdict: Verdict) -> Fact {
    let body = body::Tightened { name: job.name.clone(), about: job.about.clone() };
    let event = Event::PermissionTightened { turn: turn.id, effect, verdict };
    Fact::new(event, &body, Gathered::default())
}

fn verdict(outfit: &Outfit, job: &PreparedCall) -> Option<Verdict> {
    Some(judged(outfit, &job.name, job.inspected.as_ref().ok()?))
}

/// What permissions say of a call.
pub(super) fn judged(outfit: &Outfit, name: &str, inspected: &Inspected) -> Verdict {
    let strings: Vec<&str> = inspected.strings.iter().map(String::as_str).collect();
    agent::judge(&outfit.settings.rules, name, inspected.access, &strings)
}

/// The run of a call: the one that is under way, or the next.
fn run_of(turn: &Turn, ordinal: usize, call: &Call) -> EffectId {
    let (kind, ordinal) = (EffectKind::Tool, ordinal as u32);
    EffectId { turn: turn.id, step: turn.step, kind, ordinal, attempt: call.attempt }
}
