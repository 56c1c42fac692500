//! The store on a disk that fails: at every single call, in every way, and then a crash of every kind.
//!
//! A fixed script of appends (groups of three, one of them refused, checkpoints between) runs through the real store
//! over [`testkit::fault_vfs`]. Whatever happens: every acknowledged append is there, in order and without holes; one
//! that was not acknowledged is wholly there or not at all; the chains verify; SQLite finds nothing wrong.

#![allow(clippy::print_stdout, reason = "a campaign says how often it tried")]

use agent::{Epoch, Event, Generation, Micros, Seq, SessionId, Tokens, TurnId};
use std::collections::BTreeMap;
use std::path::Path;
use store::{Append, AppendError, Appended, Blob, JournalId, Mode, NewEvent, OpenError, Options, Store, Synchronous};
use tempfile::TempDir;
use testkit::fault_vfs::{Crash, Fault, FaultVfs, Hurt, Ops};
use wire::Header;

const SESSIONS: u64 = 2;
const GROUPS: u64 = 5;
/// More calls than any script makes: a campaign that comes so far never ran unhurt, which is a fault of the test.
const CALLS: u64 = 5000;

/// In memory, where there is such a place: nothing here depends on real syncs.
fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.expect("a temporary directory")
}

/// Checkpoints come from the script alone, so that a run makes the same calls every time.
fn options(vfs: Option<&FaultVfs>, synchronous: Synchronous) -> Options {
    let vfs = vfs.map(|vfs| vfs.name().to_owned());
    Options { vfs, synchronous, readers: 1, checkpoint_idle: None, checkpoint_bytes: u64::MAX, ..Options::default() }
}

fn journal(number: u64) -> JournalId {
    JournalId::Session(SessionId::from_parts(1_764_000_000_000, u128::from(number)))
}

/// What is known of a journal from outside.
#[derive(Default)]
struct Book {
    /// Appends that were acknowledged: each has two events, which begin after this place and say this.
    acknowledged: Vec<(Seq, String)>,
    /// Appends of which nobody could say whether they happened. All others surely did not, and must never be seen.
    unknown: Vec<(Seq, String)>,
    /// The head that the owner believes in.
    head: Seq,
}

/// The script's run.
struct Run {
    runtime: tokio::runtime::Runtime,
    books: Vec<Book>,
    appends: u64,
    failures: Vec<AppendError>,
}

impl Run {
    fn new() -> Run {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Run { runtime, books: (0..SESSIONS).map(|_| Book::default()).collect(), appends: 0, failures: Vec::new() }
    }

    /// All groups; stops at the first failure unless it shall go on. Owners do as the daemon's: after an unknown
    /// outcome they read the head again.
    fn script(&mut self, store: &Store, go_on: bool) {
        for group in 0..GROUPS {
            // So that a reader's connection is open when things fail; what it meets is no matter here.
            let _ = self.runtime.block_on(store.head(journal(0)));
            let failed = self.group(store);
            if failed && !go_on {
                return;
            }
            if group % 2 == 1 {
                let failed = self.runtime.block_on(store.checkpoint());
                self.failures.extend(failed.err());
            }
        }
    }

    /// Two appends with the heads their owners know, and between them one with a head that is long gone.
    fn group(&mut self, store: &Store) -> bool {
        let (left, right) = (self.draft(0), self.draft(1));
        let stale = Append { after: Seq(u64::from(u32::MAX)), ..left.0.clone() };
        let sent = vec![left.0, stale, right.0];
        let mut outcomes = self.runtime.block_on(store.append_together(sent)).into_iter();
        let mut failed = false;
        for (number, words) in [(0, Some(left.1)), (0, None), (1, Some(right.1))] {
            let outcome = outcomes.next().expect("each append has its outcome");
            match words {
                Some(words) => failed |= self.note(store, number, words, outcome),
                None => assert!(outcome.is_err(), "an append that knows a wrong head was accepted"),
            }
        }
        failed
    }

