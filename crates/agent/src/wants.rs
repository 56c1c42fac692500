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
    wants.keep.extend(of_turn().filter(|effect| !turn.revoked(effect)));
    match &turn.phase {
        Phase::Model { attempt, pauses, failed } => {
            if of_turn().next().is_none() {
                call_model(turn, settings, *attempt, *pauses, failed, wants);
            }
        }
        Phase::Tools { .. } if turn.alike >= settings.limits.alike_calls && of_turn().next().is_none() => {
            wants.decision = Some(finished(turn, TurnOutcome::Limit, Some(Limit::AlikeCalls), None));
        }
        Phase::Tools { asked, calls } => run_tools(state, turn, *asked, calls, wants),
        Phase::Done => wants.decision = Some(finished(turn, TurnOutcome::Done, None, None)),
    }
    // A turn that waits for a person may wait for ever.
    if !(wants.start.is_empty() && wants.keep.is_empty() && wants.timers.is_empty()) {
        wants.timers.push(deadline(turn, &settings.limits));
    }
}

fn call_model(turn: &Turn, settings: &Settings, attempt: u32, pauses: u32, failed: &[Failed], wants: &mut Wants) {
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
        return;
    }
    match next(&route(turn, settings), limits, pauses, failed) {
        Next::Call(model) => {
            wants.start.push(Effect::Model { id: turn.effect(EffectKind::Model, 0, attempt), turn: turn.id, model });
        }
        Next::Pause { since, delay_ms } => {
            let id = turn.effect(EffectKind::Backoff, 0, pauses + 1);
            wants.timers.push(Timer { id, turn: turn.id, since, delay_ms });
        }
        Next::GiveUp(failure) => {
            wants.decision = Some(finished(turn, TurnOutcome::Failed, None, Some(failure)));
        }
    }
}

/// What follows from the failures of a step.
enum Next {
    Call(ModelName),
    Pause { since: Seq, delay_ms: u64 },
    GiveUp(Failure),
}

/// The next model of the route that has not failed is called at once, unless the last one had said something already:
/// then no other may take its place. When all have failed, a pause, and again from the first.
fn next(route: &[ModelName], limits: &Limits, pauses: u32, failed: &[Failed]) -> Next {
    let untried = route.iter().find(|model| failed.iter().all(|failed| failed.model != **model));
    let newest = failed.last();
    let untried = untried.filter(|_| newest.is_none_or(|newest| !newest.said));
    if let Some(model) = untried {
        return Next::Call(model.clone());
    }
    let Some(newest) = newest else { return Next::GiveUp(Failure::UnknownModel) };
    let may_work = failed.iter().filter(|failed| failed.is_retryable() && route.contains(&failed.model));
    let asked_ms = may_work.map(|failed| failed.retry_after_ms.unwrap_or(0)).min();
    match asked_ms {
        Some(asked_ms) if asked_ms <= limits.max_backoff_ms && pauses + 1 < limits.attempts => {
            let delay_ms = backoff_ms(limits, pauses, newest.since).max(asked_ms);
            Next::Pause { since: newest.since, delay_ms }
        }
        _ => Next::GiveUp(newest.failure),
    }
}

/// The place of the router: today the models of the route that was named, in its order, or the one model that was; as
/// far as the settings know them.
fn route(turn: &Turn, settings: &Settings) -> Vec<ModelName> {
    let Some(name) = turn.model.as_ref().or(settings.default_model.as_ref()) else { return Vec::new() };
    let named = settings.routes.get(name).map_or(std::slice::from_ref(name), Vec::as_slice);
    named.iter().filter(|model| settings.models.contains_key(*model)).cloned().collect()
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

/// Doubles with each pause, with a spread of a quarter that is derived from the event's place, not drawn.
fn backoff_ms(limits: &Limits, pauses: u32, since: Seq) -> u64 {
    let doubled = limits.backoff_ms.saturating_mul(1 << pauses.min(16));
    let spread = doubled / 4;
    let jitter = if spread == 0 { 0 } else { since.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) % spread };
    doubled.saturating_add(jitter).min(limits.max_backoff_ms)
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
