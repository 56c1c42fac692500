//! What a model really does when it is asked, for `models test NAME`: a handful of small calls, each bounded in tokens
//! and time.
//!
//! Servers promise more than their models keep, and leave out silently what they do not know. So nothing is believed
//! here that was not seen in an answer.

use crate::backend::{Backend, Ended, Message, Reply, Request, Sink};
use crate::local::{Place, discover};
use agent::{Access, Failure, Tokens, Usage};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use wire::{DeltaKind, ToolSpec};

/// The most that each answer may have. Models that think need room before their first word.
const MAX_OUTPUT: Tokens = Tokens(512);
/// How long each call may take, loading the model included.
const CALL_LIMIT: Duration = Duration::from_secs(120);
/// How long each question about the context size may take.
const ASK_LIMIT: Duration = Duration::from_secs(2);
/// Characters of an answer that are shown.
const SHOWN: usize = 80;

/// What was found about a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// The findings, in the order in which they were made.
    pub findings: Vec<Finding>,
    /// What all calls together used.
    pub usage: Usage,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was tried: `text`, `stream`, `tool_call`, `parallel_tool_calls`, `json_schema`, `context_size`.
    pub name: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// What was seen, for people.
    pub detail: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// How a trial went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what was asked.
    Works,
    /// It failed.
    Fails,
    /// It answered as if it had not been asked for this.
    Ignored,
    /// It was not tried, or nobody says.
    Untried,
}

/// What a trial made of an answer.
type Judged = (Outcome, String);
/// What is tried, how, and what to make of the answer.
type Trial = (&'static str, Request, fn(&Reply) -> Judged);

/// Tries a model: four calls at most, of 512 tokens and 120 seconds each. `declared_context` is the size in the
/// configuration, which is compared with what a server on this machine says. Cancel-safe.
pub async fn examine(backend: &dyn Backend, model: &str, declared_context: Option<Tokens>) -> Examination {
    let (mut findings, mut usage) = (Vec::new(), Usage::default());
    let begun = Instant::now();
    let (ended, pieces) = call(backend, request(model, "Say hello in one short sentence.", false, None)).await;
    usage += used(ended.as_ref());
    let took_ms = elapsed_ms(begun);
    let stream = judge_stream(&ended, pieces);
    findings.push(finding("text", judge(&ended, judge_text), took_ms));
    findings.push(finding("stream", stream, took_ms));
    let trials: [Trial; 3] = [
        ("tool_call", request(model, "Look up the weather in Paris.", true, None), judge_call),
        (
            "parallel_tool_calls",
            request(model, "Look up the weather in Paris and in Oslo, both at once.", true, None),
            judge_calls,
        ),
        ("json_schema", request(model, "Is the sky blue on a clear day?", false, Some(schema())), judge_json),
    ];
    let useless = unusable(&ended);
    for (name, request, judgement) in trials {
        if let Some(why) = &useless {
            findings.push(finding(name, (Outcome::Untried, why.clone()), 0));
            continue;
        }
        let begun = Instant::now();
        let (ended, _) = call(backend, request).await;
        usage += used(ended.as_ref());
        findings.push(finding(name, judge(&ended, judgement), elapsed_ms(begun)));
    }
    let begun = Instant::now();
    let context = context_size(backend, model, declared_context).await;
    findings.push(finding("context_size", context, elapsed_ms(begun)));
    Examination { findings, usage }
}

/// What a call used; one that was given up is taken to have used nothing that is known.
fn used(ended: Option<&Ended>) -> Usage {
    match ended {
        Some(Ended::Finished(reply)) => reply.usage,
        Some(Ended::Failed { partial, .. } | Ended::Interrupted { partial }) => partial.usage,
        None => Usage::default(),
    }
}

fn finding(name: &'static str, (outcome, detail): Judged, took_ms: u64) -> Finding {
    Finding { name, outcome, detail, took_ms }
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// How a call ended, or `None` when it was given up; and in how many pieces its text came.
async fn call(backend: &dyn Backend, request: Request) -> (Option<Ended>, usize) {
    let pieces = Arc::new(AtomicUsize::new(0));
    let counted = pieces.clone();
    let sink: Sink = Arc::new(move |kind, _| {
        counted.fetch_add(usize::from(kind == DeltaKind::Message), Ordering::Relaxed);
    });
    let ended = tokio::time::timeout(CALL_LIMIT, backend.call(request, sink, CancellationToken::new())).await.ok();
    (ended, pieces.load(Ordering::Relaxed))
}

fn request(model: &str, prompt: &str, with_tool: bool, schema: Option<Value>) -> Request {
    let weather = || ToolSpec {
        name: "get_weather".to_owned(),
        description: "Looks up the weather of one city.".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": {"city": {"type": "string", "description": "The city"}},
            "required": ["city"],
            "additionalProperties": false,
        }),
        access: Access::Read,
    };
    Request {
        model: model.to_owned(),
        system: "You are a helpful assistant. Use the tools you have.".to_owned(),
        messages: vec![Message::User { text: prompt.to_owned(), attachments: Vec::new() }],
        tools: with_tool.then(weather).into_iter().collect(),
        max_output_tokens: MAX_OUTPUT,
        schema: schema.map(Arc::new),
    }
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"verdict": {"enum": ["yes", "no"]}},
        "required": ["verdict"],
        "additionalProperties": false,
    })
}

