//! One call in the chat dialect: rendered here, carried by the courier, heard by the parser.

use super::answer::ChatAnswer;
use super::config::{ChatConfig, Manner};
use super::render;
use crate::backend::{Backend, Description, PendingCall, Request, Sink};
use crate::http::{ConfigError, Courier, Dialect, prompt_bytes};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use wire::BlobHash;

static CHAT: Dialect = Dialect {
    provider: "openai",
    path: "/chat/completions",
    accept: "text/event-stream, application/json",
    wrong_path: "; check base_url: it is the URL below which /chat/completions lies, and most end in /v1",
};

/// A server that speaks the chat dialect. Cloning shares the connections.
#[derive(Debug, Clone)]
pub struct OpenAiChat {
    courier: Arc<Courier>,
    manner: Manner,
}

impl OpenAiChat {
    /// Checks the configuration. Nothing is opened before the first call.
    pub fn new(config: ChatConfig) -> Result<OpenAiChat, ConfigError> {
        let courier = Courier::new(&CHAT, &config.base_url, config.key, config.timeouts, config.limits)?;
        let manner = Manner::of(courier.endpoint(), config.output_limit);
        Ok(OpenAiChat { courier: Arc::new(courier), manner })
    }
}

impl Backend for OpenAiChat {
    fn call(&self, request: Request, sink: Sink, stop: CancellationToken) -> PendingCall {
        let (courier, manner) = (self.courier.clone(), self.manner);
        Box::pin(async move {
            let body = render(&request, manner);
            let answer = ChatAnswer::new(&request.model, courier.limits(), sink, prompt_bytes(&request, body.len()));
            // The conversation is not needed any more while the answer streams, which may take minutes.
            drop(request);
            courier.call(body, answer, stop).await
        })
    }

    fn fingerprint(&self, request: &Request) -> Option<BlobHash> {
        Some(BlobHash::of(&render(request, self.manner)))
    }

    fn describe(&self) -> Description {
        self.courier.describe()
    }
}
