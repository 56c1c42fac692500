//! What is kept beside the events: lists, the waking table, folds.

use crate::world::{NOW, World, session};
use agent::{Micros, ModelName, Money, Seq};
use store::{Append, AppendError, FoldRow, Invalid, JournalId, ListCursor, ListQuery, SessionRow};

fn row(workspace: &str, updated: i64) -> SessionRow {
    SessionRow {
        workspace: workspace.into(),
        title: Some(format!("updated {updated}")),
        state: "idle".into(),
        model: Some(ModelName::new("offline")),
        cost: Money(7),
        created: NOW,
        updated: Micros(NOW.0 + updated),
    }
}

#[tokio::test]
async fn a_list_is_newest_first_and_pages_do_not_overlap() {
    let world = World::new();
    let mut appends = Vec::new();
    for number in 0..25 {
        let workspace = if number % 5 == 0 { "/home/u/rare" } else { "/home/u/often" };
        // Pairs have the same time, so the order must not depend on times alone.
        let shown = Some(row(workspace, number as i64 / 2));
        appends.push(Append { row: shown, ..world.owner(number).draft(&["hello"]) });
    }
    assert!(world.store.append_together(appends).await.iter().all(Result::is_ok));

    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let page = world.store.list(ListQuery { before, limit: 7, ..ListQuery::default() }).await.unwrap();
        let Some(last) = page.last() else { break };
        // A cursor travels as text.
        before = Some(last.cursor.to_string().parse::<ListCursor>().unwrap());
        seen.extend(page);
    }
    let order: Vec<_> = seen.iter().map(|row| row.session).collect();
    assert_eq!(order, (0..25).rev().map(session).collect::<Vec<_>>());
    assert_eq!((seen[0].row.clone(), seen[0].head), (row("/home/u/often", 12), Seq(1)));

    let rare = ListQuery { workspace: Some("/home/u/rare".into()), limit: 3, ..ListQuery::default() };
    let page = world.store.list(rare.clone()).await.unwrap();
    assert_eq!(page.iter().map(|row| row.session).collect::<Vec<_>>(), [session(20), session(15), session(10)]);
    let rest = world.store.list(ListQuery { before: Some(page[2].cursor), ..rare }).await.unwrap();
    assert_eq!(rest.iter().map(|row| row.session).collect::<Vec<_>>(), [session(5), session(0)]);

    // A session that changes moves to the front.
    let mut owner = world.owner(3);
    owner.head = Seq(1);
    owner.send(Append { row: Some(row("/home/u/often", 99)), ..owner.draft(&["again"]) }).await.unwrap();
    let first = world.store.list(ListQuery { limit: 1, ..ListQuery::default() }).await.unwrap();
    assert_eq!((first[0].session, first[0].head), (session(3), Seq(2)));
    assert!("12".parse::<ListCursor>().is_err() && "1.x".parse::<ListCursor>().is_err());
}

#[tokio::test]
async fn the_waking_table_holds_sessions_with_work_left() {
    let world = World::new();
    let (mut left, mut right) = (world.owner(1), world.owner(2));
    left.send(Append { waking: true, ..left.draft(&["x"]) }).await.unwrap();
    right.send(Append { waking: true, ..right.draft(&["x"]) }).await.unwrap();
    left.send(Append { waking: true, ..left.draft(&["x"]) }).await.unwrap();
    assert_eq!(world.store.waking().await.unwrap(), [session(1), session(2)]);
    left.say(&["done"]).await;
    let world = world.reopen().await;
    assert_eq!(world.store.waking().await.unwrap(), [session(2)]);
}

#[tokio::test]
async fn a_fold_is_replaced_and_needs_no_event() {
    let world = World::new();
    let mut owner = world.owner(1);
    owner.say(&["x"]).await;
    let fold = |bytes: &[u8]| FoldRow { kind: "state".into(), format: 3, seq: Seq(1), bytes: bytes.to_vec() };
    let done = owner.send(Append { folds: vec![fold(b"one")], ..owner.draft(&[]) }).await.unwrap();
    assert_eq!(done.head, Seq(1));
    owner.send(Append { folds: vec![fold(b"two")], ..owner.draft(&[]) }).await.unwrap();
    assert_eq!(world.store.fold(session(1), "state").await.unwrap(), Some(fold(b"two")));
    assert_eq!(world.store.fold(session(1), "canvas").await.unwrap(), None);
}

#[tokio::test]
async fn the_daemons_journal_has_no_row_and_no_work() {
    let world = World::new();
    let daemon = crate::world::Owner::of(&world.store, JournalId::Daemon);
    let listed = Append { row: Some(row("/", 0)), ..daemon.draft(&["x"]) };
    let refused = AppendError::Invalid(Invalid::NotOfDaemon { what: "listing row" });
    assert_eq!(world.store.append(listed).await, Err(refused));
    let waking = Append { waking: true, ..daemon.draft(&["x"]) };
    assert!(world.store.append(waking).await.is_err());
    assert!(world.store.append(daemon.draft(&["x"])).await.is_ok());
    assert_eq!(world.store.waking().await.unwrap(), []);
}
