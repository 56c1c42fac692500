//! The chat dialect of OpenAI as the world's servers really speak it.
//!
//! Owns the rendering of a request, one warm HTTP client per endpoint, the stream parser with its limits and timeouts,
//! and the reading of refusals. The parser is ours because unknown servers leave out indexes, repeat them, send empty
//! ids, send arguments as objects and end streams with errors, and a tool call lost or doubled over that is worse than
//! no call.
//!
//! Deliberately absent: other dialects, redirects (a key must not follow one) and HTTP/2 (one stream at a time needs
//! none).

mod answer;
mod assemble;
mod backend;
mod chunk;
mod client;
mod config;
mod fault;
mod refusal;
mod render;
mod retry_after;
mod sse;
#[cfg(test)]
mod tests;

pub use backend::OpenAiChat;
pub use config::{ChatConfig, ConfigError, OutputLimit, StreamLimits, Timeouts};

pub(crate) use render::render;
