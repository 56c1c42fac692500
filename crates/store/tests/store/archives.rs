//! Archiving: a session is wholly in the journal or wholly in its file, with the same chain, and what a kill leaves of one
//! way or the other is swept.

use crate::world::{NOW, Owner, World, row, session};
use agent::{Generation, Micros, Seq};
use rusqlite::Connection;
use store::{
    Append, AppendError, Archive, Blob, Fate, Filed, Invalid, JournalId, ListQuery, Options, Piece, Remove, Store,
    Unarchive,
};
use wire::BlobHash;

/// A session of so many events, one with a blob and one forgotten; its pieces as its file has them.
pub(crate) async fn furnished(world: &World, number: u64, events: usize) -> Vec<Piece> {
    let mut owner = world.owner(number);
    let blob = Blob::new(&b"held ".repeat(1000));
    let mut draft = owner.draft(&vec!["words"; events.min(1000)]);
    draft.facts[1].blobs = vec![blob.hash()];
    draft.blobs = vec![blob];
    draft.row = Some(row());
    owner.send(draft).await.unwrap();
    while (owner.head.0 as usize) < events {
        owner.say(&vec!["words"; 1000.min(events - owner.head.0 as usize)]).await;
    }
    let nothing: &[&str] = &[];
    owner.send(Append { forget: vec![Seq(3)], ..owner.draft(nothing) }).await.unwrap();
    pieces(&world.store, number).await
}

pub(crate) async fn pieces(store: &Store, number: u64) -> Vec<Piece> {
    let (mut pieces, mut at) = (vec![], Seq(0));
    let head = store.head(JournalId::Session(session(number))).await.unwrap().unwrap().seq;
    while at < head {
        for event in store.stored(JournalId::Session(session(number)), at, head).await.unwrap() {
            at = event.seq;
            for hash in &event.blobs {
                pieces.push(Piece::Blob(store.packed(*hash).await.unwrap().unwrap()));
            }
            pieces.push(Piece::Event(Box::new(event)));
        }
    }
    pieces
}

pub(crate) async fn archive(store: &Store, number: u64) -> Archive {
    let head = store.head(JournalId::Session(session(number))).await.unwrap().unwrap();
    let file = Filed { at: NOW, bytes: 77, sha256: BlobHash::of(b"a file") };
    Archive { session: session(number), generation: head.generation, head: head.seq, hash: head.hash, file }
}

fn back(number: u64, pieces: Vec<Piece>) -> Unarchive {
    let pieces = Box::new(pieces.into_iter().map(Ok));
    Unarchive { session: session(number), generation: Generation(1), at: NOW, pieces }
}

