//! Updates over REST: of a session or of the daemon, as a stream or as pages.

use super::answer::{Answer, bad};
use super::request::number;
use crate::doors::events::{self, Begin, Journal};
use crate::registry::Registry;
use agent::Seq;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a client asks for that wants updates.
pub(super) async fn updates(
    registry: &Arc<Registry>,
    journal: Journal,
    query: &BTreeMap<String, String>,
    headers: &HeaderMap,
) -> Answer {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if text("accept").contains("text/event-stream") {
        // A client that reconnects says in the header what it saw last, and that counts.
        let last = Some(text("last-event-id")).filter(|last| !last.is_empty());
        let after = number("after", last.or(query.get("after").map(String::as_str)))?;
        return Ok(events::stream(registry.clone(), journal, Seq(after.unwrap_or(0))).await?);
    }
    let after = number("after", query.get("after").map(String::as_str))?;
    let limit = number("limit", query.get("limit").map(String::as_str))?;
    let limit = limit.map_or(events::PAGE, |limit| limit.min(events::PAGE as u64) as usize);
    let last = number("last", query.get("last").map(String::as_str))?;
    let begin = match (after, last) {
        (Some(_), Some(_)) => {
            return Err(bad("a page begins `after` an update or with the `last` ones, not both".to_owned()));
        }
        (None, Some(count)) => Begin::Last(count),
        (after, None) => Begin::After(Seq(after.unwrap_or(0))),
    };
    let page = events::page(registry, journal, begin, limit).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], page).into_response())
}
