//! The state of a session: what its events' headers add up to.

use crate::context::{ItemKind, Window};
use crate::event::{Access, Answer, Event, Question, ToolOutcome, TurnOutcome};
use crate::id::{EffectId, EffectKind, Epoch, Generation, Seq, TurnId};
use crate::turn::{Call, CallStatus, Failed, Phase, Turn};
use crate::units::{ModelName, Money, Tokens, Usage};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Size of the sentence that tells a model that a call did not run.
const REFUSAL: Tokens = Tokens(24);

/// A session's state. Small on purpose: references and counts, no text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// The last event applied.
    pub head: Seq,
    /// The epoch of the owner.
    pub epoch: Epoch,
    /// The generation of the daemon that the owner lives in.
    pub generation: Generation,
    /// The running turn.
    pub turn: Option<Turn>,
    /// Prompts that wait for their turn.
    pub queue: VecDeque<Queued>,
    /// The last turn that was given a number.
    pub last_turn: TurnId,
    /// The conversation.
    pub window: Window,
    /// Effects that were started and have not ended.
    #[serde(with = "pairs")]
    pub open: BTreeMap<EffectId, Open>,
    /// An accept that was under way when the daemon died.
    pub lost_accept: Option<LostAccept>,
    /// Accepts so far, for naming the next one.
    pub accepts: u32,
    /// Beginnings since the last progress that found something begun and not ended.
    pub fruitless: u32,
    /// Used so far.
    pub usage: Usage,
    /// Spent so far.
    pub cost: Money,
    /// The last event that a person caused.
    #[serde(default)]
    pub touched: Seq,
}

/// A prompt that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// Its turn.
    pub turn: TurnId,
    /// The event that holds its text.
    pub seq: Seq,
    /// Its size.
    pub tokens: Tokens,
    /// The model asked for.
    pub model: Option<ModelName>,
    /// The most that its turn may spend, where a schedule said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<Money>,
}

/// A started effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The event that started it.
    pub seq: Seq,
    /// The money set aside for it.
    pub reserve: Money,
    /// The model that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
    /// Of an accept: where its plan is, how many files, and what it takes back.
    pub accept: Option<LostAccept>,
}

/// What is needed to look after an accept whose daemon died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostAccept {
    /// The attempt that was lost.
    pub effect: EffectId,
    /// The event that holds the plan.
    pub plan: Seq,
    /// How many files.
    pub files: u32,
    /// The accept that it takes back.
    pub undoes: Option<Seq>,
}

