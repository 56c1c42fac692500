//! The chains: an outsider can compute them, and every change shows.

use crate::world::{Owner, World, session};
use agent::Seq;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use store::{Append, JournalId, VerifyError};

#[tokio::test]
async fn an_outsider_computes_the_same_hashes() {
    let world = World::new();
    let mut owner = world.owner(1);
    owner.say(&["one", "two"]).await;
    let last = owner.say(&["three"]).await;
    owner.send(Append { forget: vec![Seq(2)], ..owner.draft(&["a word was forgotten"]) }).await.unwrap();
    let file = world.file();
    world.store.close().await;

    let connection = Connection::open(file).unwrap();
    let mut statement = connection.prepare("SELECT header, body, salt, seal, hash FROM events ORDER BY seq").unwrap();
    let mut rows = statement.query(()).unwrap();
    let (mut previous, mut hashes) = (vec![0; 32], Vec::new());
    while let Some(row) = rows.next().unwrap() {
        let seal: Vec<u8> = match row.get::<_, Option<String>>(1).unwrap() {
            Some(body) => {
                let salt: Vec<u8> = row.get(2).unwrap();
                assert_eq!(salt.len(), 16);
                Sha256::digest([salt.as_slice(), body.as_bytes()].concat()).to_vec()
            }
            None => row.get(3).unwrap(),
        };
        let header: String = row.get(0).unwrap();
        previous = Sha256::digest([&previous[..], header.as_bytes(), &seal].concat()).to_vec();
        assert_eq!(previous, row.get::<_, Vec<u8>>(4).unwrap());
        hashes.push(previous.clone());
    }
    assert_eq!(hashes.len(), 4);
    assert_eq!(hashes[2], last.hash.0);
}

/// A world with a session of five events, the third forgotten, and one of two.
async fn two_sessions() -> (World, Owner, Owner) {
    let world = World::new();
    let (mut long, mut short) = (world.owner(1), world.owner(2));
    long.say(&["a", "b", "c"]).await;
    short.say(&["d"]).await;
    long.send(Append { forget: vec![Seq(3)], ..long.draft(&["e"]) }).await.unwrap();
    short.say(&["f"]).await;
    long.say(&["g"]).await;
    (world, long, short)
}

#[tokio::test]
async fn untouched_chains_verify() {
    let (world, long, short) = two_sessions().await;
    let verified = world.store.verify(long.journal).await.unwrap();
    assert_eq!((verified.events, verified.forgotten), (5, 1));
    assert_eq!(verified.hash, world.store.head(long.journal).await.unwrap().unwrap().hash);
    assert_eq!(world.store.verify(short.journal).await.unwrap().events, 2);
    assert_eq!(world.store.verify(JournalId::Session(session(9))).await.unwrap().events, 0);
    let heads = world.store.verify_heads().await.unwrap();
    assert_eq!((heads.links, heads.journals), (5, 2));
}

#[tokio::test]
async fn every_change_of_an_event_shows() {
    for (sql, seq) in [
        ("UPDATE events SET header = replace(header, 'prompt', 'primpt') WHERE seq = 2", 2),
        ("UPDATE events SET body = '{\"text\":\"B\"}' WHERE seq = 2", 2),
        ("UPDATE events SET salt = zeroblob(16) WHERE seq = 4", 4),
        ("UPDATE events SET seal = zeroblob(32) WHERE seq = 3", 3),
        ("UPDATE events SET seal = NULL WHERE seq = 3", 3),
        ("UPDATE events SET body = NULL WHERE seq = 4", 4),
        ("UPDATE events SET hash = zeroblob(32) WHERE seq = 5", 5),
        ("DELETE FROM events WHERE seq = 4", 4),
        ("DELETE FROM events WHERE seq = 5", 5),
        ("UPDATE journals SET hash = zeroblob(32)", 5),
    ] {
        let (world, long, _) = two_sessions().await;
        let world = world.tamper(sql).await;
        match world.store.verify(long.journal).await {
            Err(VerifyError::Event { seq: found, .. }) => assert_eq!(found, Seq(seq), "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_journal_that_is_gone_and_an_end_that_was_cut_off_show_in_the_chain_of_heads() {
    let gone = "DELETE FROM events WHERE journal = 2; DELETE FROM sessions WHERE journal = 2;
                DELETE FROM journals WHERE id = 2;";
    let cut = "DELETE FROM events WHERE journal = 2 AND seq = 2;
               UPDATE journals SET seq = 1, hash = (SELECT hash FROM events WHERE journal = 2 AND seq = 1) WHERE id = 2;";
    let cut_with_link = format!("{cut} DELETE FROM heads WHERE journal = 2 AND seq = 2;");
    let only_the_head = "UPDATE journals SET seq = 1,
               hash = (SELECT hash FROM events WHERE journal = 2 AND seq = 1) WHERE id = 2;";
    let swapped = "UPDATE heads SET seq = 1, head = (SELECT hash FROM events WHERE journal = 2 AND seq = 1)
               WHERE journal = 2 AND seq = 2;";
    for (sql, place) in [(gone, 2), (cut, 4), (&cut_with_link, 4), (only_the_head, 4), (swapped, 4)] {
        let (world, _, _) = two_sessions().await;
        let world = world.tamper(sql).await;
        match world.store.verify_heads().await {
            Err(VerifyError::Link { place: found, .. }) => assert_eq!(found, place, "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_chain_longer_than_a_page_verifies() {
    let world = World::new();
    let mut owner = world.owner(1);
    let words = vec!["x"; 500];
    for _ in 0..3 {
        owner.say(&words).await;
    }
    assert_eq!(world.store.verify(owner.journal).await.unwrap().events, 1500);
    let world = world.tamper("UPDATE events SET salt = zeroblob(16) WHERE seq = 1400").await;
    let broken = world.store.verify(owner.journal).await;
    assert!(matches!(broken, Err(VerifyError::Event { seq: Seq(1400), .. })), "{broken:?}");
}
