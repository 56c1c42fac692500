//! What audits and forgetting ask of the store: signatures beside the chain, copies of copies, who holds what.

use crate::world::{NOW, Owner, World, model_call, said, session};
use agent::{Epoch, Generation, Micros, Seq, SessionId};
use std::process::Command;
use store::{Append, AppendError, Blob, Fork, Invalid, JournalId, NewAnswer, Remove, Signature, VerifyError};
use wire::BlobHash;

async fn signature(world: &World) -> Signature {
    let link = world.store.last_link().await.unwrap().unwrap();
    let state = world.store.state_name().await.unwrap().unwrap();
    Signature { place: link.place, hash: link.hash, at: NOW, state, key: [7; 32], signature: [8; 64] }
}

#[tokio::test]
async fn a_signature_is_kept_for_the_link_that_is_there_and_for_no_other() {
    let world = World::new();
    assert_eq!(world.store.state_name().await.unwrap(), None);
    let mut owner = world.owner(1);
    let mut appended = world.store.appended();
    owner.say(&["one", "two"]).await;
    assert_eq!(*appended.borrow_and_update(), 1, "an append is a link");
    let of = signature(&world).await;
    world.store.keep_signature(of).await.unwrap();
    assert_eq!(world.store.last_signature().await.unwrap(), Some(of));
    assert!(!appended.has_changed().unwrap(), "and a signature is none");
    let wrong = Signature { hash: of.state, place: 9, ..of };
    let refused = world.store.keep_signature(wrong).await;
    assert_eq!(refused, Err(AppendError::Invalid(Invalid::NoLink { place: 9 })));
    // The first one stays: it is what shows that the chain was another one.
    world.store.keep_signature(Signature { signature: [9; 64], ..of }).await.unwrap();
    assert_eq!(world.store.signatures(None, 99, 9).await.unwrap(), [of]);
    let (world, cut) = (world.tamper("DELETE FROM heads WHERE place = 1").await, of);
    let found = world.store.last_signature().await.unwrap().unwrap();
    assert_eq!((found.place, found.hash.0), (cut.place, [0; 32]), "its link is gone");
}

async fn fork(world: &World, from: u64, to: u64, at: u64) {
    let mut append = Append::new(JournalId::Session(session(to)), Epoch(1), Generation(1), Seq(at));
    append.facts = vec![said(append.journal, Seq(at + 1), "forked")];
    world.store.fork(Fork { from: session(from), append }).await.unwrap();
}

async fn copies(world: &World, of: u64) -> Vec<(SessionId, u64)> {
    world.store.copies(session(of)).await.unwrap().into_iter().map(|(copy, upto)| (copy, upto.0)).collect()
}

#[tokio::test]
async fn copies_of_copies_are_found_as_far_as_they_share_also_past_a_removed_one() {
    let world = World::new();
    world.owner(1).say(&["a", "b", "c", "d", "e"]).await;
    fork(&world, 1, 2, 4).await;
    // One from before the second's own event, one from after it.
    fork(&world, 2, 3, 2).await;
    fork(&world, 2, 4, 5).await;
    assert_eq!(copies(&world, 1).await, [(session(2), 4), (session(3), 2), (session(4), 4)]);
    assert_eq!(copies(&world, 2).await, [(session(3), 2), (session(4), 5)]);
    assert_eq!(copies(&world, 4).await, []);
    let originals = world.store.originals(session(4)).await.unwrap();
    assert_eq!(originals, [(session(2), Seq(5)), (session(1), Seq(4))]);
    let remove = Remove { session: session(2), epoch: Epoch(1), generation: Generation(1) };
    world.store.remove(remove).await.unwrap();
    assert_eq!(copies(&world, 1).await, [(session(3), 2), (session(4), 4)]);
    let world = world.reopen().await;
    assert_eq!(copies(&world, 1).await, [(session(3), 2), (session(4), 4)]);
}