/// Why nothing further needs to be tried, if so.
fn unusable(ended: &Option<Ended>) -> Option<String> {
    match ended {
        None => Some("the model did not answer in time".to_owned()),
        Some(Ended::Failed {
            failure: Failure::Unreachable | Failure::Unauthorized | Failure::UnknownModel | Failure::TimedOut,
            ..
        }) => Some("the model cannot be called".to_owned()),
        Some(_) => None,
    }
}

fn judge(ended: &Option<Ended>, judgement: fn(&Reply) -> Judged) -> Judged {
    match ended {
        Some(Ended::Finished(reply)) => judgement(reply),
        Some(Ended::Failed { message, .. }) => (Outcome::Fails, message.clone()),
        Some(Ended::Interrupted { .. }) => (Outcome::Fails, "the call was interrupted".to_owned()),
        None => (Outcome::Fails, format!("there was no answer within {CALL_LIMIT:?}")),
    }
}

fn judge_text(reply: &Reply) -> Judged {
    match reply.text.trim() {
        "" => (Outcome::Fails, "the answer had no words".to_owned()),
        text => (Outcome::Works, shown(text)),
    }
}

fn judge_stream(ended: &Option<Ended>, pieces: usize) -> Judged {
    match (ended, pieces) {
        (Some(Ended::Finished(_)), 2..) => (Outcome::Works, format!("{pieces} pieces")),
        (Some(Ended::Finished(_)), 1) => (Outcome::Ignored, "the answer came in one piece".to_owned()),
        _ => (Outcome::Untried, "there were no words to stream".to_owned()),
    }
}

fn judge_call(reply: &Reply) -> Judged {
    match reply.calls.as_slice() {
        [] => (Outcome::Ignored, format!("no tool was called; it said: {}", shown(&reply.text))),
        [first, ..] => {
            let city = serde_json::from_str::<Value>(&first.arguments)
                .ok()
                .and_then(|arguments| arguments.get("city").and_then(Value::as_str).map(str::to_owned));
            let seen = shown(&format!("{} {}", first.name, first.arguments));
            match city {
                Some(city) if !city.is_empty() && first.name == "get_weather" => (Outcome::Works, seen),
                _ => (Outcome::Fails, format!("the call does not fit the tool: {seen}")),
            }
        }
    }
}

fn judge_calls(reply: &Reply) -> Judged {
    match reply.calls.len() {
        0 => (Outcome::Ignored, format!("no tool was called; it said: {}", shown(&reply.text))),
        1 => (Outcome::Ignored, "one call at a time".to_owned()),
        several => (Outcome::Works, format!("{several} calls at once")),
    }
}

fn judge_json(reply: &Reply) -> Judged {
    let seen = shown(&reply.text);
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(&reply.text) else {
        return (Outcome::Ignored, format!("the answer is not of the schema: {seen}"));
    };
    let fits = object.len() == 1 && matches!(object.get("verdict").and_then(Value::as_str), Some("yes" | "no"));
    if fits { (Outcome::Works, seen) } else { (Outcome::Ignored, format!("the answer is not of the schema: {seen}")) }
}

/// What the server says about the size of the context. Only servers on this machine are asked; others do not say.
async fn context_size(backend: &dyn Backend, model: &str, declared: Option<Tokens>) -> Judged {
    let description = backend.describe();
    let place = description.address.filter(|_| !description.remote).and_then(|address| Place::new(&address).ok());
    let servers = match place {
        Some(place) => discover(&[place], ASK_LIMIT).await,
        None => Vec::new(),
    };
    let named = |name: &str| name == model || name.strip_suffix(":latest") == Some(model);
    let found = servers.iter().flat_map(|server| &server.models).find(|found| named(&found.name));
    let said = found.and_then(|found| found.context_tokens.or(found.trained_context_tokens));
    match (said, declared) {
        (None, _) => (Outcome::Untried, "the server does not say".to_owned()),
        (Some(said), Some(declared)) if said < declared => (
            Outcome::Fails,
            format!("the server says {} tokens, but context_tokens is {}; lower it", said.0, declared.0),
        ),
        (Some(said), _) => (Outcome::Works, format!("{} tokens", said.0)),
    }
}

fn shown(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &words[..at]),
        None => words,
    }
}
