//! One call: render, send, listen, and end in exactly one way.

use super::answer::Answer;
use super::config::{Address, GenAiConfig, GenAiConfigError};
use super::listen::{Patience, Shared, listen};
use super::render::{Rendered, render};
use super::trouble::{Broken, Trouble};
use crate::backend::{Backend, Description, Ended, Partial, PendingCall, Request, Sink};
use crate::http::client::{WarmClient, root_cause};
use crate::http::{Fault, prompt_bytes, refusal};
use agent::Failure;
use genai::chat::{ChatOptions, ChatRequest};
use genai::resolver::{AuthData, Endpoint};
use genai::{Client, ModelIden, ServiceTarget};
use std::sync::{Arc, OnceLock};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wire::BlobHash;

/// What goes in place of a key to a server that asks for none: the library insists on one.
const NO_KEY: &str = "none";

/// A provider behind the library `genai`. Cloning shares the connections.
#[derive(Debug, Clone)]
pub struct GenAi {
    server: Arc<Server>,
}

#[derive(Debug)]
struct Server {
    config: GenAiConfig,
    address: Address,
    client: WarmClient,
    library: OnceLock<Client>,
}

impl GenAi {
    /// Checks the configuration. Nothing is opened before the first call.
    pub fn new(config: GenAiConfig) -> Result<GenAi, GenAiConfigError> {
        let address = Address::new(config.provider, config.base_url.as_deref())?;
        let server = Server { config, address, client: WarmClient::default(), library: OnceLock::new() };
        Ok(GenAi { server: Arc::new(server) })
    }
}

impl Backend for GenAi {
    fn call(&self, request: Request, sink: Sink, stop: CancellationToken) -> PendingCall {
        let server = self.server.clone();
        Box::pin(async move { server.call(request, sink, stop).await })
    }

    fn fingerprint(&self, request: &Request) -> Option<BlobHash> {
        Some(BlobHash::of(&render(self.server.config.provider.info().dialect, request).bytes))
    }

    fn describe(&self) -> Description {
        let Server { config, address, .. } = &*self.server;
        let endpoint = &address.endpoint;
        Description {
            provider: config.provider.word(),
            address: Some(endpoint.shown.clone()),
            remote: !endpoint.loopback,
        }
    }
}

impl Server {
    async fn call(&self, request: Request, sink: Sink, stop: CancellationToken) -> Ended {
        let dialect = self.config.provider.info().dialect;
        let rendered = render(dialect, &request);
        let hash = BlobHash::of(&rendered.bytes);
        let prompt = prompt_bytes(&request, rendered.bytes.len());
        let answer = Shared::new(Answer::new(dialect, &request.model, self.config.limits, sink, prompt));
        // The conversation is not needed any more while the answer streams, which may take minutes.
        drop(request);
        let talked = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            talked = self.talk(rendered, &answer) => Some(talked),
        };
        let answer = answer.take();
        match talked {
            None if !answer.is_done() => Ended::Interrupted { partial: answer.partial() },
            Some(Err(trouble)) => self.failed(trouble, answer.partial()),
            None | Some(Ok(())) => {
                let (heard, anything_said) = (answer.is_of_the_dialect(), answer.anything_said());
                match answer.finish(hash) {
                    Ok(reply) => Ended::Finished(reply),
                    Err((fault, partial)) => self.failed(self.faulty(&fault, heard, anything_said), partial),
                }
            }
        }
    }

    /// Sends the request and hears the answer out. A server may close a pooled connection at the very moment it is used
    /// again; then no byte of an answer came and sending is tried once more. A request on a fresh connection never is.
    async fn talk(&self, rendered: Rendered, answer: &Shared) -> Result<(), Trouble> {
        let Rendered { request, options, model, .. } = rendered;
        let heard = answer.clone();
        let options = options.with_raw_frame_fn(move |_, frame| heard.get().frame(frame.data));
        let first = Instant::now() + self.config.timeouts.first_token;
        let opened = self.client.opened();
        match self.once(&model, request.clone(), &options, first, answer).await {
            Err(Broken::Unsent(error)) if !error.is_connect() && self.client.opened() == opened => {
                let server = &self.address.endpoint.shown;
                tracing::debug!(server, "a pooled connection was closed; sending again");
                self.once(&model, request, &options, first, answer).await
            }
            ended => ended,
        }
        .map_err(|broken| match broken {
            Broken::Unsent(error) => Trouble::unsent(error, self.config.timeouts.connect),
            Broken::Trouble(trouble) => trouble,
        })
    }

    async fn once(
        &self,
        model: &str,
        request: ChatRequest,
        options: &ChatOptions,
        first: Instant,
        answer: &Shared,
    ) -> Result<(), Broken> {
        let key = self.config.key.as_ref();
        let client = self.library()?;
        let target = ServiceTarget {
            endpoint: Endpoint::from_owned(self.address.base.as_str()),
            auth: AuthData::from_single(key.map_or(NO_KEY, |key| key.secret())),
            model: ModelIden::new(self.config.provider.adapter(), model),
        };
        // Nothing is sent yet: the library sends when its stream is first polled.
        let begun = client.exec_chat_stream(target, request, Some(options)).await;
        let stream = begun.map_err(|error| Broken::new(error, false, key))?.stream;
        let patience = Patience { timeouts: &self.config.timeouts, line_work: self.config.line_work, key };
        listen(stream, answer, first, &patience).await
    }

    /// The library on our own client: warm, without proxies for this machine, without roots where none are needed.
    fn library(&self) -> Result<&Client, Broken> {
        if let Some(library) = self.library.get() {
            return Ok(library);
        }
        let client = self.client.get(&self.address.endpoint, &self.config.timeouts).map_err(|error| {
            let message = format!("could not be asked: the HTTP client could not be made: {}", root_cause(error));
            Broken::Trouble(Trouble::new(Failure::Unreachable, false, message))
        })?;
        let library = Client::builder().with_reqwest(client.clone()).build().map_err(|_| {
            let message = "could not be asked: the library genai could not be set up".to_owned();
            Broken::Trouble(Trouble::new(Failure::Unreachable, false, message))
        })?;
        Ok(self.library.get_or_init(|| library))
    }

    fn faulty(&self, fault: &Fault, heard: bool, anything_said: bool) -> Trouble {
        let words = match fault {
            Fault::Cut if !heard => "answered without a single event of its dialect; check base_url, and whether a \
                                     proxy or a login stands between"
                .to_owned(),
            Fault::NotTheDialect { reason } => {
                format!("sent something that is not of its dialect ({reason}); check that base_url names such a server")
            }
            fault => fault.to_string(),
        };
        let message = refusal::shorten(&self.masked(&words));
        Trouble::new(fault.failure(anything_said), true, message)
    }

    fn failed(&self, trouble: Trouble, partial: Partial) -> Ended {
        let usage = if trouble.worked { partial.usage } else { agent::Usage::default() };
        Ended::Failed {
            failure: trouble.failure,
            retry_after_ms: trouble.retry_after_ms,
            message: self.masked(&format!("{} {}", self.address.endpoint.shown, trouble.message)),
            partial: Partial { usage, ..partial },
        }
    }

    fn masked(&self, text: &str) -> String {
        self.config.key.as_ref().map_or_else(|| text.to_owned(), |key| key.mask(text))
    }
}
