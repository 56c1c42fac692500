//! A state directory with a journal in it, and snapshots of it.

use crate::snapshots::container::Passphrase;
use crate::snapshots::make::{self, Order};
use crate::snapshots::restore::{Chosen, Roots};
use agent::{Epoch, Event, Generation, Micros, Seq, SessionId, SnapshotId, Tokens, TurnId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use store::{Append, JournalId, NewEvent, Options, Pace, Store};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use wire::Header;
use wire::snapshot::SnapshotReason;

/// The time of every event here: nothing depends on it.
const NOW: Micros = Micros(1_763_888_400_123_456);

/// A state directory.
pub(super) struct World {
    pub(super) dir: TempDir,
}

impl World {
    /// One with some sessions of some events, a kept key, and what is made from the journal.
    pub(super) async fn new(sessions: u64) -> World {
        let world = World { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(world.state()).unwrap();
        world.say(1..=sessions, "the beginning").await;
        std::fs::create_dir_all(world.state().join("keys")).unwrap();
        std::fs::write(world.state().join("keys/openai"), "sk-canary-of-snapshots").unwrap();
        std::fs::write(world.state().join("search.db"), "an index").unwrap();
        std::fs::create_dir_all(world.state().join("canvas/a.git")).unwrap();
        std::fs::write(world.state().join("canvas/a.git/HEAD"), "a picture").unwrap();
        world
    }

    pub(super) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Each of these sessions says something more; the log is copied into the journal at the end.
    pub(super) async fn say(&self, sessions: impl IntoIterator<Item = u64>, words: &str) {
        let store = Store::open(&self.state(), Options::default()).unwrap();
        for number in sessions {
            let session = SessionId::from_parts(1_764_000_000_000, u128::from(number));
            let after = store.head(JournalId::Session(session)).await.unwrap().map_or(Seq(0), |head| head.seq);
            let event = Event::PromptSteered { turn: TurnId(1), tokens: Tokens(1) };
            let header = Header { seq: after.next(), at: NOW, session: Some(session), event }.to_json();
            let mut append = Append::new(JournalId::Session(session), Epoch(1), Generation(1), after);
            append.facts =
                vec![NewEvent { header, body: format!("{{\"text\":\"{words} {number}\"}}"), ..NewEvent::default() }];
            store.append(append).await.unwrap();
        }
        store.close().await;
    }

    /// A snapshot of the state as it is.
    pub(super) async fn snapshot(&self, number: u64, passphrase: Option<&str>) -> PathBuf {
        let id = SnapshotId::from_parts(1_764_000_000_000, u128::from(number));
        let shelf = self.state().join("snapshots");
        std::fs::create_dir_all(&shelf).unwrap();
        let order = Order {
            shelf: crate::archive::Shelf::new(&self.state()),
            id,
            reason: SnapshotReason::Asked,
            created_at: NOW,
            note: Some("of a test".to_owned()),
            passphrase: passphrase.map(Passphrase::cheap),
            target: shelf.join(format!("{id}.tar")),
            state_dir: self.state(),
            config: Some("[limits]\nsteps = 9\n".to_owned()),
            portable: None,
            stop: CancellationToken::new(),
        };
        let store = Store::open(&self.state(), Options::default()).unwrap();
        let copied_from = store.clone();
        let (made, order) = tokio::task::spawn_blocking(move || {
            let made = make::make(&copied_from, &order, &Pace::default());
            (made, order)
        })
        .await
        .unwrap();
        made.unwrap();
        store.close().await;
        order.target
    }

    /// All that makes up the state, byte for byte: what nobody may touch.
    pub(super) fn live(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = BTreeMap::new();
        for name in ["journal.db", "journal.db-wal", "search.db", "canvas", "keys", "roots.json"] {
            collect(&self.state().join(name), &mut all);
        }
        all
    }
}

/// Every file below a path.
fn collect(path: &Path, all: &mut BTreeMap<PathBuf, Vec<u8>>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), all);
        }
    } else if path.exists() {
        all.insert(path.to_owned(), std::fs::read(path).unwrap());
    }
}

/// A file, about which nothing is known.
pub(super) fn any(path: &Path) -> Chosen {
    Chosen { path: path.to_owned(), id: None, expected: None, roots: Roots::default() }
}

/// The seed of a test: from the environment, or from the kernel.
pub(super) fn seed() -> u64 {
    let given = std::env::var("TINKERBELL_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| getrandom::u64().unwrap())
}

/// Random numbers (SplitMix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
