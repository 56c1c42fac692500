//! One turn: from a prompt to the one event that ends it.

use crate::event::{Access, CallFact, Failure, Question, TurnOutcome, Verdict};
use crate::id::{EffectId, EffectKind, Seq, TurnId};
use crate::settings::Limit;
use crate::units::{ModelName, Money, Usage};
use serde::{Deserialize, Serialize};

/// A turn that is running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Its id.
    pub id: TurnId,
    /// The `turn.started`.
    pub since: Seq,
    /// The model that the prompt asked for.
    pub model: Option<ModelName>,
    /// The most that it may spend, where a schedule began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<Money>,
    /// The step, from 1: one model call and what it asks for.
    pub step: u32,
    /// Where in the step it is.
    pub phase: Phase,
    /// How it will end, once that is decided and what runs has ended.
    pub ending: Option<(TurnOutcome, Option<Limit>)>,
    /// A prompt came in that no model call has seen yet.
    pub unseen_input: bool,
    /// Set when an owner took the turn over and has not said `turn.resumed` yet.
    pub resume: bool,
    /// The open question whether to go on at all.
    pub keeps_dying: Option<EffectId>,
    /// How often that was asked.
    pub resumes_asked: u32,
    /// Model calls that were answered.
    pub steps_done: u32,
    /// Paths changed, each change counted.
    pub changed: u32,
    /// Used so far.
    pub usage: Usage,
    /// Spent so far.
    pub cost: Money,
    /// How often in a row the last tool call was asked for.
    pub alike: u32,
}

/// Where in a step a turn is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A model is to be called.
    Model {
        /// The attempt that runs or comes next.
        attempt: u32,
        /// Pauses that were waited out in this step.
        pauses: u32,
        /// What failed since the last pause, in order; the last one is the newest.
        failed: Vec<Failed>,
    },
    /// Tools are to be run.
    Tools {
        /// The `model.finished` that asked for them.
        asked: Seq,
        /// The calls, in the order asked.
        calls: Vec<Call>,
    },
    /// The model had nothing more to do.
    Done,
}

/// A failed call of a model, until the pause after it is over, or for the rest of the step where trying again is no use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The model.
    pub model: ModelName,
    /// Why.
    pub failure: Failure,
    /// The `model.failed`.
    pub since: Seq,
    /// What the provider asked for.
    pub retry_after_ms: Option<u64>,
    /// Whether it had said something before, so that no other model may take its place.
    pub said: bool,
}

impl Failed {
    /// Whether the same call may work a little later.
    pub fn is_retryable(&self) -> bool {
        use Failure::*;
        match self.failure {
            Unreachable | RateLimited | Overloaded | Broken | TimedOut => true,
            Unauthorized | UnknownModel | ContextTooLong | Rejected => false,
        }
    }
}

/// One tool call of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// What the tool may do.
    pub access: Access,
    /// Where the call is.
    pub status: CallStatus,
    /// The attempt that runs or comes next.
    pub attempt: u32,
    /// Questions asked about it.
    pub asked: u32,
    /// Whether permissions were tightened while it ran, so that it is no longer wanted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
}

/// Where a tool call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// Somebody has to be asked.
    NeedsPermission,
    /// It began, the daemon died, and it may not simply be run again.
    Lost,
    /// Somebody is being asked this; the answer decides.
    Asking(Question),
    /// It may run.
    Ready,
    /// It runs.
    Running,
    /// It is over, one way or another.
    Settled,
}

impl Call {
    pub(crate) fn new(fact: CallFact) -> Call {
        let status = match fact.verdict {
            Verdict::Allow => CallStatus::Ready,
            Verdict::Ask => CallStatus::NeedsPermission,
            Verdict::Deny | Verdict::Invalid => CallStatus::Settled,
        };
        Call { access: fact.access, status, attempt: 1, asked: 0, revoked: false }
    }

