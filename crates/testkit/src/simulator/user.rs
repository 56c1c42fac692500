//! Whoever talks to the session: asks, steers, cancels, answers, accepts; in no order and without looking.

use super::audit::fits;
use super::random::Random;
use super::script::{FREE, PAID, ROUTE, UNKNOWN};
use agent::{Answer, EffectId, Event, ModelName, Question, Seq, State, Tokens, TurnOutcome};
use std::collections::BTreeMap;

/// What a user may ask of a session.
#[derive(Debug, Clone)]
pub(super) enum Command {
    Prompt {
        tokens: Tokens,
        model: Option<ModelName>,
        steer: bool,
    },
    Cancel,
    Answer {
        effect: EffectId,
        answer: Answer,
    },
    Accept {
        files: u32,
    },
    UndoAccept,
    Rewind,
    Reject,
    Rebase,
    Conflict,
    Title,
    /// Not of the session: the configuration is read again.
    Reload,
}

/// What the user says next. With nothing left to do of their own accord they only answer questions.
pub(super) fn command(random: &mut Random, questions: &BTreeMap<EffectId, Question>, calm: bool) -> Command {
    if calm || (!questions.is_empty() && random.chance(60)) {
        return answer(random, questions, calm);
    }
    match random.weighed(&[(46, 0), (6, 1), (9, 2), (4, 3), (2, 4), (2, 5), (2, 6), (2, 7), (2, 8), (6, 9), (8, 10)]) {
        0 => {
            let model =
                random.weighed(&[(75, None), (7, Some(FREE)), (7, Some(PAID)), (9, Some(ROUTE)), (2, Some(UNKNOWN))]);
            let (model, steer) = (model.map(ModelName::new), random.chance(50));
            Command::Prompt { tokens: Tokens(random.pick(&[4, 50, 700])), model, steer }
        }
        1 => Command::Cancel,
        2 => Command::Accept { files: random.between(1, 4) as u32 },
        3 => Command::UndoAccept,
        4 => Command::Rewind,
        5 => Command::Reject,
        6 => Command::Rebase,
        7 => Command::Conflict,
        8 => Command::Title,
        9 => Command::Reload,
        _ => answer(random, questions, calm),
    }
}

/// Mostly a fitting answer to an open question; else whatever comes to mind about a question that nobody asked.
fn answer(random: &mut Random, questions: &BTreeMap<EffectId, Question>, calm: bool) -> Command {
    let answers = [Answer::Allow, Answer::Deny, Answer::Retry, Answer::Skip, Answer::Abandon];
    let open: Vec<_> = questions.iter().collect();
    if open.is_empty() || (!calm && random.chance(10)) {
        return Command::Title;
    }
    let (effect, question) = random.pick(&open);
    let fitting: Vec<_> = answers.into_iter().filter(|answer| fits(*question, *answer)).collect();
    let sensible = calm || random.chance(90);
    let answer = if sensible { random.pick(&fitting) } else { random.pick(&answers) };
    let answer = if answer == Answer::Abandon && (calm || random.chance(60)) { fitting[0] } else { answer };
    Command::Answer { effect: *effect, answer }
}

/// What a command becomes, if the session can follow it in this state: the owner's side of the conversation.
pub(super) fn admit(
    state: &State,
    questions: &BTreeMap<EffectId, Question>,
    undoable: Option<Seq>,
    command: Command,
) -> Option<Event> {
    let canvas_free = state.canvas_free();
    match command {
        Command::Prompt { tokens, model, steer } => Some(prompt(state, tokens, model, steer)),
        Command::Cancel => {
            let turn = state.turn.as_ref()?.id;
            Some(Event::TurnEnding { turn, outcome: TurnOutcome::Cancelled, limit: None })
        }
        Command::Answer { effect, answer } => {
            let question = questions.get(&effect)?;
            let open = state.turn.as_ref().is_some_and(|turn| turn.id == effect.turn);
            (open && fits(*question, answer)).then_some(Event::ApprovalResolved { turn: effect.turn, effect, answer })
        }
        Command::Accept { files } => {
            let effect = state.next_accept();
            canvas_free.then_some(Event::AcceptStarted { effect, files, plan: None, undoes: None })
        }
        Command::UndoAccept => {
            let (effect, undoes) = (state.next_accept(), Some(undoable?));
            canvas_free.then_some(Event::AcceptStarted { effect, files: 1, plan: None, undoes })
        }
        Command::Rewind => canvas_free.then_some(Event::CanvasRewound { to: Seq(0), changed: 2 }),
        Command::Reject => canvas_free.then_some(Event::CanvasRejected { changed: 1 }),
        Command::Rebase => canvas_free.then_some(Event::CanvasRebased { changed: 1 }),
        Command::Conflict => canvas_free.then_some(Event::CanvasConflicted { changed: 1 }),
        Command::Title => Some(Event::SessionUpdated {}),
        Command::Reload => None,
    }
}

/// A steer joins the running turn, unless that is ending; all else waits for a turn of its own.
fn prompt(state: &State, tokens: Tokens, model: Option<ModelName>, steer: bool) -> Event {
    let turn = state.last_turn.next();
    match &state.turn {
        Some(running) if steer && running.ending.is_none() => Event::PromptSteered { turn: running.id, tokens },
        None if state.queue.is_empty() => Event::PromptAccepted { turn, tokens, model, scheduled: None },
        _ => Event::PromptQueued { turn, tokens, model },
    }
}
