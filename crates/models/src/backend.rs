//! The border: what is asked of a model, what comes back, and the trait that stands between.
//!
//! Everything here is plain data, so that the daemon can journal it and a test can write it by hand.

use agent::{Failure, Stop, Tokens, Usage};
use serde_json::Value;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use wire::{BlobHash, DeltaKind, MediaType, ToolSpec};

/// One call of a model. The same request renders to the same bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The model, by the name that its provider knows.
    pub model: String,
    /// The system prompt; nothing is sent for an empty one.
    pub system: String,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// The tools that the model may ask for, in a stable order.
    pub tools: Arc<[ToolSpec]>,
    /// The most that the reply may have.
    pub max_output_tokens: Tokens,
    /// The JSON schema that the reply's text must keep to, where one is asked for.
    pub schema: Option<Arc<Value>>,
}

/// A message of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A person said something.
    User {
        /// What was said.
        text: String,
        /// Images and documents that came with it.
        attachments: Vec<Attachment>,
    },
    /// A model answered.
    Assistant {
        /// What it said; may be empty when it only called tools.
        text: String,
        /// The tool calls it asked for.
        calls: Vec<ReplyCall>,
        /// What its provider gave to be sent back with it.
        carry: Option<Carry>,
    },
    /// A tool ended.
    Tool {
        /// The call that it answers.
        call_id: String,
        /// The tool.
        name: String,
        /// Its result, as the model shall read it.
        text: String,
        /// Images and documents that it read.
        attachments: Vec<Attachment>,
    },
}

/// An image or a document in a message. Only what the model takes comes here; the daemon tells the rest in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// What people call it: a file name.
    pub name: String,
    /// Its kind.
    pub media_type: MediaType,
    /// Its bytes, as they are in the file.
    pub bytes: Arc<[u8]>,
}

/// What a provider wants to be sent back, word for word, with the reply that it came with: signed reasoning, encrypted
/// items. Nobody else can read it, so a backend leaves out what another one gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carry {
    /// Who gave it: dialect and model, such as `anthropic claude-opus-5`.
    pub from: String,
    /// What it is, as JSON of the backend's own making.
    pub data: String,
}

/// A tool call in a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyCall {
    /// The provider's id, or `call_<n>` of our making; unique within the reply.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as the model wrote them. In a [`Reply`] they are always a whole JSON object.
    pub arguments: String,
}

/// What a model answered, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What it said.
    pub text: String,
    /// What it thought aloud.
    pub reasoning: String,
    /// The tools it wants to run.
    pub calls: Vec<ReplyCall>,
    /// Why it stopped.
    pub stop: Stop,
    /// What it used; estimated and marked so when the provider gave no numbers.
    pub usage: Usage,
    /// SHA-256 of the request's bytes.
    pub request: BlobHash,
    /// What the provider wants back with this reply in later requests.
    pub carry: Option<Carry>,
}

/// How a call ended. There is exactly one of these for each call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The model answered.
    Finished(Reply),
    /// The call failed.
    Failed {
        /// Why, as the brain distinguishes it.
        failure: Failure,
        /// How long the provider asked us to wait.
        retry_after_ms: Option<u64>,
        /// What happened, to what, and what to do. No secret stands in it.
        message: String,
        /// What had been said before.
        partial: Partial,
    },
    /// We stopped the call.
    Interrupted {
        /// What had been said before.
        partial: Partial,
    },
}

/// What had been said when a call ended early.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Partial {
    /// The answer so far.
    pub text: String,
    /// The reasoning so far.
    pub reasoning: String,
    /// What the call is taken to have used. Zero only where the provider surely did no work: it could not be reached
    /// or refused the request.
    pub usage: Usage,
}

/// Who hears each piece of text the moment it arrives. Called inline on the task of the call, so it must be quick.
pub type Sink = Arc<dyn Fn(DeltaKind, &str) + Send + Sync>;

/// A call that runs when it is awaited. Dropping it closes its connection; the backend stays usable.
pub type PendingCall = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// A way to reach a model.
pub trait Backend: Send + Sync {
    /// Calls the model. Cancelling `stop` ends the call at once with [`Ended::Interrupted`], unless the reply was
    /// already whole. Cancel-safe: the future may also simply be dropped.
    fn call(&self, request: Request, sink: Sink, stop: CancellationToken) -> PendingCall;

    /// SHA-256 of the bytes that [`Backend::call`] would send for this request, to compare with what was sent once; `None`
    /// where they depend on what a server says of itself.
    fn fingerprint(&self, request: &Request) -> Option<BlobHash>;

    /// What this backend is, for `models ls` and for messages.
    fn describe(&self) -> Description;
}

/// What a backend is, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The provider's name in the configuration: `offline`, `openai`, `ollama`, `anthropic`.
    pub provider: &'static str,
    /// The server's base URL, without credentials and query; `None` where there is no server.
    pub address: Option<String>,
    /// Whether what is asked leaves this machine.
    pub remote: bool,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Some(address) => write!(f, "{} at {address}", self.provider),
            None => f.write_str(self.provider),
        }
    }
}
