//! The daemon itself over REST.

use super::answer::{Answer, json};
use super::request::House;
use crate::status;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use wire::{Code, Problem};

pub(super) async fn ready(State(registry): House) -> Answer {
    if registry.house().stop.is_cancelled() {
        return Err(Problem::new(Code::Draining, "the daemon is shutting down").into());
    }
    Ok("ready\n".into_response())
}

pub(super) async fn daemon_status(State(registry): House) -> Answer {
    Ok(json(&status::status(&registry).await?))
}

pub(super) async fn stop(State(registry): House) -> Answer {
    registry.house().stop.cancel();
    Ok(StatusCode::ACCEPTED.into_response())
}
