//! Forks: whole or absent, a chain of their own, forgotten where the parent forgot.

use crate::world::{self, Owner, World, model_call, said, session};
use agent::Seq;
use rusqlite::Connection;
use store::{Append, AppendError, Blob, Fork, Invalid, JournalId, Remove, SessionRow};
use wire::Header;

fn row() -> SessionRow {
    SessionRow { workspace: "/a".into(), title: Some("a fork".into()), ..world::row() }
}

/// A fork of session 1 at this event into the session of this number.
fn fork(parent: &Owner, number: u64, at: u64) -> Fork {
    let journal = JournalId::Session(session(number));
    let mut append = Append::new(journal, parent.epoch, parent.generation, Seq(at));
    append.facts = vec![said(journal, Seq(at + 1), "forked")];
    append.row = Some(row());
    Fork { from: session(1), append }
}

fn count(world: &World, sql: &str) -> i64 {
    Connection::open(world.file()).unwrap().query_row(sql, (), |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_fork_says_what_its_parent_said_under_its_own_name() {
    let world = World::new();
    let mut parent = world.owner(1);
    let blob = Blob::new(b"held by both");
    let mut draft = parent.draft(&["one", "two, forgotten", "three"]);
    draft.facts[2].blobs = vec![blob.hash()];
    draft.blobs = vec![blob.clone()];
    parent.send(draft).await.unwrap();
    parent.send(Append { forget: vec![Seq(2)], ..parent.draft(&["four", "not copied"]) }).await.unwrap();
    world.store.save_partial(session(1), parent.epoch, model_call(1), "partial".into()).await.unwrap();

    let done = world.store.fork(fork(&parent, 2, 4)).await.unwrap();
    assert_eq!(done.head, Seq(5));
    let copy = JournalId::Session(session(2));
    let (left, right) = (world.store.events(parent.journal, Seq(0), 99), world.store.events(copy, Seq(0), 99));
    let (left, right) = (left.await.unwrap(), right.await.unwrap());
    assert_eq!(right.len(), 5);
    for (original, copied) in left.iter().zip(&right).take(4) {
        assert_eq!((original.seq, &original.body), (copied.seq, &copied.body));
        let original = Header::from_json(&original.header).unwrap();
        let expected = Header { session: Some(session(2)), ..original };
        assert_eq!(copied.header, expected.to_json(), "as if it had been written so");
    }
    assert_eq!(right[4].body.as_deref(), Some("{\"text\":\"forked\"}"));
    let verified = world.store.verify(copy).await.unwrap();
    assert_eq!((verified.events, verified.forgotten, verified.hash), (5, 1, done.hash));
    let heads = world.store.verify_heads().await.unwrap();
    assert_eq!((heads.journals, heads.removed), (2, 0));
    assert_eq!(world.store.session(session(2)).await.unwrap().unwrap().row, row());
    assert_eq!(world.store.partials(session(2)).await.unwrap(), []);
    assert_eq!(world.store.waking().await.unwrap(), []);
    assert_eq!(count(&world, "SELECT holders FROM blobs"), 2);
    assert_eq!(
        count(
            &world,
            "SELECT count(*) FROM events WHERE salt IN (SELECT salt FROM events GROUP BY salt HAVING count(*) > 1)"
        ),
        0
    );

    // It goes on by itself, and what it forgets its parent keeps.
    let mut owner = Owner { head: Seq(5), ..world.owner(2) };
    owner.send(Append { forget: vec![Seq(3)], ..owner.draft(&["six"]) }).await.unwrap();
    assert_eq!(count(&world, "SELECT holders FROM blobs"), 1);
    assert!(world.store.event(parent.journal, Seq(3)).await.unwrap().unwrap().body.is_some());
    parent.say(&["six of the parent"]).await;
}

#[tokio::test]
async fn what_cannot_be_forked_is_refused_and_leaves_nothing() {
    let world = World::new();
    let mut parent = world.owner(1);
    parent.say(&["one", "two"]).await;
    world.owner(2).say(&["there already"]).await;
    let invalid = |invalid| Err(AppendError::Invalid(invalid));
    let refused = world.store.fork(fork(&parent, 3, 3)).await;
    assert_eq!(refused, invalid(Invalid::NothingToFork { seq: Seq(3) }));
    assert_eq!(world.store.fork(fork(&parent, 3, 0)).await, invalid(Invalid::NothingToFork { seq: Seq(0) }));
    assert_eq!(world.store.fork(fork(&parent, 2, 1)).await, Err(AppendError::Stale { head: Seq(1) }));
    let nobody = Fork { from: session(9), ..fork(&parent, 3, 1) };
    assert_eq!(world.store.fork(nobody).await, invalid(Invalid::NoJournal));
    let mut wrong_place = fork(&parent, 3, 2);
    wrong_place.append.facts = vec![said(wrong_place.append.journal, Seq(9), "x")];
    assert_eq!(world.store.fork(wrong_place).await, invalid(Invalid::Header { expected: Seq(3) }));
    let daemon =
        Fork { append: Append { journal: JournalId::Daemon, ..fork(&parent, 3, 1).append }, ..fork(&parent, 3, 1) };
    assert!(world.store.fork(daemon).await.is_err());
    // The one that failed at its end was swept, so that its name can be used.
    assert_eq!(world.store.fork(fork(&parent, 3, 2)).await.unwrap().head, Seq(3));
    assert_eq!(count(&world, "SELECT count(*) FROM journals"), 3);
    assert_eq!(count(&world, "SELECT count(*) FROM events"), 6);
    world.store.verify_heads().await.unwrap();
}

/// A parent of 1,200 events, which takes three slices to copy.
async fn long_parent(world: &World) -> Owner {
    let mut parent = world.owner(1);
    for _ in 0..3 {
        parent.say(&["x"; 400]).await;
    }
    parent
}

#[tokio::test]
async fn appends_and_forgetting_go_on_while_a_fork_is_made() {
    let world = World::new();
    let mut parent = long_parent(&world).await;
    let making = tokio::spawn({
        let (store, fork) = (world.store.clone(), fork(&parent, 2, 1200));
        async move { store.fork(fork).await }
    });
    let mut other = world.owner(5);
    for _ in 0..10 {
        other.say(&["meanwhile"]).await;
    }
    parent.send(Append { forget: vec![Seq(7), Seq(1100)], ..parent.draft(&["forgotten"]) }).await.unwrap();
    assert_eq!(making.await.unwrap().unwrap().head, Seq(1201));
    let copied = world.store.verify(JournalId::Session(session(2))).await.unwrap();
    // Whether the forgetting came before the fork's end is a matter of luck; half of it is not.
    assert!(copied.forgotten == 0 || copied.forgotten == 2, "{copied:?}");
    world.store.verify_heads().await.unwrap();
}

#[tokio::test]
async fn what_a_killed_store_left_of_a_fork_is_swept_when_it_is_opened() {
    let world = World::new();
    long_parent(&world).await;
    // As it lies on disk between two slices.
    let half = "INSERT INTO journals VALUES (9, 'ses_01kav9ft000000000000000009', 0, zeroblob(32), 1, 1);
                INSERT INTO waking VALUES (9);
                INSERT INTO events SELECT NULL, 9, seq, header, body, salt, seal, hash FROM events WHERE seq <= 600;
                INSERT INTO blobs VALUES (1, zeroblob(32), 1, 'plain', x'00', 1); INSERT INTO event_blobs VALUES (9, 3, 1);";
    let world = world.tamper(half).await;
    assert_eq!(world.store.waking().await.unwrap(), []);
    world.store.verify_heads().await.unwrap();
    let number: agent::SessionId = "ses_01kav9ft000000000000000009".parse().unwrap();
    assert_eq!(world.store.head(JournalId::Session(number)).await.unwrap(), None);
    assert_eq!(world.store.events(JournalId::Session(number), Seq(0), 9).await.unwrap(), []);
    // A removal is swept after all that was left, so its answer says that this is done.
    world.owner(8).say(&["x"]).await;
    let remove = Remove { session: session(8), epoch: agent::Epoch(1), generation: agent::Generation(1) };
    world.store.remove(remove).await.unwrap();
    assert_eq!(count(&world, "SELECT count(*) FROM journals WHERE id = 9"), 0);
    assert_eq!(count(&world, "SELECT count(*) FROM events WHERE journal = 9"), 0);
    assert_eq!(count(&world, "SELECT count(*) FROM blobs"), 0);
}

/// A blob that gets its second holder, or comes back to one, is written anew by SQLite, so slices weigh blobs too: else
/// one transaction would write all of them, and everybody would wait for it.
#[tokio::test]
async fn large_blobs_are_shared_and_let_go_in_small_slices() {
    const BLOBS: usize = 12;
    const BLOB_BYTES: usize = 2 << 20;
    let world = World::new();
    let mut parent = world.owner(1);
    for _ in 0..BLOBS {
        let mut noise = vec![0; BLOB_BYTES];
        getrandom::fill(&mut noise).unwrap();
        let blob = Blob::new(&noise);
        let mut draft = parent.draft(&["with a blob"]);
        draft.facts[0].blobs = vec![blob.hash()];
        draft.blobs = vec![blob];
        parent.send(draft).await.unwrap();
    }
    world.store.fork(fork(&parent, 2, BLOBS as u64)).await.unwrap();
    let forked = world.store.sizes().unwrap().log_bytes;
    let (epoch, generation) = (parent.epoch, parent.generation);
    let removed = world.store.remove(Remove { session: session(2), epoch, generation }).await.unwrap();
    assert!(removed.cleared);
    println!("log after forking {BLOBS} blobs of {BLOB_BYTES} bytes: {forked} bytes");
    assert!(forked < (BLOBS * BLOB_BYTES) as u64, "{forked} bytes of log: the blobs were not written in slices");
}
