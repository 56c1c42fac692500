//! R2, the control: a power cut loses commits that are not synced. So the cuts under the daemon
//! (`crates/tinkerbell/tests/real_disks.rs`), which lose nothing, could have lost something; and what is synced is there
//! after the same cut.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use agent::{Epoch, Event, Generation, Micros, Seq};
use std::path::Path;
use store::{Append, JournalId, NewEvent, Options, Store, Synchronous};
use testkit::{Disk, Home, Rng};
use tokio::runtime::Runtime;

const CUTS: u64 = 4;
const MEBIBYTES: u64 = 64;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// Appends and cuts the power; how many appends were acknowledged.
fn appended(at: &Path, disk: &Disk, synchronous: Synchronous, appends: u64) -> u64 {
    let options = Options { synchronous, checkpoint_idle: None, ..Options::default() };
    let (store, runtime, mut head) = (Store::open(at, options).unwrap(), runtime(), Seq(0));
    while head.0 < appends {
        let mut append = Append::new(JournalId::Daemon, Epoch(1), Generation(1), head);
        let event = Event::DaemonBegan { generation: Generation(head.0 + 1) };
        let header = wire::Header { seq: head.next(), at: Micros(0), session: None, event }.to_json();
        append.facts = vec![NewEvent { header, body: "{}".to_owned(), ..NewEvent::default() }];
        head = runtime.block_on(store.append(append)).unwrap().head;
    }
    disk.cut().unwrap();
    runtime.block_on(store.close());
    head.0
}

/// How many events are there; a journal that cannot be opened has none.
fn found(at: &Path) -> u64 {
    let Ok(store) = Store::open(at, Options::default()) else { return 0 };
    runtime().block_on(async {
        let events = store.verify(JournalId::Daemon).await.map_or(0, |verified| verified.events);
        store.close().await;
        events
    })
}

/// How many of how many acknowledged appends were lost in all cuts.
fn lost(synchronous: Synchronous, seed: u64) -> Result<(u64, u64), String> {
    let (mut rng, mut lost, mut all) = (Rng::new(seed), 0, 0);
    for _ in 0..CUTS {
        let home = Home::new();
        let at = home.path("disk");
        let disk = Disk::in_image(&at, MEBIBYTES, "")?;
        let acknowledged = appended(&at, &disk, synchronous, 50 + rng.below(200));
        disk.back()?;
        lost += acknowledged - found(&at).min(acknowledged);
        all += acknowledged;
    }
    Ok((lost, all))
}

#[test]
#[ignore = "real: needs root, a loop device and mkfs.ext4"]
fn real_power_cuts_lose_what_is_not_synced_and_nothing_else() {
    let seed = Rng::seed();
    match (lost(Synchronous::Normal, seed), lost(Synchronous::Extra, seed)) {
        (Ok((unsynced, of)), Ok((synced, all))) => {
            println!(
                "power, the control: seed {seed}, {CUTS} cuts each; unsynced: {unsynced} of {of} acknowledged appends lost; \
                 synced: {synced} lost of {all}"
            );
            assert!(unsynced > 0, "a cut that loses nothing unsynced is no cut");
            assert_eq!(synced, 0);
        }
        (Err(why), _) | (_, Err(why)) => println!("skipped: {why}"),
    }
}