#[tokio::test]
async fn who_else_holds_the_same_bytes_is_found_and_what_is_left_after_is_known() {
    let world = World::new();
    let (mut owner, mut other) = (world.owner(1), world.owner(2));
    let (own, shared) = (Blob::new(b"own"), Blob::new(b"shared"));
    let mut draft = owner.draft(&["one", "two"]);
    draft.facts[0].blobs = vec![own.hash(), shared.hash()];
    draft.facts[1].blobs = vec![shared.hash()];
    draft.blobs = vec![own.clone(), shared.clone()];
    owner.send(draft).await.unwrap();
    let mut draft = other.draft(&["three"]);
    draft.facts[0].blobs = vec![shared.hash()];
    other.send(draft).await.unwrap();
    let both = vec![own.hash(), shared.hash(), BlobHash::of(b"never there")];
    let left = |forgets| world.store.left_after(forgets, both.clone());
    assert_eq!(left(vec![(session(1), vec![Seq(2)])]).await.unwrap(), [own.hash(), shared.hash()]);
    assert_eq!(left(vec![(session(1), vec![Seq(1), Seq(2)])]).await.unwrap(), [shared.hash()]);
    let all = vec![(session(1), vec![Seq(1), Seq(2)]), (session(2), vec![Seq(1)])];
    assert_eq!(left(all.clone()).await.unwrap(), []);
    let held = |forgets| world.store.also_held(forgets, 9);
    let asked = vec![(session(1), vec![Seq(1)])];
    assert_eq!(held(asked).await.unwrap(), [(session(1), Seq(2)), (session(2), Seq(1))]);
    assert_eq!(held(all).await.unwrap(), []);
}

#[tokio::test]
async fn what_repeats_forgotten_words_goes_with_them_and_no_byte_is_left() {
    let world = World::new();
    let mut owner = world.owner(1);
    let mut draft = owner.draft(&["xyzzy-said", "and more"]);
    draft.answer = Some(NewAnswer {
        scope: format!("sessions.prompt {}", session(1)),
        key: "k".into(),
        body_hash: BlobHash::of(b"request"),
        answer: r#"{"text":"xyzzy-answer"}"#.into(),
        now: Micros(0),
        expires: Micros(i64::MAX),
    });
    owner.send(draft).await.unwrap();
    world.store.save_partial(session(1), owner.epoch, model_call(1), "xyzzy-partial".into()).await.unwrap();
    owner.send(Append { forget: vec![Seq(1)], ..owner.draft(&["forgotten"]) }).await.unwrap();
    assert!(world.store.scrub().await);
    for name in ["journal.db", "journal.db-wal"] {
        // By another process: a descriptor that this one closes would take SQLite's locks along.
        let bytes = Command::new("cat").arg(world.dir.path().join(name)).output().unwrap().stdout;
        assert!(!bytes.windows(5).any(|window| window == b"xyzzy"), "{name}");
    }
    let answer = world.store.answer(&format!("sessions.prompt {}", session(1)), "k", Micros(1)).await.unwrap().unwrap();
    assert_eq!(answer.answer, "{}");
    assert_ne!(answer.body_hash, BlobHash::of(b"request"), "the key stays taken, by no request that could be guessed");
    assert_eq!(world.store.partials(session(1)).await.unwrap(), []);
    world.store.verify(owner.journal).await.unwrap();
}

#[tokio::test]
async fn what_holds_and_what_is_held_must_agree() {
    async fn furnished() -> World {
        let world = World::new();
        let mut owner: Owner = world.owner(1);
        let blob = Blob::new(b"the bytes of a file");
        let mut draft = owner.draft(&[&blob.hash().to_string(), "two"]);
        draft.facts[0].blobs = vec![blob.hash()];
        draft.blobs = vec![blob];
        owner.send(draft).await.unwrap();
        world
    }
    async fn judged(world: &World) -> Result<u64, VerifyError> {
        world.store.verify_holds(JournalId::Session(session(1)), Seq(2)).await?;
        world.store.verify_blobs(|_| ()).await
    }
    assert_eq!(judged(&furnished().await).await, Ok(1));
    for sql in [
        "UPDATE blobs SET holders = 2",
        "UPDATE blobs SET data = x'00'",
        "UPDATE blobs SET hash = zeroblob(32)",
        "UPDATE blobs SET bytes = 3",
        "DELETE FROM event_blobs",
        "DELETE FROM blobs",
        "UPDATE event_blobs SET seq = 2",
        "UPDATE event_blobs SET seq = 1, blob = 9",
        "UPDATE event_blobs SET seq = 9",
        "UPDATE event_blobs SET journal = 9",
    ] {
        let world = furnished().await.tamper(sql).await;
        assert!(judged(&world).await.is_err(), "{sql}");
        drop(world);
    }
}
