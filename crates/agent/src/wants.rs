//! What a state wants of the world. A function of state and settings, never of the last event: so cancelling is not
//! wanting any more, and recovery is one event and asking again.

use crate::effect::{Effect, Timer, Wants};
use crate::event::{Access, Event, Failure, Question, TurnOutcome};
use crate::id::{EffectKind, Seq};
use crate::settings::{Limit, Limits, Settings};
use crate::state::State;
use crate::turn::{Call, CallStatus, Failed, Phase, Turn};
use crate::units::ModelName;

/// What `state` wants under `settings`.
pub fn wants(state: &State, settings: &Settings) -> Wants {
    let mut wants = Wants::default();
    if let Some(lost) = state.lost_accept {
        let (id, plan, files, undoes) = (lost.effect.again(), lost.plan, lost.files, lost.undoes);
        wants.start.push(Effect::VerifyAccept { id, plan, files, undoes });
    }
    wants.keep.extend(state.open.keys().filter(|effect| effect.kind == EffectKind::Accept));
    match &state.turn {
        None => {
            wants.decision = state.queue.front().map(|prompt| Event::TurnStarted { turn: prompt.turn });
        }
        Some(turn) => in_turn(state, turn, settings, &mut wants),
    }
    wants
}

fn in_turn(state: &State, turn: &Turn, settings: &Settings, wants: &mut Wants) {
    let of_turn = || state.open.keys().filter(|effect| effect.turn == turn.id);
    if let Some((outcome, limit)) = turn.ending {
        if of_turn().next().is_none() {
            wants.decision = Some(finished(turn, outcome, limit, None));
        }
        return;
    }
    if turn.resume {
        wants.decision = Some(Event::TurnResumed { turn: turn.id });
        return;
    }
    if turn.keeps_dying.is_some() {
        return;
    }
    if state.fruitless >= settings.limits.fruitless && of_turn().next().is_none() {
        let effect = turn.effect(EffectKind::Resume, 0, turn.resumes_asked + 1);
        wants.decision = Some(Event::ApprovalRequested { turn: turn.id, effect, question: Question::KeepsDying });
        return;
    }
    wants.keep.extend(of_turn());
    match &turn.phase {
        Phase::Model { attempt, failures, failed } => {
            if of_turn().next().is_none() {
                call_model(turn, settings, *attempt, *failures, *failed, wants);
            }
        }
        Phase::Tools { asked, calls } => run_tools(state, turn, *asked, calls, wants),
        Phase::Done => wants.decision = Some(finished(turn, TurnOutcome::Done, None, None)),
    }
    // A turn that waits for a person may wait for ever.
    if !(wants.start.is_empty() && wants.keep.is_empty() && wants.timers.is_empty()) {
        wants.timers.push(deadline(turn, &settings.limits));
    }
}

fn call_model(
    turn: &Turn,
    settings: &Settings,
    attempt: u32,
    failures: u32,
    failed: Option<Failed>,
    wants: &mut Wants,
) {
    let limits = &settings.limits;
    let reached = if turn.steps_done >= limits.steps {
        Some(Limit::Steps)
    } else if turn.usage.output_tokens >= limits.output_tokens {
        Some(Limit::OutputTokens)
    } else {
        None
    };
    if reached.is_some() {
        wants.decision = Some(finished(turn, TurnOutcome::Limit, reached, None));
    } else if let Some(failed) = failed {
        if failures >= limits.attempts || !retryable(failed.failure) {
            wants.decision = Some(finished(turn, TurnOutcome::Failed, None, Some(failed.failure)));
        } else {
            wants.timers.push(Timer {
                id: turn.effect(EffectKind::Backoff, 0, failures),
                turn: turn.id,
                since: failed.since,
                delay_ms: backoff_ms(limits, failures, failed),
            });
        }
    } else if let Some(model) = route(turn, settings) {
        wants.start.push(Effect::Model { id: turn.effect(EffectKind::Model, 0, attempt), turn: turn.id, model });
    } else {
        wants.decision = Some(finished(turn, TurnOutcome::Failed, None, Some(Failure::UnknownModel)));
    }
}

/// The place of the router: today the model that was named, else the default, if the settings know it.
fn route(turn: &Turn, settings: &Settings) -> Option<ModelName> {
    let name = turn.model.as_ref().or(settings.default_model.as_ref())?;
    settings.models.contains_key(name).then(|| name.clone())
}

/// In the order asked: what only reads runs together, what changes something runs alone.
fn run_tools(state: &State, turn: &Turn, asked: Seq, calls: &[Call], wants: &mut Wants) {
    if state.accept_open() {
        return;
    }
    for (ordinal, call) in calls.iter().enumerate() {
        let earlier = &calls[..ordinal];
        let settled = |call: &Call| call.status == CallStatus::Settled;
        let free = match call.access {
            Access::Read => earlier.iter().all(|c| settled(c) || c.access == Access::Read),
            Access::Write | Access::World => earlier.iter().all(settled),
        };
        let ordinal = ordinal as u32;
        let question = match call.status {
            CallStatus::NeedsPermission => Some(Question::Permission),
            CallStatus::Lost => Some(Question::UnknownOutcome),
            _ => None,
        };
        if let Some(question) = question {
            let effect = turn.effect(EffectKind::Ask, ordinal, call.asked + 1);
            wants.decision = Some(Event::ApprovalRequested { turn: turn.id, effect, question });
            return;
        }
        if free && call.status == CallStatus::Ready {
            let id = turn.effect(EffectKind::Tool, ordinal, call.attempt);
            wants.start.push(Effect::Tool { id, turn: turn.id, asked, access: call.access });
        }
    }
}

/// The deadline has one id for the whole turn, so that it keeps running from step to step.
fn deadline(turn: &Turn, limits: &Limits) -> Timer {
    let id = crate::EffectId { turn: turn.id, step: 1, kind: EffectKind::Deadline, ordinal: 0, attempt: 1 };
    Timer { id, turn: turn.id, since: turn.since, delay_ms: limits.turn_ms }
}

fn retryable(failure: Failure) -> bool {
    use Failure::*;
    match failure {
        Unreachable | RateLimited | Overloaded | Broken | TimedOut => true,
        Unauthorized | UnknownModel | ContextTooLong | Rejected => false,
    }
}

/// Doubles with each failure, with a spread of a quarter that is derived from the event's place, not drawn.
fn backoff_ms(limits: &Limits, failures: u32, failed: Failed) -> u64 {
    let doubled = limits.backoff_ms.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let spread = doubled / 4;
    let jitter = if spread == 0 { 0 } else { failed.since.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) % spread };
    doubled.saturating_add(jitter).max(failed.retry_after_ms.unwrap_or(0)).min(limits.max_backoff_ms)
}

fn finished(turn: &Turn, outcome: TurnOutcome, limit: Option<Limit>, failure: Option<Failure>) -> Event {
    Event::TurnFinished {
        turn: turn.id,
        outcome,
        limit,
        failure,
        steps: turn.steps_done,
        changed: turn.changed,
        usage: turn.usage,
        cost_microusd: turn.cost,
    }
}
