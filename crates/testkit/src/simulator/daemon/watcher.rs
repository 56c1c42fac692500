//! Somebody who watches a session's updates, goes away, and comes back by the cursor of the last one that they saw.

use super::super::invariant::{Checked, Invariant, hold};
use super::run::fingerprint;
use super::treachery::Treachery;
use agent::SessionId;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures_util::StreamExt;
use futures_util::future::AbortHandle;
use std::cell::RefCell;
use std::rc::Rc;
use tower::ServiceExt;

/// What a watcher saw so far.
pub(super) struct Watcher {
    pub(super) session: SessionId,
    pub(super) seen: Rc<RefCell<Seen>>,
    /// Ends the stream that is open.
    pub(super) stream: Option<AbortHandle>,
    /// They are away, and come back when somebody thinks of it.
    pub(super) away: bool,
}

/// The updates, as fingerprints, in the order in which they came.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) updates: Vec<(u64, u64)>,
    /// There is no such session.
    pub(super) gone: bool,
}

impl Seen {
    /// The cursor to come back by.
    fn last(&self) -> u64 {
        self.updates.last().map_or(0, |(seq, _)| *seq)
    }
}

/// Watches until the stream ends.
pub(super) async fn watch(router: Router, session: SessionId, seen: Rc<RefCell<Seen>>, treachery: Option<Treachery>) {
    let after = seen.borrow().last();
    let request = Request::get(format!("/v1/sessions/{session}/events?after={after}"))
        .header("accept", "text/event-stream")
        .body(Body::empty());
    let Ok(request) = request else { return };
    let Ok(response) = router.oneshot(request).await;
    if response.status() == StatusCode::NOT_FOUND {
        seen.borrow_mut().gone = true;
    }
    if response.status() != StatusCode::OK {
        return;
    }
    let mut stream = response.into_body().into_data_stream();
    let mut text = String::new();
    while let Some(Ok(bytes)) = stream.next().await {
        text.push_str(&String::from_utf8_lossy(&bytes));
        while let Some(end) = text.find("\n\n") {
            let message: String = text.drain(..end + 2).collect();
            note(&mut seen.borrow_mut(), &message, treachery);
        }
    }
}

/// Notes one message of the stream. Deltas have no number and are not noted.
fn note(seen: &mut Seen, message: &str, treachery: Option<Treachery>) {
    let line = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
    let (Some(seq), Some(data)) = (line("id: ").and_then(|seq| seq.parse().ok()), line("data: ")) else { return };
    let mut update = (seq, fingerprint([data].into_iter()));
    match treachery {
        Some(Treachery::UpdateLost) if seq == 6 => return,
        Some(Treachery::UpdateTwice) if seq == 6 => seen.updates.push(update),
        Some(Treachery::UpdateChanged) if seq == 6 => update.1 ^= 1,
        _ => {}
    }
    seen.updates.push(update);
}

impl Watcher {
    pub(super) fn new(session: SessionId) -> Watcher {
        Watcher { session, seen: Rc::default(), stream: None, away: false }
    }

    /// Holds what was seen against what is in the journal.
    pub(super) fn check(&self, journal: &[u64]) -> Checked {
        for (at, (seq, update)) in self.seen.borrow().updates.iter().enumerate() {
            let next = *seq == at as u64 + 1;
            hold(next, Invariant::WatchersSeeAll, || format!("update {seq} was seen as number {}", at + 1))?;
            // What came since the books were written up is looked at the next time.
            let same = journal.get(at).is_none_or(|written| written == update);
            hold(same, Invariant::WatchersSeeAll, || format!("update {seq} is not what the journal has"))?;
        }
        Ok(())
    }

    /// How many updates were seen.
    pub(super) fn count(&self) -> usize {
        self.seen.borrow().updates.len()
    }
}
