//! One call over HTTP: send, read, and end in exactly one way.

use super::answer::Answer;
use super::client::{WarmClient, root_cause};
use super::config::{ConfigError, Endpoint, StreamLimits, Timeouts};
use super::fault::Fault;
use super::fetch::fetch;
use super::{refusal, retry_after};
use crate::backend::{Description, Ended, Partial};
use crate::key::Key;
use agent::Failure;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response};
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use wire::BlobHash;

/// What is always the same in a dialect.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The provider's name in the configuration.
    pub(crate) provider: &'static str,
    /// The path below the base URL.
    pub(crate) path: &'static str,
    /// What is accepted as an answer.
    pub(crate) accept: &'static str,
    /// What to do when the path is not there.
    pub(crate) wrong_path: &'static str,
}

/// Carries requests to one endpoint and answers back. Nothing is opened before the first call.
#[derive(Debug)]
pub(crate) struct Courier {
    dialect: &'static Dialect,
    endpoint: Endpoint,
    key: Option<Key>,
    authorization: Option<HeaderValue>,
    timeouts: Timeouts,
    limits: StreamLimits,
    client: WarmClient,
}

/// Why a call failed, before it is put into words without secrets.
#[derive(Debug)]
struct Trouble {
    failure: Failure,
    retry_after_ms: Option<u64>,
    message: String,
    /// Whether the provider may have worked, and so will want to be paid.
    worked: bool,
}

impl Trouble {
    fn new(failure: Failure, worked: bool, message: String) -> Trouble {
        Trouble { failure, retry_after_ms: None, message, worked }
    }
}

impl Courier {
    /// Checks where it goes and what it carries.
    pub(crate) fn new(
        dialect: &'static Dialect,
        base_url: &str,
        key: Option<Key>,
        timeouts: Timeouts,
        limits: StreamLimits,
    ) -> Result<Courier, ConfigError> {
        let endpoint = Endpoint::new(base_url, dialect.path)?;
        let authorization = match &key {
            None => None,
            Some(key) => {
                let mut value = HeaderValue::from_str(&key.bearer()).map_err(|_| ConfigError::Key)?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Courier { dialect, endpoint, key, authorization, timeouts, limits, client: WarmClient::default() })
    }

    /// Where it goes.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How much it takes.
    pub(crate) fn limits(&self) -> StreamLimits {
        self.limits
    }

    /// What it is, without secrets.
    pub(crate) fn describe(&self) -> Description {
        let endpoint = &self.endpoint;
        Description {
            provider: self.dialect.provider,
            address: Some(endpoint.shown.clone()),
            remote: !endpoint.loopback,
        }
    }

    /// A small question to the same server, answered in JSON; `None` where there is no answer for any reason, since the
    /// call that follows will tell it better.
    pub(crate) async fn ask(&self, path: &str, question: &serde_json::Value) -> Option<serde_json::Value> {
        let client = self.client.get(&self.endpoint, &self.timeouts).ok()?;
        let request = client.post(self.endpoint.beside(path)).body(question.to_string());
        fetch(self.authorized(request), self.limits.event_bytes, self.timeouts.connect).await.ok()
    }

    /// One call: sends the body and lets the answer hear what comes back.
    pub(crate) async fn call<A: Answer>(&self, body: Vec<u8>, mut answer: A, stop: CancellationToken) -> Ended {
        let hash = BlobHash::of(&body);
        let talked = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            talked = self.talk(body.into(), &mut answer) => Some(talked),
        };
        // Whoever stops a call after its last word, while the connection is put away, gets the reply.
        match talked {
            None if !answer.is_done() => Ended::Interrupted { partial: answer.partial() },
            Some(Err(trouble)) => self.failed(trouble, answer.partial()),
            None | Some(Ok(())) => {
                let anything_said = answer.anything_said();
                match answer.finish(hash) {
                    Ok(reply) => Ended::Finished(reply),
                    Err((fault, partial)) => self.failed(self.faulty(&fault, anything_said), partial),
                }
            }
        }
    }

    async fn talk(&self, body: bytes::Bytes, answer: &mut impl Answer) -> Result<(), Trouble> {
        let client = self.client.get(&self.endpoint, &self.timeouts).map_err(|error| {
            let message = format!("the HTTP client could not be made: {}", root_cause(error));
            Trouble::new(Failure::Unreachable, false, message)
        })?;
        let first_token = Instant::now() + self.timeouts.first_token;
        let response = match timeout_at(first_token, self.send(client, body)).await {
            Ok(sent) => sent?,
            Err(_) => return Err(self.too_slow("nothing came", self.timeouts.first_token, "first_token")),
        };
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        self.listen(response, first_token, answer).await
    }

    /// Sends the request. A server may close a pooled connection at the very moment it is used again; then no byte of an
    /// answer came and sending is tried once more. A request on a fresh connection never is.
    async fn send(&self, client: &Client, body: bytes::Bytes) -> Result<Response, Trouble> {
        let opened = self.client.opened();
        match self.post(client, body.clone()).await {
            Ok(response) => Ok(response),
            Err(error) if !error.is_connect() && !error.is_timeout() && self.client.opened() == opened => {
                tracing::debug!(server = self.endpoint.shown, "a pooled connection was closed; sending again");
                self.post(client, body).await.map_err(|error| self.unsent(error))
            }
            Err(error) => Err(self.unsent(error)),
        }
    }

