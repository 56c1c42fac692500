//! A session's updates as a stream with replay, and as pages.
//!
//! A stream first gives what the journal has after the client's cursor, then what was said so far of a running reply,
//! then everything as it happens. A client that lags is sent back to the journal.

use crate::registry::Registry;
use crate::session::{Frame, Watch};
use agent::{Seq, SessionId};
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, header};
use futures_util::stream::{self, Stream};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use store::JournalId;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Duration;
use wire::{Code, Header, Problem, Record};

/// Events in a page, unless fewer are asked for.
pub(super) const PAGE: usize = 500;
/// A comment is sent when nothing else was for so long, so that a vanished client is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A page of updates: `{"events": […], "next": 57}`; `next` is missing at the end.
pub(super) async fn page(registry: &Registry, id: SessionId, after: Seq, limit: usize) -> Result<String, Problem> {
    let limit = limit.clamp(1, PAGE);
    let records = registry.house().store.events(JournalId::Session(id), after, limit).await.map_err(unreadable)?;
    let updates: Vec<String> = records.iter().map(Record::update).collect();
    // A page is bounded by its bytes too, so the head says whether there is more.
    let head = registry.house().store.head(JournalId::Session(id)).await.map_err(unreadable)?.map(|head| head.seq);
    if head.is_none() {
        return Err(crate::session::no_such_session(id));
    }
    let next = match records.last() {
        Some(last) if Some(last.seq) < head => format!(",\"next\":{}", last.seq),
        _ => String::new(),
    };
    Ok(format!("{{\"events\":[{}]{next}}}", updates.join(",")))
}

/// A stream of updates after a cursor.
pub(super) async fn stream(registry: Arc<Registry>, id: SessionId, after: Seq) -> Result<Response<Body>, Problem> {
    let watch = registry.watch(id).await?;
    if after > watch.head {
        let detail = format!("event {after} is not there yet; the last one is {}", watch.head);
        return Err(Problem::new(Code::InvalidRequest, detail).remedy("follow from the last event that you have seen"));
    }
    let follower = Follower { registry, id, sent: after, ready: VecDeque::new(), watch, said: false };
    let mut response = Response::new(Body::from_stream(follower.into_stream()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

struct Follower {
    registry: Arc<Registry>,
    id: SessionId,
    /// The last event that was sent.
    sent: Seq,
    ready: VecDeque<Bytes>,
    watch: Watch,
    /// Whether what was said so far has been sent.
    said: bool,
}

impl Follower {
    fn into_stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            let bytes = follower.next().await?;
            Some((Ok(bytes), follower))
        })
    }

    /// The next piece; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            if self.sent < self.watch.head {
                self.read_journal().await?;
                continue;
            }
            if !self.said {
                self.said = true;
                self.ready.extend(self.watch.said.drain(..).map(|frame| message(&frame)));
                continue;
            }
            let house = self.registry.house().clone();
            let frame = tokio::select! {
                biased;
                () = house.stop.cancelled() => return None,
                frame = self.watch.frames.recv() => frame,
                () = house.clock.sleep(HEARTBEAT) => return Some(Bytes::from_static(b": still here\n\n")),
            };
            match frame {
                Ok(frame) => {
                    if let Some(seq) = frame.seq {
                        if seq <= self.sent {
                            continue;
                        }
                        // Something was appended and not told, as after a commit of unknown outcome: the journal has it.
                        if seq > self.sent.next() {
                            self.watch.head = seq;
                            continue;
                        }
                        self.sent = seq;
                    }
                    return Some(message(&frame));
                }
                // Too slow, or the owner has gone to sleep: begin anew from the journal.
                Err(RecvError::Lagged(_) | RecvError::Closed) => {
                    self.watch = self.registry.watch(self.id).await.ok()?;
                    self.said = false;
                }
            }
        }
    }

    async fn read_journal(&mut self) -> Option<()> {
        let journal = JournalId::Session(self.id);
        let records = self.registry.house().store.events(journal, self.sent, PAGE).await.ok()?;
        for record in records.iter().take_while(|record| record.seq <= self.watch.head) {
            let kind = Header::from_json(&record.header).ok()?.event.kind();
            let frame = Frame { seq: Some(record.seq), kind, update: record.update().into() };
            self.ready.push_back(message(&frame));
            self.sent = record.seq;
        }
        (!records.is_empty()).then_some(())
    }
}

/// A frame as a message of the event stream. Updates are JSON on one line, so they need no escaping.
fn message(frame: &Frame) -> Bytes {
    let Frame { seq, kind, update } = frame;
    match seq {
        Some(seq) => format!("id: {seq}\nevent: {kind}\ndata: {update}\n\n").into(),
        None => format!("event: {kind}\ndata: {update}\n\n").into(),
    }
}

fn unreadable(error: store::ReadError) -> Problem {
    Problem::new(Code::Internal, error.to_string()).remedy("see `tinkerbell daemon logs`")
}
