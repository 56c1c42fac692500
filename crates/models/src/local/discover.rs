//! The search: all places at once.

use super::place::Place;
use super::probe::{self, Probe};
use super::server::Server;
use super::{llama, ollama};
use futures_util::future::join_all;
use reqwest::Client;
use std::time::Duration;

/// How long each question to a place may take: a server on this machine answers within a few milliseconds.
pub const PROBE_TIMEOUT: Duration = Duration::from_millis(300);

/// Looks at all places at once; `timeout` bounds each of the few questions to a place. A place where nobody listens costs
/// nothing. What comes back is in the order of the places, each server once. Cancel-safe; no model is loaded by this.
pub async fn discover(places: &[Place], timeout: Duration) -> Vec<Server> {
    let Some(client) = probe::client(timeout) else { return Vec::new() };
    let mut places = places.to_vec();
    let mut seen = std::collections::BTreeSet::new();
    places.retain(|place| seen.insert(*place));
    join_all(places.iter().map(|place| look(&client, *place, timeout))).await.into_iter().flatten().collect()
}

async fn look(client: &Client, place: Place, timeout: Duration) -> Option<Server> {
    let root = place.root();
    let probe = Probe::beside(client, root.clone(), timeout);
    match ollama::find(&probe, &root).await {
        Some(server) => Some(server),
        None => llama::find(&probe, &root).await,
    }
}
