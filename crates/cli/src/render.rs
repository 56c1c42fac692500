//! How a session looks to people: the one renderer of updates, for `ask` as they come and for `sessions show` later.
//!
//! What the model says goes to standard output, so that a pipe gets the answer and nothing else; steps, questions and
//! outcomes are said beside it. A reply is printed as it streams; the durable event that ends it prints what has not
//! been said yet, so nothing is missing or doubled after a reconnect.

use crate::error::Error;
use crate::plain;
use crate::screen::{BAD, FAINT, HEAD, NOTE, Screen};
use crate::update::EventUpdate;
use crate::words;
use agent::{AcceptOutcome, EffectId, Event, Stop, ToolOutcome, TurnId, TurnOutcome, Verdict};
use anstyle::Style;
use std::collections::BTreeMap;
use wire::{BlobHash, Delta, DeltaKind, Text, body};

/// The longest one-line remark, in characters.
const MAX_REMARK_CHARS: usize = 200;

/// Fetches a text that is too long to stand in an update.
pub(crate) type FetchBlob<'a> = &'a mut dyn FnMut(BlobHash) -> Result<String, Error>;

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// One turn, as it happens, to the person who asked.
    Turn(TurnId),
    /// All that happened, to somebody who was not there.
    Everything,
}

/// The renderer of one session.
#[derive(Debug)]
pub(crate) struct Transcript {
    view: View,
    /// The reply that is being printed, and how many of its bytes are.
    said: Option<(EffectId, u64)>,
    /// Tools that run, by what they are about.
    tools: BTreeMap<EffectId, String>,
    /// The tool whose line was printed last, if nothing was printed since.
    last_tool: Option<EffectId>,
}

impl Transcript {
    /// A renderer at the beginning.
    pub(crate) fn new(view: View) -> Transcript {
        Transcript { view, said: None, tools: BTreeMap::new(), last_tool: None }
    }

