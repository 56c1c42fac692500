//! The canvas over REST.

use super::answer::{Answer, Refusal, bad, json, octets};
use super::request::{House, QueryMap, id, number, once, paths, read, read_or_default};
use crate::session::Chosen;
use agent::Seq;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use std::collections::BTreeSet;
use wire::RelPath;
use wire::operation;
use wire::rest::{AcceptRequest, HunkChoice, RewindRequest, Selection};

/// The most lines of context that hunks are asked for with.
const MOST_CONTEXT_LINES: u32 = 1_000;

pub(super) async fn canvas(State(registry): House, Path(session): Path<String>) -> Answer {
    Ok(json(&registry.canvas(id(&session)?).await?))
}

pub(super) async fn diff(State(registry): House, Path(session): Path<String>, Query(query): QueryMap) -> Answer {
    let paths = query.get("path").map(|text| paths(text.split('\n'))).transpose()?.unwrap_or_default();
    Ok(json(&registry.diff(id(&session)?, paths).await?))
}

pub(super) async fn hunks(State(registry): House, Path(session): Path<String>, Query(query): QueryMap) -> Answer {
    let paths = query.get("path").map(|text| paths(text.split('\n'))).transpose()?.unwrap_or_default();
    let context =
        number("context", query.get("context").map(String::as_str))?.unwrap_or(u64::from(canvas::CONTEXT_LINES));
    let context = u32::try_from(context).ok().filter(|lines| *lines <= MOST_CONTEXT_LINES);
    let context = context.ok_or_else(|| bad(format!("context is a number of lines up to {MOST_CONTEXT_LINES}")))?;
    Ok(json(&registry.hunks(id(&session)?, paths, context).await?))
}

pub(super) async fn log(State(registry): House, Path(session): Path<String>) -> Answer {
    Ok(json(&registry.log(id(&session)?).await?))
}

pub(super) async fn show(State(registry): House, Path((session, seq)): Path<(String, String)>) -> Answer {
    let seq = number("seq", Some(&seq))?.unwrap_or(0);
    Ok(json(&registry.show(id(&session)?, Seq(seq)).await?))
}

pub(super) async fn file(State(registry): House, Path((session, path)): Path<(String, String)>) -> Answer {
    let path = RelPath::new(&path).map_err(|error| bad(error.to_string()))?;
    Ok(octets(registry.file(id(&session)?, path).await?.bytes))
}

pub(super) async fn accept(
    State(registry): House,
    Path(session): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let id = id(&session)?;
    let request: AcceptRequest = read_or_default(&body)?;
    let (chosen, commit) = (chosen(request.paths, request.hunks)?, request.commit);
    once(&registry, &operation::CANVAS_ACCEPT, Some(id), &headers, &body, async |once| {
        registry.accept(id, chosen, commit, once).await
    })
    .await
}

pub(super) async fn keep(State(registry): House, Path(session): Path<String>, body: Bytes) -> Answer {
    let selection: Selection = read_or_default(&body)?;
    let paths = selected(&selection)?;
    Ok(json(&registry.keep(id(&session)?, paths).await?))
}

pub(super) async fn undo(
    State(registry): House,
    Path(session): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let id = id(&session)?;
    once(&registry, &operation::CANVAS_UNDO, Some(id), &headers, &body, async |once| registry.undo(id, once).await)
        .await
}

pub(super) async fn reject(State(registry): House, Path(session): Path<String>, body: Bytes) -> Answer {
    let selection: Selection = read_or_default(&body)?;
    let paths = selected(&selection)?;
    Ok(json(&registry.reject(id(&session)?, paths).await?))
}

pub(super) async fn rewind(State(registry): House, Path(session): Path<String>, body: Bytes) -> Answer {
    let request: RewindRequest = if body.is_empty() { RewindRequest { seq: None } } else { read(&body)? };
    Ok(json(&registry.rewind(id(&session)?, request.seq).await?))
}

pub(super) async fn redo(State(registry): House, Path(session): Path<String>) -> Answer {
    Ok(json(&registry.redo(id(&session)?).await?))
}

/// What of the canvas is meant.
pub(super) fn chosen(paths: Option<Vec<String>>, hunks: Option<HunkChoice>) -> Result<Chosen, Refusal> {
    match (paths, hunks) {
        (Some(_), Some(_)) => Err(bad("either paths or hunks are chosen, not both".to_owned())),
        (None, Some(hunks)) if hunks.files.iter().all(|file| file.take.is_empty()) => {
            Err(bad("no hunk is chosen".to_owned()))
        }
        (None, Some(hunks)) => {
            let paths: BTreeSet<&RelPath> = hunks.files.iter().map(|file| &file.path).collect();
            if paths.len() < hunks.files.len() {
                return Err(bad("a file stands twice in the choice of hunks".to_owned()));
            }
            Ok(Chosen::Hunks(hunks))
        }
        (None, None) => Ok(Chosen::All),
        (paths, None) => Ok(Chosen::Paths(selected(&Selection { paths })?)),
    }
}

/// The chosen paths; none where all of the canvas is meant.
pub(super) fn selected(selection: &Selection) -> Result<Vec<RelPath>, Refusal> {
    match &selection.paths {
        None => Ok(Vec::new()),
        Some(chosen) if chosen.is_empty() => {
            Err(bad("no path is chosen; leave `paths` out to mean all of them".to_owned()))
        }
        Some(chosen) => paths(chosen.iter().map(String::as_str)),
    }
}
