//! Forks and removals on a disk that fails: at every single call, in every way, and then a crash of every kind.
//!
//! A script makes a session of some slices, forks it and removes it, over [`testkit::fault_vfs`]. Whatever happens: a
//! fork is whole or it is not there, and one that was acknowledged is there; a session is there wholly or seen by
//! nobody, and one whose removal was acknowledged is gone; after the next opening nothing half is left on disk.

#![allow(clippy::print_stdout, reason = "a campaign says how often it tried")]

use agent::{Epoch, Event, Generation, Micros, Seq, SessionId, Tokens, TurnId};
use std::path::Path;
use store::{Append, Blob, Fork, JournalId, NewEvent, Options, Remove, Store};
use tempfile::TempDir;
use testkit::fault_vfs::{Crash, Fault, FaultVfs, Hurt, Ops};
use wire::Header;

/// More than two slices.
const EVENTS: u64 = 1100;
/// More calls than any script makes.
const CALLS: u64 = 20_000;

/// In memory, where there is such a place: nothing here depends on real syncs.
fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.expect("a temporary directory")
}

fn options(vfs: Option<&FaultVfs>) -> Options {
    let vfs = vfs.map(|vfs| vfs.name().to_owned());
    Options { vfs, readers: 1, checkpoint_idle: None, checkpoint_bytes: u64::MAX, ..Options::default() }
}

fn session(number: u128) -> SessionId {
    SessionId::from_parts(1_764_000_000_000, number)
}

fn said(number: u128, seq: Seq) -> NewEvent {
    let event = Event::PromptSteered { turn: TurnId(1), tokens: Tokens(1) };
    let header = Header { seq, at: Micros(0), session: Some(session(number)), event }.to_json();
    NewEvent { header, body: "{\"text\":\"x\"}".into(), ..NewEvent::default() }
}

fn append(number: u128, after: Seq, events: u64) -> Append {
    let facts = (1..=events).map(|index| said(number, Seq(after.0 + index))).collect();
    Append { facts, ..Append::new(JournalId::Session(session(number)), Epoch(1), Generation(1), after) }
}

/// What was acknowledged.
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    forked: bool,
    removed: bool,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

/// A store with the session that shall be forked and removed; nothing is hurt yet.
async fn furnish(store: &Store) {
    let mut first = append(1, Seq(0), EVENTS / 2);
    let blob = Blob::new(&b"held by an event that is copied ".repeat(100));
    first.facts[7].blobs = vec![blob.hash()];
    first.blobs = vec![blob];
    store.append(first).await.expect("nothing is hurt yet");
    store.append(append(1, Seq(EVENTS / 2), EVENTS / 2)).await.expect("nothing is hurt yet");
}

/// Forks, then removes the parent. Stops at the first failure.
async fn script(store: &Store) -> Known {
    let mut known = Known::default();
    let fork = Fork { from: session(1), append: append(2, Seq(EVENTS), 1) };
    known.forked = store.fork(fork).await.is_ok();
    if known.forked {
        let remove = Remove { session: session(1), epoch: Epoch(1), generation: Generation(1) };
        known.removed = store.remove(remove).await.is_ok();
    }
    known
}

/// Opens what a crash left and looks whether anything is half.
async fn check(dir: &Path, known: Known, place: &str) {
    let store = Store::open(dir, options(None)).unwrap_or_else(|error| panic!("{place}: {error}"));
    let events = async |number| {
        let verified = store.verify(JournalId::Session(session(number))).await;
        verified.unwrap_or_else(|error| panic!("{place}: {error}")).events
    };
    let (parent, fork) = (events(1).await, events(2).await);
    assert!(parent == EVENTS || (parent == 0 && known.forked), "{place}: {parent} events of the parent");
    assert!(fork == EVENTS + 1 || (fork == 0 && !known.forked), "{place}: {fork} events of the fork");
    assert!(parent == 0 || !known.removed, "{place}: a removed session is there");
    let heads = store.verify_heads().await.unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_eq!(heads.removed, u64::from(parent == 0), "{place}");
    // A removal is answered when all that was left before it is swept.
    store.append(append(3, Seq(0), 1)).await.unwrap_or_else(|error| panic!("{place}: {error}"));
    let remove = Remove { session: session(3), epoch: Epoch(1), generation: Generation(1) };
    let removed = store.remove(remove).await.unwrap_or_else(|error| panic!("{place}: {error}"));
    assert!(removed.cleared, "{place}");
    store.close().await;
    let connection = rusqlite::Connection::open(dir.join("journal.db")).expect("opens");
    let number = |sql: &str| connection.query_row(sql, (), |row| row.get::<_, i64>(0)).expect("counts");
    assert_eq!(number("SELECT count(*) FROM events"), (parent + fork) as i64, "{place}: something half is left");
    let holders = i64::from(parent > 0) + i64::from(fork > 0);
    assert_eq!(number("SELECT coalesce(sum(holders), 0) FROM blobs"), holders, "{place}");
    assert_eq!(number("SELECT count(*) FROM waking"), 0, "{place}");
    let sound: String = connection.query_row("PRAGMA integrity_check", (), |row| row.get(0)).expect("checks");
    assert_eq!(sound, "ok", "{place}");
}

/// Hurts one call after the other, every `step`th, until a run is unhurt.
fn campaign(name: &str, ops: Ops, hurt: Hurt, step: usize) {
    let (mut runs, mut crashes, mut forked, mut removed) = (0_u64, 0_u64, 0_u64, 0_u64);
    for nth in (1..CALLS).step_by(step) {
        let (vfs, dir, runtime) = (FaultVfs::new(), directory(), runtime());
        let store = Store::open(dir.path(), options(Some(&vfs))).expect("nothing is hurt yet");
        let known = runtime.block_on(async {
            furnish(&store).await;
            vfs.arm(Fault { nth, ops, hurt, sticky: false });
            script(&store).await
        });
        let Some(hit) = vfs.hit() else {
            assert!(known.forked && known.removed, "{name}: an unhurt run failed: {known:?}");
            println!("{name}: {runs} runs, {crashes} crashes, {forked} forked, {removed} removed, 0 half");
            assert!(runs > 10, "{name}: next to nothing was hurt");
            return;
        };
        (runs, forked, removed) = (runs + 1, forked + u64::from(known.forked), removed + u64::from(known.removed));
        for crash in [Crash::Kill, Crash::DropUnsynced, Crash::Mixed(nth)] {
            let left = directory();
            vfs.crash(crash, left.path()).expect("writes what is left");
            crashes += 1;
            runtime.block_on(check(left.path(), known, &format!("{name}: call {nth}, {hit}, {crash:?}")));
        }
        runtime.block_on(store.close());
    }
    panic!("{name}: no run was unhurt");
}

/// Writes are many and alike, so every seventh is hurt, and every sync.
#[test]
fn the_power_goes_while_a_session_is_forked_or_removed() {
    campaign("power at a sync", Ops::SYNCS, Hurt::Power, 1);
    campaign("power at a change", Ops::CHANGES, Hurt::PowerTorn, 7);
}

#[test]
fn a_sync_or_a_write_fails_while_a_session_is_forked_or_removed() {
    campaign("a sync fails", Ops::SYNCS, Hurt::LostSync, 1);
    campaign("a write fails", Ops::WRITES, Hurt::Fail, 7);
    campaign("the disk is full", Ops::WRITES, Hurt::Full, 7);
}
