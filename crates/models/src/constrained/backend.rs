//! A backend whose model has no tools, as one that has.

use super::conversation::without_tools;
use super::hearing::Hearing;
use super::outcome::{Outcome, read};
use crate::backend::{Backend, Description, Ended, Partial, PendingCall, Reply, Request, Sink};
use agent::{Failure, Stop, Usage};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;
use wire::{BlobHash, DeltaKind, ToolSpec};

/// What stands in place of an answer that its limit cut before it said anything.
const CUT: &str = "(the answer was cut before it ended)";

/// Gives tools to a backend whose server decodes by a JSON schema. Cloning shares the backend.
#[derive(Clone)]
pub struct Constrained {
    inner: Arc<dyn Backend>,
}

impl fmt::Debug for Constrained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Constrained").field(&self.inner.describe()).finish()
    }
}

impl Constrained {
    /// Calls go to `inner`, without tools and with a schema.
    pub fn new(inner: Arc<dyn Backend>) -> Constrained {
        Constrained { inner }
    }
}

impl Backend for Constrained {
    fn call(&self, request: Request, sink: Sink, stop: CancellationToken) -> PendingCall {
        let (inner, plain) = (self.inner.clone(), without_tools(&request));
        let tools = request.tools;
        if tools.is_empty() {
            return inner.call(plain, sink, stop);
        }
        Box::pin(async move {
            let hearing = Arc::new(Mutex::new(Hearing::default()));
            let ended = inner.call(plain, listening(hearing.clone(), sink.clone()), stop).await;
            let hearing = hearing.lock().unwrap_or_else(PoisonError::into_inner);
            translated(ended, &hearing, &tools, &sink, &inner.describe())
        })
    }

    fn fingerprint(&self, request: &Request) -> Option<BlobHash> {
        self.inner.fingerprint(&without_tools(request))
    }

    fn describe(&self) -> Description {
        self.inner.describe()
    }
}

/// A sink that lets through the words of a reply and what the model thinks, but no JSON.
fn listening(hearing: Arc<Mutex<Hearing>>, sink: Sink) -> Sink {
    Arc::new(move |kind, piece| {
        if kind != DeltaKind::Message {
            return sink(kind, piece);
        }
        let letters = hearing.lock().unwrap_or_else(PoisonError::into_inner).push(piece);
        if !letters.is_empty() {
            sink(kind, &letters);
        }
    })
}

fn translated(ended: Ended, hearing: &Hearing, tools: &[ToolSpec], sink: &Sink, from: &Description) -> Ended {
    let heard = |partial: Partial| Partial { text: hearing.heard().to_owned(), ..partial };
    match ended {
        Ended::Finished(reply) => finished(reply, hearing, tools, sink, from),
        Ended::Failed { failure, retry_after_ms, message, partial } => {
            Ended::Failed { failure, retry_after_ms, message, partial: heard(partial) }
        }
        Ended::Interrupted { partial } => Ended::Interrupted { partial: heard(partial) },
    }
}

fn finished(reply: Reply, hearing: &Hearing, tools: &[ToolSpec], sink: &Sink, from: &Description) -> Ended {
    let cut = matches!(reply.stop, Stop::Length | Stop::Filtered);
    if cut && hearing.is_in_words() {
        return said_until_cut(reply, hearing, sink);
    }
    match read(&reply.text, tools) {
        Err(_) if cut => said_until_cut(reply, hearing, sink),
        Ok(Outcome::Call(call)) if reply.calls.is_empty() => Ended::Finished(Reply {
            text: String::new(),
            calls: vec![call],
            stop: Stop::ToolCalls,
            carry: None,
            ..reply
        }),
        Ok(Outcome::Words(text)) if reply.calls.is_empty() => {
            // Words that have a form of their own were not heard as they came.
            if let Some(rest) = text.strip_prefix(hearing.heard()).filter(|rest| !rest.is_empty()) {
                sink(DeltaKind::Message, rest);
            }
            Ended::Finished(Reply { text, stop: Stop::End, carry: None, ..reply })
        }
        Ok(_) => {
            broken("called a tool that it was not offered".to_owned(), hearing, reply.reasoning, reply.usage, from)
        }
        Err(error) => broken(error.to_string(), hearing, reply.reasoning, reply.usage, from),
    }
}

/// Words that a limit cut are still what the model said. A call is lost with its end, and since the likeliest answer would be
/// cut at the same place again, it is no failure that invites another attempt.
fn said_until_cut(reply: Reply, hearing: &Hearing, sink: &Sink) -> Ended {
    let text = match hearing.heard() {
        "" => {
            sink(DeltaKind::Message, CUT);
            CUT
        }
        heard => heard,
    };
    Ended::Finished(Reply { text: text.to_owned(), calls: Vec::new(), carry: None, ..reply })
}

fn broken(what: String, hearing: &Hearing, reasoning: String, usage: Usage, from: &Description) -> Ended {
    Ended::Failed {
        failure: Failure::Broken,
        retry_after_ms: None,
        message: format!("{from} {what}"),
        partial: Partial { text: hearing.heard().to_owned(), reasoning, usage },
    }
}