    /// An append of two events, one of them with a blob.
    fn draft(&mut self, number: usize) -> (Append, String) {
        self.appends += 1;
        let words = format!("append {} of session {number}", self.appends);
        let after = self.books[number].head;
        let mut append = Append::new(journal(number as u64), Epoch(1), Generation(1), after);
        let blob = Blob::new(words.repeat(200).as_bytes());
        append.facts = vec![said(after.next(), &words), said(after.next().next(), &words)];
        append.facts[0].blobs = vec![blob.hash()];
        (append.blobs, append.waking) = (vec![blob], true);
        (append, words)
    }

    fn note(&mut self, store: &Store, number: usize, words: String, outcome: Result<Appended, AppendError>) -> bool {
        let book = &mut self.books[number];
        let error = match outcome {
            Ok(appended) => {
                book.acknowledged.push((book.head, words));
                book.head = appended.head;
                return false;
            }
            Err(error) => error,
        };
        if error == AppendError::OutcomeUnknown {
            let read = || self.runtime.block_on(store.head(journal(number as u64)));
            // A reader may meet the fault as well; it is asked again.
            let head = read().or_else(|_| read()).map(|head| head.map_or(Seq(0), |head| head.seq));
            match head {
                // What the store says after it was opened anew holds: a yes is a yes, and a no is for ever.
                Ok(head) if store.health().mode == Mode::Open => {
                    if head != book.head {
                        book.acknowledged.push((book.head, words));
                        book.head = head;
                    }
                }
                _ => book.unknown.push((book.head, words)),
            }
        }
        self.failures.push(error);
        true
    }

    /// How many acknowledged appends are not in the store that lies in `dir`. Everything else that is wrong panics.
    fn lost(&self, dir: &Path, place: &str) -> usize {
        let store = match Store::open(dir, options(None, Synchronous::Extra)) {
            Ok(store) => store,
            Err(error) => panic!("{place}: {error}"),
        };
        let lost = self.books.iter().enumerate().map(|(number, book)| self.lost_of(&store, number, book, place)).sum();
        self.runtime.block_on(async {
            let heads = store.verify_heads().await;
            assert!(heads.is_ok(), "{place}: {heads:?}");
            // It goes on.
            let daemon = Append::new(JournalId::Daemon, Epoch(1), Generation(1), Seq(0));
            let began = Append { facts: vec![said(Seq(1), "after the crash")], ..daemon };
            assert!(store.append(began).await.is_ok(), "{place}");
            store.close().await;
        });
        let connection = rusqlite::Connection::open(dir.join("journal.db")).expect("opens");
        let sound: String = connection.query_row("PRAGMA integrity_check", (), |row| row.get(0)).expect("checks");
        assert_eq!(sound, "ok", "{place}");
        lost
    }

    fn lost_of(&self, store: &Store, number: usize, book: &Book, place: &str) -> usize {
        let journal = journal(number as u64);
        let verified = self.runtime.block_on(store.verify(journal));
        let events = verified.unwrap_or_else(|error| panic!("{place}: {error}")).events;
        let records = self.runtime.block_on(store.events(journal, Seq(0), 1000)).expect("reads");
        assert_eq!(records.len() as u64, events, "{place}");
        let mut there: BTreeMap<(Seq, &str), usize> = BTreeMap::new();
        for record in &records {
            let body = record.body.as_deref().expect("nothing was forgotten");
            let known = book.acknowledged.iter().chain(&book.unknown);
            let append = known.into_iter().find(|(after, words)| {
                body == format!("{{\"text\":\"{words}\"}}") && (after.0 + 1..=after.0 + 2).contains(&record.seq.0)
            });
            let (after, words) = append.unwrap_or_else(|| panic!("{place}: nobody appended {record:?}"));
            *there.entry((*after, words)).or_default() += 1;
        }
        assert!(there.values().all(|events| *events == 2), "{place}: half an append: {there:?}");
        book.acknowledged.iter().filter(|(after, words)| !there.contains_key(&(*after, words.as_str()))).count()
    }
}

fn said(seq: Seq, words: &str) -> NewEvent {
    let event = Event::PromptSteered { turn: TurnId(1), tokens: Tokens(1) };
    let header = Header { seq, at: Micros(0), session: None, event }.to_json();
    NewEvent { header, body: format!("{{\"text\":\"{words}\"}}"), ..NewEvent::default() }
}

