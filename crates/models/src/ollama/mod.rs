//! Ollama in its own dialect, `/api/chat`: what the real servers 0.24 and 0.33 were recorded to do is what this keeps to.
//!
//! Its OpenAI dialect is left alone, since it loses errors in mid stream and cannot say how large the context is to be.
//! Owned here: the rendering (arguments as objects, images beside the text, a context size that never changes for a
//! model, no silent cutting of a prompt), the reading of lines of JSON, and the rule that only a line with `done: true`
//! is the end of a reply.
//!
//! Deliberately absent: pulling, creating and unloading models, which are a person's business; and counting tokens, for
//! which Ollama has no interface.

mod answer;
mod backend;
mod config;
mod line;
mod render;
mod show;
#[cfg(test)]
mod tests;

pub use backend::Ollama;
pub use config::OllamaConfig;

pub(crate) use show::Shown;
