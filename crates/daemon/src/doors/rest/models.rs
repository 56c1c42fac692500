//! Models and keys over REST.

use super::answer::{Answer, json};
use super::request::{House, read_secret};
use crate::catalog;
use agent::ModelName;
use axum::body::Bytes;
use axum::extract::{Path, State};
use wire::rest::SetKey;

pub(super) async fn models(State(registry): House) -> Answer {
    Ok(json(&catalog::list(registry.house()).await))
}

pub(super) async fn test_model(State(registry): House, Path(model): Path<String>) -> Answer {
    Ok(json(&catalog::test(registry.house(), &ModelName::new(&model)).await?))
}

pub(super) async fn keys(State(registry): House) -> Answer {
    Ok(json(&catalog::keys(registry.house()).await?))
}

pub(super) async fn set_key(State(registry): House, Path(name): Path<String>, body: Bytes) -> Answer {
    let request: SetKey = read_secret(&body)?;
    Ok(json(&catalog::set_key(registry.house(), &name, request).await?))
}

pub(super) async fn remove_key(State(registry): House, Path(name): Path<String>) -> Answer {
    Ok(json(&catalog::remove_key(registry.house(), &name).await?))
}
