//! Tidying: what nobody needs any more goes, the file shrinks, and what was said stays.

#![allow(clippy::print_stdout, reason = "a campaign says what it measured")]

use crate::world::{NOW, World, model_call, session};
use agent::{Epoch, Generation, Micros};
use std::time::{Duration, Instant};
use store::{Append, Blob, JournalId, NewAnswer, Options, Remove, SessionRow, Synchronous, Tidied, Tidy};
use wire::BlobHash;

const DAY: i64 = 86_400_000_000;
/// What may stay free.
const KEEP: u64 = 128 << 10;

fn row(number: u64) -> SessionRow {
    SessionRow {
        workspace: "/work".into(),
        title: Some(format!("session {number}")),
        state: "idle".into(),
        model: None,
        cost: agent::Money(0),
        created: NOW,
        updated: Micros(NOW.0 + number as i64),
    }
}

fn answer(number: u64) -> NewAnswer {
    let (now, expires) = (NOW, Micros(NOW.0 + DAY));
    let (scope, key) = ("sessions.prompt".into(), format!("key {number}"));
    NewAnswer { scope, key, body_hash: BlobHash::of(b"body"), answer: "{\"seq\":1}".into(), now, expires }
}

/// Slices until there is no more to do, and the longest of them.
async fn tidy_all(world: &World, now: Micros) -> (Tidied, u32, Duration) {
    let (mut sum, mut slices, mut longest) = (Tidied::default(), 0, Duration::ZERO);
    loop {
        let began = Instant::now();
        let slice = world.store.tidy(Tidy { now, keep_free_bytes: KEEP }).await.unwrap();
        (slices, longest) = (slices + 1, longest.max(began.elapsed()));
        sum.answers += slice.answers;
        sum.partials += slice.partials;
        sum.freed_bytes += slice.freed_bytes;
        if !slice.more {
            return (sum, slices, longest);
        }
    }
}

#[tokio::test]
async fn a_long_life_ends_with_a_small_file() {
    // Not synced, since nothing here is about a power cut.
    let world = World::with(Options { synchronous: Synchronous::Normal, ..Options::default() });
    let (sessions, kept) = (500, 20);
    let noise: Vec<u8> = (0..24_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    for number in 0..sessions {
        let mut owner = world.owner(number);
        let blob = Blob::new(&[&number.to_le_bytes()[..], &noise].concat());
        let mut append =
            Append { answer: Some(answer(number)), row: Some(row(number)), ..owner.draft(&["a", "b", "c"]) };
        append.facts[0].blobs = vec![blob.hash()];
        append.blobs = vec![blob];
        owner.send(append).await.unwrap();
    }
    assert_eq!(world.store.states().await.unwrap(), [("idle".to_owned(), sessions)].into());
    world.store.checkpoint().await.unwrap();
    let grown = world.store.sizes().unwrap().database_bytes;
    for number in kept..sessions {
        let (epoch, generation) = (Epoch(1), Generation(1));
        world.store.remove(Remove { session: session(number), epoch, generation }).await.unwrap();
    }
    world.store.checkpoint().await.unwrap();
    let removed = world.store.sizes().unwrap().database_bytes;
    let later = Micros(NOW.0 + 2 * DAY);
    let waste = world.store.waste(later).await.unwrap();
    assert!(waste.shrinks && waste.free_bytes > grown / 2, "{waste:?}");
    assert_eq!(waste.answers, sessions, "{waste:?}");
    let (tidied, slices, longest) = tidy_all(&world, later).await;
    world.store.checkpoint().await.unwrap();
    let after = world.store.sizes().unwrap().database_bytes;
    println!(
        "tidying: {sessions} sessions made, {} removed: {grown} bytes grown, {removed} after removal, {after} after \
         {slices} slices, the longest {longest:?}; {tidied:?}",
        sessions - kept
    );
    assert!(after < grown / 4, "{after} of {grown}");
    let left = world.store.waste(later).await.unwrap();
    assert!(left.free_bytes <= KEEP + 4096 && left.answers == 0, "{left:?}");
    for number in 0..kept {
        world.store.verify(JournalId::Session(session(number))).await.unwrap();
    }
    world.store.verify_heads().await.unwrap();
    let world = world.reopen().await;
    assert_eq!(world.store.count().await.unwrap(), kept);
    let mut owner = world.owner(sessions + 1);
    owner.say(&["life goes on"]).await;
}

#[tokio::test]
async fn what_a_model_said_goes_where_nobody_goes_on_with_it() {
    let world = World::new();
    for (number, waking) in [(1, true), (2, false)] {
        let mut owner = world.owner(number);
        owner.send(Append { waking, ..owner.draft(&["one"]) }).await.unwrap();
        let call = model_call(number as u32);
        world.store.save_partial(session(number), Epoch(1), call, "I was about to".into()).await.unwrap();
    }
    let nothing = world.store.tidy(Tidy { now: NOW, keep_free_bytes: KEEP }).await.unwrap();
    assert_eq!((nothing.partials, nothing.answers, nothing.more), (1, 0, false));
    assert_eq!(world.store.partials(session(1)).await.unwrap().len(), 1);
    assert_eq!(world.store.partials(session(2)).await.unwrap().len(), 0);
}
