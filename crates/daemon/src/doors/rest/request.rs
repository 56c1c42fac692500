//! What handlers read: ids, numbers, paths, bodies, and idempotency keys.

use super::answer::{Answer, Refusal, bad, json};
use crate::registry::Registry;
use crate::session::Once;
use agent::SessionId;
use axum::extract::{Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::Mode;
use wire::operation::{self, Operation};
use wire::rest::IDEMPOTENCY_HEADER;
use wire::{BlobHash, Code, Problem, RelPath};

/// The longest idempotency key.
const KEY_BYTES: usize = 200;

/// What every handler works with.
pub(super) type House = State<Arc<Registry>>;
/// The query of a request.
pub(super) type QueryMap = Query<BTreeMap<String, String>>;

/// Whether the operation keeps answers under keys.
pub(super) fn takes_key(request: &Parts) -> bool {
    let keyed =
        [&operation::SESSION_CREATE, &operation::SESSION_PROMPT, &operation::CANVAS_ACCEPT, &operation::CANVAS_UNDO];
    let path = request.uri.path();
    keyed.iter().any(|operation| operation.method == request.method.as_str() && last(operation.path) == last(path))
}

/// Does a write once for each idempotency key: a key that was used gives the answer that was given.
pub(super) async fn once<T: Serialize>(
    registry: &Registry,
    operation: &Operation,
    session: Option<SessionId>,
    headers: &HeaderMap,
    body: &[u8],
    write: impl AsyncFnOnce(Option<Once>) -> Result<T, Problem>,
) -> Answer {
    let Some(key) = headers.get(IDEMPOTENCY_HEADER) else { return Ok(json(&write(None).await?)) };
    let key = key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= KEY_BYTES);
    let key = key.ok_or_else(|| bad(format!("an idempotency key has 1 to {KEY_BYTES} printable ASCII characters")))?;
    if registry.house().catalog.current().secrets.holds(key.as_bytes()).is_some() {
        return Err(bad("this idempotency key holds a key of a provider, and it would be written down".to_owned()));
    }
    // What stands there behind a failed commit may not be on the disk, so that nothing is acknowledged by it.
    if registry.house().store.health().mode == Mode::ReadOnly {
        return Err(registry.house().takes_no_writes().into());
    }
    // By the id and not by its text in the path, which may be written in more than one way.
    let scope = session.map_or_else(|| operation.name.to_owned(), |session| format!("{} {session}", operation.name));
    let request = BlobHash::of(body);
    let known = registry.house().store.answer(&scope, key, registry.house().steady.now()).await;
    match known.map_err(|error| Problem::new(Code::Internal, error.to_string()))? {
        Some(known) if known.body_hash == request => {
            Ok(([(header::CONTENT_TYPE, "application/json")], known.answer).into_response())
        }
        Some(_) => Err(Problem::new(Code::KeyReused, "this key came with another request before").into()),
        None => Ok(json(&write(Some(Once { scope, key: key.to_owned(), request })).await?)),
    }
}

pub(super) fn id(text: &str) -> Result<SessionId, Refusal> {
    text.parse().map_err(|error: agent::ParseIdError| bad(format!("{text:?} is no session: {error}")))
}

pub(super) fn paths<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<RelPath>, Refusal> {
    texts.map(|text| RelPath::new(text).map_err(|error| bad(error.to_string()))).collect()
}

pub(super) fn number(name: &str, text: Option<&str>) -> Result<Option<u64>, Refusal> {
    let parse = |text: &str| text.parse().map_err(|_| bad(format!("{name} must be a whole number, not {text:?}")));
    text.map(parse).transpose()
}

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| bad(format!("the request's body: {error}")))
}

pub(super) fn read_or_default<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Refusal> {
    if body.is_empty() { Ok(T::default()) } else { read(body) }
}

/// Reads a body that holds a secret: what is wrong with it is not quoted.
pub(super) fn read_secret<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|_| bad("the request's body is not what this operation takes".to_owned()))
}

/// The last part of a path.
pub(super) fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
