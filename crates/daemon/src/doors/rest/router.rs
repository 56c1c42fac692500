//! The routes, and what holds for all of them.

use super::answer::{PROBLEM, Refusal, bad};
use super::request::{House, last, takes_key};
use super::{audit, canvas, carrying, daemon, models, schedules, sessions, snapshots};
use crate::clock::Clock;
use crate::registry::Registry;
use crate::secrets::Secrets;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use std::sync::Arc;
use std::time::Duration;
use wire::operation::{self, Operation};
use wire::rest::{IDEMPOTENCY_HEADER, VERSION_HEADER};
use wire::{Code, Problem};

/// The largest body of a request.
const BODY_BYTES: usize = 4 << 20;
/// The largest body of a request with a prompt, which may bring images and documents along.
const PROMPT_BODY_BYTES: usize = 48 << 20;
/// How long the body of a request may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// All routes.
pub fn router(registry: Arc<Registry>) -> Router {
    let mut router = Router::new();
    for operation in operation::ALL {
        // Several methods of one path are merged.
        router = router.route(operation.path, handler(operation));
    }
    router
        .fallback(|| async { Refusal(Problem::new(Code::NotFound, "there is no such route")) })
        .method_not_allowed_fallback(|| async {
            Refusal(Problem::new(Code::InvalidRequest, "this route is there, but not with this method"))
        })
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(registry.clone(), dressed))
        .with_state(registry)
}

/// The handler of an operation; a test walks the table.
fn handler(operation: &Operation) -> MethodRouter<Arc<Registry>> {
    match operation.name {
        "daemon.health" => get(|| async { "ok\n" }),
        "daemon.ready" => get(daemon::ready),
        "daemon.status" => get(daemon::daemon_status),
        "daemon.stop" => post(daemon::stop),
        "daemon.events" => get(daemon::events),
        "config.get" => get(daemon::config),
        "config.reload" => post(daemon::reload),
        "config.check" => post(daemon::check),
        "daemon.gc" => post(daemon::gc),
        "snapshots.create" => post(snapshots::create),
        "snapshots.list" => get(snapshots::list),
        "snapshots.get" => get(snapshots::view),
        "snapshots.verify" => post(snapshots::verify),
        "snapshots.remove" => delete(snapshots::remove),
        "daemon.upgrade" => post(daemon::upgrade),
        "models.list" => get(models::models),
        "models.test" => post(models::test_model),
        "keys.list" => get(models::keys),
        "keys.set" => put(models::set_key),
        "keys.remove" => delete(models::remove_key),
        "sessions.create" => post(sessions::create),
        "sessions.list" => get(sessions::list),
        "sessions.search" => get(sessions::search),
        "sessions.get" => get(sessions::view),
        "sessions.update" => patch(sessions::update),
        "sessions.remove" => delete(sessions::remove),
        "sessions.redact" => post(sessions::redact),
        "sessions.fork" => post(sessions::fork),
        "sessions.export" => get(carrying::export),
        "sessions.import" => post(carrying::import),
        "sessions.archive" => post(carrying::archive),
        "sessions.unarchive" => post(carrying::unarchive),
        "sessions.replay" => post(carrying::replay),
        "sessions.context" => get(sessions::context),
        "sessions.prompt" => post(sessions::prompt),
        "sessions.events" => get(sessions::session_events),
        "sessions.blob" => get(sessions::blob),
        "sessions.cancel" => post(sessions::cancel),
        "sessions.answer" => post(sessions::answer),
        "audit.verify" => get(audit::verify),
        "audit.export" => get(audit::export),
        "audit.sign" => post(audit::sign),
        "schedules.create" => post(schedules::create),
        "schedules.list" => get(schedules::list),
        "schedules.get" => get(schedules::view),
        "schedules.remove" => delete(schedules::remove),
        "schedules.pause" => post(schedules::pause),
        "schedules.resume" => post(schedules::resume),
        "schedules.run" => post(schedules::run),
        "canvas.get" => get(canvas::canvas),
        "canvas.diff" => get(canvas::diff),
        "canvas.hunks" => get(canvas::hunks),
        "canvas.log" => get(canvas::log),
        "canvas.show" => get(canvas::show),
        "canvas.file" => get(canvas::file),
        "canvas.accept" => post(canvas::accept),
        "canvas.keep" => post(canvas::keep),
        "canvas.undo" => post(canvas::undo),
        "canvas.reject" => post(canvas::reject),
        "canvas.rewind" => post(canvas::rewind),
        "canvas.redo" => post(canvas::redo),
        name => unreachable!("operation {name} has no handler"),
    }
}

/// What holds for every route. A body is read whole, within bounds of size and time, before anything is done with it (but
/// for the file of a session); a
/// key that would be ignored is refused; what is refused before any handler sees it becomes a problem document; and
/// every answer says which version gave it. Problems quote what was asked, so keys are taken out of them.
async fn dressed(State(registry): House, request: Request, next: Next) -> Response {
    let mut response = match whole(&registry.house().clock, request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let kind = response.headers().get(header::CONTENT_TYPE);
    if response.status().is_client_error() && kind.is_none_or(|kind| kind != PROBLEM) {
        response = refused_unseen(response).await.into_response();
    }
    let secrets = registry.house().catalog.current().secrets.clone();
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM) && !secrets.is_empty() {
        response = without_keys(response, &secrets).await;
    }
    response.headers_mut().insert(VERSION_HEADER, HeaderValue::from_static(crate::VERSION));
    response
}

/// The request with its body in memory.
async fn whole(clock: &Clock, request: Request) -> Result<Request, Refusal> {
    let (parts, body) = request.into_parts();
    if parts.headers.contains_key(IDEMPOTENCY_HEADER) && !takes_key(&parts) {
        return Err(bad("this operation takes no idempotency key; look before you send it again".to_owned()));
    }
    if parts.method == "POST" && parts.uri.path() == operation::SESSION_IMPORT.path {
        // It is as long as it is, and its handler bounds it while it comes.
        return Ok(Request::from_parts(parts, body));
    }
    let brings_prompt = [&operation::SESSION_CREATE, &operation::SESSION_PROMPT].map(|operation| operation.path);
    let brings_prompt = parts.method == "POST" && brings_prompt.iter().any(|path| last(path) == last(parts.uri.path()));
    let most = if brings_prompt { PROMPT_BODY_BYTES } else { BODY_BYTES };
    let late = || bad(format!("the request's body did not come within {} s", BODY_TIMEOUT.as_secs()));
    let body = tokio::select! {
        biased;
        body = to_bytes(body, most) => body,
        () = clock.sleep(BODY_TIMEOUT) => return Err(late()),
    };
    let body = body.map_err(|_| {
        let detail = format!("the request's body was cut, or has more than {most} bytes");
        Problem::new(Code::TooLarge, detail)
    })?;
    Ok(Request::from_parts(parts, Body::from(body)))
}

async fn without_keys(response: Response, secrets: &Secrets) -> Response {
    let (mut parts, body) = response.into_parts();
    let words = to_bytes(body, BODY_BYTES).await.unwrap_or_default();
    let words = secrets.masked_json(String::from_utf8_lossy(&words).into_owned());
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(words))
}

async fn refused_unseen(response: Response) -> Refusal {
    let words = to_bytes(response.into_body(), BODY_BYTES).await.unwrap_or_default();
    bad(String::from_utf8_lossy(&words).into_owned())
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
