//! Tools for models that were never taught any: the model is held to a JSON schema whose every answer is either a tool
//! call or a reply in words.
//!
//! Servers with a model whose template has no place for tools leave them out of the prompt without a word (see
//! [`tooling`](crate::tooling)). Such a model still reads a description of the tools and writes JSON when its server
//! decodes by a grammar, as llama.cpp and Ollama do. Owned here: that description, the schema, the conversation as plain
//! turns, and the way back from JSON to calls and streamed words. [`Adaptive`] finds out by itself whether a server on
//! this machine needs it.
//!
//! Deliberately absent: several calls in one reply, which small models do not get right; and any trust in the server: an
//! answer that is not of the schema is a failure, never a call.

mod adaptive;
mod backend;
mod conversation;
mod form;
mod hearing;
mod outcome;

pub use adaptive::Adaptive;
pub use backend::Constrained;
