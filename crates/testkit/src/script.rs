//! A model that says what the prompt tells it to say.
//!
//! A prompt is parted into rounds by `[[then]]`: the first part is answered first, the second after the tools of the
//! first have reported, and so on; when the parts are used up, the answer is `done`. In a part, `[[tool NAME {…}]]`
//! asks for a tool call, `[[pause MS]]` waits before each piece of text, `[[pieces BYTES]]` cuts the text into pieces of so
//! many bytes instead of words, `[[echo]]` says everything that the model was given, `[[fail KIND MODEL]]` fails, only
//! where that model is asked if one is named, `[[panic FILE]]` panics with the words of a file; all else is said.

use agent::{Failure, ModelName, ModelSpec, Money, Stop, Tokens, Usage};
use daemon::ExtraModel;
use models::{Backend, Description, Ended, Message, Partial, PendingCall, Reply, ReplyCall, Request, Sink};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use wire::rest::Abilities;
use wire::{BlobHash, DeltaKind};

/// The name it goes by.
pub const SCRIPTED: &str = "scripted";

/// The name under which it can be had a second time, for routes.
pub const BACKUP: &str = "backup";

/// The scripted model. A pure function of the request, apart from its pauses.
#[derive(Debug, Clone, Copy)]
pub struct ScriptedModel;

/// The scripted model as a part of a daemon; it costs money, so that budgets and ledgers have something to count.
pub fn scripted() -> ExtraModel {
    named(SCRIPTED)
}

/// The same under another name.
pub fn named(name: &str) -> ExtraModel {
    let spec = ModelSpec {
        context_tokens: Tokens(200_000),
        max_output_tokens: Tokens(4_000),
        input_microusd_per_mtok: Money(1_000_000),
        output_microusd_per_mtok: Money(5_000_000),
        priced: true,
    };
    let abilities = Abilities { images: Some(true), ..Abilities::default() };
    ExtraModel { name: ModelName::new(name), backend: Arc::new(ScriptedModel), spec, abilities }
}

#[derive(Debug, Default)]
struct Round {
    text: String,
    calls: Vec<ReplyCall>,
    pause_ms: u64,
    piece_bytes: Option<usize>,
    fail: Option<Failure>,
}

impl Backend for ScriptedModel {
    fn call(&self, request: Request, sink: Sink, stop: CancellationToken) -> PendingCall {
        Box::pin(async move {
            let round = round(&request);
            let input_tokens = Tokens(request.messages.len() as u64 * 10);
            let mut said = String::new();
            for piece in round.pieces() {
                let pause = tokio::time::sleep(Duration::from_millis(round.pause_ms));
                tokio::select! {
                    () = stop.cancelled() => {
                        let usage = usage(input_tokens, &said, true);
                        return Ended::Interrupted { partial: Partial { text: said, reasoning: String::new(), usage } };
                    }
                    () = pause => {}
                }
                sink(DeltaKind::Message, piece);
                said.push_str(piece);
            }
            let usage = usage(input_tokens, &said, false);
            if let Some(failure) = round.fail {
                let (message, partial) =
                    ("the script says so".to_owned(), Partial { text: said, reasoning: String::new(), usage });
                return Ended::Failed { failure, retry_after_ms: None, message, partial };
            }
            let stop = if round.calls.is_empty() { Stop::End } else { Stop::ToolCalls };
            let request = fingerprint(&request);
            Ended::Finished(Reply {
                text: said,
                reasoning: String::new(),
                calls: round.calls,
                stop,
                usage,
                request,
                carry: None,
            })
        })
    }

    fn fingerprint(&self, request: &Request) -> Option<BlobHash> {
        Some(fingerprint(request))
    }

    fn describe(&self) -> Description {
        Description { provider: "scripted", address: None, remote: false }
    }
}

fn fingerprint(request: &Request) -> BlobHash {
    BlobHash::of(format!("{:?}", request.messages).as_bytes())
}

fn usage(input_tokens: Tokens, said: &str, estimated: bool) -> Usage {
    Usage { input_tokens, output_tokens: Tokens::estimate(said.len()), estimated, ..Usage::default() }
}

/// Which part of the newest prompt is to be answered now.
fn round(request: &Request) -> Round {
    let newest = request.messages.iter().rposition(|message| matches!(message, Message::User { .. })).unwrap_or(0);
    let Some(Message::User { text, .. }) = request.messages.get(newest) else { return Round::default() };
    let answers = request.messages[newest..].iter().filter(|m| matches!(m, Message::Assistant { .. })).count();
    match text.split("[[then]]").nth(answers) {
        Some(part) => parse(part, answers, request),
        None => Round { text: "done".to_owned(), ..Round::default() },
    }
}

impl Round {
    fn pieces(&self) -> Vec<&str> {
        let Some(bytes) = self.piece_bytes else { return self.text.split_inclusive(' ').collect() };
        let (mut pieces, mut rest) = (Vec::new(), self.text.as_str());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.ceil_char_boundary(bytes.min(rest.len())));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}

/// Everything that the model was given to read, and what it was given to see.
fn echo(request: &Request) -> String {
    let told = request.messages.iter().map(|message| match message {
        Message::User { text, attachments } | Message::Tool { text, attachments, .. } => {
            let seen = attachments.iter().map(|one| format!("[{} {} bytes]", one.media_type.word(), one.bytes.len()));
            format!("{text}{}", seen.collect::<String>())
        }
        Message::Assistant { text, .. } => text.clone(),
    });
    told.collect::<Vec<_>>().join("\n").replace("[[", "((")
}

fn parse(part: &str, answers: usize, request: &Request) -> Round {
    let mut round = Round::default();
    let mut rest = part;
    while let Some(at) = rest.find("[[") {
        round.text.push_str(&rest[..at]);
        let end = rest[at..].find("]]").map_or(rest.len(), |end| at + end);
        let directive = &rest[at + 2..end];
        match directive.split_once(' ') {
            Some(("tool", call)) => {
                let (name, arguments) = call.split_once(' ').unwrap_or((call, "{}"));
                let id = format!("call_{answers}_{}", round.calls.len());
                round.calls.push(ReplyCall { id, name: name.to_owned(), arguments: arguments.to_owned() });
            }
            Some(("pause", ms)) => round.pause_ms = ms.trim().parse().unwrap_or(0),
            Some(("pieces", bytes)) => round.piece_bytes = bytes.trim().parse().ok(),
            Some(("fail", how)) => {
                let (kind, model) = how.split_once(' ').unwrap_or((how, &request.model));
                let failure = if kind == "overloaded" { Failure::Overloaded } else { Failure::Rejected };
                round.fail = round.fail.or((model == request.model).then_some(failure));
            }
            Some(("panic", file)) => panic!("broke down with {:?}", std::fs::read_to_string(file)),
            None if directive == "echo" => round.text.push_str(&echo(request)),
            _ => {}
        }
        rest = rest.get(end + 2..).unwrap_or_default();
    }
    round.text.push_str(rest);
    round.text = round.text.trim().to_owned();
    round
}
