//! The voice: every call to a language model goes through this room, behind one border, [`Backend`].
//!
//! A backend takes a [`Request`] (plain data, rendered the same way every time), lets whoever watches hear each piece
//! of text through a [`Sink`], and ends in exactly one [`Ended`]: a whole reply, a failure of a known kind with what
//! had been said before it, or an interruption by us. A stream that was cut never looks like a reply, and a tool call
//! whose arguments did not end never leaves this room.
//!
//! Two backends live here. [`OpenAiChat`] speaks the chat dialect that most servers understand, with a stream parser
//! of our own, since real servers bend the dialect in ways that general clients lose calls over. [`Offline`] needs no
//! server: a small documented grammar that turns plain sentences into tool calls and says honestly what it is.
//!
//! [`GenAi`] speaks the dialects of Anthropic, Gemini and OpenAI's responses through the library `genai`, and checks every
//! frame of it. [`providers`] names all providers with their addresses and dialects, and [`known`] their models' windows
//! and prices.
//!
//! [`Ollama`] speaks to Ollama in its own dialect. [`discover`] finds servers on this machine; [`Constrained`] gives tools to
//! models that were never taught any, and [`Adaptive`] finds out which those are. [`examine`] tries what a model really does,
//! and [`reach`](fn@reach) asks for nothing whether a provider answers and takes a key.
//!
//! Deliberately absent: retries after a failure, prices, budgets and the choice of a model, which the brain decides
//! from events; and any memory between two calls, except a warm connection.

mod backend;
mod chat;
mod constrained;
#[cfg(test)]
#[path = "../tests/shared/damage.rs"]
mod damage;
mod examine;
mod genai;
mod http;
mod key;
mod known;
mod local;
mod offline;
mod ollama;
mod reach;

pub use backend::{
    Attachment, Backend, Carry, Description, Ended, Message, Partial, PendingCall, Reply, ReplyCall, Request, Sink,
};
pub use chat::{ChatConfig, OpenAiChat, OutputLimit};
pub use constrained::{Adaptive, Constrained};
pub use examine::{Examination, Finding, Outcome, examine};
pub use genai::{Dialect, GenAi, GenAiConfig, GenAiConfigError, GenAiProvider, ProviderInfo, provider, providers};
pub use http::{ConfigError, StreamLimits, Timeouts};
pub use key::{Key, KeyError};
pub use known::{Known, known};
pub use local::{Abilities, FoundModel, NotLocal, PROBE_TIMEOUT, Place, Server, ServerKind, Tooling, discover};
pub use offline::{Offline, answer};
pub use ollama::{Ollama, OllamaConfig};
pub use reach::{REACH_TIMEOUT, Reach, reach};
