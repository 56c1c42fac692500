//! Blobs and forgetting: stored once, counted, gone when nobody holds them.

use crate::world::{Owner, World, model_call};
use agent::Seq;
use rusqlite::Connection;
use store::{Append, AppendError, Blob, FoldRow, Invalid, JournalId, ReadError};
use wire::BlobHash;

/// An append of one event that holds these blobs.
fn holding(owner: &Owner, blobs: &[&Blob], given: Vec<Blob>) -> Append {
    let mut draft = owner.draft(&["see the blob"]);
    draft.facts[0].blobs = blobs.iter().map(|blob| blob.hash()).collect();
    draft.blobs = given;
    draft
}

fn count(world: &World, sql: &str) -> i64 {
    let connection = Connection::open(world.file()).unwrap();
    connection.query_row(sql, (), |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_blob_is_stored_once_and_read_back_whole() {
    let world = World::new();
    let (mut left, mut right) = (world.owner(1), world.owner(2));
    let text = Blob::new("so we beat on, ".repeat(10_000).as_bytes());
    let mut noise = vec![0; 50_000];
    getrandom::fill(&mut noise).unwrap();
    let noise_blob = Blob::new(&noise);
    let unheld = Blob::new(b"nobody names me");
    let given = vec![text.clone(), noise_blob.clone(), unheld.clone()];
    left.send(holding(&left, &[&text, &noise_blob, &text], given)).await.unwrap();
    // The second session refers to what is there and gives it again; nothing is stored twice.
    right.send(holding(&right, &[&text], vec![text.clone()])).await.unwrap();
    right.send(holding(&right, &[&text], vec![])).await.unwrap();

    assert_eq!(world.store.blob(text.hash()).await.unwrap().unwrap().len(), 150_000);
    assert_eq!(world.store.blob(noise_blob.hash()).await.unwrap().unwrap(), noise);
    assert_eq!(world.store.blob(unheld.hash()).await.unwrap(), None);
    let (store, hash) = (world.store.clone(), text.hash());
    let blocking = tokio::task::spawn_blocking(move || store.blob_blocking(hash)).await.unwrap();
    assert_eq!(blocking.unwrap().unwrap().len(), 150_000);
    assert_eq!(count(&world, "SELECT count(*) FROM blobs"), 2);
    assert_eq!(count(&world, "SELECT max(holders) FROM blobs"), 3);
    let stored = count(&world, "SELECT min(length(data)) FROM blobs");
    assert!(stored < 2_000, "{stored} bytes for a text that repeats");
}

#[tokio::test]
async fn an_event_cannot_name_a_blob_that_is_not_there() {
    let world = World::new();
    let mut owner = world.owner(1);
    let blob = Blob::new(b"never given");
    let refused = owner.send(holding(&owner, &[&blob], vec![])).await;
    assert_eq!(refused, Err(AppendError::Invalid(Invalid::MissingBlob { seq: Seq(1), blob: blob.hash() })));
    assert_eq!(world.store.head(owner.journal).await.unwrap(), None);
}

#[tokio::test]
async fn forgetting_takes_the_words_and_the_blobs_and_leaves_the_chain() {
    let world = World::new();
    let (mut owner, mut other) = (world.owner(1), world.owner(2));
    let (secret, shared) = (Blob::new(&b"xyzzy-blob".repeat(10)), Blob::new(&b"plugh-blob".repeat(10)));
    let mut draft = holding(&owner, &[&secret, &shared], vec![secret.clone(), shared.clone()]);
    draft.facts[0].body = r#"{"text":"xyzzy-body"}"#.into();
    let fold = FoldRow { kind: "canvas".into(), format: 1, seq: Seq(1), bytes: b"xyzzy-fold".to_vec() };
    draft.folds = vec![fold.clone()];
    owner.send(draft).await.unwrap();
    other.send(holding(&other, &[&shared], vec![])).await.unwrap();
    let before = world.store.event(owner.journal, Seq(1)).await.unwrap().unwrap();

    let after = FoldRow { kind: "state".into(), seq: Seq(2), ..fold };
    let tombstone = Append {
        forget: vec![Seq(1)],
        folds: vec![FoldRow { bytes: b"clean".to_vec(), ..after.clone() }],
        ..owner.draft(&["event 1 was forgotten"])
    };
    owner.send(tombstone).await.unwrap();
    let JournalId::Session(session) = owner.journal else { panic!("not a session") };
    let forgotten = world.store.event(owner.journal, Seq(1)).await.unwrap().unwrap();
    assert_eq!((forgotten.header, forgotten.body), (before.header, None));
    assert_eq!(world.store.fold(session, "canvas").await.unwrap(), None);
    assert_eq!(world.store.fold(session, "state").await.unwrap().unwrap().bytes, b"clean");
    assert_eq!(world.store.blob(secret.hash()).await.unwrap(), None);
    assert!(world.store.blob(shared.hash()).await.unwrap().is_some(), "somebody else holds it");
    let verified = world.store.verify(owner.journal).await.unwrap();
    assert_eq!((verified.events, verified.forgotten), (2, 1));
    world.store.verify_heads().await.unwrap();

    // Forgetting again changes nothing, and what is not there cannot be forgotten.
    owner.send(Append { forget: vec![Seq(1)], ..owner.draft(&[]) }).await.unwrap();
    assert!(world.store.blob(shared.hash()).await.unwrap().is_some());
    let refused = owner.send(Append { forget: vec![Seq(77)], ..owner.draft(&["x"]) }).await;
    assert_eq!(refused, Err(AppendError::Invalid(Invalid::NothingToForget { seq: Seq(77) })));
    other.send(Append { forget: vec![Seq(1)], ..other.draft(&["x"]) }).await.unwrap();
    assert_eq!(world.store.blob(shared.hash()).await.unwrap(), None);

    let file = world.file();
    world.store.close().await;
    let bytes = std::fs::read(file).unwrap();
    for gone in [&b"xyzzy-body"[..], b"xyzzy-fold", b"xyzzy-blob", b"plugh-blob"] {
        assert!(!bytes.windows(gone.len()).any(|window| window == gone), "{}", String::from_utf8_lossy(gone));
    }
}

#[tokio::test]
async fn a_damaged_blob_is_an_error_and_not_other_bytes() {
    let blob = Blob::new("some text. ".repeat(1000).as_bytes());
    for sql in [
        "UPDATE blobs SET data = zeroblob(10)",
        "UPDATE blobs SET bytes = bytes - 1",
        "UPDATE blobs SET bytes = 1 << 60",
        "UPDATE blobs SET coding = 'plain'",
    ] {
        let world = World::new();
        let mut owner = world.owner(1);
        owner.send(holding(&owner, &[&blob], vec![blob.clone()])).await.unwrap();
        let world = world.tamper(sql).await;
        let read = world.store.blob(blob.hash()).await;
        assert!(matches!(read, Err(ReadError::Damaged { .. })), "{sql}: {read:?}");
        // A reader that met an error goes on.
        assert_eq!(world.store.blob(BlobHash::of(b"other")).await, Ok(None));
    }
}

#[tokio::test]
async fn partial_text_is_dropped_by_the_append_that_ends_the_effect() {
    let world = World::new();
    let mut owner = world.owner(1);
    let JournalId::Session(session) = owner.journal else { panic!("not a session") };
    let save = |step, text: &str| world.store.save_partial(session, owner.epoch, model_call(step), text.into());
    assert_eq!(save(1, "Once").await, Err(AppendError::Invalid(Invalid::NoJournal)));
    owner.say(&["hello"]).await;
    let save = |step, text: &str| world.store.save_partial(session, owner.epoch, model_call(step), text.into());
    save(1, "Once").await.unwrap();
    save(1, "Once upon").await.unwrap();
    save(2, "a time").await.unwrap();
    let both = vec![(model_call(1), "Once upon".to_owned()), (model_call(2), "a time".to_owned())];
    assert_eq!(world.store.partials(session).await.unwrap(), both);
    let mut draft = owner.draft(&["finished"]);
    draft.facts[0].ends = vec![model_call(1)];
    owner.send(draft).await.unwrap();
    assert_eq!(world.store.partials(session).await.unwrap(), both[1..]);
    let stale = world.store.save_partial(session, agent::Epoch(0), model_call(3), "late".into()).await;
    assert_eq!(stale, Err(AppendError::Epoch { current: owner.epoch }));
}
