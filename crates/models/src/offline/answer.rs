//! The reply to a request: where the turn stands is read from the conversation, never remembered.

use super::plan::{self, Call, End, Next};
use super::script::{self, MAX_STEPS, Script, Step};
use super::words;
use crate::backend::{Message, Reply, ReplyCall, Request};
use crate::chat::{Manner, render};
use agent::{Stop, Tokens, Usage};
use std::collections::BTreeMap;
use wire::BlobHash;

/// The most tool calls of one reply.
const MAX_CALLS: usize = 16;

/// What the offline model says to this request. A function of the request alone: the same request gives the same reply.
///
/// The last prompt counts; a sentence that joins a running turn therefore takes the place of what was still to be done.
pub fn answer(request: &Request) -> Reply {
    let (text, calls) = reply(request);
    let rendered = render(request, Manner::PLAIN);
    let written: usize = text.len() + calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>();
    Reply {
        stop: if calls.is_empty() { Stop::End } else { Stop::ToolCalls },
        usage: Usage {
            input_tokens: Tokens::estimate(rendered.len()),
            output_tokens: Tokens::estimate(written),
            cached_tokens: Tokens(0),
            estimated: true,
        },
        request: BlobHash::of(&rendered),
        carry: None,
        text,
        reasoning: String::new(),
        calls,
    }
}

fn reply(request: &Request) -> (String, Vec<ReplyCall>) {
    let Some(turn) = Turn::read(&request.messages) else { return (words::nothing_asked(), Vec::new()) };
    let steps = match script::read(turn.prompt) {
        Script::Steps(steps) => steps,
        Script::NotUnderstood(sentence) => return (words::not_understood(&sentence), Vec::new()),
        Script::TooMany(count) => return (words::too_many(count, MAX_STEPS), Vec::new()),
        Script::Empty => return (words::nothing_asked(), Vec::new()),
    };
    let stands = stand(&steps, &turn, request);
    let wanted: Vec<ReplyCall> = stands.iter().filter_map(|stand| stand.call(&turn)).take(MAX_CALLS).collect();
    let text = if wanted.is_empty() {
        report(&steps, &stands)
    } else if turn.results.is_empty() {
        words::understood(steps.iter().map(|step| &step.action))
    } else {
        String::new()
    };
    (text, wanted)
}

/// The running turn as the conversation tells it.
struct Turn<'a> {
    prompt: &'a str,
    /// What is part of every id of this turn, so that no two turns share one.
    salt: String,
    /// Results by the place of their call: which step, and which call of it.
    results: BTreeMap<(usize, usize), &'a str>,
}

impl<'a> Turn<'a> {
    fn read(messages: &'a [Message]) -> Option<Turn<'a>> {
        let (at, prompt) = messages.iter().enumerate().rev().find_map(|(at, message)| match message {
            Message::User { text, .. } => Some((at, text.as_str())),
            _ => None,
        })?;
        let results = messages[at..].iter().filter_map(|message| match message {
            Message::Tool { call_id, text, .. } => Some((place_of(call_id)?, text.as_str())),
            _ => None,
        });
        let salt = BlobHash::of(format!("{at}\n{prompt}").as_bytes()).to_string()[..8].to_owned();
        Some(Turn { prompt, salt, results: results.collect() })
    }

    /// The results of one step, as far as they follow each other.
    fn results_of(&self, step: usize) -> Vec<&'a str> {
        (0..).map_while(|stage| self.results.get(&(step, stage)).copied()).collect()
    }
}

/// `call_SALT_STEP_STAGE`. The salt is not looked at: it may differ within a turn when the context was shortened.
fn place_of(id: &str) -> Option<(usize, usize)> {
    let mut parts = id.strip_prefix("call_")?.split('_');
    let (salt, step, stage) = (parts.next()?, parts.next()?, parts.next()?);
    let ours = salt.len() == 8 && salt.bytes().all(|byte| byte.is_ascii_hexdigit()) && parts.next().is_none();
    ours.then_some((step.parse().ok()?, stage.parse().ok()?))
}

/// Where one step stands.
enum Stand {
    /// It needs this call, the `stage`th of step `step`.
    Wants { step: usize, stage: usize, call: Call },
    /// It waits for a step before it.
    Waits,
    /// It ended.
    Ended(End),
    /// It is left out, because what it builds on failed.
    LeftOut,
}

impl Stand {
    fn call(&self, turn: &Turn<'_>) -> Option<ReplyCall> {
        let Stand::Wants { step, stage, call } = self else { return None };
        Some(ReplyCall {
            id: format!("call_{}_{step}_{stage}", turn.salt),
            name: call.tool.to_owned(),
            arguments: call.arguments.to_string(),
        })
    }
}

fn stand(steps: &[Step], turn: &Turn<'_>, request: &Request) -> Vec<Stand> {
    let mut stands: Vec<Stand> = Vec::with_capacity(steps.len());
    for (number, step) in steps.iter().enumerate() {
        // What a step builds on: all before the last *then*, and whatever it could get in the way of.
        let then = steps[..=number].iter().rposition(|step| step.then).unwrap_or(0);
        let builds_on = |earlier: usize| earlier < then || !step.action.is_independent_of(&steps[earlier].action);
        let failed = (0..number).any(|earlier| builds_on(earlier) && stands[earlier].failed());
        let waits = (0..number).any(|earlier| builds_on(earlier) && stands[earlier].is_open());
        stands.push(if failed {
            Stand::LeftOut
        } else if waits {
            Stand::Waits
        } else {
            act(number, step, &turn.results_of(number), request)
        });
    }
    stands
}

/// Where a step stands that nothing is in the way of.
fn act(number: usize, step: &Step, results: &[&str], request: &Request) -> Stand {
    match plan::next(&step.action, results) {
        Next::Ended(end) => Stand::Ended(end),
        Next::Call(call) if !request.tools.iter().any(|tool| tool.name == call.tool) => {
            Stand::Ended(End { done: false, text: words::no_tool(call.tool) })
        }
        Next::Call(call) => Stand::Wants { step: number, stage: results.len(), call },
    }
}

impl Stand {
    fn failed(&self) -> bool {
        matches!(self, Stand::LeftOut | Stand::Ended(End { done: false, .. }))
    }

    fn is_open(&self) -> bool {
        matches!(self, Stand::Wants { .. } | Stand::Waits)
    }
}

fn report(steps: &[Step], stands: &[Stand]) -> String {
    let lines = steps.iter().zip(stands).map(|(step, stand)| match stand {
        Stand::Ended(End { done: true, text }) => text.clone(),
        Stand::Ended(End { done: false, text }) => words::failed(&step.action, text),
        Stand::LeftOut | Stand::Wants { .. } | Stand::Waits => words::left_out(&step.action),
    });
    lines.collect::<Vec<_>>().join("\n\n")
}
