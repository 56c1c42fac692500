//! The daemon itself over REST.

use super::answer::{Answer, bad, json};
use super::request::{House, QueryMap, read_or_default};
use super::updates::updates;
use crate::doors::events::Journal;
use crate::{reload, status};
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use wire::DrainReason;
use wire::rest::{CheckRequest, ReloadRequest, UpgradeRequest};

pub(super) async fn ready(State(registry): House) -> Answer {
    if registry.house().stop.is_cancelled() {
        return Err(registry.house().draining().into());
    }
    Ok("ready\n".into_response())
}

pub(super) async fn daemon_status(State(registry): House) -> Answer {
    Ok(json(&status::status(&registry).await?))
}

pub(super) async fn gc(State(registry): House, Query(query): QueryMap) -> Answer {
    let dry_run = match query.get("dry_run").map(String::as_str) {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => return Err(bad(format!("dry_run is true or false, not {other:?}"))),
    };
    Ok(json(&registry.house().janitor.tidy(dry_run).await?))
}

/// Answers when the new binary has shown that it is fit; what follows is told by `daemon.status`.
pub(super) async fn upgrade(State(registry): House, body: Bytes) -> Answer {
    let request: UpgradeRequest = read_or_default(&body)?;
    if registry.house().stop.is_cancelled() {
        return Err(registry.house().draining().into());
    }
    let begun = registry.house().upgrades.ask(request.binary).await?;
    Ok((StatusCode::ACCEPTED, json(&begun)).into_response())
}

pub(super) async fn stop(State(registry): House) -> Answer {
    registry.house().drain(DrainReason::Stop);
    Ok(StatusCode::ACCEPTED.into_response())
}

pub(super) async fn events(State(registry): House, Query(query): QueryMap, headers: HeaderMap) -> Answer {
    updates(&registry, Journal::Daemon, &query, &headers).await
}

pub(super) async fn config(State(registry): House) -> Answer {
    Ok(json(&reload::view(registry.house())))
}

pub(super) async fn reload(State(registry): House, body: Bytes) -> Answer {
    let request: ReloadRequest = read_or_default(&body)?;
    Ok(json(&registry.house().reloads.reload(request.force).await?))
}

pub(super) async fn check(State(registry): House, body: Bytes) -> Answer {
    let request: CheckRequest = read_or_default(&body)?;
    Ok(json(&registry.house().reloads.check(request.text).await?))
}
