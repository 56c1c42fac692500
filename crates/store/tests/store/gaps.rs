//! No gap between the rows of a page keeps a copy of what was forgotten.

#![allow(clippy::print_stdout, reason = "a campaign says what it measured")]

use crate::world::{Owner, Random, World, row, session};
use agent::{Epoch, Generation, Seq};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};
use store::{Append, Options, Remove, Synchronous};

const SESSIONS: u64 = 150;
const ROUNDS: u64 = 30;
/// From a seed, so that what is left is left each time.
const SEED: u64 = 7;

/// A word that stands in one event alone.
fn token(number: u64, round: u64) -> String {
    format!("tk{:08x}", ((number * ROUNDS + round) as u32).wrapping_mul(0x9e37_79b9))
}

/// Sessions that speak in turns, shortly and at length; titles that grow. Not synced, since nothing here is about a
/// power cut.
async fn talk(random: &mut Random) -> (World, Vec<Owner>) {
    let world = World::with(Options { synchronous: Synchronous::Normal, ..Options::default() });
    let mut owners: Vec<Owner> = (0..SESSIONS).map(|number| world.owner(number)).collect();
    for round in 0..ROUNDS {
        for (number, owner) in (0..).zip(&mut owners) {
            let words = "lorem ".repeat([1, 20, 100, 300, 1500][random.below(5) as usize]);
            let token = token(number, round);
            let title = format!("{token} {}", "ipsum ".repeat(random.below(40) as usize));
            let draft = owner.draft(&[&format!("{token} {words}")]);
            let row = store::SessionRow { title: Some(title), ..row() };
            owner.send(Append { row: Some(row), ..draft }).await.unwrap();
        }
    }
    (world, owners)
}

/// Of these tokens, those that stand in the journal's files. Another process reads: closing a file here would drop the
/// locks of the open store.
fn left(world: &World, tokens: &BTreeSet<String>) -> BTreeSet<String> {
    let mut left = BTreeSet::new();
    for name in ["journal.db", "journal.db-wal"] {
        let bytes = Command::new("cat").arg(world.dir.path().join(name)).output().unwrap().stdout;
        let found = bytes.windows(10).filter(|window| window.starts_with(b"tk"));
        left.extend(found.filter_map(|window| str::from_utf8(window).ok()).map(str::to_owned));
    }
    left.retain(|token| tokens.contains(token));
    left
}

/// Forgets half of what was said; which words, and without clearing anything.
async fn forget_half(owners: &mut [Owner], random: &mut Random) -> BTreeSet<String> {
    let mut gone = BTreeSet::new();
    for (number, owner) in (0..).zip(owners) {
        let rounds: Vec<u64> = (0..ROUNDS).filter(|_| random.below(2) == 0).collect();
        let forget = rounds.iter().map(|round| Seq(round + 1)).collect();
        let row = Some(row());
        owner.send(Append { forget, row, ..owner.draft(&[]) }).await.unwrap();
        gone.extend(rounds.into_iter().map(|round| token(number, round)));
    }
    gone
}

#[tokio::test]
async fn no_gap_keeps_a_copy_of_forgotten_words_while_others_go_on_speaking() {
    let mut random = Random(SEED);
    let (world, mut owners) = talk(&mut random).await;
    let gone = forget_half(&mut owners, &mut random).await;
    world.store.checkpoint().await.unwrap();
    let before = left(&world, &gone).len();
    let clearing = tokio::spawn({
        let store = world.store.clone();
        async move { store.scrub().await }
    });
    let (mut spoken, mut longest, began) = (0, Duration::ZERO, Instant::now());
    while !clearing.is_finished() {
        let asked = Instant::now();
        owners[spoken % SESSIONS as usize].say(&["meanwhile"]).await;
        (spoken, longest) = (spoken + 1, longest.max(asked.elapsed()));
    }
    assert!(clearing.await.unwrap());
    let took = began.elapsed();
    let after = left(&world, &gone);
    let bytes = std::fs::metadata(world.file()).unwrap().len();
    println!(
        "gaps: seed {SEED}, {} words forgotten in a file of {bytes} bytes; copies left before the pass {before}, after \
         it {}; it took {took:.1?}; {spoken} appends meanwhile, the longest {longest:.1?}",
        gone.len(),
        after.len()
    );
    assert!(before > 0, "the control: there were copies to overwrite");
    assert_eq!(after, BTreeSet::new());
    for owner in owners {
        world.store.verify(owner.journal).await.unwrap();
    }
    let whole: String =
        Connection::open(world.file()).unwrap().query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
}

#[tokio::test]
async fn nor_of_a_session_that_was_removed() {
    let mut random = Random(SEED);
    let (world, owners) = talk(&mut random).await;
    drop(owners);
    let removals = (0..SESSIONS).filter(|number| number % 3 != 0).map(|number| {
        let (store, session) = (world.store.clone(), session(number));
        tokio::spawn(async move { store.remove(Remove { session, epoch: Epoch(1), generation: Generation(1) }).await })
    });
    for removal in removals.collect::<Vec<_>>() {
        assert!(removal.await.unwrap().unwrap().cleared);
    }
    let of = |wanted: fn(u64) -> bool| -> BTreeSet<String> {
        (0..SESSIONS)
            .filter(|number| wanted(*number))
            .flat_map(|number| (0..ROUNDS).map(move |round| token(number, round)))
            .collect()
    };
    assert_eq!(left(&world, &of(|number| number % 3 != 0)), BTreeSet::new());
    let (stay, all) = (left(&world, &of(|number| number % 3 == 0)), of(|number| number % 3 == 0));
    assert_eq!(stay, all, "the control");
}

/// Waits until a pass has been made since words went.
async fn until_blanked(world: &World) {
    let blanked = "SELECT count(*) FROM meta a, meta b WHERE a.key = 'words gone' AND b.key = 'words blanked' \
                   AND a.value = b.value";
    let began = Instant::now();
    let reader = Connection::open(world.file()).unwrap();
    while reader.query_row(blanked, (), |row| row.get::<_, i64>(0)).unwrap() == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "no pass");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_pass_that_never_came_is_made_when_the_journal_is_next_opened() {
    let mut random = Random(SEED);
    let (world, mut owners) = talk(&mut random).await;
    let gone = forget_half(&mut owners, &mut random).await;
    drop(owners);
    let World { dir, store } = world;
    store.close().await;
    let options = || Options { synchronous: Synchronous::Normal, ..Options::default() };
    let world = World { store: store::Store::open(dir.path(), options()).unwrap(), dir };
    until_blanked(&world).await;
    world.store.close().await;
    let world = World { store: store::Store::open(world.dir.path(), options()).unwrap(), dir: world.dir };
    assert_eq!(left(&world, &gone), BTreeSet::new());
}

#[tokio::test]
async fn what_nobody_asks_to_clear_is_blanked_once_nobody_writes() {
    let mut random = Random(SEED);
    let (world, mut owners) = talk(&mut random).await;
    let gone = forget_half(&mut owners, &mut random).await;
    until_blanked(&world).await;
    // Nothing is due any more; this empties the log alone.
    assert!(world.store.scrub().await);
    assert_eq!(left(&world, &gone), BTreeSet::new());
}
