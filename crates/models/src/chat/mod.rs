//! The chat dialect of OpenAI as the world's servers really speak it.
//!
//! Owns the rendering of a request and the stream parser; the way there and back is the courier's. The parser is ours
//! because unknown servers leave out indexes, repeat them, send empty ids, send arguments as objects and end streams
//! with errors, and a tool call lost or doubled over that is worse than no call.
//!
//! Deliberately absent: other dialects, and everything about sockets.

mod answer;
mod assemble;
mod backend;
mod carry;
mod chunk;
mod config;
mod extent;
mod ids;
mod render;
mod sse;
#[cfg(test)]
mod tests;

pub use backend::OpenAiChat;
pub use config::{ChatConfig, OutputLimit};

pub(crate) use config::Manner;
pub(crate) use render::render;
