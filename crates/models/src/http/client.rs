//! The HTTP client of one endpoint: made at the first call, kept warm, and knowing how many connections it opened.
//!
//! The count is what tells a request that went out on a pooled connection from one on a fresh one, which decides
//! whether sending may be tried again.

use super::config::{Endpoint, Timeouts};
use reqwest::{Client, redirect};
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tower::{Layer, Service};

/// Connections that are kept open without use. More calls than these at once open their own and close them again.
const IDLE_CONNECTIONS: usize = 8;

/// A client that is made when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct WarmClient {
    client: OnceLock<Client>,
    opened: Opened,
}

/// How many connections were begun.
#[derive(Debug, Clone, Default)]
struct Opened(Arc<AtomicU64>);

impl WarmClient {
    /// The client. Making one parses the machine's root certificates, unless the endpoint speaks plain HTTP: then it has
    /// none, which saves milliseconds and megabytes. For the same reason an HTTPS proxy cannot stand before such an
    /// endpoint.
    pub(crate) fn get(&self, endpoint: &Endpoint, timeouts: &Timeouts) -> Result<&Client, reqwest::Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let mut builder = Client::builder()
            .user_agent(concat!("tinkerbell/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(timeouts.connect)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connector_layer(self.opened.clone());
        if endpoint.url.scheme() == "http" {
            builder = builder.tls_certs_only([]);
        }
        if endpoint.loopback {
            builder = builder.no_proxy();
        }
        let client = builder.build()?;
        Ok(self.client.get_or_init(|| client))
    }

    /// How many connections were begun so far.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.0.load(Ordering::Acquire)
    }
}

impl<S> Layer<S> for Opened {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, opened: self.clone() }
    }
}

/// A connector that counts.
#[derive(Debug, Clone)]
struct Counted<S> {
    inner: S,
    opened: Opened,
}

impl<S: Service<Target>, Target> Service<Target> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, target: Target) -> S::Future {
        self.opened.0.fetch_add(1, Ordering::AcqRel);
        self.inner.call(target)
    }
}

/// What lies at the bottom of an error, without the URL, which may hold a key.
pub(crate) fn root_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
