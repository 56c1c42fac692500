//! Tool calls: asked for by a reply, permitted or not, run in order, settled once; and the questions about them.

use super::super::invariant::{Checked, Invariant, hold};
use super::effects::Effects;
use agent::{Access, Answer, CallFact, EffectId, EffectKind, Event, Question, Seq, ToolOutcome, TurnId, Verdict};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(super) struct Calls {
    /// The calls of the last reply.
    step: Vec<Call>,
    turn: TurnId,
    asked: Seq,
    questions: BTreeMap<EffectId, Question>,
    questions_ever: BTreeSet<EffectId>,
    /// For each result, the reply that asked for it.
    replies: BTreeMap<Seq, Seq>,
    lost_accept: Option<(EffectId, Seq)>,
    open_accept: Option<(EffectId, Seq)>,
}

/// What is known of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Call {
    access: Access,
    stage: Stage,
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It may not run until somebody says so.
    Unpermitted,
    /// It may run.
    Permitted,
    Running,
    /// It runs, and is forbidden by now: lost, it is settled.
    Revoked,
    /// It touches the world and was lost; it may not run again until somebody says so.
    Lost,
    Settled,
}

/// Whether an answer answers a question.
pub(in super::super) fn fits(question: Question, answer: Answer) -> bool {
    use Answer::*;
    match question {
        Question::Permission => matches!(answer, Allow | Deny | Abandon),
        Question::UnknownOutcome => matches!(answer, Retry | Skip | Abandon),
        Question::KeepsDying => matches!(answer, Retry | Abandon),
    }
}

impl Calls {
    pub(super) fn questions(&self) -> &BTreeMap<EffectId, Question> {
        &self.questions
    }

    pub(super) fn leave_to_the_parent(&mut self) {
        self.step.clear();
        self.questions.clear();
        (self.lost_accept, self.open_accept) = (None, None);
    }