impl State {
    /// Adds one event. Total: an event that makes no sense in this state changes nothing but the head, so that no
    /// fault elsewhere, and no late answer, can bend it.
    pub fn apply(&mut self, seq: Seq, event: &Event) {
        self.head = seq;
        if !self.makes_sense(event) {
            return;
        }
        let ended = event.ends().and_then(|effect| self.open.remove(&effect));
        match event {
            Event::OwnerBegan { epoch, generation, cost_microusd } => {
                (self.epoch, self.generation) = (*epoch, *generation);
                self.spend(Usage::default(), *cost_microusd);
                self.lose_open_effects();
            }
            Event::PromptAccepted { turn, tokens, model, scheduled } => {
                let most = scheduled.as_ref().and_then(|scheduled| scheduled.most_microusd);
                self.said(Queued { turn: *turn, seq, tokens: *tokens, model: model.clone(), most });
            }
            Event::PromptQueued { turn, tokens, model } => {
                self.said(Queued { turn: *turn, seq, tokens: *tokens, model: model.clone(), most: None });
            }
            Event::PromptSteered { tokens, .. } => {
                self.window.push(seq, ItemKind::Prompt, *tokens);
                self.in_turn(|turn| {
                    turn.unseen_input = true;
                    turn.alike = 0;
                    turn.settle_step();
                });
            }
            Event::TurnStarted { turn } => {
                if let Some(prompt) = self.queue.pop_front() {
                    self.window.push(prompt.seq, ItemKind::Prompt, prompt.tokens);
                    self.turn = Some(Turn::new(*turn, seq, prompt.model, prompt.most));
                }
            }
            Event::TurnResumed { .. } => self.in_turn(|turn| turn.resume = false),
            Event::TurnEnding { outcome, limit, .. } => {
                self.in_turn(|turn| turn.ending = turn.ending.or(Some((*outcome, *limit))));
            }
            Event::TurnFinished { .. } => {
                self.turn = None;
                self.fruitless = 0;
            }
            Event::ModelStarted { effect, reserve_microusd, model, .. } => {
                let (reserve, model) = (*reserve_microusd, Some(model.clone()));
                self.open.insert(*effect, Open { seq, reserve, model, accept: None });
                self.in_turn(|turn| turn.unseen_input = false);
            }
            Event::ModelFinished { calls, alike, tokens, usage, cost_microusd, .. } => {
                self.window.push(seq, ItemKind::Reply, *tokens);
                self.spend(*usage, *cost_microusd);
                self.fruitless = 0;
                self.in_turn(|turn| {
                    turn.steps_done += 1;
                    turn.alike = *alike;
                    turn.phase = match calls.as_slice() {
                        [] => Phase::Done,
                        calls => Phase::Tools { asked: seq, calls: calls.iter().map(|c| Call::new(*c)).collect() },
                    };
                    turn.settle_step();
                });
            }
            Event::ModelFailed { failure, retry_after_ms, tokens, usage, cost_microusd, .. } => {
                self.keep_partial(seq, *tokens);
                self.spend(*usage, *cost_microusd);
                if let Some(model) = ended.and_then(|open| open.model) {
                    let (failure, retry_after_ms, said) = (*failure, *retry_after_ms, !tokens.is_zero());
                    self.next_attempt(Some(Failed { model, failure, since: seq, retry_after_ms, said }));
                }
            }
            Event::ModelInterrupted { tokens, usage, cost_microusd, .. } => {
                self.keep_partial(seq, *tokens);
                self.spend(*usage, *cost_microusd);
                self.next_attempt(None);
            }
            Event::ToolStarted { effect, .. } => {
                self.open.insert(*effect, Open { seq, reserve: Money(0), model: None, accept: None });
                self.in_turn(|turn| {
                    if let Some(call) = turn.call_mut(*effect) {
                        call.status = CallStatus::Running;
                    }
                });
            }
            Event::ToolFinished { effect, outcome, tokens, changed, .. } => {
                if *outcome != ToolOutcome::Interrupted {
                    self.window.push(seq, ItemKind::Result, *tokens);
                    self.fruitless = 0;
                }
                self.in_turn(|turn| {
                    turn.changed += changed;
                    if let Some(call) = turn.call_mut(*effect) {
                        match outcome {
                            ToolOutcome::Interrupted => call.lose(),
                            _ => call.status = CallStatus::Settled,
                        }
                    }
                    turn.settle_step();
                });
            }
            Event::ApprovalRequested { effect, question, .. } => {
                self.in_turn(|turn| match question {
                    Question::KeepsDying => {
                        turn.keeps_dying = Some(*effect);
                        turn.resumes_asked += 1;
                    }
                    Question::Permission | Question::UnknownOutcome => {
                        if let Some(call) = turn.call_mut(*effect) {
                            call.status = CallStatus::Asking(*question);
                            call.asked += 1;
                        }
                    }
                });
            }
            Event::ApprovalResolved { effect, answer, .. } => {
                // To the model, a call that does not run has a result too.
                if matches!(answer, Answer::Deny | Answer::Skip) {
                    self.window.push(seq, ItemKind::Result, REFUSAL);
                }
                self.resolve(*effect, *answer);
            }
            Event::PermissionTightened { effect, verdict, .. } => {
                let tighten = |turn: &mut Turn| turn.call_mut(*effect).is_some_and(|call| call.tighten(*verdict));
                if self.turn.as_mut().is_some_and(tighten) {
                    self.window.push(seq, ItemKind::Result, REFUSAL);
                    self.in_turn(Turn::settle_step);
                }
            }
            Event::TimerFired { effect, .. } => self.in_turn(|turn| {
                if effect.kind == EffectKind::Backoff {
                    turn.pause_is_over();
                }
            }),
            Event::AcceptStarted { effect, files, plan, undoes } => {
                self.accepts = self.accepts.max(effect.step);
                self.lost_accept = None;
                let accept = LostAccept { effect: *effect, plan: plan.unwrap_or(seq), files: *files, undoes: *undoes };
                self.open.insert(*effect, Open { seq, reserve: Money(0), model: None, accept: Some(accept) });
            }
            Event::BudgetExhausted { .. } => {
                let ending = Some((TurnOutcome::Limit, Some(crate::Limit::Budget)));
                self.in_turn(|turn| turn.ending = turn.ending.or(ending));
            }
            Event::SessionForked { .. } => self.leave_to_the_parent(),
            Event::SessionCreated {} | Event::SessionUpdated {} | Event::SessionImported {} => {}
            Event::CanvasRebased { .. } | Event::CanvasConflicted { .. } => {}
            Event::CanvasRewound { .. } | Event::CanvasRejected { .. } => {}
            Event::AcceptFinished { .. } | Event::AcceptUndone { .. } => {}
            Event::ConfigReloaded { .. } | Event::ConfigRejected { .. } | Event::ConfigReverted {} => {}
            // The words are no part of the state, so their going changes nothing.
            Event::EventForgotten { .. } => {}
            Event::DaemonBegan { .. } | Event::DaemonEnded { .. } | Event::AuditKey { .. } => {}
            Event::ScheduleCreated { .. } | Event::SchedulePaused { .. } | Event::ScheduleResumed { .. } => {}
            Event::ScheduleMoved { .. } | Event::ScheduleRemoved { .. } | Event::ScheduleClaimed { .. } => {}
            Event::ScheduleFired { .. } | Event::ScheduleSkipped { .. } | Event::ScheduleMissed { .. } => {}
            Event::ScheduleEnded { .. } => {}
            Event::SnapshotMade { .. } | Event::SnapshotRemoved { .. } => {}
        }
        if is_a_persons(event) {
            self.touched = seq;
        }
    }

