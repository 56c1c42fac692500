//! REST: the table of operations as routes. Handlers read, call the registry, and write; nothing else.

use super::events;
use crate::registry::Registry;
use crate::session::{Once, Prompt};
use crate::status;
use agent::{EffectId, ModelName, Seq, SessionId};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use wire::operation::{self, Operation};
use wire::rest::{
    AnswerRequest, CreateSession, IDEMPOTENCY_HEADER, PromptRequest, RewindRequest, Selection, VERSION_HEADER,
};
use wire::{BlobHash, Code, Problem, RelPath};

/// The largest body of a request.
const BODY_BYTES: usize = 4 << 20;
/// The kind of a problem document (RFC 9457).
const PROBLEM: &str = "application/problem+json";
/// How long the body of a request may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest idempotency key.
const KEY_BYTES: usize = 200;

type House = State<Arc<Registry>>;
type Answer = Result<Response, Refusal>;
type QueryMap = Query<BTreeMap<String, String>>;

/// A problem on its way out.
struct Refusal(Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        Refusal(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self.0).expect("a problem is plain data");
        (status, [(header::CONTENT_TYPE, PROBLEM)], body).into_response()
    }
}

/// All routes.
pub(crate) fn router(registry: Arc<Registry>) -> Router {
    let mut router = Router::new();
    for operation in operation::ALL {
        router = router.route(operation.path, handler(operation));
    }
    router
        .fallback(|| async { Refusal(Problem::new(Code::NotFound, "there is no such route")) })
        .method_not_allowed_fallback(|| async {
            Refusal(Problem::new(Code::InvalidRequest, "this route is there, but not with this method"))
        })
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(dressed))
        .with_state(registry)
}

/// The handler of an operation; a test walks the table.
fn handler(operation: &Operation) -> MethodRouter<Arc<Registry>> {
    match operation.name {
        "daemon.health" => get(|| async { "ok\n" }),
        "daemon.ready" => get(ready),
        "daemon.status" => get(daemon_status),
        "daemon.stop" => post(stop),
        "models.list" => get(models),
        "sessions.create" => post(create),
        "sessions.list" => get(list),
        "sessions.get" => get(view),
        "sessions.prompt" => post(prompt),
        "sessions.events" => get(session_events),
        "sessions.blob" => get(blob),
        "sessions.cancel" => post(cancel),
        "sessions.answer" => post(answer),
        "canvas.get" => get(canvas),
        "canvas.diff" => get(diff),
        "canvas.log" => get(log),
        "canvas.show" => get(show),
        "canvas.file" => get(file),
        "canvas.accept" => post(accept),
        "canvas.undo" => post(undo),
        "canvas.reject" => post(reject),
        "canvas.rewind" => post(rewind),
        "canvas.redo" => post(redo),
        name => unreachable!("operation {name} has no handler"),
    }
}

/// What holds for every route. A body is read whole, within bounds of size and time, before anything is done with it; a
/// key that would be ignored is refused; what is refused before any handler sees it becomes a problem document; and
/// every answer says which version gave it.
async fn dressed(request: Request, next: Next) -> Response {
    let mut response = match whole(request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let kind = response.headers().get(header::CONTENT_TYPE);
    if response.status().is_client_error() && kind.is_none_or(|kind| kind != PROBLEM) {
        response = refused_unseen(response).await.into_response();
    }
    response.headers_mut().insert(VERSION_HEADER, HeaderValue::from_static(crate::VERSION));
    response
}

/// The request with its body in memory.
async fn whole(request: Request) -> Result<Request, Refusal> {
    let (parts, body) = request.into_parts();
    if parts.headers.contains_key(IDEMPOTENCY_HEADER) && !takes_key(&parts) {
        return Err(bad("this operation takes no idempotency key; look before you send it again".to_owned()));
    }
    let late = || bad(format!("the request's body did not come within {} s", BODY_TIMEOUT.as_secs()));
    let body = tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, BODY_BYTES)).await.map_err(|_| late())?;
    let body = body.map_err(|_| {
        let detail = format!("the request's body was cut, or has more than {BODY_BYTES} bytes");
        Problem::new(Code::TooLarge, detail)
    })?;
    Ok(Request::from_parts(parts, Body::from(body)))
}

async fn refused_unseen(response: Response) -> Refusal {
    let words = to_bytes(response.into_body(), BODY_BYTES).await.unwrap_or_default();
    bad(String::from_utf8_lossy(&words).into_owned())
}

async fn ready(State(registry): House) -> Answer {
    if registry.house().stop.is_cancelled() {
        return Err(Problem::new(Code::Draining, "the daemon is shutting down").into());
    }
    Ok("ready\n".into_response())
}

async fn daemon_status(State(registry): House) -> Answer {
    Ok(json(&status::status(&registry).await?))
}