    pub(super) fn observe(&mut self, seq: Seq, event: &Event, effects: &Effects) -> Checked {
        match event {
            Event::OwnerBegan { .. } => {
                self.lose_all();
                Ok(())
            }
            Event::ModelStarted { .. } => {
                let settled = self.step.iter().all(|call| call.stage == Stage::Settled);
                hold(settled, Invariant::OnlyCallsAsked, || format!("a model is called at {:?}", self.step))
            }
            Event::ModelFinished { turn, calls, .. } => {
                (self.turn, self.asked) = (*turn, seq);
                self.step = calls.iter().copied().map(Call::new).collect();
                Ok(())
            }
            Event::ToolStarted { effect, access, .. } => self.start(*effect, *access, effects),
            Event::ToolFinished { effect, outcome, .. } => self.finish(seq, *effect, *outcome),
            Event::ApprovalRequested { effect, question, .. } => self.ask(*effect, *question),
            Event::ApprovalResolved { effect, answer, .. } => self.answer(*effect, *answer),
            Event::PermissionTightened { effect, verdict, .. } => self.tighten(*effect, *verdict),
            Event::TurnFinished { .. } => {
                self.step.clear();
                self.questions.clear();
                Ok(())
            }
            Event::AcceptStarted { effect, plan, .. } => self.accept(seq, *effect, *plan, effects),
            Event::AcceptFinished { .. } | Event::AcceptUndone { .. } => {
                self.open_accept = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The call that an effect is about, if the last reply asked for it.
    fn call(&mut self, effect: EffectId) -> Checked<&mut Call> {
        let known = effect.turn == self.turn && (effect.ordinal as usize) < self.step.len();
        hold(known, Invariant::OnlyCallsAsked, || format!("{effect} is none of {:?}", self.step))?;
        Ok(&mut self.step[effect.ordinal as usize])
    }

    fn start(&mut self, effect: EffectId, access: Access, effects: &Effects) -> Checked {
        let call = *self.call(effect)?;
        hold(call.access == access, Invariant::OnlyCallsAsked, || format!("{effect} as {access:?}, asked {call:?}"))?;
        let permitted = call.stage == Stage::Permitted;
        hold(permitted, Invariant::OnlyPermitted, || format!("{effect} starts at {:?}", call.stage))?;
        let earlier = &self.step[..effect.ordinal as usize];
        let reads = access == Access::Read;
        let turn_comes = earlier.iter().all(|c| c.stage == Stage::Settled || (reads && c.access == Access::Read));
        let alone = reads || !self.step.iter().any(|c| c.runs());
        hold(turn_comes && alone, Invariant::WritersAlone, || format!("{effect} starts at {:?}", self.step))?;
        let free = !effects.accept_open(None) && self.lost_accept.is_none();
        hold(free, Invariant::AcceptAlone, || format!("{effect} starts while an accept is open"))?;
        self.call(effect)?.stage = Stage::Running;
        Ok(())
    }

    fn finish(&mut self, seq: Seq, effect: EffectId, outcome: ToolOutcome) -> Checked {
        let asked = self.asked;
        let call = self.call(effect)?;
        let running = call.runs();
        hold(running, Invariant::OnlyCallsAsked, || format!("{effect} finishes at {call:?}"))?;
        if outcome == ToolOutcome::Interrupted {
            call.lose();
        } else {
            call.stage = Stage::Settled;
            self.replies.insert(seq, asked);
        }
        Ok(())
    }

    fn lose_all(&mut self) {
        self.step.iter_mut().filter(|call| call.runs()).for_each(Call::lose);
        self.lost_accept = self.open_accept.take().or(self.lost_accept);
    }

    fn ask(&mut self, effect: EffectId, question: Question) -> Checked {
        let new = self.questions_ever.insert(effect);
        hold(new, Invariant::AnsweredOnce, || format!("{effect} is asked again"))?;
        let sensible = match question {
            Question::Permission => self.call(effect)?.stage == Stage::Unpermitted,
            Question::UnknownOutcome => self.call(effect)?.stage == Stage::Lost,
            Question::KeepsDying => effect.kind == EffectKind::Resume,
        };
        hold(sensible, Invariant::AnsweredOnce, || format!("{effect} asks for {question:?} at {:?}", self.step))?;
        self.questions.insert(effect, question);
        Ok(())
    }

    fn answer(&mut self, effect: EffectId, answer: Answer) -> Checked {
        let question = self.questions.remove(&effect);
        let fitting = question.is_some_and(|question| fits(question, answer));
        hold(fitting, Invariant::AnsweredOnce, || format!("{effect}: {answer:?} to {question:?}"))?;
        if question != Some(Question::KeepsDying) {
            self.call(effect)?.stage = match answer {
                Answer::Allow | Answer::Retry => Stage::Permitted,
                Answer::Deny | Answer::Skip | Answer::Abandon => Stage::Settled,
            };
        }
        Ok(())
    }

    /// Permissions are stricter by now: a call that has not begun is settled, or asked about first.
    fn tighten(&mut self, effect: EffectId, verdict: Verdict) -> Checked {
        let call = self.call(effect)?;
        match (verdict, call.stage) {
            (Verdict::Deny, Stage::Unpermitted | Stage::Permitted | Stage::Lost) => {
                call.stage = Stage::Settled;
                self.questions.retain(|asked, _| asked.kind != EffectKind::Ask || asked.ordinal != effect.ordinal);
            }
            (Verdict::Deny, Stage::Running) => call.stage = Stage::Revoked,
            (Verdict::Ask, Stage::Permitted) => call.stage = Stage::Unpermitted,
            _ => {}
        }
        Ok(())
    }

    fn accept(&mut self, seq: Seq, effect: EffectId, plan: Option<Seq>, effects: &Effects) -> Checked {
        let writing = self.step.iter().any(|c| c.access != Access::Read && c.runs());
        let alone = !effects.accept_open(Some(effect)) && !writing;
        hold(alone, Invariant::AcceptAlone, || format!("{effect} starts beside {:?}", self.step))?;
        let expected = self.lost_accept.take();
        let goes_on = match (expected, plan) {
            (None, None) => true,
            (Some((lost, its_plan)), Some(plan)) => effect == lost.again() && plan == its_plan,
            _ => false,
        };
        hold(goes_on, Invariant::AcceptAlone, || format!("{effect} with plan {plan:?}, lost was {expected:?}"))?;
        self.open_accept = Some((effect, plan.unwrap_or(seq)));
        Ok(())
    }

    /// Each result of a context stands after the reply that asked for it.
    pub(super) fn context(&self, messages: &[Seq]) -> Checked {
        let mut seen = BTreeSet::new();
        for seq in messages {
            let reply = self.replies.get(seq);
            let whole = reply.is_none_or(|reply| seen.contains(reply));
            hold(whole, Invariant::ResultsFollowReplies, || format!("result {seq} without reply {reply:?}"))?;
            seen.insert(*seq);
        }
        Ok(())
    }
}

impl Call {
    fn new(fact: CallFact) -> Call {
        let stage = match fact.verdict {
            Verdict::Allow => Stage::Permitted,
            Verdict::Ask => Stage::Unpermitted,
            Verdict::Deny | Verdict::Invalid => Stage::Settled,
        };
        Call { access: fact.access, stage }
    }

    fn lose(&mut self) {
        self.stage = match (self.stage, self.access) {
            (Stage::Revoked, _) => Stage::Settled,
            (_, Access::World) => Stage::Lost,
            (_, Access::Read | Access::Write) => Stage::Permitted,
        };
    }

    fn runs(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::Revoked)
    }
}
