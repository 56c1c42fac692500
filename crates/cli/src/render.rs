//! How a session looks to people: the one renderer of updates, for `ask` as they come and for `sessions show` later.
//!
//! What the model says goes to standard output, so that a pipe gets the answer and nothing else; steps, questions and
//! outcomes are said beside it. A reply is printed as it streams; the durable event that ends it prints what has not
//! been said yet, so nothing is missing or doubled after a reconnect. That a daemon left and the next one goes on is told
//! only where a reply was cut by it, in the line that says that it is asked for again.

use crate::error::Error;
use crate::plain;
use crate::screen::{BAD, FAINT, HEAD, NOTE, Screen};
use crate::update::EventUpdate;
use crate::words;
use agent::{EffectId, Event, Interruption, Seq, Stop, ToolOutcome, TurnId, TurnOutcome, Verdict};
use anstyle::Style;
use attempts::Attempts;
use canvas::canvas_event;
use message::Message;
use std::collections::{BTreeMap, BTreeSet};
use wire::{BlobHash, DrainReason, Text, body};

mod attempts;
mod canvas;
mod message;
mod reply;

/// The longest one-line remark, in characters.
const MAX_REMARK_CHARS: usize = 200;
/// How much of what a model thinks aloud is shown for one reply, in characters.
const MAX_REASONING_CHARS: usize = 400;

/// Fetches a text that is too long to stand in an update.
pub(crate) type FetchBlob<'a> = &'a mut dyn FnMut(BlobHash) -> Result<String, Error>;

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// One turn, as it happens, to the person who asked.
    Turn(TurnId),
    /// All turns as they happen, to somebody who looks on or talks.
    Live,
    /// All that happened, to somebody who was not there.
    Everything,
}

/// The renderer of one session.
#[derive(Debug)]
pub(crate) struct Transcript {
    view: View,
    /// The reply that is being printed.
    said: Option<Message>,
    /// What a reply that was cut has left on the screen, in an open line.
    cut: Option<String>,
    /// Why the daemon leaves, once it has said so.
    leaving: Option<DrainReason>,
    /// Tools that run, by what they are about.
    tools: BTreeMap<EffectId, String>,
    /// The tool whose line was printed last, if nothing was printed since.
    last_tool: Option<EffectId>,
    /// What the model thinks aloud for which reply, and how many characters of it were shown.
    thought: Option<(EffectId, usize)>,
    attempts: Attempts,
    /// Files that were read along with the last model call.
    reads: Vec<String>,
    /// Prompts and accepts that were typed where this is shown, and need not be told there.
    shown_here: BTreeSet<Seq>,
    /// Questions that were answered where this is shown.
    answered_here: BTreeSet<EffectId>,
    /// Prompts that wait for their turn.
    waiting: BTreeMap<TurnId, String>,
    /// What can be done with what a turn changed: with one change, and with several.
    what_next: [&'static str; 2],
}

impl Transcript {
    /// A renderer at the beginning.
    pub(crate) fn new(view: View) -> Transcript {
        Transcript {
            view,
            said: None,
            cut: None,
            leaving: None,
            tools: BTreeMap::new(),
            last_tool: None,
            thought: None,
            attempts: Attempts::default(),
            reads: Vec::new(),
            shown_here: BTreeSet::new(),
            answered_here: BTreeSet::new(),
            waiting: BTreeMap::new(),
            what_next: [""; 2],
        }
    }