    /// The accept that is under way, if one is.
    pub fn accept_open(&self) -> bool {
        self.lost_accept.is_some() || self.open.keys().any(|effect| effect.kind == EffectKind::Accept)
    }

    /// Whether a command may change the canvas now: between steps, with no writing tool open or to come.
    pub fn canvas_free(&self) -> bool {
        !self.accept_open() && !self.turn.as_ref().is_some_and(Turn::writer_open)
    }

    /// Whether there is work left that a new owner would have to go on with. Kept in the store's waking table.
    pub fn has_work(&self) -> bool {
        self.turn.is_some() || !self.queue.is_empty() || self.accept_open()
    }

    /// What is set aside for model calls that are open.
    pub fn reserved(&self) -> Money {
        self.open.values().map(|open| open.reserve).sum()
    }

    /// The id of the next accept.
    pub fn next_accept(&self) -> EffectId {
        let kind = EffectKind::Accept;
        EffectId { turn: TurnId::NONE, step: self.accepts + 1, kind, ordinal: 0, attempt: 1 }
    }

    /// Whether an event can have happened in this state: it ends what is open, answers what is asked, and speaks of the
    /// turn that runs. Two clients may answer one question, and a timer may fire while its turn ends.
    fn makes_sense(&self, event: &Event) -> bool {
        let running = self.turn.as_ref();
        let in_place = match event {
            Event::PromptAccepted { .. } | Event::PromptQueued { .. } => true,
            Event::TurnStarted { turn } => {
                running.is_none() && self.queue.front().is_some_and(|prompt| prompt.turn == *turn)
            }
            Event::ApprovalResolved { effect, .. } => running.is_some_and(|turn| turn.asks(*effect)),
            _ => event.turn().is_none_or(|id| running.is_some_and(|turn| turn.id == id)),
        };
        in_place && event.ends().is_none_or(|effect| self.open.contains_key(&effect))
    }

    fn said(&mut self, prompt: Queued) {
        self.last_turn = prompt.turn;
        self.queue.push_back(prompt);
        self.fruitless = 0;
    }