async fn stop(State(registry): House) -> Answer {
    registry.house().stop.cancel();
    Ok(StatusCode::ACCEPTED.into_response())
}

async fn models(State(registry): House) -> Answer {
    Ok(json(&status::models(registry.house())))
}

async fn create(State(registry): House, headers: HeaderMap, body: Bytes) -> Answer {
    let request: CreateSession = read(&body)?;
    let prompt = request.prompt.map(|prompt| checked(&registry, prompt)).transpose()?;
    let operation = &operation::SESSION_CREATE;
    once(&registry, operation, None, &headers, &body, async |once| {
        registry.create(&request.workspace, request.title, prompt, once).await
    })
    .await
}

async fn list(State(registry): House, Query(query): QueryMap) -> Answer {
    Ok(json(&status::list(&registry, &query).await?))
}

async fn view(State(registry): House, Path(session): Path<String>) -> Answer {
    Ok(json(&registry.view(id(&session)?).await?))
}

async fn prompt(State(registry): House, Path(session): Path<String>, headers: HeaderMap, body: Bytes) -> Answer {
    let id = id(&session)?;
    let prompt = checked(&registry, read(&body)?)?;
    once(&registry, &operation::SESSION_PROMPT, Some(id), &headers, &body, async |once| {
        registry.prompt(id, prompt, once).await
    })
    .await
}

async fn session_events(
    State(registry): House,
    Path(session): Path<String>,
    Query(query): QueryMap,
    headers: HeaderMap,
) -> Answer {
    let id = id(&session)?;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if text("accept").contains("text/event-stream") {
        // A client that reconnects says in the header what it saw last, and that counts.
        let last = Some(text("last-event-id")).filter(|last| !last.is_empty());
        let after = number("after", last.or(query.get("after").map(String::as_str)))?;
        return Ok(events::stream(registry.clone(), id, Seq(after.unwrap_or(0))).await?);
    }
    let after = number("after", query.get("after").map(String::as_str))?;
    let limit = number("limit", query.get("limit").map(String::as_str))?;
    let limit = limit.map_or(events::PAGE, |limit| limit.min(events::PAGE as u64) as usize);
    let page = events::page(&registry, id, Seq(after.unwrap_or(0)), limit).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], page).into_response())
}

async fn blob(State(registry): House, Path((session, blob)): Path<(String, String)>) -> Answer {
    let id = id(&session)?;
    let hash: BlobHash = blob.parse().map_err(|error: agent::ParseIdError| bad(error.to_string()))?;
    let bytes = registry.house().store.blob_of(id, hash).await;
    match bytes.map_err(|error| Problem::new(Code::Internal, error.to_string()))? {
        Some(bytes) => Ok(octets(bytes)),
        None => {
            Err(Problem::new(Code::NotFound, format!("session {id} has no blob {hash}, or it was forgotten")).into())
        }
    }
}

async fn cancel(State(registry): House, Path(session): Path<String>) -> Answer {
    Ok(json(&registry.cancel(id(&session)?).await?))
}

async fn answer(State(registry): House, Path((session, approval)): Path<(String, String)>, body: Bytes) -> Answer {
    let approval: EffectId = approval.parse().map_err(|error: agent::ParseIdError| bad(error.to_string()))?;
    let request: AnswerRequest = read(&body)?;
    let seq = registry.answer(id(&session)?, approval, request.answer).await?;
    Ok(json(&serde_json::json!({ "seq": seq })))
}

async fn canvas(State(registry): House, Path(session): Path<String>) -> Answer {
    Ok(json(&registry.canvas(id(&session)?).await?))
}

async fn diff(State(registry): House, Path(session): Path<String>, Query(query): QueryMap) -> Answer {
    let paths = query.get("path").map(|text| paths(text.split('\n'))).transpose()?.unwrap_or_default();
    Ok(json(&registry.diff(id(&session)?, paths).await?))
}

async fn log(State(registry): House, Path(session): Path<String>) -> Answer {
    Ok(json(&registry.log(id(&session)?).await?))
}

async fn show(State(registry): House, Path((session, seq)): Path<(String, String)>) -> Answer {
    let seq = number("seq", Some(&seq))?.unwrap_or(0);
    Ok(json(&registry.show(id(&session)?, Seq(seq)).await?))
}

async fn file(State(registry): House, Path((session, path)): Path<(String, String)>) -> Answer {
    let path = RelPath::new(&path).map_err(|error| bad(error.to_string()))?;
    Ok(octets(registry.file(id(&session)?, path).await?.bytes))
}

async fn accept(State(registry): House, Path(session): Path<String>, headers: HeaderMap, body: Bytes) -> Answer {
    let id = id(&session)?;
    let selection: Selection = read_or_default(&body)?;
    let paths = selected(&selection)?;
    once(&registry, &operation::CANVAS_ACCEPT, Some(id), &headers, &body, async |once| {
        registry.accept(id, paths, once).await
    })
    .await
}