fn crashes(seed: u64) -> [Crash; 5] {
    [Crash::Kill, Crash::DropUnsynced, Crash::KeepAll, Crash::Mixed(seed), Crash::Mixed(seed ^ 0x5eed)]
}

/// Counts of a campaign.
#[derive(Default)]
struct Tally {
    runs: u64,
    crashes: u64,
    lost: usize,
    unknown: u64,
}

impl Tally {
    fn print(&self, name: &str) {
        let Tally { runs, crashes, lost, unknown } = self;
        println!("{name}: {runs} runs, {crashes} crashes, {unknown} unknown outcomes, {lost} lost appends");
    }
}

/// Hurts every single call in turn, until a run is unhurt; after each, every kind of crash.
fn campaign(name: &str, ops: Ops, hurt: Hurt, sticky: bool, synchronous: Synchronous) -> Tally {
    let mut tally = Tally::default();
    for nth in 1..CALLS {
        let (vfs, dir) = (FaultVfs::new(), directory());
        vfs.arm(Fault { nth, ops, hurt, sticky });
        let mut run = Run::new();
        let store = Store::open(dir.path(), options(Some(&vfs), synchronous));
        if let Ok(store) = &store {
            run.script(store, false);
        }
        let Some(hit) = vfs.hit() else {
            assert!(run.failures.is_empty() && store.is_ok(), "{name}: an unhurt run failed: {:?}", run.failures);
            tally.print(name);
            return tally;
        };
        tally.runs += 1;
        tally.unknown += run.failures.iter().filter(|error| **error == AppendError::OutcomeUnknown).count() as u64;
        for crash in crashes(nth) {
            let left = directory();
            vfs.crash(crash, left.path()).expect("writes what is left");
            tally.crashes += 1;
            tally.lost += run.lost(left.path(), &format!("{name}: call {nth}, {hit}, {crash:?}"));
        }
        if let Ok(store) = store {
            run.runtime.block_on(store.close());
        }
    }
    panic!("{name}: no run was unhurt");
}

#[test]
fn any_call_fails() {
    let tally = campaign("any call fails", Ops::ALL, Hurt::Fail, false, Synchronous::Extra);
    assert!(tally.lost == 0 && tally.unknown > 0);
}

#[test]
fn every_call_from_some_moment_on_fails() {
    let tally = campaign("all fail from then on", Ops::CHANGES, Hurt::Fail, true, Synchronous::Extra);
    assert!(tally.lost == 0 && tally.unknown > 0);
}

#[test]
fn a_write_is_torn() {
    let tally = campaign("torn write", Ops::WRITES, Hurt::Torn, false, Synchronous::Extra);
    assert_eq!(tally.lost, 0);
}

#[test]
fn the_disk_is_full() {
    for (name, hurt) in [("full", Hurt::Full), ("full, torn", Hurt::TornFull)] {
        let tally = campaign(name, Ops::WRITES, hurt, false, Synchronous::Extra);
        assert!(tally.lost == 0 && tally.unknown == 0, "a full disk is a no, not an unknown outcome");
    }
}

#[test]
fn a_sync_is_lost_or_late() {
    for (name, hurt) in [("lost sync", Hurt::LostSync), ("late sync", Hurt::LateSync)] {
        let tally = campaign(name, Ops::SYNCS, hurt, false, Synchronous::Extra);
        assert!(tally.lost == 0 && tally.unknown > 0);
    }
}

#[test]
fn the_power_goes() {
    for (name, hurt) in [("power", Hurt::Power), ("power, torn", Hurt::PowerTorn)] {
        let tally = campaign(name, Ops::CHANGES, hurt, false, Synchronous::Extra);
        assert_eq!(tally.lost, 0);
    }
}

/// The control: what this file would say of a store that does not sync its commits.
#[test]
fn without_synced_commits_a_power_cut_loses_appends() {
    let tally = campaign("control: NORMAL", Ops::CHANGES, Hurt::Power, false, Synchronous::Normal);
    assert!(tally.lost > 0, "the campaign cannot fail");
}

