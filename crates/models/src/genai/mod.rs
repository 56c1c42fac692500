//! The dialects that are not chat: Anthropic's messages, Gemini's contents and OpenAI's responses, through the library
//! `genai`.
//!
//! The library owns what makers document well: paths, headers, the shape of tools, limits and schemas, the splitting of
//! a stream into frames. What real servers get wrong, this module owns: every frame is read here as well, since the
//! library's own summary gives one call's name with another's arguments when a server stops its blocks late or leaves
//! out an index; an answer is a reply only if both the library and our reader saw its end. Messages are rendered here,
//! word for word with what a provider wants back, and one warm client with our own timeouts serves all calls.
//!
//! Deliberately absent: the chat dialect and Ollama's, which have parsers of their own; providers behind a cloud's own
//! sign-in (Vertex, Bedrock, GitHub Copilot); the library's guesses of a provider by a model's name, its reading of
//! keys from the environment and its rewriting of model names.
//!
//! What cannot be had here: the library reads the body itself, so the limits count what comes in frames, a line
//! without an end is bounded by the time it costs rather than by its bytes, and the body of a refusal by the first
//! token's time limit alone. A provider that is not trusted at all is better reached through its chat dialect.

mod answer;
mod anthropic;
mod backend;
mod calls;
mod carry;
mod config;
mod gemini;
mod listen;
mod providers;
mod render;
mod responses;
mod trouble;

pub use backend::GenAi;
pub use config::{GenAiConfig, GenAiConfigError, GenAiProvider};
pub use providers::{Dialect, ProviderInfo, provider, providers};
