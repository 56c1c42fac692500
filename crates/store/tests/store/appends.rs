//! Appends: one after the other, many at once, and those that are refused.

use crate::world::{NOW, Owner, World, said, session};
use agent::{Epoch, Event, Generation, Seq};
use store::{Append, AppendError, Invalid, JournalId, Limits, Mode, NewEvent, Options};
use wire::Header;

#[tokio::test]
async fn what_was_appended_is_read_back_as_it_was() {
    let world = World::new();
    let mut owner = world.owner(1);
    let first = owner.say(&["one", "two"]).await;
    assert_eq!((first.head, first.refused.len()), (Seq(2), 0));
    let mut draft = owner.draft(&["three"]);
    draft.starts = vec![owner.start(1, "four")];
    owner.send(draft).await.unwrap();

    let head = world.store.head(owner.journal).await.unwrap().unwrap();
    assert_eq!((head.seq, head.epoch, head.generation), (Seq(4), Epoch(1), Generation(1)));
    let records = world.store.events(owner.journal, Seq(1), 100).await.unwrap();
    let words: Vec<_> = records.iter().map(|record| record.body.as_deref().unwrap()).collect();
    assert_eq!(words, [r#"{"text":"two"}"#, r#"{"text":"three"}"#, r#"{"text":"four"}"#]);
    assert_eq!(Header::from_json(&records[2].header).unwrap().seq, Seq(4));
    let some = world.store.events_at(owner.journal, &[Seq(4), Seq(1)]).await.unwrap();
    assert_eq!((some[0].seq, some[1].seq), (Seq(4), Seq(1)));
    assert_eq!(world.store.event(owner.journal, Seq(5)).await.unwrap(), None);
    assert!(world.store.events_at(owner.journal, &[Seq(5)]).await.is_err());
    assert_eq!(world.store.head(JournalId::Session(session(2))).await.unwrap(), None);

    let world = world.reopen().await;
    assert_eq!(world.store.events(owner.journal, Seq(1), 100).await.unwrap(), records);
    assert_eq!(world.store.head(owner.journal).await.unwrap(), Some(head));
}

#[tokio::test]
async fn a_queue_of_appends_is_one_commit() {
    let world = World::new();
    let owners: Vec<Owner> = (0..50).map(|number| world.owner(number)).collect();
    let before = world.store.health().commits;
    let outcomes = world.store.append_together(owners.iter().map(|owner| owner.draft(&["hello"])).collect()).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(world.store.health().commits, before + 1);
    for owner in owners {
        assert_eq!(world.store.verify(owner.journal).await.unwrap().events, 1);
    }
}

#[tokio::test]
async fn a_refused_append_does_not_harm_its_neighbours() {
    let world = World::new();
    let (mut left, mut middle, right) = (world.owner(1), world.owner(2), world.owner(3));
    left.say(&["l1"]).await;
    middle.say(&["m1"]).await;
    let mut late = middle.draft(&["m2", "m3", "wrong place"]);
    late.facts[2] = said(middle.journal, Seq(9), "wrong place");
    let before = world.store.health().commits;
    let outcomes = world.store.append_together(vec![left.draft(&["l2"]), late, right.draft(&["r1"])]).await;
    assert_eq!(outcomes[0].as_ref().unwrap().head, Seq(2));
    assert_eq!(outcomes[1], Err(AppendError::Invalid(Invalid::Header { expected: Seq(4) })));
    assert_eq!(outcomes[2].as_ref().unwrap().head, Seq(1));
    assert_eq!(world.store.health().commits, before + 1);
    for (journal, events) in [(left.journal, 2), (middle.journal, 1), (right.journal, 1)] {
        assert_eq!(world.store.verify(journal).await.unwrap().events, events, "{journal}");
    }
    assert_eq!(world.store.verify_heads().await.unwrap().journals, 3);
}

#[tokio::test]
async fn two_who_know_the_same_head_cannot_both_append() {
    let world = World::new();
    let owner = world.owner(1);
    let outcomes = world.store.append_together(vec![owner.draft(&["mine"]), owner.draft(&["no, mine"])]).await;
    assert_eq!(outcomes[0].as_ref().unwrap().head, Seq(1));
    assert_eq!(outcomes[1], Err(AppendError::Stale { head: Seq(1) }));
    let fresh = Append { after: Seq(7), ..world.owner(2).draft(&["from nowhere"]) };
    assert_eq!(world.store.append(fresh).await, Err(AppendError::Stale { head: Seq(0) }));
    assert_eq!(world.store.head(JournalId::Session(session(2))).await.unwrap(), None);
}

#[tokio::test]
async fn a_newer_epoch_claims_the_journal_and_shuts_the_older_one_out() {
    let world = World::new();
    let mut old = world.owner(1);
    old.say(&["one"]).await;
    let mut new = Owner { epoch: Epoch(2), ..old.clone() };
    new.say(&["taken over"]).await;
    old.head = new.head;
    let refused = old.send(old.draft(&["still here?"])).await;
    assert_eq!(refused, Err(AppendError::Epoch { current: Epoch(2) }));
    assert_eq!(new.say(&["mine"]).await.head, Seq(3));
    // A claim must know the head like any other append, else it could not have read what it goes on with.
    let blind = Append { after: Seq(2), epoch: Epoch(3), ..new.draft(&["x"]) };
    assert_eq!(world.store.append(blind).await, Err(AppendError::Stale { head: Seq(3) }));
}

#[tokio::test]
async fn an_older_generation_is_refused_everywhere() {
    let world = World::new();
    let (mut old, mut other) = (world.owner(1), world.owner(2));
    old.say(&["one"]).await;
    other.say(&["one"]).await;
    let mut daemon = Owner { generation: Generation(2), ..Owner::of(&world.store, JournalId::Daemon) };
    let event = Event::DaemonBegan { generation: Generation(2) };
    let header = Header { seq: Seq(1), at: NOW, session: None, event }.to_json();
    let began = NewEvent { header, body: "{}".into(), ..NewEvent::default() };
    daemon.send(Append { facts: vec![began], ..daemon.draft(&[]) }).await.unwrap();

    let refused = Err(AppendError::Generation { newest: Generation(2) });
    assert_eq!(old.send(old.draft(&["two"])).await, refused);
    assert_eq!(other.send(other.draft(&["two"])).await, refused);
    let mut old_daemon = Owner { generation: Generation(1), ..daemon.clone() };
    assert_eq!(old_daemon.send(old_daemon.draft(&["two"])).await, refused);
    let world = world.reopen().await;
    assert_eq!(world.store.append(old.draft(&["two"])).await, refused);
    old.store = world.store.clone();
    old.generation = Generation(2);
    old.say(&["two"]).await;
}

#[tokio::test]
async fn every_limit_has_its_error_and_leaves_nothing_behind() {
    let limits = Limits { events_per_append: 2, body_bytes: 100, header_bytes: 300, ..Limits::default() };
    let world = World::with(Options { limits, ..Options::default() });
    let mut owner = world.owner(1);
    let named = |outcome| match outcome {
        Err(AppendError::Invalid(Invalid::TooLarge { limit_name, .. })) => limit_name,
        other => panic!("{other:?}"),
    };
    assert_eq!(named(owner.send(owner.draft(&["1", "2", "3"])).await), "events_per_append");
    assert_eq!(named(owner.send(owner.draft(&["x".repeat(100).as_str()])).await), "body_bytes");
    let mut long = owner.draft(&["x"]);
    long.facts[0].header.push_str(&" ".repeat(300));
    assert_eq!(named(owner.send(long).await), "header_bytes");
    let mut cut = owner.draft(&["x"]);
    cut.facts[0].body.pop();
    assert_eq!(owner.send(cut).await, Err(AppendError::Invalid(Invalid::Body { seq: Seq(1) })));
    let huge = Append { epoch: Epoch(u64::MAX), ..owner.draft(&["x"]) };
    assert_eq!(owner.send(huge).await, Err(AppendError::Invalid(Invalid::Number { what: "the epoch" })));
    assert_eq!(owner.send(owner.draft(&[])).await, Err(AppendError::Invalid(Invalid::NoJournal)));
    assert_eq!(world.store.head(owner.journal).await.unwrap(), None);
    assert_eq!(world.store.health().mode, Mode::Open);
}

#[tokio::test]
async fn a_page_is_bounded_and_only_an_empty_one_is_the_end() {
    let limits = Limits { page_bytes: 1000, events_per_page: 5, ..Limits::default() };
    let world = World::with(Options { limits, ..Options::default() });
    let mut owner = world.owner(1);
    let long = "x".repeat(2000);
    for words in ["a", "b", "c", "d", "e", "f", "g", &long, "h"] {
        owner.say(&[words]).await;
    }
    let (mut after, mut pages) = (Seq(0), Vec::new());
    loop {
        let page = world.store.events(owner.journal, after, 100).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.seq;
        pages.push(page.len());
    }
    assert_eq!(after, Seq(9));
    assert_eq!(pages, [5, 2, 1, 1]);
}

#[tokio::test]
async fn an_append_whose_asker_has_gone_still_happens() {
    let world = World::new();
    let owner = world.owner(1);
    // Polled once, the append is queued; then nobody waits for it any more.
    let mut append = Box::pin(world.store.append(owner.draft(&["said and gone"])));
    let _ = poll_once(append.as_mut()).await;
    drop(append);
    // The queue is in order, so whoever comes after sees what went before.
    let second = Owner { head: Seq(1), ..owner }.say(&["and heard"]).await;
    assert_eq!(second.head, Seq(2));
}

async fn poll_once<T>(mut future: std::pin::Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Option<T> {
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let world = World::new();
    let mut owner = world.owner(1);
    owner.say(&["one"]).await;
    let handle = world.store.clone();
    world.store.close().await;
    assert_eq!(owner.send(owner.draft(&["two"])).await, Err(AppendError::Closed));
    assert_eq!(handle.append_together(vec![owner.draft(&["two"])]).await, [Err(AppendError::Closed)]);
    assert_eq!(handle.head(owner.journal).await, Err(store::ReadError::Closed));
    assert!(!world.dir.path().join("journal.db-wal").exists(), "the log was copied and removed");
}
