//! Updates as a stream with replay, and as pages: those of a session, and the daemon's own.
//!
//! A stream first gives what the journal has after the client's cursor, then what was said so far of a running reply,
//! then everything as it happens. A client that lags is sent back to the journal. What the daemon notes of itself is rare,
//! so there its followers hear that something came, and read it. When the daemon leaves, a stream says so and why, gives
//! what still ends, and ends in good order.

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
use tokio::sync::watch;
use tokio::time::Duration;
use wire::{Code, Draining, Header, Problem, Record};

/// Whose updates.
#[derive(Debug, Clone, Copy)]
pub(super) enum Journal {
    /// Those of a session.
    Session(SessionId),
    /// The daemon's own.
    Daemon,
}

impl Journal {
    fn id(self) -> JournalId {
        match self {
            Journal::Session(id) => JournalId::Session(id),
            Journal::Daemon => JournalId::Daemon,
        }
    }
}

/// Events in a page, unless fewer are asked for.
pub(super) const PAGE: usize = 500;
/// A comment is sent when nothing else was for so long, so that a vanished client is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Where a page begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Begin {
    /// Behind this update.
    After(Seq),
    /// With so many of the last ones: numbers are dense, so nothing before them is read.
    Last(u64),
}

/// A page of updates: `{"events": […], "next": 57}`; `next` is missing at the end.
pub(super) async fn page(
    registry: &Arc<Registry>,
    journal: Journal,
    begin: Begin,
    limit: usize,
) -> Result<String, Problem> {
    let limit = limit.clamp(1, PAGE);
    if let Journal::Session(id) = journal {
        registry.present(id).await?;
    }
    let store = &registry.house().store;
    let after = match begin {
        Begin::After(after) => after,
        Begin::Last(count) => {
            let head = store.head(journal.id()).await.map_err(unreadable)?;
            Seq(head.map_or(0, |head| head.seq.0.saturating_sub(count)))
        }
    };
    let records = store.events(journal.id(), after, limit).await.map_err(unreadable)?;
    let updates: Vec<String> = records.iter().map(Record::update).collect();
    // A page is bounded by its bytes too, so the head says whether there is more.
    let head = store.head(journal.id()).await.map_err(unreadable)?.map(|head| head.seq);
    if let (None, Journal::Session(id)) = (head, journal) {
        return Err(crate::session::no_such_session(id));
    }
    let next = match records.last() {
        Some(last) if Some(last.seq) < head => format!(",\"next\":{}", last.seq),
        _ => String::new(),
    };
    Ok(format!("{{\"events\":[{}]{next}}}", updates.join(",")))
}

/// A stream of updates after a cursor.
pub(super) async fn stream(registry: Arc<Registry>, journal: Journal, after: Seq) -> Result<Response<Body>, Problem> {
    let source = Source::open(&registry, journal).await?;
    let head = source.head();
    if after > head {
        let detail = format!("event {after} is not there yet; the last one is {head}");
        return Err(Problem::new(Code::InvalidRequest, detail).remedy("follow from the last event that you have seen"));
    }
    let follower = Follower { registry, journal, sent: after, head, ready: VecDeque::new(), source, told: false };
    let mut response = Response::new(Body::from_stream(follower.into_stream()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Where what happens is heard.
enum Source {
    /// From the session's owner, with all words.
    Session(Watch),
    /// From the writer of the daemon's journal: only that something came.
    Daemon(watch::Receiver<Seq>),
}

/// What was heard.
enum Heard {
    /// Something to pass on.
    Frame(Frame),
    /// The journal has more, up to here.
    Head(Seq),
    /// Too slow, or the owner has gone to sleep: begin anew from the journal.
    Lost,
    /// The daemon ends.
    Over,
}

impl Source {
    async fn open(registry: &Arc<Registry>, journal: Journal) -> Result<Source, Problem> {
        Ok(match journal {
            Journal::Session(id) => Source::Session(registry.watch(id).await?),
            Journal::Daemon => Source::Daemon(registry.house().journal.follow()),
        })
    }

    /// The last event before what is heard; everything up to it is in the journal.
    fn head(&self) -> Seq {
        match self {
            Source::Session(watch) => watch.head,
            Source::Daemon(head) => *head.borrow(),
        }
    }

    /// What was said so far of a running reply, once.
    fn said(&mut self) -> Vec<Frame> {
        match self {
            Source::Session(watch) => std::mem::take(&mut watch.said),
            Source::Daemon(_) => Vec::new(),
        }
    }

    /// The next thing that happens. Cancel-safe.
    async fn next(&mut self) -> Heard {
        match self {
            Source::Session(watch) => match watch.frames.recv().await {
                Ok(frame) => Heard::Frame(frame),
                Err(RecvError::Lagged(_) | RecvError::Closed) => Heard::Lost,
            },
            Source::Daemon(head) => match head.changed().await {
                Ok(()) => Heard::Head(*head.borrow_and_update()),
                Err(_) => Heard::Over,
            },
        }
    }
}

struct Follower {
    registry: Arc<Registry>,
    journal: Journal,
    /// The last event that was sent.
    sent: Seq,
    /// The last one that is known to be in the journal.
    head: Seq,
    ready: VecDeque<Bytes>,
    source: Source,
    /// Whether it has been told that the daemon brings everything to an end.
    told: bool,
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
            if self.sent < self.head {
                self.read_journal().await?;
                continue;
            }
            let said = self.source.said();
            if !said.is_empty() {
                self.ready.extend(said.iter().map(message));
                continue;
            }
            let house = self.registry.house().clone();
            let heard = tokio::select! {
                biased;
                // What ends within the grace is still told; the stream ends with the session's owner.
                () = house.stop.cancelled(), if !self.told => {
                    self.told = true;
                    return Some(farewell(Draining::new(house.leaving())));
                }
                // The daemon's own journal has nobody who leaves before the daemon.
                () = house.stop.cancelled(), if matches!(self.source, Source::Daemon(_)) => return None,
                heard = self.source.next() => heard,
                () = house.clock.sleep(HEARTBEAT) => return Some(Bytes::from_static(b": still here\n\n")),
            };
            match heard {
                Heard::Frame(frame) => {
                    if let Some(seq) = frame.seq {
                        if seq <= self.sent {
                            continue;
                        }
                        // Something was appended and not told, as after a commit of unknown outcome: the journal has it.
                        if seq > self.sent.next() {
                            self.head = seq;
                            continue;
                        }
                        self.sent = seq;
                    }
                    return Some(message(&frame));
                }
                Heard::Head(head) => self.head = self.head.max(head),
                Heard::Lost => {
                    self.source = Source::open(&self.registry, self.journal).await.ok()?;
                    self.head = self.source.head();
                }
                Heard::Over => return None,
            }
        }
    }

    async fn read_journal(&mut self) -> Option<()> {
        let records = self.registry.house().store.events(self.journal.id(), self.sent, PAGE).await.ok()?;
        for record in records.iter().take_while(|record| record.seq <= self.head) {
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

/// The last word before a stream ends with its daemon.
fn farewell(draining: Draining) -> Bytes {
    let update = serde_json::to_string(&draining).expect("plain data");
    message(&Frame { seq: None, kind: Draining::NAME, update: update.into() })
}

fn unreadable(error: store::ReadError) -> Problem {
    Problem::new(Code::Internal, error.to_string()).remedy("see `tinkerbell daemon logs`")
}