/// One failure, whichever: the store goes on by itself, and what it says afterwards is true.
#[test]
fn after_one_failure_the_store_goes_on() {
    for (name, ops, hurt) in [
        ("goes on: any call fails", Ops::ALL, Hurt::Fail),
        ("goes on: torn write", Ops::WRITES, Hurt::Torn),
        ("goes on: full", Ops::WRITES, Hurt::Full),
        ("goes on: lost sync", Ops::SYNCS, Hurt::LostSync),
        ("goes on: late sync", Ops::SYNCS, Hurt::LateSync),
    ] {
        let mut tally = Tally::default();
        for nth in 1..CALLS {
            let (vfs, dir) = (FaultVfs::new(), directory());
            let store = Store::open(dir.path(), options(Some(&vfs), Synchronous::Extra)).expect("nothing is hurt yet");
            vfs.arm(Fault { nth, ops, hurt, sticky: false });
            let mut run = Run::new();
            run.script(&store, true);
            let Some(hit) = vfs.hit() else { break };
            let place = format!("{name}: call {nth}, {hit}");
            // One group, or one checkpoint, may have failed; the store is open and takes appends.
            assert!(run.failures.len() <= 2, "{place}: {:?}", run.failures);
            assert_eq!(store.health().mode, Mode::Open, "{place}");
            assert!(!run.group(&store), "{place}: {:?}", run.failures);
            tally.runs += 1;
            tally.unknown += run.failures.iter().filter(|error| **error == AppendError::OutcomeUnknown).count() as u64;
            for crash in crashes(nth) {
                let left = directory();
                vfs.crash(crash, left.path()).expect("writes what is left");
                tally.crashes += 1;
                tally.lost += run.lost(left.path(), &format!("{place}, {crash:?}"));
            }
            run.runtime.block_on(store.close());
        }
        tally.print(name);
        assert!(tally.lost == 0 && tally.runs > 0);
    }
}

/// R4: while there is no room, appends are refused and reads go on; when there is room, work goes on without restart.
#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let (vfs, dir) = (FaultVfs::new(), directory());
    let store = Store::open(dir.path(), options(Some(&vfs), Synchronous::Extra)).expect("nothing is hurt yet");
    let mut run = Run::new();
    run.script(&store, false);
    let before = run.books[0].head;
    vfs.arm(Fault { nth: 1, ops: Ops::WRITES, hurt: Hurt::Full, sticky: true });
    for _ in 0..10 {
        assert!(run.group(&store));
        let head = run.runtime.block_on(store.head(journal(0))).expect("reads go on");
        assert_eq!(head.map(|head| head.seq), Some(before));
    }
    assert!(run.failures.iter().all(|error| *error == AppendError::Full), "{:?}", run.failures);
    assert_eq!(store.health().mode, Mode::Open);
    vfs.disarm();
    assert!(!run.group(&store));
    run.runtime.block_on(store.close());
    assert_eq!(run.lost(dir.path(), "after the full disk"), 0);
}

/// Two failures without a commit between them: no more writes, reads go on, and a restart mends it.
#[test]
fn two_failures_in_a_row_end_writing_until_a_restart() {
    let (vfs, dir) = (FaultVfs::new(), directory());
    let store = Store::open(dir.path(), options(Some(&vfs), Synchronous::Extra)).expect("nothing is hurt yet");
    let mut run = Run::new();
    run.script(&store, false);
    let before = run.books[0].head;
    vfs.arm(Fault { nth: 1, ops: Ops::SYNCS, hurt: Hurt::Fail, sticky: true });
    assert!(run.group(&store));
    assert_eq!(run.failures, [AppendError::OutcomeUnknown, AppendError::OutcomeUnknown]);
    assert_eq!(store.health().mode, Mode::ReadOnly);
    vfs.disarm();
    assert!(run.group(&store));
    assert_eq!(run.failures[2..], [AppendError::ReadOnly, AppendError::ReadOnly]);
    let records = run.runtime.block_on(store.events(journal(0), Seq(0), 1000)).expect("reads go on");
    assert!(records.len() as u64 >= before.0);
    run.runtime.block_on(store.close());
    assert_eq!(run.lost(dir.path(), "after the restart"), 0);
}

