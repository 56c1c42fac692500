//! Snapshots over REST.

use super::answer::{Answer, bad, json};
use super::request::{House, read_secret};
use crate::snapshots;
use agent::SnapshotId;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use wire::rest::{CreateSnapshot, VerifySnapshot};

pub(super) async fn create(State(registry): House, body: Bytes) -> Answer {
    let request: CreateSnapshot = read_secret(&body)?;
    let made = snapshots::create(registry.house(), request).await?;
    Ok((StatusCode::CREATED, json(&made)).into_response())
}

pub(super) async fn list(State(registry): House) -> Answer {
    Ok(json(&registry.house().snapshots.list().await?))
}

pub(super) async fn view(State(registry): House, Path(id): Path<String>) -> Answer {
    Ok(json(&registry.house().snapshots.get(named(&id)?).await?))
}

pub(super) async fn verify(State(registry): House, Path(id): Path<String>, body: Bytes) -> Answer {
    let request = if body.is_empty() { VerifySnapshot::default() } else { read_secret(&body)? };
    Ok(json(&registry.house().snapshots.verify(named(&id)?, request.passphrase).await?))
}

pub(super) async fn remove(State(registry): House, Path(id): Path<String>) -> Answer {
    snapshots::remove(registry.house(), named(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn named(id: &str) -> Result<SnapshotId, super::answer::Refusal> {
    id.parse().map_err(|error: agent::ParseIdError| bad(error.to_string()))
}
