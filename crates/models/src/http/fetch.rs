//! Small questions to a server: one bounded JSON answer within a bounded time.

use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    /// No connection, or none that lasted.
    Unreachable,
    /// Nothing whole came in time.
    TimedOut,
    /// The server answered with another status than 200, redirects included.
    Refused(StatusCode),
    /// The answer is longer than the limit.
    TooLong,
    /// The answer is not JSON.
    NotJson,
}

/// Sends a request and reads the JSON that comes back. Cancel-safe.
pub(crate) async fn fetch(request: RequestBuilder, limit_bytes: usize, within: Duration) -> Result<Value, Missed> {
    let deadline = Instant::now() + within;
    let sent = timeout_at(deadline, request.send()).await.map_err(|_| Missed::TimedOut)?;
    let mut response = sent.map_err(|_| Missed::Unreachable)?;
    if response.status() != StatusCode::OK {
        return Err(Missed::Refused(response.status()));
    }
    let mut body = Vec::new();
    while let Some(bytes) =
        timeout_at(deadline, response.chunk()).await.map_err(|_| Missed::TimedOut)?.map_err(|_| Missed::Unreachable)?
    {
        if body.len() + bytes.len() > limit_bytes {
            return Err(Missed::TooLong);
        }
        body.extend_from_slice(&bytes);
    }
    serde_json::from_slice(&body).map_err(|_| Missed::NotJson)
}
