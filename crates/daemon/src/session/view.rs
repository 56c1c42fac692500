//! What a session looks like from outside.

use agent::{Answer, CallStatus, EffectKind, Phase, Question, State};
use wire::rest::{ApprovalView, SessionStatus, TurnView};

/// What a session is doing.
pub(crate) fn status(state: &State) -> SessionStatus {
    if !open_questions(state).is_empty() {
        SessionStatus::Waiting
    } else if state.has_work() {
        SessionStatus::Running
    } else {
        SessionStatus::Idle
    }
}

/// The running turn.
pub(super) fn turn(state: &State) -> Option<TurnView> {
    state.turn.as_ref().map(|turn| TurnView {
        id: turn.id,
        step: turn.step,
        ending: turn.ending.is_some(),
        running: state.open.keys().copied().collect(),
    })
}

/// The questions that wait for an answer; none of a turn that is ending.
pub(crate) fn open_questions(state: &State) -> Vec<ApprovalView> {
    let Some(turn) = state.turn.as_ref().filter(|turn| turn.ending.is_none()) else { return Vec::new() };
    let mut questions = Vec::new();
    if let Some(id) = turn.keeps_dying {
        questions.push(approval(id, Question::KeepsDying));
    }
    if let Phase::Tools { calls, .. } = &turn.phase {
        for (ordinal, call) in calls.iter().enumerate() {
            if let CallStatus::Asking(question) = call.status {
                let id = agent::EffectId {
                    turn: turn.id,
                    step: turn.step,
                    kind: EffectKind::Ask,
                    ordinal: ordinal as u32,
                    attempt: call.asked,
                };
                questions.push(approval(id, question));
            }
        }
    }
    questions
}

fn approval(id: agent::EffectId, question: Question) -> ApprovalView {
    ApprovalView { id, question, message: sentence(question).to_owned(), answers: answers(question).to_vec() }
}

/// A question in a sentence.
pub(super) fn sentence(question: Question) -> &'static str {
    match question {
        Question::Permission => "May this tool call run?",
        Question::UnknownOutcome => {
            "This tool call had begun when the daemon died, and nobody knows what it did. Run it again, or skip it?"
        }
        Question::KeepsDying => "The daemon died in this turn again and again. Go on with it, or give it up?",
    }
}

/// The answers that make sense.
pub(super) fn answers(question: Question) -> &'static [Answer] {
    match question {
        Question::Permission => &[Answer::Allow, Answer::Deny, Answer::Abandon],
        Question::UnknownOutcome => &[Answer::Retry, Answer::Skip, Answer::Abandon],
        Question::KeepsDying => &[Answer::Retry, Answer::Abandon],
    }
}
