//! A store in a directory of its own, and owners that append to it as the daemon's do.

use agent::{EffectId, EffectKind, Epoch, Event, Generation, Micros, Money, Seq, SessionId, Tokens, TurnId};
use rusqlite::Connection;
use std::path::PathBuf;
use store::{Append, AppendError, Appended, JournalId, NewEvent, NewStart, Options, SessionRow, Store};
use tempfile::TempDir;
use wire::Header;

/// The time of every event here: nothing depends on it.
pub(crate) const NOW: Micros = Micros(1_763_888_400_123_456);

/// What is listed of a session; no test depends on more of it than it says.
pub(crate) fn row() -> SessionRow {
    SessionRow {
        workspace: "/w".into(),
        title: None,
        state: "idle".into(),
        model: None,
        cost: Money(0),
        created: Micros(1),
        updated: Micros(2),
    }
}

/// A store in a directory that goes when this is dropped.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) store: Store,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> World {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(dir.path(), options).expect("an empty directory becomes a store");
        World { dir, store }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("journal.db")
    }

    /// An owner of a session that does not exist yet.
    pub(crate) fn owner(&self, number: u64) -> Owner {
        Owner::of(&self.store, JournalId::Session(session(number)))
    }

    /// Closes the store and opens it again.
    pub(crate) async fn reopen(self) -> World {
        self.store.close().await;
        let store = Store::open(self.dir.path(), Options::default()).expect("a closed store opens again");
        World { dir: self.dir, store }
    }

    /// Closes the store, changes its tables as somebody else might, and opens it again.
    pub(crate) async fn tamper(self, sql: &str) -> World {
        self.store.close().await;
        let path = self.dir.path().join("journal.db");
        let connection = Connection::open(path).expect("the file is a database");
        connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).expect("the change is possible");
        connection.close().expect("closes");
        let store = Store::open(self.dir.path(), Options::default()).expect("still a journal");
        World { dir: self.dir, store }
    }
}

/// Session ids of this test are numbered.
pub(crate) fn session(number: u64) -> SessionId {
    SessionId::from_parts(1_764_000_000_000, u128::from(number))
}

/// The first attempt at a model call.
pub(crate) fn model_call(step: u32) -> EffectId {
    EffectId { turn: TurnId(1), step, kind: EffectKind::Model, ordinal: 0, attempt: 1 }
}

/// An event with these words.
pub(crate) fn said(journal: JournalId, seq: Seq, words: &str) -> NewEvent {
    let session = match journal {
        JournalId::Daemon => None,
        JournalId::Session(session) => Some(session),
    };
    let event = Event::PromptSteered { turn: TurnId(1), tokens: Tokens(words.len() as u64) };
    let header = Header { seq, at: NOW, session, event }.to_json();
    NewEvent { header, body: format!("{{\"text\":\"{words}\"}}"), ..NewEvent::default() }
}

/// Somebody who owns a journal: knows its head and has an epoch.
#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) store: Store,
    pub(crate) journal: JournalId,
    pub(crate) epoch: Epoch,
    pub(crate) generation: Generation,
    pub(crate) head: Seq,
}

impl Owner {
    pub(crate) fn of(store: &Store, journal: JournalId) -> Owner {
        Owner { store: store.clone(), journal, epoch: Epoch(1), generation: Generation(1), head: Seq(0) }
    }

    /// An append of these words, an event each.
    pub(crate) fn draft(&self, words: &[&str]) -> Append {
        let mut append = Append::new(self.journal, self.epoch, self.generation, self.head);
        append.facts = words.iter().enumerate().map(|(index, words)| self.event(index, words)).collect();
        append
    }

    /// The event at the given place behind the head.
    pub(crate) fn event(&self, index: usize, words: &str) -> NewEvent {
        said(self.journal, Seq(self.head.0 + 1 + index as u64), words)
    }

    /// A start without money.
    pub(crate) fn start(&self, index: usize, words: &str) -> NewStart {
        NewStart { event: self.event(index, words), reserve: None }
    }

    pub(crate) async fn send(&mut self, append: Append) -> Result<Appended, AppendError> {
        let done = self.store.append(append).await?;
        self.head = done.head;
        Ok(done)
    }

    pub(crate) async fn say(&mut self, words: &[&str]) -> Appended {
        let draft = self.draft(words);
        self.send(draft).await.expect("an owner that knows its head may append")
    }
}

/// Random numbers from a seed, for tests that print it (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A seed from the system, unless `TINKERBELL_SEED` gives one.
    pub(crate) fn seed() -> u64 {
        let given = std::env::var("TINKERBELL_SEED").ok().and_then(|text| text.parse().ok());
        given.unwrap_or_else(|| getrandom::u64().expect("the kernel gives random bytes"))
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
