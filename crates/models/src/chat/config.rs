//! What a chat server is made of, and what it wants to be asked in its own way.

use crate::http::{Endpoint, StreamLimits, Timeouts};
use crate::key::Key;

/// What an [`OpenAiChat`](super::OpenAiChat) is made of.
#[derive(Debug, Clone)]
pub struct ChatConfig {
    /// The URL below which `/chat/completions` lies, as the server's documentation gives it: most end in `/v1`, and
    /// nothing is added but `/chat/completions`. A last slash makes no difference; a query is kept.
    pub base_url: String,
    /// The key, where the server asks for one.
    pub key: Option<Key>,
    /// How long each part may take.
    pub timeouts: Timeouts,
    /// How much a server may send.
    pub limits: StreamLimits,
    /// The name that the output limit goes by; `None` chooses by the host.
    pub output_limit: Option<OutputLimit>,
}

impl ChatConfig {
    /// A server with all defaults and no key.
    pub fn new(base_url: impl Into<String>) -> ChatConfig {
        ChatConfig {
            base_url: base_url.into(),
            key: None,
            timeouts: Timeouts::default(),
            limits: StreamLimits::default(),
            output_limit: None,
        }
    }
}

/// The name of the limit of output tokens, on which servers do not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputLimit {
    /// `max_tokens`, which every compatible server knows and newer models of OpenAI refuse.
    MaxTokens,
    /// `max_completion_tokens`, which OpenAI asks for.
    MaxCompletionTokens,
}

/// The host of OpenAI itself.
const OPENAI: &str = "api.openai.com";
/// The host of Mistral.
const MISTRAL: &str = "api.mistral.ai";

/// What is rendered in one way for one server and in another for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    /// The name of the output limit.
    pub(crate) output_limit: OutputLimit,
    /// Whether it is OpenAI itself, which reads documents and whose newer models refuse a temperature.
    pub(crate) openai: bool,
    /// Whether it is Mistral, which takes ids of nine letters and digits alone, no empty message and no fields that it
    /// does not know, and wants a word of the assistant between results of tools and the user.
    pub(crate) mistral: bool,
}

impl Manner {
    /// What every compatible server understands.
    pub(crate) const PLAIN: Manner = Manner { output_limit: OutputLimit::MaxTokens, openai: false, mistral: false };

    /// What this server is known to want.
    pub(super) fn of(endpoint: &Endpoint, output_limit: Option<OutputLimit>) -> Manner {
        let openai = endpoint.is_host(OPENAI);
        let usual = if openai { OutputLimit::MaxCompletionTokens } else { OutputLimit::MaxTokens };
        let mistral = endpoint.is_host(MISTRAL);
        Manner { output_limit: output_limit.unwrap_or(usual), openai, mistral }
    }

    /// Whether a model may get back what it thought before it called tools: everywhere but where it is refused.
    pub(super) fn takes_reasoning(self) -> bool {
        !self.openai && !self.mistral
    }
}
