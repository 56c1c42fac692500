//! One call of Ollama: rendered here, carried by the courier, heard line by line.

use super::answer::OllamaAnswer;
use super::config::OllamaConfig;
use super::render::{Constants, render};
use super::show::Shown;
use crate::backend::{Backend, Description, Ended, Partial, PendingCall, Request, Sink};
use crate::http::{ConfigError, Courier, Dialect, prompt_bytes};
use agent::Tokens;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;
use wire::BlobHash;

static OLLAMA: Dialect = Dialect {
    provider: "ollama",
    path: "/api/chat",
    accept: "application/x-ndjson, application/json",
    wrong_path: "; check base_url: it is the root of an Ollama server, without /api or /v1",
};

/// A server of Ollama. Cloning shares the connections.
#[derive(Debug, Clone)]
pub struct Ollama {
    server: Arc<Server>,
}

#[derive(Debug)]
struct Server {
    courier: Courier,
    context_tokens: Option<Tokens>,
    keep_alive: Option<Value>,
    think: Option<bool>,
    /// Which models can think, as far as it was asked.
    thinkers: Mutex<BTreeMap<String, bool>>,
}

impl Ollama {
    /// Checks the configuration. Nothing is opened before the first call.
    pub fn new(config: OllamaConfig) -> Result<Ollama, ConfigError> {
        let bare = config.base_url.trim().trim_end_matches('/');
        if bare.ends_with("/v1") {
            return Err(ConfigError::OtherDialect);
        }
        if bare.ends_with("/api") {
            return Err(ConfigError::WholePath { path: "/api" });
        }
        let courier = Courier::new(&OLLAMA, &config.base_url, config.key, config.timeouts, config.limits)?;
        let server = Server {
            courier,
            context_tokens: config.context_tokens,
            keep_alive: config.keep_alive.map(|text| match text.trim().parse::<i64>() {
                Ok(seconds) => json!(seconds),
                Err(_) => json!(text.trim()),
            }),
            think: config.think,
            thinkers: Mutex::default(),
        };
        Ok(Ollama { server: Arc::new(server) })
    }
}

impl Backend for Ollama {
    fn call(&self, request: Request, sink: Sink, stop: CancellationToken) -> PendingCall {
        let server = self.server.clone();
        Box::pin(async move { server.call(request, sink, stop).await })
    }

    fn fingerprint(&self, request: &Request) -> Option<BlobHash> {
        let server = &self.server;
        // Whether a model thinks is for its server to say.
        server.think.is_none().then(|| BlobHash::of(&render(request, &server.constants(None))))
    }

    fn describe(&self) -> Description {
        self.server.courier.describe()
    }
}

impl Server {
    async fn call(&self, request: Request, sink: Sink, stop: CancellationToken) -> Ended {
        let think = tokio::select! {
            biased;
            () = stop.cancelled() => return Ended::Interrupted { partial: Partial::default() },
            think = self.think(&request.model) => think,
        };
        let body = render(&request, &self.constants(think));
        let answer = OllamaAnswer::new(&request.model, self.courier.limits(), sink, prompt_bytes(&request, body.len()));
        // The conversation is not needed any more while the answer streams, which may take minutes.
        drop(request);
        self.courier.call(body, answer, stop).await
    }

    fn constants(&self, think: Option<bool>) -> Constants {
        let num_ctx = self.context_tokens.map(|tokens| tokens.0);
        Constants { num_ctx, keep_alive: self.keep_alive.clone(), think }
    }

    /// What to say about thinking: nothing where nothing was asked for, and nothing to a model that cannot or may not.
    async fn think(&self, model: &str) -> Option<bool> {
        let wanted = self.think?;
        let known = self.thinkers.lock().unwrap_or_else(PoisonError::into_inner).get(model).copied();
        let can = match known {
            Some(can) => can,
            None => {
                let shown = self.courier.ask("/api/show", &json!({"model": model})).await?;
                let can = Shown::read(&shown).can("thinking")?;
                self.thinkers.lock().unwrap_or_else(PoisonError::into_inner).insert(model.to_owned(), can);
                can
            }
        };
        can.then_some(wanted)
    }
}