    /// Permissions were tightened. A call that a person has allowed is not asked about again, only denied; true when it
    /// is settled by that.
    pub(crate) fn tighten(&mut self, verdict: Verdict) -> bool {
        use CallStatus::*;
        match (verdict, self.status) {
            (Verdict::Deny, Running) => self.revoked = true,
            (Verdict::Deny, Ready | NeedsPermission | Asking(_) | Lost) => {
                self.status = Settled;
                return true;
            }
            (Verdict::Ask, Ready) if self.asked == 0 => self.status = NeedsPermission,
            _ => {}
        }
        false
    }
}

impl Turn {
    pub(crate) fn new(id: TurnId, since: Seq, model: Option<ModelName>, most: Option<Money>) -> Turn {
        Turn {
            id,
            since,
            model,
            most,
            step: 1,
            phase: Phase::first_call(),
            ending: None,
            unseen_input: false,
            resume: false,
            keeps_dying: None,
            resumes_asked: 0,
            steps_done: 0,
            changed: 0,
            usage: Usage::default(),
            cost: Money(0),
            alike: 0,
        }
    }

    /// Names an effect of this turn's present step.
    pub(crate) fn effect(&self, kind: EffectKind, ordinal: u32, attempt: u32) -> EffectId {
        EffectId { turn: self.id, step: self.step, kind, ordinal, attempt }
    }

    /// The call that an effect id of this step names.
    pub(crate) fn call_mut(&mut self, effect: EffectId) -> Option<&mut Call> {
        match &mut self.phase {
            Phase::Tools { calls, .. } if effect.step == self.step => calls.get_mut(effect.ordinal as usize),
            _ => None,
        }
    }

    /// Whether an effect of this step runs for a call that permissions do not allow any more.
    pub(crate) fn revoked(&self, effect: &EffectId) -> bool {
        let Phase::Tools { calls, .. } = &self.phase else { return false };
        let call = calls.get(effect.ordinal as usize).filter(|_| effect.kind == EffectKind::Tool);
        call.is_some_and(|call| call.revoked && effect.step == self.step)
    }

    /// Goes to the next step once every call is settled, or when somebody said something after the last word.
    pub(crate) fn settle_step(&mut self) {
        let over = match &self.phase {
            Phase::Model { .. } => false,
            Phase::Tools { calls, .. } => calls.iter().all(|call| call.status == CallStatus::Settled),
            Phase::Done => self.unseen_input,
        };
        if over {
            self.step += 1;
            self.phase = Phase::first_call();
        }
    }

    /// Whether a question of this turn waits for its answer.
    pub fn asks(&self, question: EffectId) -> bool {
        let of_call = match &self.phase {
            Phase::Tools { calls, .. } => calls.get(question.ordinal as usize).is_some_and(|call| {
                matches!(call.status, CallStatus::Asking(_))
                    && question == self.effect(EffectKind::Ask, question.ordinal, call.asked)
            }),
            Phase::Model { .. } | Phase::Done => false,
        };
        of_call || self.keeps_dying == Some(question)
    }

    /// The pause after failures is over: what may work now is tried again from the first. Who asked for a longer pause
    /// than another one waits for the next, and who will not work at all stays out for the rest of the step.
    pub(crate) fn pause_is_over(&mut self) {
        let Phase::Model { pauses, failed, .. } = &mut self.phase else { return };
        *pauses += 1;
        let shortest = failed.iter().filter(|failed| failed.is_retryable()).map(|failed| failed.retry_after_ms).min();
        failed.retain(|failed| !failed.is_retryable() || Some(failed.retry_after_ms) > shortest);
    }

    /// How many tool calls the present step has.
    pub(crate) fn calls(&self) -> usize {
        match &self.phase {
            Phase::Tools { calls, .. } => calls.len(),
            Phase::Model { .. } | Phase::Done => 0,
        }
    }

    /// Whether a tool that changes something is open or yet to come in this step.
    pub fn writer_open(&self) -> bool {
        matches!(&self.phase, Phase::Tools { calls, .. }
            if calls.iter().any(|c| c.access != Access::Read && c.status != CallStatus::Settled))
    }
}

impl Phase {
    pub(crate) fn first_call() -> Phase {
        Phase::Model { attempt: 1, pauses: 0, failed: Vec::new() }
    }
}
