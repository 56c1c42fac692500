//! Audits over REST.

use super::answer::{Answer, bad, json};
use super::request::{House, QueryMap, id};
use crate::audit::{self, Wanted};
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use futures_util::stream;
use tokio::sync::mpsc;
use wire::{Code, Problem};

/// Words of progress that wait for a slow client; it misses what does not fit.
const TOLD: usize = 16;

/// The answer, or a stream of `progress` with the answer as its last message, `report`.
pub(super) async fn verify(State(registry): House, headers: HeaderMap) -> Answer {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let house = registry.house().clone();
    if !accepts.contains("text/event-stream") {
        let report = audit::verify(&house, None).await;
        return Ok(json(&report.map_err(|error| Problem::new(Code::Internal, error.to_string()))?));
    }
    let (told, mut progress) = mpsc::channel(TOLD);
    let (sender, messages) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let tasks = house.tasks.clone();
    tasks.spawn("audit", async move {
        let mut work = std::pin::pin!(audit::verify(&house, Some(told)));
        let report = loop {
            tokio::select! {
                report = &mut work => break report,
                Some(now) = progress.recv() => {
                    let data = serde_json::to_string(&now).expect("progress is plain data");
                    // A client that has left wants no report either.
                    if sender.send(Ok(format!("event: progress\ndata: {data}\n\n").into())).await.is_err() {
                        return;
                    }
                }
                () = house.stop.cancelled() => return,
            }
        };
        let last = match report {
            Ok(report) => {
                let data = serde_json::to_string(&report).expect("a report is plain data");
                Ok(format!("event: report\ndata: {data}\n\n").into())
            }
            Err(error) => Err(std::io::Error::other(error.to_string())),
        };
        // Whoever asked may have gone.
        let _ = sender.send(last).await;
        let _ = sender.send(Ok(Bytes::new())).await;
    });
    Ok(streamed(messages, "text/event-stream"))
}

/// The bundle, while it is made.
pub(super) async fn export(State(registry): House, Query(query): QueryMap) -> Answer {
    let mut wanted = Wanted::default();
    for (name, value) in query.iter() {
        match (name.as_str(), value.as_str()) {
            ("sessions", ids) => {
                wanted.sessions = ids.split(',').map(id).collect::<Result<_, _>>()?;
            }
            ("headers_only", "true") => wanted.headers_only = true,
            ("headers_only", "false") => wanted.headers_only = false,
            _ => return Err(bad(format!("sessions=ID,ID and headers_only=true are known, not {name}={value}"))),
        }
    }
    Ok(streamed(audit::export(registry.house(), wanted).await?, "application/x-ndjson"))
}

pub(super) async fn sign(State(registry): House) -> Answer {
    let house = registry.house();
    Ok(json(&house.auditor.sign(&house.store).await?))
}

/// Pieces as they come, up to an empty one; an error, or an end without that, breaks the connection off, so that nobody takes a part for the whole.
fn streamed(pieces: mpsc::Receiver<Result<Bytes, std::io::Error>>, kind: &'static str) -> axum::response::Response {
    let broke_off = || std::io::Error::other("it broke off");
    let pieces = stream::unfold(Some(pieces), move |pieces| async move {
        let mut pieces = pieces?;
        match pieces.recv().await {
            Some(Ok(piece)) if piece.is_empty() => None,
            Some(Ok(piece)) => Some((Ok(piece), Some(pieces))),
            Some(Err(error)) => Some((Err(error), None)),
            None => Some((Err(broke_off()), None)),
        }
    });
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