    /// Shows text that streams.
    pub(crate) fn delta(&mut self, screen: &mut Screen, delta: &Delta) -> Result<(), Error> {
        if !self.shows(Some(delta.turn)) {
            return Ok(());
        }
        self.last_tool = None;
        if delta.kind != DeltaKind::Message {
            screen.out().end_line()?;
            return screen.aside()?.say(FAINT, &delta.text);
        }
        if self.said.is_none_or(|(message, _)| message != delta.effect) {
            screen.end_lines()?;
            self.said = Some((delta.effect, 0));
        }
        let said = self.said.map_or(0, |(_, bytes)| bytes);
        let Some(skip) = said.checked_sub(delta.offset) else {
            // Something between was missed; the event that ends the reply prints all that is left.
            return Ok(());
        };
        let fresh = usize::try_from(skip).ok().and_then(|skip| delta.text.get(skip..)).unwrap_or_default();
        self.said = Some((delta.effect, said + fresh.len() as u64));
        screen.out().say(Style::new(), fresh)
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
            Event::ModelStarted { effect, model, .. } if effect.attempt > 1 => {
                remark(screen, FAINT, &format!("trying again with {model} (attempt {})", effect.attempt))
            }
            Event::ModelFinished { effect, stop, calls, .. } => {
                let reply: body::Reply = update.body().unwrap_or_default();
                self.finish_reply(screen, *effect, &reply.text, fetch)?;
                refused_calls(screen, calls, &reply.calls)?;
                stopped_early(screen, *stop)
            }
            Event::ModelFailed { failure, retry_after_ms, .. } => {
                self.said = None;
                let pause = retry_after_ms.map(|ms| format!("; asked to wait {} s", ms.div_ceil(1000)));
                let why = because(update.body::<body::Partial>().and_then(|partial| partial.message));
                let text = format!("! the model call failed ({}){why}{}", failure.word(), pause.unwrap_or_default());
                remark(screen, NOTE, &text)
            }
            Event::ModelInterrupted { interruption, .. } => {
                self.said = None;
                remark(screen, NOTE, &format!("! the reply was interrupted ({})", interruption.word()))
            }
            _ => self.other_event(screen, update, fetch),
        }
    }

    /// Events that are a line of their own and change nothing here.
    fn other_event(&self, screen: &mut Screen, update: &EventUpdate, fetch: FetchBlob<'_>) -> Result<(), Error> {
        match &update.header.event {
            Event::PromptAccepted { .. } => self.prompt(screen, "", update, fetch),
            Event::PromptQueued { turn, .. } if self.view != View::Everything => {
                remark(screen, FAINT, &format!("another turn runs; yours waits as {turn}"))
            }
            Event::PromptQueued { .. } => self.prompt(screen, "(queued) ", update, fetch),
            Event::PromptSteered { .. } => self.prompt(screen, "(steered) ", update, fetch),
            Event::OwnerBegan { epoch, .. } if epoch.0 > 1 => {
                remark(screen, FAINT, "the session was taken up again after the daemon had ended")
            }
            Event::TurnResumed { .. } => remark(screen, FAINT, "the turn goes on where it was"),
            Event::TurnEnding { outcome: TurnOutcome::Cancelled, .. } => remark(screen, FAINT, "cancelling…"),
            Event::TurnFinished { .. } => self.turn_finished(screen, update),
            Event::ApprovalRequested { question, effect, .. } => {
                let asked: body::Question = update.body().unwrap_or_default();
                let message = asked.message.unwrap_or_else(|| format!("{} ({effect})", question.word()));
                remark(screen, NOTE, &format!("? {}", plain::strip(&message)))
            }
            Event::ApprovalResolved { answer, .. } => remark(screen, FAINT, &format!("answered: {}", answer.word())),
            Event::BudgetExhausted { scope, .. } => {
                let why = because(update.body::<body::Exhausted>().map(|exhausted| exhausted.message));
                remark(screen, NOTE, &format!("! the budget of the {} is exhausted{why}", scope.word()))
            }
            _ => canvas_event(screen, update),
        }
    }

    fn shows(&self, turn: Option<TurnId>) -> bool {
        match (self.view, turn) {
            (View::Turn(ours), Some(turn)) => ours == turn,
            (View::Turn(_), None) | (View::Everything, _) => true,
        }
    }

    /// Prints a prompt to those who did not type it.
    fn prompt(&self, screen: &mut Screen, mark: &str, update: &EventUpdate, fetch: FetchBlob<'_>) -> Result<(), Error> {
        if self.view != View::Everything {
            return Ok(());
        }
        let text = match update.body::<body::Prompt>() {
            Some(prompt) => full_text(&prompt.text, fetch)?,
            None => "(these words were removed)".to_owned(),
        };
        screen.end_lines()?;
        let aside = screen.aside()?;
        aside.put("\n")?;
        for line in plain::strip(&text).lines() {
            let painted = aside.paint(HEAD, &format!("> {mark}{line}"));
            aside.line(&painted)?;
        }
        Ok(())
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

    /// Prints what has not been printed of a reply.
    fn finish_reply(
        &mut self,
        screen: &mut Screen,
        effect: EffectId,
        text: &Text,
        fetch: FetchBlob<'_>,
    ) -> Result<(), Error> {
        let said = self.said.take().filter(|(message, _)| *message == effect).map_or(0, |(_, bytes)| bytes);
        let length = match text {
            Text::Inline(text) => text.len() as u64,
            Text::Blob { bytes, .. } => *bytes,
        };
        if length > said {
            let text = full_text(text, fetch)?;
            if said == 0 {
                screen.end_lines()?;
            }
            let rest = usize::try_from(said).ok().and_then(|said| text.get(said..)).unwrap_or(&text);
            screen.out().say(Style::new(), rest)?;
        }
        screen.end_lines()
    }

    fn turn_finished(&self, screen: &mut Screen, update: &EventUpdate) -> Result<(), Error> {
        let Event::TurnFinished { outcome, limit, failure, steps, usage, cost_microusd, .. } = &update.header.event
        else {
            return Ok(());
        };
        if *outcome != TurnOutcome::Done {
            let which = match (failure, limit) {
                (Some(failure), _) => format!(" ({})", failure.word()),
                (None, Some(limit)) => format!(" ({})", limit.key()),
                (None, None) => String::new(),
            };
            let why = because(update.body::<body::TurnEnd>().and_then(|end| end.message));
            remark(screen, BAD, &format!("✗ the turn ended: {}{which}{why}", outcome.word()))?;
        }
        let steps = words::count(u64::from(*steps), "step");
        remark(screen, FAINT, &format!("{steps}, {}", words::usage(usage, *cost_microusd)))
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

fn canvas_event(screen: &mut Screen, update: &EventUpdate) -> Result<(), Error> {
    match &update.header.event {
        Event::CanvasRebased { .. } => {
            let rebased: body::Rebased = update.body().unwrap_or_default();
            let text = format!("{} changed outside the session; the canvas follows", paths(&rebased.bases));
            remark(screen, FAINT, &text)
        }
        Event::CanvasConflicted { .. } => {
            let conflict: body::Conflict = update.body().unwrap_or_default();
            let text = format!(
                "! {} changed outside the session in a way that does not merge; undo that or `tinkerbell reject` the path",
                paths(&conflict.paths)
            );
            remark(screen, NOTE, &text)
        }
        Event::CanvasRewound { to, changed } => {
            let files = words::count(u64::from(*changed), "path");
            remark(screen, FAINT, &format!("the canvas went to step {to} ({files} changed)"))
        }
        Event::CanvasRejected { changed } => {
            remark(screen, FAINT, &format!("{} rejected", words::count(u64::from(*changed), "path")))
        }
        Event::AcceptFinished { outcome: AcceptOutcome::Done, files, .. } => {
            remark(screen, FAINT, &format!("{} accepted", words::count(u64::from(*files), "file")))
        }
        Event::AcceptFinished { outcome, .. } => {
            let why = because(update.body::<body::AcceptEnd>().and_then(|end| end.message));
            remark(screen, NOTE, &format!("! the accept ended: {}{why}; every file is as it was", outcome.word()))
        }
        Event::AcceptUndone { files, .. } => {
            remark(screen, FAINT, &format!("an accept of {} was taken back", words::count(u64::from(*files), "file")))
        }
        _ => Ok(()),
    }
}

fn paths(changes: &[wire::Change]) -> String {
    let names: Vec<String> = changes.iter().map(|change| plain::name(change.path.as_str())).collect();
    if names.is_empty() { "something".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests;
