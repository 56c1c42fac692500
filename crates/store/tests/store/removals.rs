//! Removing a session: its words are gone from every file, its place in the chain of heads stays.

use crate::searching::searching;
use crate::world::{NOW, Owner, World, model_call, session};
use agent::{Epoch, Generation, Micros, Money, Seq};
use rusqlite::Connection;
use std::path::Path;
use store::{
    Account, AppendError, Blob, FoldRow, Invalid, ListQuery, NewAnswer, NewStart, Remove, Removed, Reserve,
    SearchQuery, SessionRow, Settle, VerifyError,
};
use wire::BlobHash;

const DAY: &str = "2026-11-23";

fn remove(number: u64) -> Remove {
    Remove { session: session(number), epoch: Epoch(1), generation: Generation(1) }
}

fn count(world: &World, sql: &str) -> i64 {
    Connection::open(world.file()).unwrap().query_row(sql, (), |row| row.get(0)).unwrap()
}

/// A session with something in every table: a settled call that cost 12, an open one of 30.
async fn furnished(world: &World) -> Owner {
    let mut owner = world.owner(1);
    let (own, shared) = (Blob::new(b"xyzzy-own-blob"), Blob::new(b"xyzzy-shared-blob"));
    let mut draft = owner.draft(&["xyzzy-prompt", "and more"]);
    draft.facts[0].blobs = vec![own.hash(), shared.hash()];
    draft.blobs = vec![own, shared.clone()];
    let start = |index, step, amount| {
        let reserve =
            Reserve { effect: model_call(step), amount: Money(amount), day: DAY.into(), session: None, per_day: None };
        NewStart { event: owner.event(index, "started"), reserve: Some(reserve) }
    };
    draft.starts = vec![start(2, 1, 40), start(3, 2, 30)];
    draft.row = Some(SessionRow {
        workspace: "/a".into(),
        title: Some("xyzzy-title".into()),
        state: "running".into(),
        model: None,
        cost: Money(0),
        created: Micros(1),
        updated: Micros(2),
    });
    draft.waking = true;
    draft.folds = vec![FoldRow { kind: "state".into(), format: 1, seq: Seq(4), bytes: b"xyzzy-fold".to_vec() }];
    draft.answer = Some(NewAnswer {
        scope: format!("session.prompt {}", session(1)),
        key: "key-1".into(),
        body_hash: BlobHash::of(b"request"),
        answer: r#"{"text":"xyzzy-answer"}"#.into(),
        now: Micros(0),
        expires: Micros(i64::MAX),
    });
    owner.send(draft).await.unwrap();
    let mut draft = owner.draft(&["settled"]);
    draft.facts[0].settle = vec![Settle { effect: model_call(1), cost: Money(12) }];
    owner.send(draft).await.unwrap();
    world.store.save_partial(session(1), owner.epoch, model_call(2), "xyzzy-partial".into()).await.unwrap();
    let mut other = world.owner(2);
    let mut draft = other.draft(&["plugh-prompt"]);
    draft.facts[0].blobs = vec![shared.hash()];
    other.send(draft).await.unwrap();
    owner
}

