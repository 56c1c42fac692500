//! Small questions to one server on this machine: bounded in time and bytes, without proxies, redirects or retries.

use crate::http::{Missed, fetch};
use crate::key::Key;
use reqwest::{Client, redirect};
use serde_json::Value;
use std::time::Duration;

/// The most that one answer may have: lists of models with their templates are some hundred kilobytes.
const ANSWER_BYTES: usize = 4 << 20;

/// A server and how long it is waited for.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    client: Client,
    root: String,
    bearer: Option<String>,
    within: Duration,
}

impl Probe {
    /// Asks the server at `root`, a URL without a last slash. `None` if there can be no client.
    pub(crate) fn new(root: &str, key: Option<&Key>, within: Duration) -> Option<Probe> {
        let client = client(within)?;
        Some(Probe { client, root: root.to_owned(), bearer: key.map(Key::bearer), within })
    }

    /// The same client for another server.
    pub(super) fn beside(client: &Client, root: String, within: Duration) -> Probe {
        Probe { client: client.clone(), root, bearer: None, within }
    }

    /// Asks for what is at a path.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Missed> {
        self.send(self.client.get(format!("{}{path}", self.root))).await
    }

    /// Asks a question in JSON.
    pub(super) async fn post(&self, path: &str, question: &Value) -> Result<Value, Missed> {
        let request = self.client.post(format!("{}{path}", self.root));
        self.send(request.header("content-type", "application/json").body(question.to_string())).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, Missed> {
        let request = match &self.bearer {
            Some(bearer) => request.header("authorization", bearer),
            None => request,
        };
        fetch(request, ANSWER_BYTES, self.within).await
    }
}

/// A client for this machine alone.
pub(super) fn client(connect: Duration) -> Option<Client> {
    Client::builder()
        .user_agent(concat!("tinkerbell/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .tls_certs_only([])
        .no_proxy()
        .build()
        .ok()
}