    fn post(&self, client: &Client, body: bytes::Bytes) -> impl Future<Output = reqwest::Result<Response>> {
        let request =
            client.post(self.endpoint.url.clone()).header(ACCEPT, HeaderValue::from_static(self.dialect.accept));
        self.authorized(request).body(body).send()
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization.clone()),
            None => request,
        }
    }

    /// Reads the answer to its end.
    async fn listen(&self, mut response: Response, first: Instant, answer: &mut impl Answer) -> Result<(), Trouble> {
        let Timeouts { first_token, between_tokens, drain, .. } = self.timeouts;
        let mut deadline = first;
        let mut progress = 0;
        while !answer.is_done() {
            let read = timeout_at(deadline, response.chunk()).await;
            let heard = match read {
                Err(_) if progress == 0 => return Err(self.too_slow("no token came", first_token, "first_token")),
                Err(_) => return Err(self.too_slow("no further token came", between_tokens, "between_tokens")),
                Ok(Err(error)) => return Err(self.broke_off(error)),
                Ok(Ok(Some(bytes))) => answer.push(&bytes),
                Ok(Ok(None)) => answer.end(),
            };
            heard.map_err(|fault| self.faulty(&fault, answer.anything_said()))?;
            if answer.progress() > progress {
                progress = answer.progress();
                deadline = Instant::now() + between_tokens;
            }
            // A server that sends faster than we read must not keep us from hearing that we are to stop.
            tokio::task::consume_budget().await;
        }
        // The connection can be used again only when its body was read to the end; most servers sent that long ago.
        let put_away = async { while let Ok(Some(_)) = response.chunk().await {} };
        let _ = timeout_at(Instant::now() + drain, put_away).await;
        Ok(())
    }

    async fn refused(&self, mut response: Response) -> Trouble {
        let status = response.status();
        let retry_after_ms = retry_after::retry_after_ms(response.headers(), jiff::Timestamp::now());
        let limit = self.limits.refusal_bytes;
        let mut body = Vec::new();
        let deadline = Instant::now() + self.timeouts.refusal_body;
        while body.len() < limit
            && let Ok(Ok(Some(bytes))) = timeout_at(deadline, response.chunk()).await
        {
            body.extend_from_slice(&bytes[..bytes.len().min(limit - body.len())]);
        }
        if body.len() == limit {
            // The end was cut anywhere, perhaps within the key, where it would not be known any more.
            body.truncate(limit.saturating_sub(self.key.as_ref().map_or(0, Key::len)));
        }
        let refusal = refusal::read_body(&self.masked(&String::from_utf8_lossy(&body)));
        let failure = refusal.failure(status);
        let message = format!(
            "answered {status}: {}{}",
            // Masked again, since escapes of JSON may have hidden the key so far.
            refusal::shorten(&self.masked(&refusal.message)),
            refusal::remedy(failure, status, self.dialect.wrong_path)
        );
        Trouble { failure, retry_after_ms, message, worked: false }
    }

    fn unsent(&self, error: reqwest::Error) -> Trouble {
        let connect = self.timeouts.connect;
        if error.is_connect() && error.is_timeout() {
            let message = format!(
                "gave no connection within {connect:?} (timeout connect); is it running, and is base_url right?"
            );
            return Trouble::new(Failure::Unreachable, false, message);
        }
        if error.is_connect() {
            let message = format!("cannot be reached: {}; is it running, and is base_url right?", root_cause(error));
            return Trouble::new(Failure::Unreachable, false, message);
        }
        Trouble::new(Failure::Broken, true, format!("closed the connection without an answer: {}", root_cause(error)))
    }

    fn broke_off(&self, error: reqwest::Error) -> Trouble {
        Trouble::new(Failure::Broken, true, format!("broke the answer off: {}", root_cause(error)))
    }

    fn too_slow(&self, what: &str, limit: Duration, name: &str) -> Trouble {
        Trouble::new(Failure::TimedOut, true, format!("was given up: {what} within {limit:?} (timeout {name})"))
    }

    fn faulty(&self, fault: &Fault, anything_said: bool) -> Trouble {
        let message = refusal::shorten(&self.masked(&fault.to_string()));
        Trouble::new(fault.failure(anything_said), true, message)
    }

    fn failed(&self, trouble: Trouble, partial: Partial) -> Ended {
        let usage = if trouble.worked { partial.usage } else { agent::Usage::default() };
        Ended::Failed {
            failure: trouble.failure,
            retry_after_ms: trouble.retry_after_ms,
            message: self.masked(&format!("{} {}", self.endpoint.shown, trouble.message)),
            partial: Partial { usage, ..partial },
        }
    }

    fn masked(&self, text: &str) -> String {
        self.key.as_ref().map_or_else(|| text.to_owned(), |key| key.mask(text))
    }
}
