//! Money: set aside, settled, refused, and counted once.

use crate::world::{Owner, Random, World, model_call};
use agent::{EffectId, Money, Scope, Seq};
use std::collections::BTreeMap;
use store::{Account, Append, AppendError, Appended, Ceiling, Invalid, JournalId, NewStart, Reserve, Settle, Spent};

const DAY: &str = "2026-11-23";

/// A start that sets money aside.
fn paid_start(
    owner: &Owner,
    index: usize,
    effect: EffectId,
    amount: u64,
    session: Option<u64>,
    day: Option<u64>,
) -> NewStart {
    let ceiling = |limit: Option<u64>, words| {
        limit.map(|limit| Ceiling { limit: Money(limit), otherwise: owner.event(index, words) })
    };
    let (session, per_day) = (ceiling(session, "session exhausted"), ceiling(day, "day exhausted"));
    let reserve = Reserve { effect, amount: Money(amount), day: DAY.into(), session, per_day };
    NewStart { event: owner.event(index, "started"), reserve: Some(reserve) }
}

async fn settle(owner: &mut Owner, effect: EffectId, cost: u64) -> Appended {
    let mut draft = owner.draft(&["finished"]);
    draft.facts[0].settle = vec![Settle { effect, cost: Money(cost) }];
    owner.send(draft).await.unwrap()
}

async fn of_session(owner: &Owner) -> Spent {
    let JournalId::Session(session) = owner.journal else { panic!("not a session") };
    owner.store.spent(Account::Session(session)).await.unwrap()
}

async fn of_day(world: &World) -> Spent {
    world.store.spent(Account::Day(DAY.into())).await.unwrap()
}

fn spent(settled: u64, reserved: u64) -> Spent {
    Spent { settled: Money(settled), reserved: Money(reserved) }
}