async fn undo(State(registry): House, Path(session): Path<String>, headers: HeaderMap, body: Bytes) -> Answer {
    let id = id(&session)?;
    once(&registry, &operation::CANVAS_UNDO, Some(id), &headers, &body, async |once| registry.undo(id, once).await)
        .await
}

async fn reject(State(registry): House, Path(session): Path<String>, body: Bytes) -> Answer {
    let selection: Selection = read_or_default(&body)?;
    let paths = selected(&selection)?;
    Ok(json(&registry.reject(id(&session)?, paths).await?))
}

async fn rewind(State(registry): House, Path(session): Path<String>, body: Bytes) -> Answer {
    let request: RewindRequest = if body.is_empty() { RewindRequest { seq: None } } else { read(&body)? };
    Ok(json(&registry.rewind(id(&session)?, request.seq).await?))
}

async fn redo(State(registry): House, Path(session): Path<String>) -> Answer {
    Ok(json(&registry.redo(id(&session)?).await?))
}

/// Whether the operation keeps answers under keys.
fn takes_key(request: &Parts) -> bool {
    let keyed =
        [&operation::SESSION_CREATE, &operation::SESSION_PROMPT, &operation::CANVAS_ACCEPT, &operation::CANVAS_UNDO];
    let last = |path: &str| path.rsplit('/').next().map(str::to_owned);
    let path = request.uri.path();
    keyed.iter().any(|operation| operation.method == request.method.as_str() && last(operation.path) == last(path))
}

/// Does a write once for each idempotency key: a key that was used gives the answer that was given.
async fn once<T: Serialize>(
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
    // By the id and not by its text in the path, which may be written in more than one way.
    let scope = session.map_or_else(|| operation.name.to_owned(), |session| format!("{} {session}", operation.name));
    let request = BlobHash::of(body);
    let known = registry.house().store.answer(&scope, key, crate::clock::now()).await;
    match known.map_err(|error| Problem::new(Code::Internal, error.to_string()))? {
        Some(known) if known.body_hash == request => {
            Ok(([(header::CONTENT_TYPE, "application/json")], known.answer).into_response())
        }
        Some(_) => Err(Problem::new(Code::KeyReused, "this key came with another request before").into()),
        None => Ok(json(&write(Some(Once { scope, key: key.to_owned(), request })).await?)),
    }
}

/// A prompt whose model, if it names one, exists.
fn checked(registry: &Registry, request: PromptRequest) -> Result<Prompt, Refusal> {
    let models = &registry.house().settings.models;
    if let Some(name) = request.model.as_ref().filter(|name| !models.contains_key(*name)) {
        let known: Vec<_> = models.keys().map(ModelName::as_str).collect();
        let detail = format!("there is no model {:?}; there are: {}", name.as_str(), known.join(", "));
        let file = registry.house().config.file.display();
        return Err(Problem::new(Code::UnknownModel, detail).remedy(format!("add it to {file}")).into());
    }
    Ok(Prompt { text: request.text, model: request.model, while_running: request.while_running })
}

fn id(text: &str) -> Result<SessionId, Refusal> {
    text.parse().map_err(|error: agent::ParseIdError| bad(format!("{text:?} is no session: {error}")))
}

fn paths<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<RelPath>, Refusal> {
    texts.map(|text| RelPath::new(text).map_err(|error| bad(error.to_string()))).collect()
}

/// The chosen paths; none where all of the canvas is meant.
fn selected(selection: &Selection) -> Result<Vec<RelPath>, Refusal> {
    match &selection.paths {
        None => Ok(Vec::new()),
        Some(chosen) if chosen.is_empty() => {
            Err(bad("no path is chosen; leave `paths` out to mean all of them".to_owned()))
        }
        Some(chosen) => paths(chosen.iter().map(String::as_str)),
    }
}

fn number(name: &str, text: Option<&str>) -> Result<Option<u64>, Refusal> {
    let parse = |text: &str| text.parse().map_err(|_| bad(format!("{name} must be a whole number, not {text:?}")));
    text.map(parse).transpose()
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| bad(format!("the request's body: {error}")))
}

fn read_or_default<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Refusal> {
    if body.is_empty() { Ok(T::default()) } else { read(body) }
}

fn bad(detail: String) -> Refusal {
    Refusal(Problem::new(Code::InvalidRequest, detail))
}

fn json(body: &impl Serialize) -> Response {
    let body = serde_json::to_string(body).expect("an answer is plain data");
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn octets(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/octet-stream")], Body::from(bytes)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_handler() {
        for operation in operation::ALL {
            let _ = handler(operation);
        }
    }
}