#[tokio::test]
async fn nothing_of_a_removed_session_is_left_but_its_name_and_its_money() {
    let world = World::with(searching());
    let mut owner = furnished(&world).await;
    let found = world.store.search(SearchQuery { text: "xyzzy".into(), limit: 9, ..SearchQuery::default() });
    assert_eq!(found.await.unwrap().hits.len(), 1);
    assert_eq!(world.store.remove(remove(1)).await, Ok(Removed { events: 5, cleared: true }));

    assert_eq!(world.store.head(owner.journal).await.unwrap(), None);
    assert_eq!(world.store.events(owner.journal, Seq(0), 9).await.unwrap(), []);
    assert_eq!(world.store.session(session(1)).await.unwrap(), None);
    assert_eq!(world.store.list(ListQuery { limit: 9, ..ListQuery::default() }).await.unwrap(), []);
    assert_eq!(world.store.waking().await.unwrap(), []);
    assert_eq!(world.store.fold(session(1), "state").await.unwrap(), None);
    assert_eq!(world.store.partials(session(1)).await.unwrap(), []);
    assert_eq!(world.store.answer(&format!("session.prompt {}", session(1)), "key-1", NOW).await.unwrap(), None);
    assert_eq!(world.store.blob(BlobHash::of(b"xyzzy-own-blob")).await.unwrap(), None);
    assert!(world.store.blob(BlobHash::of(b"xyzzy-shared-blob")).await.unwrap().is_some());
    let day = world.store.spent(Account::Day(DAY.into())).await.unwrap();
    assert_eq!((day.settled, day.reserved), (Money(42), Money(0)), "what was still open counts as spent");
    let account = world.store.spent(Account::Session(session(1))).await.unwrap();
    assert_eq!(account.total(), Money(0));
    for table in ["events WHERE journal = 1", "reservations", "folds", "partials", "waking", "answers"] {
        assert_eq!(count(&world, &format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    let heads = world.store.verify_heads().await.unwrap();
    assert_eq!((heads.journals, heads.removed), (1, 1));

    // An owner that missed it does not bring it back, and nobody removes it twice.
    let late = owner.send(owner.draft(&["late"])).await;
    assert_eq!(late, Err(AppendError::Stale { head: Seq(0) }));
    let anew = world.owner(1).send(world.owner(1).draft(&["anew"])).await;
    assert!(matches!(anew, Err(AppendError::Invalid(Invalid::Unusable { .. }))), "{anew:?}");
    assert_eq!(world.store.remove(remove(1)).await, Err(AppendError::Invalid(Invalid::NoJournal)));
}

#[tokio::test]
async fn its_bytes_are_gone_from_the_files_while_the_store_is_open() {
    let world = World::with(searching());
    furnished(&world).await;
    world.store.checkpoint().await.unwrap();
    let found = world.store.search(SearchQuery { text: "xyzzy".into(), limit: 9, ..SearchQuery::default() });
    assert_eq!(found.await.unwrap().hits.len(), 1);
    let words = |what: &str| in_files(world.dir.path(), what);
    assert!(!words("xyzzy-prompt").is_empty() && !words("xyzzy-title").is_empty(), "the control");
    assert!(world.store.remove(remove(1)).await.unwrap().cleared);
    // The shared blob stays, because session 2 holds it.
    for gone in
        ["xyzzy-prompt", "xyzzy-title", "xyzzy-own-blob", "xyzzy-fold", "xyzzy-partial", "xyzzy-answer", "and more"]
    {
        assert_eq!(words(gone), [""; 0], "{gone}");
    }
    assert!(!words("plugh-prompt").is_empty() && !words("xyzzy-shared-blob").is_empty(), "the control");
}

/// In which files of the directory these words stand. Another process looks: closing a file here would drop the locks
/// of the open store.
fn in_files(dir: &Path, words: &str) -> Vec<String> {
    let output = std::process::Command::new("grep").args(["-r", "-l", "-a", "-F", words]).arg(dir).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn an_older_owner_and_an_older_daemon_remove_nothing() {
    let world = World::new();
    let mut owner = Owner { epoch: Epoch(4), generation: Generation(3), ..world.owner(1) };
    owner.say(&["mine"]).await;
    let older = Remove { epoch: Epoch(3), generation: Generation(3), ..remove(1) };
    assert_eq!(world.store.remove(older).await, Err(AppendError::Epoch { current: Epoch(4) }));
    let older = Remove { epoch: Epoch(4), generation: Generation(2), ..remove(1) };
    assert_eq!(world.store.remove(older).await, Err(AppendError::Generation { newest: Generation(3) }));
    owner.say(&["still mine"]).await;
}

#[tokio::test]
async fn a_session_that_vanished_otherwise_is_still_an_error() {
    for (sql, what) in [
        ("UPDATE journals SET seq = 0 WHERE id = 2; DELETE FROM events WHERE journal = 2", "marked without a link"),
        ("DELETE FROM journals WHERE id = 1", "the name of a removed one"),
        ("DELETE FROM heads WHERE seq = 0", "the link of the removal"),
        ("UPDATE journals SET seq = 5 WHERE id = 1", "a removed one that claims events"),
        (
            "UPDATE journals SET seq = 0, hash = zeroblob(32) WHERE id = 2; INSERT INTO waking VALUES (2)",
            "posing as a fork",
        ),
    ] {
        let world = World::new();
        furnished(&world).await;
        world.store.remove(remove(1)).await.unwrap();
        world.store.verify_heads().await.unwrap();
        let world = world.tamper(sql).await;
        let verified = world.store.verify_heads().await;
        assert!(matches!(verified, Err(VerifyError::Link { .. })), "{what}: {verified:?}");
    }
}

#[tokio::test]
async fn a_long_session_is_swept_in_slices_and_after_a_restart() {
    let world = World::new();
    let mut owner = world.owner(1);
    for _ in 0..5 {
        owner.say(&["x"; 500]).await;
    }
    world.owner(2).say(&["stays"]).await;
    // As a kill right after the first transaction of the removal leaves it: made true by hand, link included.
    let head = world.store.head(owner.journal).await.unwrap().unwrap();
    let heads = world.store.verify_heads().await.unwrap();
    let link = heads.hash.next(format!("{} 0", owner.journal).as_bytes(), &head.hash.0);
    let world = world
        .tamper(&format!(
            "UPDATE journals SET seq = 0 WHERE id = 1; INSERT INTO waking VALUES (1);
             INSERT INTO heads (journal, seq, head, hash) VALUES (1, 0, x'{}', x'{link}');",
            head.hash
        ))
        .await;
    assert_eq!(world.store.waking().await.unwrap(), []);
    assert_eq!(world.store.head(owner.journal).await.unwrap(), None);
    let removed = world.store.verify_heads().await.unwrap();
    assert_eq!((removed.journals, removed.removed), (1, 1));
    // What is removed now is swept after it.
    assert!(world.store.remove(remove(2)).await.unwrap().cleared);
    assert_eq!(count(&world, "SELECT count(*) FROM events"), 0);
    assert_eq!(count(&world, "SELECT count(*) FROM waking"), 0);
    world.store.verify_heads().await.unwrap();
}

#[tokio::test]
async fn many_are_removed_while_others_write() {
    let world = World::with(searching());
    for number in 1..=20 {
        world.owner(number).say(&["words", "of", "a", "session"]).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=20 {
        let (store, mut owner) = (world.store.clone(), world.owner(100 + number));
        tasks.spawn(async move {
            owner.say(&["meanwhile"]).await;
            store.remove(remove(number)).await.map(|removed| removed.events)
        });
    }
    while let Some(events) = tasks.join_next().await {
        assert_eq!(events.unwrap(), Ok(4));
    }
    let heads = world.store.verify_heads().await.unwrap();
    assert_eq!((heads.journals, heads.removed), (20, 20));
    assert_eq!(count(&world, "SELECT count(*) FROM events"), 20);
}