    /// The same, saying after each turn what can be done with what it changed.
    pub(crate) fn with_next(self, what_next: [&'static str; 2]) -> Transcript {
        Transcript { what_next, ..self }
    }

    /// This event need not be told: its prompt was typed, or its accept was told, where the transcript is shown.
    pub(crate) fn was_shown_here(&mut self, seq: Seq) {
        self.shown_here.insert(seq);
    }

    /// This question was answered where the transcript is shown.
    pub(crate) fn was_answered_here(&mut self, effect: EffectId) {
        self.answered_here.insert(effect);
    }

    /// The daemon leaves, for this reason.
    pub(crate) fn leaves(&mut self, reason: DrainReason) {
        self.leaving = Some(reason);
    }

    /// Shows an event.
    pub(crate) fn event(
        &mut self,
        screen: &mut Screen,
        update: &EventUpdate,
        fetch: FetchBlob<'_>,
    ) -> Result<(), Error> {
        if !self.shows(update.header.event.turn()) {
            return Ok(());
        }
        let last_tool = self.last_tool.take();
        match &update.header.event {
            Event::ToolStarted { effect, .. } => self.tool_started(screen, *effect, update),
            Event::ToolFinished { effect, outcome, .. } => {
                let follows = last_tool == Some(*effect);
                self.tool_finished(screen, *effect, *outcome, follows, update, fetch)
            }
            Event::ModelStarted { effect, model, .. } => {
                self.attempts.started(screen, *effect, model)?;
                self.instructions(screen, update)
            }
            Event::ModelFinished { effect, stop, calls, .. } => {
                self.attempts.answered();
                let reply: body::Reply = update.body().unwrap_or_default();
                self.finish_reply(screen, *effect, &reply.text, fetch)?;
                refused_calls(screen, calls, &reply.calls)?;
                stopped_early(screen, *stop)
            }
            Event::ModelFailed { failure, retry_after_ms, .. } => {
                self.drop_reply(screen)?;
                let message = update.body::<body::Partial>().and_then(|partial| partial.message);
                self.attempts.failed(screen, *failure, *retry_after_ms, message)
            }
            Event::ModelInterrupted { interruption: Interruption::Released, .. } => {
                self.was_cut("the reply was interrupted");
                Ok(())
            }
            Event::ModelInterrupted { interruption, .. } => {
                self.attempts.answered();
                self.drop_reply(screen)?;
                remark(screen, NOTE, &format!("! the reply was interrupted ({})", interruption.word()))
            }
            _ => self.other_event(screen, update, fetch),
        }
    }

    /// Events that are a line of their own and change nothing here.
    fn other_event(&mut self, screen: &mut Screen, update: &EventUpdate, fetch: FetchBlob<'_>) -> Result<(), Error> {
        match &update.header.event {
            Event::PromptAccepted { .. } | Event::PromptSteered { .. } if self.is_known_here(update) => Ok(()),
            Event::PromptAccepted { scheduled: Some(_), .. } => self.prompt(screen, "(scheduled) ", update, fetch),
            Event::PromptAccepted { .. } => self.prompt(screen, "", update, fetch),
            Event::PromptQueued { turn, .. } => self.queued(screen, *turn, update, fetch),
            Event::TurnStarted { turn } => match self.waiting.remove(turn) {
                Some(text) => tell_prompt(screen, "", &text),
                None => Ok(()),
            },
            Event::PromptSteered { .. } => self.prompt(screen, "(steered) ", update, fetch),
            Event::OwnerBegan { .. } => {
                if self.attempts.is_running() {
                    self.was_cut("the reply was lost with the daemon");
                }
                self.leaving = None;
                Ok(())
            }
            // Who was not there sees where it was; who is there misses nothing.
            Event::TurnResumed { .. } if self.view == View::Everything && !self.attempts.is_cut() => {
                remark(screen, FAINT, "the daemon had ended; the turn goes on where it was")
            }
            Event::TurnResumed { .. } => Ok(()),
            Event::TurnEnding { outcome: TurnOutcome::Cancelled, .. } => remark(screen, FAINT, "cancelling…"),
            Event::TurnFinished { .. } => self.turn_finished(screen, update),
            Event::ApprovalRequested { question, effect, .. } => {
                let asked: body::Question = update.body().unwrap_or_default();
                let message = asked.message.unwrap_or_else(|| format!("{} ({effect})", question.word()));
                remark(screen, NOTE, &format!("? {}", plain::strip(&message)))?;
                asked.call.map_or(Ok(()), |call| asked_call(screen, &call))
            }
            Event::ApprovalResolved { effect, answer, .. } => {
                let elsewhere = self.view == View::Live && !self.answered_here.contains(effect);
                let place = if elsewhere { " elsewhere" } else { "" };
                remark(screen, FAINT, &format!("answered{place}: {}", answer.word()))
            }
            Event::BudgetExhausted { scope, .. } => {
                let why = because(update.body::<body::Exhausted>().map(|exhausted| exhausted.message));
                remark(screen, NOTE, &format!("! the budget of the {} is exhausted{why}", scope.word()))
            }
            Event::AcceptFinished { .. } | Event::AcceptUndone { .. }
                if self.shown_here.contains(&update.header.seq) =>
            {
                Ok(())
            }
            _ => canvas_event(screen, update),
        }
    }

    fn shows(&self, turn: Option<TurnId>) -> bool {
        match (self.view, turn) {
            (View::Turn(ours), Some(turn)) => ours == turn,
            (View::Turn(_), None) | (View::Live | View::Everything, _) => true,
        }
    }

    fn is_known_here(&self, update: &EventUpdate) -> bool {
        self.shown_here.contains(&update.header.seq) || matches!(self.view, View::Turn(_))
    }

    /// A prompt that waits: told when its turn begins to those who see it begin.
    fn queued(
        &mut self,
        screen: &mut Screen,
        turn: TurnId,
        update: &EventUpdate,
        fetch: FetchBlob<'_>,
    ) -> Result<(), Error> {
        match self.view {
            View::Turn(_) => remark(screen, FAINT, &format!("another turn runs; yours waits as {turn}")),
            View::Everything => self.prompt(screen, "(queued) ", update, fetch),
            View::Live => {
                let text = prompt_text(update, fetch)?;
                self.waiting.insert(turn, text);
                let shown_here = self.shown_here.contains(&update.header.seq);
                if shown_here { Ok(()) } else { remark(screen, FAINT, "another prompt came and waits for its turn") }
            }
        }
    }

    /// Prints a prompt to those who did not type it.
    fn prompt(&self, screen: &mut Screen, mark: &str, update: &EventUpdate, fetch: FetchBlob<'_>) -> Result<(), Error> {
        if matches!(self.view, View::Turn(_)) {
            return Ok(());
        }
        let text = prompt_text(update, fetch)?;
        tell_prompt(screen, mark, &text)
    }

    /// Files of the workspace that are read along: told when they are others than before.
    fn instructions(&mut self, screen: &mut Screen, update: &EventUpdate) -> Result<(), Error> {
        let Some(recipe) = update.body::<body::Recipe>() else { return Ok(()) };
        let paths: Vec<String> =
            recipe.instructions.iter().map(|instruction| plain::name(instruction.path.as_str())).collect();
        if paths == self.reads {
            return Ok(());
        }
        self.reads = paths;
        if self.reads.is_empty() {
            return Ok(());
        }
        remark(screen, FAINT, &format!("reads {}", self.reads.join(", ")))
    }

    fn tool_started(&mut self, screen: &mut Screen, effect: EffectId, update: &EventUpdate) -> Result<(), Error> {
        let about = match update.body::<body::ToolStart>() {
            Some(start) => plain::first_line(&format!("{} {}", start.name, start.about), MAX_REMARK_CHARS),
            None => "a tool (its name was removed)".to_owned(),
        };
        remark(screen, Style::new(), &format!("● {}", about.trim_end()))?;
        self.tools.insert(effect, about);
        self.last_tool = Some(effect);
        Ok(())
    }

    fn tool_finished(
        &mut self,
        screen: &mut Screen,
        effect: EffectId,
        outcome: ToolOutcome,
        follows: bool,
        update: &EventUpdate,
        fetch: FetchBlob<'_>,
    ) -> Result<(), Error> {
        let about = self.tools.remove(&effect);
        let line = match update.body::<body::ToolEnd>() {
            Some(end) => plain::first_line(&full_text(&end.text, fetch)?, MAX_REMARK_CHARS),
            None => String::new(),
        };
        let whose = about.filter(|_| !follows).map(|about| format!("{}: ", about.trim_end())).unwrap_or_default();
        let (style, mark) = match outcome {
            ToolOutcome::Done => (FAINT, "└ "),
            ToolOutcome::Failed => (BAD, "└ ✗ "),
            ToolOutcome::Cancelled | ToolOutcome::Interrupted | ToolOutcome::Unknown => (NOTE, "└ ! "),
        };
        let line = if line.is_empty() { outcome.word().to_owned() } else { line };
        remark(screen, style, &format!("  {mark}{whose}{line}"))
    }

    fn turn_finished(&mut self, screen: &mut Screen, update: &EventUpdate) -> Result<(), Error> {
        let Event::TurnFinished { outcome, limit, failure, steps, usage, cost_microusd, changed, .. } =
            &update.header.event
        else {
            return Ok(());
        };
        self.drop_reply(screen)?;
        if *outcome != TurnOutcome::Done {
            let which = match (failure, limit) {
                (Some(failure), _) => format!(" ({})", failure.word()),
                (None, Some(limit)) => format!(" ({})", limit.key()),
                (None, None) => String::new(),
            };
            let message = update.body::<body::TurnEnd>().and_then(|end| end.message);
            let why = self.attempts.why_it_ended(screen, *outcome == TurnOutcome::Failed, message)?;
            remark(screen, BAD, &format!("✗ the turn ended: {}{which}{}", outcome.word(), because(why)))?;
        }
        let steps = words::count(u64::from(*steps), "step");
        let changed = match (self.view, changed) {
            (View::Turn(_), _) | (_, 0) => String::new(),
            (_, changed) => {
                let next = self.what_next[usize::from(*changed > 1)];
                format!("; {} on the canvas{next}", words::count((*changed).into(), "change"))
            }
        };
        remark(screen, FAINT, &format!("{steps}, {}{changed}", words::usage(usage, *cost_microusd)))
    }
}

/// The text itself, wherever it is.
fn full_text(text: &Text, fetch: FetchBlob<'_>) -> Result<String, Error> {
    match text {
        Text::Inline(text) => Ok(text.clone()),
        Text::Blob { blob, .. } => fetch(*blob),
    }
}

fn remark(screen: &mut Screen, style: Style, text: &str) -> Result<(), Error> {
    screen.remark(style, text)
}

fn because(message: Option<String>) -> String {
    message.map(|message| format!(": {}", plain::strip(message.trim()))).unwrap_or_default()
}

/// Calls that did not run have no `tool.started`: they are told from the reply.
fn refused_calls(screen: &mut Screen, facts: &[agent::CallFact], calls: &[body::Call]) -> Result<(), Error> {
    for (fact, call) in facts.iter().zip(calls) {
        if matches!(fact.verdict, Verdict::Deny | Verdict::Invalid) {
            let why = because(call.refused.clone());
            let name = plain::first_line(&call.name, MAX_REMARK_CHARS);
            remark(screen, BAD, &format!("● {name}\n  └ ✗ {}{why}", fact.verdict.word()))?;
        }
    }
    Ok(())
}

fn stopped_early(screen: &mut Screen, stop: Stop) -> Result<(), Error> {
    match stop {
        Stop::End | Stop::ToolCalls => Ok(()),
        Stop::Length => remark(screen, NOTE, "! the reply was cut off at the model's limit of output tokens"),
        Stop::Filtered => remark(screen, NOTE, "! the provider's filter stopped the reply"),
    }
}

/// The call that a question is about, as the model wrote it.
fn asked_call(screen: &mut Screen, call: &body::Call) -> Result<(), Error> {
    let arguments = match &call.arguments {
        Text::Inline(arguments) => plain::first_line(arguments, MAX_REMARK_CHARS),
        Text::Blob { bytes, .. } => format!("(arguments of {})", words::bytes(*bytes)),
    };
    remark(screen, FAINT, &format!("  {} {arguments}", plain::first_line(&call.name, MAX_REMARK_CHARS)))
}

/// The words of a prompt.
fn prompt_text(update: &EventUpdate, fetch: FetchBlob<'_>) -> Result<String, Error> {
    let Some(prompt) = update.body::<body::Prompt>() else { return Ok("(these words were removed)".to_owned()) };
    let mut text = full_text(&prompt.text, fetch)?;
    for attachment in &prompt.attachments {
        text.push_str(&format!("\n[{}]", plain::name(&attachment.name)));
    }
    Ok(text)
}

fn tell_prompt(screen: &mut Screen, mark: &str, text: &str) -> Result<(), Error> {
    screen.end_lines()?;
    let aside = screen.aside()?;
    aside.put("\n")?;
    for line in plain::strip(text).lines() {
        let painted = aside.paint(HEAD, &format!("> {mark}{line}"));
        aside.line(&painted)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