    fn in_turn(&mut self, change: impl FnOnce(&mut Turn)) {
        if let Some(turn) = &mut self.turn {
            change(turn);
        }
    }

    fn spend(&mut self, usage: Usage, cost: Money) {
        self.usage += usage;
        self.cost += cost;
        self.in_turn(|turn| {
            turn.usage += usage;
            turn.cost += cost;
        });
    }

    fn keep_partial(&mut self, seq: Seq, tokens: Tokens) {
        if !tokens.is_zero() {
            self.window.push(seq, ItemKind::Partial, tokens);
        }
    }

    fn next_attempt(&mut self, now_failed: Option<Failed>) {
        self.in_turn(|turn| {
            if let Phase::Model { attempt, failed, .. } = &mut turn.phase {
                *attempt += 1;
                failed.extend(now_failed);
            }
        });
    }

    /// What a fork's parent had under way stays the parent's, and so does what it spent.
    fn leave_to_the_parent(&mut self) {
        self.turn = None;
        self.queue.clear();
        self.open.clear();
        self.lost_accept = None;
        self.fruitless = 0;
        (self.usage, self.cost) = (Usage::default(), Money(0));
    }

    /// Law 3: an unclean end loses what had begun. What is wanted next depends on the kind.
    fn lose_open_effects(&mut self) {
        let lost = std::mem::take(&mut self.open);
        self.fruitless += u32::from(!lost.is_empty());
        for (effect, open) in lost {
            match effect.kind {
                EffectKind::Model => self.next_attempt(None),
                EffectKind::Tool => self.in_turn(|turn| {
                    if let Some(call) = turn.call_mut(effect) {
                        call.lose();
                    }
                    turn.settle_step();
                }),
                EffectKind::Accept => self.lost_accept = open.accept,
                EffectKind::Ask | EffectKind::Resume | EffectKind::Backoff | EffectKind::Deadline => {}
            }
        }
        self.in_turn(|turn| turn.resume = true);
    }

    fn resolve(&mut self, effect: EffectId, answer: Answer) {
        self.fruitless = 0;
        self.in_turn(|turn| {
            if answer == Answer::Abandon {
                turn.ending = turn.ending.or(Some((TurnOutcome::Abandoned, None)));
            }
            if turn.keeps_dying == Some(effect) {
                turn.keeps_dying = None;
            } else if let Some(call) = turn.call_mut(effect) {
                call.status = match answer {
                    Answer::Allow | Answer::Retry => CallStatus::Ready,
                    Answer::Deny | Answer::Skip | Answer::Abandon => CallStatus::Settled,
                };
            }
            turn.settle_step();
        });
    }
}

impl Call {
    /// The run was lost: what may be run again is ready for its next attempt, all else is a question.
    fn lose(&mut self) {
        self.attempt += 1;
        self.status = match self.access {
            // It may not run any more, and whoever is told of it learns that it did not.
            _ if self.revoked => CallStatus::Settled,
            Access::Read | Access::Write => CallStatus::Ready,
            Access::World => CallStatus::Lost,
        };
    }
}

/// Whether a person caused it: what schedules say, and what follows by itself, are no sign that somebody is there.
fn is_a_persons(event: &Event) -> bool {
    match event {
        Event::PromptAccepted { scheduled, .. } => scheduled.is_none(),
        Event::TurnEnding { outcome, .. } => *outcome == TurnOutcome::Cancelled,
        Event::AcceptStarted { plan, .. } => plan.is_none(),
        Event::PromptQueued { .. } | Event::PromptSteered { .. } | Event::ApprovalResolved { .. } => true,
        Event::CanvasRewound { .. } | Event::CanvasRejected { .. } | Event::SessionForked { .. } => true,
        _ => false,
    }
}

/// JSON has no maps with such keys: a list of pairs.
mod pairs {
    use super::{BTreeMap, EffectId, Open};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<EffectId, Open>, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<EffectId, Open>, D::Error> {
        Ok(Vec::<(EffectId, Open)>::deserialize(d)?.into_iter().collect())
    }
}
