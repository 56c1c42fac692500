//! Copies: one moment of the journal, whole, however much is written meanwhile.

use crate::world::{NOW, Owner, World, session};
use agent::Seq;
use store::{CopyError, JournalId, Options, Pace, Remove, SessionRow, Store};

/// Sessions that are there before the copy, and events of each.
const SESSIONS: u64 = 40;
const EVENTS: usize = 50;

/// A journal of some megabytes.
async fn filled() -> World {
    let world = World::new();
    for number in 1..=SESSIONS {
        let mut owner = world.owner(number);
        let words = format!("{number} ").repeat(400);
        let mut draft = owner.draft(&vec![words.as_str(); EVENTS]);
        draft.row = Some(row());
        owner.send(draft).await.unwrap();
    }
    world.store.checkpoint().await.unwrap();
    world
}

fn row() -> SessionRow {
    SessionRow {
        workspace: "/w".to_owned(),
        title: None,
        state: "idle".to_owned(),
        model: None,
        cost: agent::Money(0),
        created: NOW,
        updated: NOW,
    }
}

/// Writes to its session until it is told to stop; gives how many events it wrote.
async fn chatter(mut owner: Owner, stop: tokio::sync::watch::Receiver<bool>) -> u64 {
    let words = "meanwhile ".repeat(200);
    while !*stop.borrow() {
        owner.say(&[&words]).await;
    }
    owner.head.0
}

async fn opened(world: &World, copy: &std::path::Path) -> World {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(copy, dir.path().join("journal.db")).unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    assert_ne!(world.file(), dir.path());
    World { dir, store }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_one_moment_however_much_is_written_meanwhile() {
    let world = filled().await;
    let (told, stop) = tokio::sync::watch::channel(false);
    let writers: Vec<_> = (101..=104).map(|number| tokio::spawn(chatter(world.owner(number), stop.clone()))).collect();
    let (mut trials, mut grown) = (0, 0);
    let before = world.store.health().commits;
    for trial in 0..5 {
        let (store, to) = (world.store.clone(), world.dir.path().join(format!("copy-{trial}")));
        let pace = Pace { pages_per_step: 16, pause_percent: 100, ..Pace::default() };
        let path = to.clone();
        let copied =
            tokio::task::spawn_blocking(move || store.copy_blocking(&path, &pace, &|| true)).await.unwrap().unwrap();
        // It never began anew: so many steps as it has pages, and no more.
        let most = copied.bytes / 4096 / 16 + 2;
        assert!(copied.steps <= most, "{} steps for at most {most}", copied.steps);
        Store::check_copy(&to).unwrap();
        let other = opened(&world, &to).await;
        let heads = other.store.verify_heads().await.unwrap();
        assert_eq!((heads.links, heads.hash), (copied.proof.links, copied.proof.head));
        for number in (1..=SESSIONS).chain(101..=104) {
            other.store.verify(JournalId::Session(session(number))).await.unwrap();
        }
        grown += copied.log_bytes;
        trials += 1;
    }
    told.send(true).unwrap();
    let mut written = 0;
    for writer in writers {
        written += writer.await.unwrap();
    }
    let commits = world.store.health().commits - before;
    assert!(commits > 0 && written > 0);
    println!(
        "copies under constant writers: {trials} trials, {commits} commits meanwhile, {written} events, logs of {grown} \
         bytes together, 0 failures"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_outgrows_its_bound_leaves_nothing() {
    let world = filled().await;
    let to = world.dir.path().join("copy");
    let pace = Pace { log_bytes: 0, pages_per_step: 1, ..Pace::default() };
    let (store, path) = (world.store.clone(), to.clone());
    let copied = tokio::task::spawn_blocking(move || store.copy_blocking(&path, &pace, &|| true)).await.unwrap();
    assert!(matches!(copied, Err(CopyError::Outgrown { limit: 0 })), "{copied:?}");
    assert!(!to.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_needs_the_log_emptied_does_not_wait_for_a_copy() {
    let world = filled().await;
    let to = world.dir.path().join("copy");
    // A copy that would take minutes.
    let pace = Pace { pages_per_step: 1, pause_percent: 100_000, ..Pace::default() };
    let (store, path) = (world.store.clone(), to.clone());
    let copy = tokio::task::spawn_blocking(move || store.copy_blocking(&path, &pace, &|| true));
    while !to.exists() {
        tokio::task::yield_now().await;
    }
    let owner = world.owner(1);
    let remove = Remove { session: session(1), epoch: owner.epoch, generation: owner.generation };
    let removed = world.store.remove(remove).await.unwrap();
    assert!(removed.cleared, "the log was emptied, although a copy was being made");
    assert!(matches!(copy.await.unwrap(), Err(CopyError::Interrupted)));
    assert!(!to.exists());
    let (store, path) = (world.store.clone(), to.clone());
    let again =
        tokio::task::spawn_blocking(move || store.copy_blocking(&path, &Pace::default(), &|| true)).await.unwrap();
    assert_eq!(again.unwrap().proof.sessions, SESSIONS - 1);
    let store = world.store.clone();
    world.store.clone().close().await;
    let closed =
        tokio::task::spawn_blocking(move || store.copy_blocking(&to, &Pace::default(), &|| true)).await.unwrap();
    assert!(matches!(closed, Err(CopyError::Closed)), "{closed:?}");
}

#[tokio::test]
async fn what_a_snapshot_holds_follows_from_the_chain_of_heads() {
    let world = World::new();
    let (mut one, mut other) = (world.owner(1), world.owner(2));
    one.say(&["a"]).await;
    other.say(&["b"]).await;
    one.say(&["c"]).await;
    let span = async |number, seq| world.store.span(session(number), Seq(seq)).await.unwrap();
    assert_eq!(span(1, 1).await.unwrap().first, 1);
    assert_eq!(span(1, 2).await.unwrap().first, 3);
    assert_eq!((span(1, 3).await, span(9, 1).await), (None, None));
    assert!(world.store.changed_since(2).await.unwrap() && !world.store.changed_since(3).await.unwrap());
    let remove = Remove { session: session(2), epoch: other.epoch, generation: other.generation };
    world.store.remove(remove).await.unwrap();
    let gone = span(2, 1).await.unwrap();
    assert_eq!((gone.first, gone.removed), (2, Some(4)));
}
