//! Schedules over REST.

use super::answer::{Answer, Refusal, bad, json};
use super::request::{House, read};
use agent::ScheduleId;
use axum::body::Bytes;
use axum::extract::{Path, State};

pub(super) async fn create(State(registry): House, body: Bytes) -> Answer {
    Ok(json(&registry.house().schedules.add(read(&body)?).await?))
}

pub(super) async fn list(State(registry): House) -> Answer {
    Ok(json(&registry.house().schedules.list().await?))
}

pub(super) async fn view(State(registry): House, Path(schedule): Path<String>) -> Answer {
    Ok(json(&registry.house().schedules.get(id(&schedule)?).await?))
}

pub(super) async fn remove(State(registry): House, Path(schedule): Path<String>) -> Answer {
    Ok(json(&registry.house().schedules.remove(id(&schedule)?).await?))
}

pub(super) async fn pause(State(registry): House, Path(schedule): Path<String>) -> Answer {
    Ok(json(&registry.house().schedules.pause(id(&schedule)?).await?))
}

pub(super) async fn resume(State(registry): House, Path(schedule): Path<String>) -> Answer {
    Ok(json(&registry.house().schedules.resume(id(&schedule)?).await?))
}

pub(super) async fn run(State(registry): House, Path(schedule): Path<String>) -> Answer {
    Ok(json(&registry.house().schedules.run(id(&schedule)?).await?))
}

fn id(text: &str) -> Result<ScheduleId, Refusal> {
    text.parse().map_err(|error: agent::ParseIdError| bad(format!("{text:?} is no schedule: {error}")))
}
