//! Idempotency keys: one answer for each, for a time.

use crate::world::{NOW, World};
use agent::{Micros, Seq};
use store::{Answer, Append, AppendError, NewAnswer};
use wire::BlobHash;

const HOUR: i64 = 3_600_000_000;

fn answer(key: &str, text: &str, now: i64) -> NewAnswer {
    let (now, expires) = (Micros(NOW.0 + now), Micros(NOW.0 + now + 24 * HOUR));
    NewAnswer {
        scope: "uid:1000".into(),
        key: key.into(),
        body_hash: BlobHash::of(b"body"),
        answer: text.into(),
        now,
        expires,
    }
}

#[tokio::test]
async fn a_key_answers_until_it_expires() {
    let world = World::new();
    let mut owner = world.owner(1);
    owner.send(Append { answer: Some(answer("k", "first", 0)), ..owner.draft(&["one"]) }).await.unwrap();
    let given = Answer { body_hash: BlobHash::of(b"body"), answer: "first".into() };
    let at = |hours| Micros(NOW.0 + hours * HOUR);
    assert_eq!(world.store.answer("uid:1000", "k", at(23)).await.unwrap(), Some(given.clone()));
    assert_eq!(world.store.answer("uid:1000", "k", at(24)).await.unwrap(), None);
    assert_eq!(world.store.answer("uid:1001", "k", at(0)).await.unwrap(), None);

    let again = Append { answer: Some(answer("k", "second", HOUR)), ..owner.draft(&["two"]) };
    assert_eq!(owner.send(again).await, Err(AppendError::Answered(given)));
    let later = Append { answer: Some(answer("k", "third", 25 * HOUR)), ..owner.draft(&["two"]) };
    assert_eq!(owner.send(later).await.unwrap().head, Seq(2));
    assert_eq!(world.store.answer("uid:1000", "k", at(26)).await.unwrap().unwrap().answer, "third");
}

#[tokio::test]
async fn of_two_requests_under_one_key_that_come_at_once_one_happens() {
    let world = World::new();
    let (left, right) = (world.owner(1), world.owner(2));
    let draft =
        |owner: &crate::world::Owner, text| Append { answer: Some(answer("k", text, 0)), ..owner.draft(&["x"]) };
    let outcomes = world.store.append_together(vec![draft(&left, "left"), draft(&right, "right")]).await;
    assert!(outcomes[0].is_ok());
    assert!(matches!(&outcomes[1], Err(AppendError::Answered(given)) if given.answer == "left"));
    assert_eq!(world.store.head(right.journal).await.unwrap(), None);
}

#[tokio::test]
async fn expired_keys_are_removed_as_new_ones_come() {
    let world = World::new();
    let mut owner = world.owner(1);
    for number in 0..40 {
        let new = answer(&format!("old {number}"), "x", 0);
        owner.send(Append { answer: Some(new), ..owner.draft(&["x"]) }).await.unwrap();
    }
    for number in 0..3 {
        let new = answer(&format!("new {number}"), "x", 48 * HOUR);
        owner.send(Append { answer: Some(new), ..owner.draft(&["x"]) }).await.unwrap();
    }
    let connection = rusqlite::Connection::open(world.file()).unwrap();
    let left: i64 = connection.query_row("SELECT count(*) FROM answers", (), |row| row.get(0)).unwrap();
    assert_eq!(left, 3);
}
