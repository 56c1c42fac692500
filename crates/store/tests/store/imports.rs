//! Imports: whole or absent, the same chain under the same name, a chain of its own under another.

use crate::world::{Owner, World, model_call, row, said, session};
use agent::{Epoch, Generation, Money, Seq};
use rusqlite::Connection;
use store::{
    Account, Append, AppendError, Blob, Import, Invalid, JournalId, Piece, Remove, SessionRow, Stored, StoredBody,
};
use wire::chain::seal;

/// A session of so many events, one of them with a blob and one forgotten; its pieces as an export has them.
async fn origin(world: &World, events: usize) -> Vec<Result<Piece, String>> {
    let mut owner = world.owner(1);
    let blob = Blob::new(&b"held ".repeat(1000));
    let mut draft = owner.draft(&vec!["words"; events.min(1000)]);
    draft.facts[1].blobs = vec![blob.hash()];
    draft.blobs = vec![blob.clone()];
    owner.send(draft).await.unwrap();
    while (owner.head.0 as usize) < events {
        owner.say(&vec!["words"; 1000.min(events - owner.head.0 as usize)]).await;
    }
    let nothing: &[&str] = &[];
    owner.send(Append { forget: vec![Seq(3)], ..owner.draft(nothing) }).await.unwrap();
    let mut pieces = vec![];
    let mut at = Seq(0);
    while at < owner.head {
        for event in world.store.stored(JournalId::Session(session(1)), at, owner.head).await.unwrap() {
            at = event.seq;
            for hash in &event.blobs {
                pieces.push(Ok(Piece::Blob(world.store.packed(*hash).await.unwrap().unwrap())));
            }
            pieces.push(Ok(Piece::Event(Box::new(event))));
        }
    }
    pieces
}

fn import(number: u64, events: u64, pieces: Vec<Result<Piece, String>>) -> Import {
    let journal = JournalId::Session(session(number));
    let mut append = Append::new(journal, Epoch(4), Generation(1), Seq(events));
    append.facts = vec![said(journal, Seq(events + 1), "imported")];
    append.row = Some(SessionRow { workspace: "/there".into(), cost: Money(7), ..row() });
    let partials = vec![(model_call(1), "I wi".to_owned())];
    Import { from: session(1), append, pieces: Box::new(pieces.into_iter()), partials, settled: Money(7) }
}

fn count(world: &World, sql: &str) -> i64 {
    Connection::open(world.file()).unwrap().query_row(sql, (), |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn the_same_name_has_the_same_chain() {
    let (there, here) = (World::new(), World::new());
    let pieces = origin(&there, 1500).await;
    let done = here.store.import(import(1, 1500, pieces)).await.unwrap();
    assert_eq!(done.head, Seq(1501));
    let journal = JournalId::Session(session(1));
    let (left, right) = (there.store.events(journal, Seq(0), 99), here.store.events(journal, Seq(0), 99));
    assert_eq!(left.await.unwrap(), right.await.unwrap());
    let verified = here.store.verify(journal).await.unwrap();
    assert_eq!((verified.events, verified.forgotten, verified.hash), (1501, 1, done.hash));
    here.store.verify_heads().await.unwrap();
    let head = there.store.head(journal).await.unwrap().unwrap();
    let last = here.store.stored(JournalId::Session(session(1)), Seq(1499), Seq(1500)).await.unwrap();
    assert_eq!(last[0].hash, head.hash);
    assert_eq!(count(&here, "SELECT holders FROM blobs"), 1);
    assert_eq!(here.store.partials(session(1)).await.unwrap(), [(model_call(1), "I wi".to_owned())]);
    assert_eq!(here.store.spent(Account::Session(session(1))).await.unwrap().settled, Money(7));
    let mut owner = Owner { head: done.head, epoch: Epoch(5), ..here.owner(1) };
    owner.say(&["and on"]).await;
}

#[tokio::test]
async fn another_name_has_a_chain_of_its_own() {
    let there = World::new();
    let pieces = origin(&there, 5).await;
    let done = there.store.import(import(2, 5, pieces)).await.unwrap();
    let copy = JournalId::Session(session(2));
    assert_eq!(there.store.verify(copy).await.unwrap().hash, done.hash);
    let first = there.store.event(copy, Seq(1)).await.unwrap().unwrap();
    assert!(first.header.contains(&session(2).to_string()) && !first.header.contains(&session(1).to_string()));
    assert_eq!(count(&there, "SELECT count(DISTINCT salt) = count(salt) FROM events"), 1, "no salt is used twice");
    assert_eq!(count(&there, "SELECT holders FROM blobs"), 2);
}

#[tokio::test]
async fn what_is_not_right_leaves_nothing_and_its_name_free() {
    let (there, here) = (World::new(), World::new());
    origin(&there, 4).await;
    let stored = there.store.stored(JournalId::Session(session(1)), Seq(0), Seq(4)).await.unwrap();
    let blob = there.store.packed(stored[1].blobs[0]).await.unwrap().unwrap();
    let pieces = |events: Vec<Stored>| {
        let mut pieces: Vec<Result<Piece, String>> = vec![Ok(Piece::Blob(blob.clone()))];
        pieces.extend(events.into_iter().map(|event| Ok(Piece::Event(Box::new(event)))));
        let first = pieces.remove(1);
        pieces.insert(0, first);
        pieces
    };
    let refused = async |wrong: Vec<Result<Piece, String>>| {
        let error = here.store.import(import(1, 4, wrong)).await.unwrap_err();
        let AppendError::Invalid(invalid) = error else { panic!("{error}") };
        invalid.to_string()
    };
    let mut cut = pieces(stored.clone());
    cut.pop();
    assert!(refused(cut).await.contains("event 4: it is missing"));
    let mut broken = pieces(stored.clone());
    broken.push(Err("the disk failed".to_owned()));
    assert!(refused(broken).await.contains("the disk failed"));
    let mut changed = stored.clone();
    changed[3].body = StoredBody::Whole { text: "{}".to_owned(), salt: [0; 16] };
    assert!(refused(pieces(changed.clone())).await.contains("event 4: its hash is another one"));
    changed[3].body = StoredBody::Forgotten { seal: seal(&[0; 16], b"{}") };
    assert!(refused(pieces(changed)).await.contains("another one"));
    let mut held = stored.clone();
    held[3].blobs = vec![wire::BlobHash::of(b"nowhere")];
    assert!(refused(pieces(held)).await.contains("which was not given"));
    // A removal is swept after all that was left, so its answer says that this is done.
    here.owner(8).say(&["x"]).await;
    let remove = Remove { session: session(8), epoch: Epoch(1), generation: Generation(1) };
    here.store.remove(remove).await.unwrap();
    for table in ["events", "blobs", "event_blobs", "waking"] {
        assert_eq!(count(&here, &format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    assert_eq!(here.store.import(import(1, 4, pieces(stored.clone()))).await.unwrap().head, Seq(5));
    let again = here.store.import(import(1, 4, pieces(stored.clone()))).await;
    assert_eq!(again, Err(AppendError::Stale { head: Seq(5) }));
    let gone = here.store.import(import(8, 4, pieces(stored))).await;
    assert!(matches!(gone, Err(AppendError::Invalid(Invalid::Unusable { .. }))), "{gone:?}");
    here.store.verify_heads().await.unwrap();
}
