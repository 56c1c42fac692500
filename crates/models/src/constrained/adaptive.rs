//! A backend that finds out by itself whether its models need to be held to a schema.

use super::backend::Constrained;
use crate::backend::{Backend, Description, Ended, Message, Partial, PendingCall, Request, Sink};
use crate::http::Missed;
use crate::key::Key;
use crate::local::{Probe, Tooling, tooling};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use wire::BlobHash;

/// How long the question may take. A server that has no better way answers two prompts for it, perhaps after loading the
/// model.
const PROBE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a server whose answer could not be read is not asked again: it would delay every call of the model.
const UNKNOWN_FOR: Duration = Duration::from_secs(5 * 60);

/// A server on this machine, called in the way that each of its models understands: with tools where the model's template
/// has a place for them, held to a schema where it has none. Which is asked before the first call that needs tools, and
/// remembered. A server elsewhere is always taken to know tools. Cloning shares what was found out.
#[derive(Clone)]
pub struct Adaptive {
    native: Arc<dyn Backend>,
    constrained: Constrained,
    question: Option<Arc<Question>>,
}

/// Where to ask, and what was answered.
struct Question {
    probe: Probe,
    is_ollama: bool,
    known: Mutex<BTreeMap<String, Known>>,
}

/// What is known of a model.
#[derive(Clone, Copy)]
struct Known {
    tooling: Tooling,
    /// Until when; for ever where the server answered.
    until: Option<Instant>,
}

impl fmt::Debug for Adaptive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Adaptive").field(&self.native.describe()).finish()
    }
}

impl Adaptive {
    /// Adapts a backend; `key` is the one that its server asks for.
    pub fn new(native: Arc<dyn Backend>, key: Option<&Key>) -> Adaptive {
        let Description { provider, address, remote } = native.describe();
        let root = address.filter(|_| !remote).map(|address| address.trim_end_matches("/v1").to_owned());
        let probe = root.and_then(|root| Probe::new(&root, key, PROBE_TIMEOUT));
        let question =
            probe.map(|probe| Arc::new(Question { probe, is_ollama: provider == "ollama", known: Mutex::default() }));
        Adaptive { constrained: Constrained::new(native.clone()), native, question }
    }
}

impl Question {
    /// How a model calls tools. A server that did not answer, or not yet since it loads the model, is asked again at the
    /// next call; one whose answer cannot be read, some minutes later.
    async fn ask(&self, model: &str) -> Tooling {
        if let Some(tooling) = self.remembered(model) {
            return tooling;
        }
        let found = tooling(&self.probe, self.is_ollama, model).await;
        tracing::debug!(model, ?found, "how a model calls tools");
        let known = match found {
            Ok(tooling) => Known { tooling, until: None },
            Err(Missed::Unreachable | Missed::TimedOut | Missed::Refused(_)) => return Tooling::Unknown,
            Err(Missed::TooLong | Missed::NotJson) => {
                Known { tooling: Tooling::Unknown, until: Some(Instant::now() + UNKNOWN_FOR) }
            }
        };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(model.to_owned(), known);
        known.tooling
    }

    fn remembered(&self, model: &str) -> Option<Tooling> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(model).copied()?;
        known.until.is_none_or(|until| Instant::now() < until).then_some(known.tooling)
    }
}

/// Whether tools play a part in a request.
fn needs_tools(request: &Request) -> bool {
    let has_calls = |message: &Message| match message {
        Message::Assistant { calls, .. } => !calls.is_empty(),
        Message::Tool { .. } => true,
        Message::User { .. } => false,
    };
    !request.tools.is_empty() || request.messages.iter().any(has_calls)
}

impl Backend for Adaptive {
    fn call(&self, request: Request, sink: Sink, stop: CancellationToken) -> PendingCall {
        let Some(question) = self.question.clone().filter(|_| needs_tools(&request)) else {
            return self.native.call(request, sink, stop);
        };
        let adaptive = self.clone();
        Box::pin(async move {
            let found = tokio::select! {
                biased;
                () = stop.cancelled() => return Ended::Interrupted { partial: Partial::default() },
                found = question.ask(&request.model) => found,
            };
            match found {
                Tooling::Constrained => adaptive.constrained.call(request, sink, stop).await,
                Tooling::Native | Tooling::Unknown => adaptive.native.call(request, sink, stop).await,
            }
        })
    }

    fn fingerprint(&self, request: &Request) -> Option<BlobHash> {
        let asks = self.question.is_some() && needs_tools(request);
        if asks { None } else { self.native.fingerprint(request) }
    }

    fn describe(&self) -> Description {
        self.native.describe()
    }
}