/// Syncs that lose what they should have written, until the store is read-only; then a restart of the daemon alone, which
/// finds in the system's memory what is not on the disk; then the power goes. What was acknowledged after the restart
/// must not stand behind bytes that are lost.
#[test]
fn what_is_acknowledged_after_lost_syncs_and_a_restart_outlives_the_power() {
    let mut tally = Tally::default();
    for nth in 1..CALLS {
        let (vfs, dir) = (FaultVfs::new(), directory());
        let store = Store::open(dir.path(), options(Some(&vfs), Synchronous::Extra)).expect("nothing is hurt yet");
        let mut run = Run::new();
        vfs.arm(Fault { nth, ops: Ops::SYNCS, hurt: Hurt::LostSync, sticky: true });
        run.script(&store, false);
        run.runtime.block_on(store.close());
        let Some(hit) = vfs.hit() else { break };
        vfs.disarm();
        let store = Store::open(dir.path(), options(Some(&vfs), Synchronous::Extra)).expect("the disk is well again");
        // What the new daemon finds holds from now on.
        for (number, book) in run.books.iter_mut().enumerate() {
            let found = run.runtime.block_on(store.head(journal(number as u64))).expect("reads");
            let found = found.map_or(Seq(0), |head| head.seq);
            let (there, gone) = book.unknown.drain(..).partition(|(after, _)| *after < found);
            book.acknowledged.extend::<Vec<_>>(there);
            book.head = found;
            drop::<Vec<_>>(gone);
        }
        assert!(!run.group(&store), "call {nth}: {:?}", run.failures);
        tally.runs += 1;
        for crash in crashes(nth) {
            let left = directory();
            vfs.crash(crash, left.path()).expect("writes what is left");
            tally.crashes += 1;
            tally.lost += run.lost(left.path(), &format!("lost syncs from call {nth}, {hit}, {crash:?}"));
        }
        run.runtime.block_on(store.close());
    }
    tally.print("lost syncs, a restart, then the power");
    assert!(tally.lost == 0 && tally.runs > 0);
}

/// Faults while the store is opened after a crash, and then a second crash.
#[test]
fn a_second_crash_while_opening_loses_nothing() {
    let mut tally = Tally::default();
    for (hurt, first) in [(Hurt::Fail, Crash::Kill), (Hurt::Power, Crash::Kill), (Hurt::Power, Crash::Mixed(1))] {
        for nth in 1..CALLS {
            let (vfs, dir) = (FaultVfs::new(), directory());
            let store = Store::open(dir.path(), options(Some(&vfs), Synchronous::Extra)).expect("nothing is hurt yet");
            let mut run = Run::new();
            run.script(&store, false);
            let once = directory();
            vfs.crash(first, once.path()).expect("writes what is left");
            run.runtime.block_on(store.close());

            let vfs = FaultVfs::new();
            vfs.adopt(once.path()).expect("reads what is left");
            vfs.arm(Fault { nth, ops: Ops::ALL, hurt, sticky: false });
            let store = Store::open(once.path(), options(Some(&vfs), Synchronous::Extra));
            if let Err(error) = &store {
                let foreign = matches!(error, OpenError::Foreign { .. } | OpenError::Newer { .. });
                assert!(!foreign, "call {nth}: {error}");
            }
            if let Ok(store) = &store {
                run.group(store);
            }
            let Some(hit) = vfs.hit() else { break };
            tally.runs += 1;
            for crash in crashes(nth) {
                let twice = directory();
                vfs.crash(crash, twice.path()).expect("writes what is left");
                tally.crashes += 1;
                tally.lost += run.lost(twice.path(), &format!("{first:?}, call {nth}, {hit}, {crash:?}"));
            }
            if let Ok(store) = store {
                run.runtime.block_on(store.close());
            }
        }
    }
    tally.print("second crash while opening");
    assert!(tally.lost == 0 && tally.runs > 100);
}
