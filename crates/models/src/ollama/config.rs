//! What an Ollama server is made of.

use crate::http::{StreamLimits, Timeouts};
use crate::key::Key;
use agent::Tokens;
use std::time::Duration;

/// Where Ollama listens unless it was told otherwise.
pub(crate) const DEFAULT_BASE_URL: &str = "http://127.0.0.1:11434";

/// The time until the first token, which includes loading the model from disk: as long as Ollama itself allows for that.
const FIRST_TOKEN: Duration = Duration::from_secs(300);

/// What an [`Ollama`](super::Ollama) is made of.
#[derive(Debug, Clone)]
pub struct OllamaConfig {
    /// The root of the server, without `/api`: `http://127.0.0.1:11434`.
    pub base_url: String,
    /// The key, for an Ollama behind a proxy that asks for one. Ollama itself asks for none.
    pub key: Option<Key>,
    /// The size of the context, sent as `num_ctx` with every call; `None` takes the server's default, which is small.
    /// Another size makes the server load the model anew, so it should be one size for a model. What is more than the
    /// model was trained for is clamped by the server without a word.
    pub context_tokens: Option<Tokens>,
    /// How long the model stays in memory after a call, as Ollama reads it: `90s`, `5m`, seconds, `0`, or `-1` for ever.
    /// `None` takes the server's default.
    pub keep_alive: Option<String>,
    /// How long each part may take; the first token may take 300 s, since the model may have to be loaded.
    pub timeouts: Timeouts,
    /// How much a server may send.
    pub limits: StreamLimits,
    /// Whether a model that can think shall; `None` leaves it to the model, and most that can do. Models that cannot are
    /// never asked to, since Ollama refuses that: which can is asked of the server once for each model.
    pub think: Option<bool>,
}

impl Default for OllamaConfig {
    fn default() -> OllamaConfig {
        OllamaConfig::new(DEFAULT_BASE_URL)
    }
}

impl OllamaConfig {
    /// A server with all defaults and no key.
    pub fn new(base_url: impl Into<String>) -> OllamaConfig {
        OllamaConfig {
            base_url: base_url.into(),
            key: None,
            context_tokens: None,
            keep_alive: None,
            timeouts: Timeouts { first_token: FIRST_TOKEN, ..Timeouts::default() },
            limits: StreamLimits::default(),
            think: None,
        }
    }
}