#[tokio::test]
async fn what_is_set_aside_counts_until_it_is_settled() {
    let world = World::new();
    let mut owner = world.owner(1);
    owner.say(&["hello"]).await;
    let mut draft = owner.draft(&["a fact"]);
    draft.starts = vec![
        paid_start(&owner, 1, model_call(1), 60, Some(100), None),
        paid_start(&owner, 2, model_call(2), 41, Some(100), None),
        paid_start(&owner, 3, model_call(3), 40, Some(100), None),
    ];
    let done = owner.send(draft).await.unwrap();
    // Only the one that does not fit is refused; its stand-in has its place, and the fact stays.
    assert_eq!((done.head, done.refused), (Seq(5), vec![(1, Scope::Session)]));
    let bodies = world.store.events(owner.journal, Seq(2), 9).await.unwrap();
    let bodies: Vec<_> = bodies.iter().map(|record| record.body.as_deref().unwrap()).collect();
    assert_eq!(bodies, [r#"{"text":"started"}"#, r#"{"text":"session exhausted"}"#, r#"{"text":"started"}"#]);
    assert_eq!(of_session(&owner).await, spent(0, 100));

    settle(&mut owner, model_call(1), 7).await;
    assert_eq!(of_session(&owner).await, spent(7, 40));
    // Settled again, and settled without ever having been set aside: counted once, or not at all.
    settle(&mut owner, model_call(1), 7).await;
    settle(&mut owner, model_call(2), 1000).await;
    assert_eq!((of_session(&owner).await, of_day(&world).await), (spent(7, 40), spent(7, 40)));
    // A call may cost more than was set aside for it.
    settle(&mut owner, model_call(3), 500).await;
    assert_eq!((of_session(&owner).await, of_day(&world).await), (spent(507, 0), spent(507, 0)));
}

#[tokio::test]
async fn a_day_is_shared_by_all_sessions() {
    let world = World::new();
    let (mut left, mut right) = (world.owner(1), world.owner(2));
    left.say(&["hello"]).await;
    right.say(&["hello"]).await;
    let ask = |owner: &Owner| Append {
        starts: vec![paid_start(owner, 0, model_call(1), 60, Some(1000), Some(100))],
        ..owner.draft(&[])
    };
    let outcomes = world.store.append_together(vec![ask(&left), ask(&right)]).await;
    assert_eq!(outcomes[0].as_ref().unwrap().refused, []);
    assert_eq!(outcomes[1].as_ref().unwrap().refused, [(0, Scope::Day)]);
    assert_eq!((of_session(&left).await, of_session(&right).await), (spent(0, 60), spent(0, 0)));
    assert_eq!(of_day(&world).await, spent(0, 60));
}

#[tokio::test]
async fn an_effect_is_not_started_twice() {
    let world = World::new();
    let mut owner = world.owner(1);
    owner.say(&["hello"]).await;
    let mut draft = owner.draft(&[]);
    draft.starts = vec![
        paid_start(&owner, 0, model_call(1), 60, None, None),
        paid_start(&owner, 1, model_call(1), 60, None, None),
    ];
    let refused = owner.send(draft).await;
    assert_eq!(refused, Err(AppendError::Invalid(Invalid::StartedBefore { effect: model_call(1) })));
    assert_eq!(of_session(&owner).await, spent(0, 0));
    assert_eq!(owner.say(&["nothing was written"]).await.head, Seq(2));
}

#[tokio::test]
async fn a_day_must_be_a_day_and_sums_do_not_overflow() {
    let world = World::new();
    let mut owner = world.owner(1);
    owner.say(&["hello"]).await;
    let mut draft = owner.draft(&[]);
    draft.starts = vec![paid_start(&owner, 0, model_call(1), 1, None, None)];
    draft.starts[0].reserve.as_mut().unwrap().day = "ses_x".into();
    let refused = owner.send(draft).await;
    assert_eq!(refused, Err(AppendError::Invalid(Invalid::Day { day: "ses_x".into() })));
    let most = i64::MAX as u64;
    for step in [1, 2] {
        let mut draft = owner.draft(&[]);
        draft.starts = vec![paid_start(&owner, 0, model_call(step), most, None, None)];
        owner.send(draft).await.unwrap();
    }
    assert_eq!(of_session(&owner).await, spent(0, most));
    let mut draft = owner.draft(&[]);
    draft.starts = vec![paid_start(&owner, 0, model_call(3), most + 1, None, None)];
    assert!(matches!(owner.send(draft).await, Err(AppendError::Invalid(Invalid::Number { .. }))));
}

#[tokio::test]
async fn random_spending_agrees_with_a_plain_account_book() {
    let seed = Random::seed();
    let mut random = Random(seed);
    let world = World::new();
    let mut owners: Vec<Owner> = (0..4).map(|number| world.owner(number)).collect();
    let mut open: BTreeMap<(usize, u32), u64> = BTreeMap::new();
    let (mut settled, mut trials, mut refusals) = ([0u64; 4], 0, 0);
    for step in 1..=400 {
        let who = random.below(4) as usize;
        let reserved = |who| open.iter().filter(|((w, _), _)| *w == who).map(|(_, amount)| amount).sum::<u64>();
        let day: u64 = settled.iter().sum::<u64>() + (0..4).map(reserved).sum::<u64>();
        let own = settled[who] + reserved(who);
        let next = open.keys().nth(random.below(1 + open.len() as u64) as usize).copied();
        if let Some((who, call)) = next {
            let cost = random.below(120);
            settle(&mut owners[who], model_call(call), cost).await;
            open.remove(&(who, call));
            settled[who] += cost;
        } else {
            let amount = random.below(100);
            let owner = &mut owners[who];
            let (session, all) = (own + random.below(150), day + random.below(150));
            let start = paid_start(owner, 0, model_call(step), amount, Some(session), Some(all));
            let draft = Append { starts: vec![start], ..owner.draft(&[]) };
            let done = owner.send(draft).await.unwrap();
            let expected = match (own + amount > session, day + amount > all) {
                (true, _) => vec![(0, Scope::Session)],
                (false, true) => vec![(0, Scope::Day)],
                (false, false) => vec![],
            };
            assert_eq!(done.refused, expected, "seed {seed}, step {step}");
            if done.refused.is_empty() {
                open.insert((who, step), amount);
            }
            refusals += done.refused.len();
        }
        trials += 1;
    }
    for (who, owner) in owners.iter().enumerate() {
        let reserved = open.iter().filter(|((w, _), _)| *w == who).map(|(_, amount)| amount).sum();
        assert_eq!(of_session(owner).await, spent(settled[who], reserved), "seed {seed}");
    }
    assert_eq!(of_day(&world).await, spent(settled.iter().sum(), open.values().sum()), "seed {seed}");
    assert!(refusals > 10, "seed {seed}: the limits were hardly ever reached");
    println!("account book: seed {seed}, {trials} trials, {refusals} refusals, 0 failures");
}