fn count(world: &World, sql: &str) -> i64 {
    Connection::open(world.file()).unwrap().query_row(sql, (), |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_session_leaves_and_comes_back_the_same() {
    let world = World::new();
    let kept = furnished(&world, 1, 1500).await;
    furnished(&world, 2, 5).await;
    let (store, journal) = (&world.store, JournalId::Session(session(1)));
    let before = (store.head(journal).await.unwrap(), store.events(journal, Seq(0), 99).await.unwrap());
    assert!(store.archive(archive(store, 1).await).await.unwrap());
    assert_eq!(store.head(journal).await.unwrap(), None);
    assert!(store.events(journal, Seq(0), 9).await.unwrap().is_empty());
    assert_eq!(store.fate(session(1)).await.unwrap(), Fate::Away(Seq(1500)));
    let archived = store.archived(session(1)).await.unwrap().unwrap();
    assert_eq!((Some(archived.head), archived.file.bytes), (before.0, 77));
    let listed = |archived| {
        let query = ListQuery { archived, limit: 9, ..ListQuery::default() };
        async move { store.list(query).await.unwrap().into_iter().map(|row| row.session).collect::<Vec<_>>() }
    };
    assert_eq!(listed(Some(true)).await, [session(1)]);
    assert_eq!(listed(Some(false)).await, [session(2)]);
    assert_eq!(listed(None).await.len(), 2);
    assert_eq!(
        count(&world, "SELECT count(*) FROM events e JOIN journals j ON j.id = e.journal WHERE j.name LIKE '%1'"),
        0
    );
    assert_eq!(count(&world, "SELECT holders FROM blobs"), 1, "the other session holds it still");
    store.verify_heads().await.unwrap();
    store.verify_blobs(|_| ()).await.unwrap();
    // Its owner of before writes nothing any more, and its name is taken.
    let head = before.0.unwrap().seq;
    let mut owner = Owner { head, ..world.owner(1) };
    let draft = owner.draft(&["late"]);
    assert!(matches!(
        owner.send(draft).await,
        Err(AppendError::Stale { .. } | AppendError::Invalid(Invalid::Unusable { .. }))
    ));
    let done = store.unarchive(back(1, kept)).await.unwrap();
    assert_eq!(done.head, head);
    assert_eq!((store.head(journal).await.unwrap(), store.events(journal, Seq(0), 99).await.unwrap()), before);
    assert_eq!(store.verify(journal).await.unwrap().forgotten, 1);
    store.verify_heads().await.unwrap();
    assert_eq!(count(&world, "SELECT holders FROM blobs"), 2);
    let mut owner = Owner { head, ..world.owner(1) };
    owner.say(&["and on"]).await;
    assert_eq!(store.fate(session(1)).await.unwrap(), Fate::Here);
}

#[tokio::test]
async fn what_is_not_the_head_or_has_work_stays() {
    let world = World::new();
    furnished(&world, 1, 5).await;
    let (store, wanted) = (&world.store, archive(&world.store, 1).await);
    let stale = Archive { head: Seq(4), ..wanted };
    assert!(matches!(store.archive(stale).await, Err(AppendError::Stale { .. })));
    let unknown = Archive { session: session(9), ..wanted };
    assert!(matches!(store.archive(unknown).await, Err(AppendError::Invalid(Invalid::NoJournal))));
    let mut owner = Owner { head: wanted.head, ..world.owner(1) };
    let draft = Append { waking: true, ..owner.draft(&["work"]) };
    owner.send(draft).await.unwrap();
    let refused = store.archive(archive(store, 1).await).await;
    assert!(matches!(refused, Err(AppendError::Invalid(Invalid::AtWork { .. }))), "{refused:?}");
}

#[tokio::test]
async fn a_wrong_file_brings_nothing_back_and_a_right_one_does_later() {
    let world = World::new();
    let kept = furnished(&world, 1, 700).await;
    let store = &world.store;
    store.archive(archive(store, 1).await).await.unwrap();
    let short = || kept.iter().take(600).map(copy).collect::<Vec<_>>();
    assert!(matches!(store.unarchive(back(1, short())).await, Err(AppendError::Invalid(Invalid::NotImported { .. }))));
    assert_eq!(store.fate(session(1)).await.unwrap(), Fate::Away(Seq(700)));
    let world = world.reopen().await;
    assert_eq!(world.store.fate(session(1)).await.unwrap(), Fate::Away(Seq(700)));
    world.store.verify_heads().await.unwrap();
    world.store.unarchive(back(1, kept.iter().map(copy).collect())).await.unwrap();
    assert_eq!(count(&world, "SELECT count(*) FROM events"), 700);
}

#[tokio::test]
async fn an_archived_session_is_removed_like_any() {
    let world = World::new();
    let kept = furnished(&world, 1, 9).await;
    let store = &world.store;
    let head = store.head(JournalId::Session(session(1))).await.unwrap().unwrap();
    store.archive(archive(store, 1).await).await.unwrap();
    let remove = Remove { session: session(1), epoch: head.epoch, generation: head.generation };
    assert_eq!(store.remove(remove).await.unwrap().events, 9);
    assert_eq!(store.fate(session(1)).await.unwrap(), Fate::Removed);
    assert!(matches!(store.unarchive(back(1, kept)).await, Err(AppendError::Invalid(Invalid::NoJournal))));
    assert_eq!(store.verify_heads().await.unwrap().removed, 1);
    assert_eq!(store.archive_sum().await.unwrap(), (0, 0));
}

/// Half of the rows are there, as a kill in the middle of either way leaves them.
#[tokio::test]
async fn what_a_kill_left_is_swept_and_the_file_counts() {
    let world = World::new();
    let kept = furnished(&world, 1, 40).await;
    world.store.archive(archive(&world.store, 1).await).await.unwrap();
    world.store.unarchive(back(1, kept.iter().map(copy).collect())).await.unwrap();
    let world = world.tamper("UPDATE archives SET state = 'moving'; DELETE FROM events WHERE seq > 20").await;
    assert_eq!(world.store.fate(session(1)).await.unwrap(), Fate::Away(Seq(40)));
    world.store.unarchive(back(1, kept)).await.unwrap();
    assert_eq!(world.store.verify(JournalId::Session(session(1))).await.unwrap().events, 40);
    world.store.verify_heads().await.unwrap();
    world.store.verify_blobs(|_| ()).await.unwrap();
}

fn copy(piece: &Piece) -> Piece {
    match piece {
        Piece::Blob(blob) => Piece::Blob(blob.clone()),
        Piece::Event(event) => Piece::Event(event.clone()),
    }
}

#[tokio::test]
async fn the_idle_are_found_and_those_that_came_back_count_from_then() {
    let world = World::with(Options::default());
    let kept = furnished(&world, 1, 5).await;
    let store = &world.store;
    let idle = |since: i64| async move { store.idle(Micros(since), None, 9).await.unwrap().len() };
    assert_eq!((idle(2).await, idle(3).await), (0, 1), "the row was changed at 2");
    store.archive(archive(store, 1).await).await.unwrap();
    assert_eq!(idle(i64::MAX).await, 0);
    store.unarchive(back(1, kept)).await.unwrap();
    assert_eq!((idle(3).await, idle(NOW.0 + 1).await), (0, 1));
}
