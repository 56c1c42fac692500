//! Sessions over REST.

use super::answer::{Answer, Refusal, bad, json, octets};
use super::request::{House, QueryMap, id, once, read, read_or_default};
use super::updates::updates;
use crate::doors::events::Journal;
use crate::registry::Registry;
use crate::session::{Attached, Prompt};
use crate::{forgetting, search, status};
use agent::EffectId;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use wire::operation;
use wire::rest::{AnswerRequest, CreateSession, PromptRequest, UpdateSession};
use wire::{BlobHash, Code, Problem};

pub(super) async fn create(State(registry): House, headers: HeaderMap, body: Bytes) -> Answer {
    let request: CreateSession = read(&body)?;
    let prompt = match request.prompt {
        Some(prompt) => Some(checked(&registry, prompt).await?),
        None => {
            registry.house().catalog.default().await;
            None
        }
    };
    let operation = &operation::SESSION_CREATE;
    once(&registry, operation, None, &headers, &body, async |once| {
        registry.create(&request.workspace, request.title, prompt, once).await
    })
    .await
}

pub(super) async fn list(State(registry): House, Query(query): QueryMap) -> Answer {
    Ok(json(&status::list(&registry, &query).await?))
}

pub(super) async fn view(State(registry): House, Path(session): Path<String>) -> Answer {
    Ok(json(&registry.view(id(&session)?).await?))
}

pub(super) async fn search(State(registry): House, Query(query): QueryMap) -> Answer {
    Ok(json(&search::search(&registry, &query).await?))
}

pub(super) async fn update(State(registry): House, Path(session): Path<String>, body: Bytes) -> Answer {
    let request: UpdateSession = read(&body)?;
    Ok(json(&registry.title(id(&session)?, request.title).await?))
}

pub(super) async fn remove(State(registry): House, Path(session): Path<String>, Query(query): QueryMap) -> Answer {
    let force = match query.get("force").map(String::as_str) {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => return Err(bad(format!("force is true or false, not {other:?}"))),
    };
    Ok(json(&registry.remove(id(&session)?, force).await?))
}

pub(super) async fn redact(State(registry): House, Path(session): Path<String>, body: Bytes) -> Answer {
    Ok(json(&forgetting::redact(&registry, id(&session)?, read(&body)?).await?))
}

pub(super) async fn fork(State(registry): House, Path(session): Path<String>, body: Bytes) -> Answer {
    Ok(json(&registry.fork(id(&session)?, read_or_default(&body)?).await?))
}

pub(super) async fn context(State(registry): House, Path(session): Path<String>) -> Answer {
    Ok(json(&registry.context(id(&session)?).await?))
}

pub(super) async fn prompt(
    State(registry): House,
    Path(session): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let id = id(&session)?;
    let prompt = checked(&registry, read(&body)?).await?;
    once(&registry, &operation::SESSION_PROMPT, Some(id), &headers, &body, async |once| {
        registry.prompt(id, prompt, once).await
    })
    .await
}

pub(super) async fn session_events(
    State(registry): House,
    Path(session): Path<String>,
    Query(query): QueryMap,
    headers: HeaderMap,
) -> Answer {
    updates(&registry, Journal::Session(id(&session)?), &query, &headers).await
}

pub(super) async fn blob(State(registry): House, Path((session, blob)): Path<(String, String)>) -> Answer {
    let id = id(&session)?;
    let hash: BlobHash = blob.parse().map_err(|error: agent::ParseIdError| bad(error.to_string()))?;
    registry.present(id).await?;
    let bytes = registry.house().store.blob_of(id, hash).await;
    match bytes.map_err(|error| Problem::new(Code::Internal, error.to_string()))? {
        Some(bytes) => Ok(octets(bytes)),
        None => {
            Err(Problem::new(Code::NotFound, format!("session {id} has no blob {hash}, or it was forgotten")).into())
        }
    }
}

pub(super) async fn cancel(State(registry): House, Path(session): Path<String>) -> Answer {
    Ok(json(&registry.cancel(id(&session)?).await?))
}

pub(super) async fn answer(
    State(registry): House,
    Path((session, approval)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let approval: EffectId = approval.parse().map_err(|error: agent::ParseIdError| bad(error.to_string()))?;
    let request: AnswerRequest = read(&body)?;
    let seq = registry.answer(id(&session)?, approval, request.answer).await?;
    Ok(json(&serde_json::json!({ "seq": seq })))
}

/// A prompt whose model exists: the one that it names, or the one that it goes to by default.
pub(super) async fn checked(registry: &Registry, request: PromptRequest) -> Result<Prompt, Refusal> {
    let catalog = &registry.house().catalog;
    match &request.model {
        Some(name) => catalog.learn(name).await?,
        None => drop(catalog.default().await),
    }
    let mut attachments = Vec::with_capacity(request.attachments.len());
    for one in request.attachments {
        let bytes = BASE64.decode(&one.data).map_err(|_| bad(format!("attachment {:?} is not base64", one.name)))?;
        attachments.push(Attached::new(one.name, bytes)?);
    }
    Ok(Prompt { text: request.text, model: request.model, while_running: request.while_running, attachments })
}
