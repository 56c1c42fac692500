//! Sessions that are carried elsewhere, come from elsewhere, or are run again, over REST. The files are longer than other bodies, so
//! they are neither read nor written whole.

use super::answer::{Answer, bad, json};
use super::request::{House, QueryMap, id, read_or_default};
use crate::carry::Wanted;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::IntoResponse;

/// The kind of a session's file: a line of JSON for each piece.
const LINES: &str = "application/x-ndjson";

pub(super) async fn export(State(registry): House, Path(session): Path<String>) -> Answer {
    let file = registry.export(id(&session)?).await?;
    Ok(([(header::CONTENT_TYPE, LINES)], Body::from_stream(file)).into_response())
}

pub(super) async fn import(State(registry): House, Query(query): QueryMap, file: Body) -> Answer {
    let as_new = match query.get("as_new").map(String::as_str) {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => return Err(bad(format!("as_new is true or false, not {other:?}"))),
    };
    let wanted = Wanted { workspace: query.get("workspace").cloned(), as_new };
    Ok(json(&registry.import(wanted, file.into_data_stream()).await?))
}

pub(super) async fn archive(State(registry): House, Path(session): Path<String>) -> Answer {
    Ok(json(&registry.archive(id(&session)?).await?))
}

pub(super) async fn unarchive(State(registry): House, Path(session): Path<String>) -> Answer {
    Ok(json(&registry.unarchive(id(&session)?).await?))
}

pub(super) async fn replay(State(registry): House, Path(session): Path<String>, body: Bytes) -> Answer {
    Ok(json(&registry.replay(id(&session)?, read_or_default(&body)?).await?))
}
