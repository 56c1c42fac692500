//! The daemon's own journal while it runs: what belongs to no session, such as that a daemon began, or that its
//! configuration was replaced. Followers hear of its head and read the rest.

use crate::clock::Clock;
use agent::{Epoch, Event, Generation, Micros, Seq};
use serde::Serialize;
use store::{Append, AppendError, FoldRow, JournalId, NewEvent, ReadError, Store};
use tokio::sync::{Semaphore, watch};
use wire::{Header, body};

/// The one writer of the daemon's journal.
pub struct DaemonJournal {
    store: Store,
    clock: Clock,
    generation: Generation,
    /// One note at a time: each takes the place after the one before.
    line: Semaphore,
    head: watch::Sender<Seq>,
}

/// What is written at once.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Events with their bodies, in order.
    pub(crate) events: Vec<(Event, String)>,
    /// Earlier events whose words go.
    pub(crate) forget: Vec<Seq>,
    /// A projection to keep; events that stand beside it come after it.
    pub(crate) fold: Option<FoldRow>,
}

/// What the journal says of the daemon before this one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before {
    /// Whether it ended in good order; not, if there was none.
    pub(crate) clean: bool,
    /// When it last wrote something; the beginning of time, if there was none.
    pub(crate) at: Micros,
}

/// Why something was not noted; where its outcome is unknown, it may be.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// The head cannot be read, so nothing was tried.
    #[error("{0}; nothing was written")]
    Read(#[from] ReadError),
    /// The store did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl DaemonJournal {
    /// Writes `daemon.began` with the next generation: from here on, an older daemon's writes are refused. Says also
    /// what is known of the daemon before.
    pub(crate) async fn begin(store: &Store, clock: Clock) -> Result<(DaemonJournal, Before), NoteError> {
        let head = store.head(JournalId::Daemon).await?;
        let generation = Generation(head.map_or(0, |head| head.generation.0) + 1);
        let last = store.event(JournalId::Daemon, head.map_or(Seq(0), |head| head.seq)).await?;
        let last = last.and_then(|last| Header::from_json(&last.header).ok());
        let before = Before {
            clean: last.as_ref().is_some_and(|last| matches!(last.event, Event::DaemonEnded { .. })),
            at: last.map_or(Micros(0), |last| last.at),
        };
        let (line, head) = (Semaphore::new(1), watch::Sender::new(Seq(0)));
        let journal = DaemonJournal { store: store.clone(), clock, generation, line, head };
        journal.note(Event::DaemonBegan { generation }, &this_process()).await?;
        Ok((journal, before))
    }

    /// Which daemon writes.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Appends an event, and answers with its place when it is on disk. Not cancel-safe: dropped while it waits for the
    /// disk, the event may be there.
    pub async fn note<B: Serialize>(&self, event: Event, body: &B) -> Result<Seq, NoteError> {
        let notes = Notes { events: vec![(event, body::write(body))], ..Notes::default() };
        self.note_all(self.clock.now(), notes).await
    }

    /// Appends several events that are true together, and answers with the place of the last. Not cancel-safe.
    pub(crate) async fn note_all(&self, at: Micros, notes: Notes) -> Result<Seq, NoteError> {
        let _turn = self.line.acquire().await.expect("it is never closed");
        // Read anew each time: after a commit of unknown outcome only the file knows.
        let head = self.store.head(JournalId::Daemon).await?;
        let after = head.map_or(Seq(0), |head| head.seq);
        // The daemon's journal has one owner at a time by the lock, so its epoch is its generation.
        let mut append = Append::new(JournalId::Daemon, Epoch(self.generation.0), self.generation, after);
        let places = (after.0 + 1..).map(Seq);
        let fact = |(seq, (event, body))| {
            let header = Header { seq, at, session: None, event }.to_json();
            NewEvent { header, body, ..NewEvent::default() }
        };
        append.facts = places.zip(notes.events).map(fact).collect();
        append.forget = notes.forget;
        append.folds = notes.fold.into_iter().collect();
        let appended = self.store.append(append).await?;
        self.head.send_replace(appended.head);
        Ok(appended.head)
    }

    /// The last place, and every one after it as it comes.
    pub fn follow(&self) -> watch::Receiver<Seq> {
        self.head.subscribe()
    }

    /// Writes `daemon.ended`: the next start need not wonder.
    pub async fn end(&self) {
        if let Err(error) = self.note(Event::DaemonEnded { generation: self.generation }, &this_process()).await {
            tracing::warn!(%error, "the daemon's end could not be written down");
        }
    }
}

fn this_process() -> body::Daemon {
    body::Daemon { version: crate::VERSION.to_owned(), pid: std::process::id() }
}
