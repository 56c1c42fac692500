//! Clocks that jump, daemons that were down, and a daemon that was taken over.

use super::house::{World, keep, registry, run};
use agent::{Event, MissedRule, Seq};
use store::{JournalId, ListQuery};
use wire::Header;
use wire::rest::ScheduleStatus;

const DAY_S: i64 = 86_400;

#[test]
fn what_was_fired_is_never_fired_again_when_the_clock_goes_back() {
    run(async {
        let mut world = World::new().await;
        let session = world.session().await;
        let id = world.add(|r| (r.every_s, r.session) = (Some(600), Some(session))).await;
        world.pass(600);
        let first = world.until(id, |view| view.fired == 1).await;
        // Back by a day, and there again, in steps and at once.
        for _ in 0..3 {
            world.pass(-DAY_S);
            assert_eq!(world.looked(id).await.fired, 1);
            for step in [DAY_S / 2, DAY_S / 2 - 30, 30] {
                world.pass(step);
                assert_eq!(world.looked(id).await.fired, 1);
            }
        }
        world.restart().await;
        assert_eq!(world.looked(id).await.fired, 1);
        world.pass(600);
        let second = world.until(id, |view| view.fired == 2).await;
        assert_eq!(second.runs[1], first.runs[0]);
        // Forward by a day: the last one is due now or was missed, and nothing between is made up for.
        world.pass(DAY_S + 300);
        let after = world.until(id, |view| view.missed_count > 0).await;
        assert_eq!((after.fired, after.missed_count), (2, 144));
        world.stop().await;
    });
}

#[test]
fn a_daemon_that_was_down_makes_up_for_what_the_rule_says() {
    run(async {
        let mut world = World::new().await;
        let workspace = world.workspace();
        let mut ids = Vec::new();
        for missed in [MissedRule::Skip, MissedRule::One, MissedRule::All] {
            let make = |r: &mut wire::rest::CreateSchedule| {
                (r.every_s, r.missed, r.workspace) = (Some(3_600), Some(missed), Some(workspace.clone()));
            };
            ids.push(world.add(make).await);
        }
        let once = world.add(|r| (r.in_s, r.workspace) = (Some(1_800), Some(workspace.clone()))).await;
        world.stop().await;
        // Thirty and a half hours: `all` makes up for the last 24.
        world.pass(30 * 3_600 + 1_800);
        world.registry = registry(world.dir.path(), &world.clock).await;
        keep(&world.registry);
        let skip = world.until(ids[0], |view| view.missed_count == 30).await;
        let one = world.until(ids[1], |view| view.fired == 1).await;
        let all = world.until(ids[2], |view| view.fired == 24).await;
        assert_eq!((skip.fired, one.missed_count, all.missed_count), (0, 29, 6));
        let done = world.until(once, |view| view.fired == 1).await;
        assert_eq!((done.status, done.next_at), (ScheduleStatus::Done, None));
        let sessions =
            world.registry.house().store.list(ListQuery { limit: 200, ..ListQuery::default() }).await.unwrap();
        assert_eq!(sessions.len(), 26, "each run opened a session");
        world.stop().await;
    });
}

#[test]
fn a_daemon_that_was_taken_over_claims_nothing() {
    run(async {
        let mut world = World::new().await;
        let session = world.session().await;
        let id = world.add(|r| (r.every_s, r.session) = (Some(600), Some(session))).await;
        world.view(id).await;
        // The lock keeps two daemons apart; where it fails, the generation does.
        let newer = registry(world.dir.path(), &world.clock).await;
        world.pass(600);
        let gone = loop {
            // The older keeper finds out when it claims, and leaves.
            match world.registry.house().schedules.get(id).await {
                Err(problem) => break problem,
                Ok(view) => assert_eq!(view.fired, 0),
            }
        };
        assert_eq!(gone.code, wire::Code::Draining);
        keep(&newer);
        let older = std::mem::replace(&mut world.registry, newer);
        world.until(id, |view| view.fired == 1).await;
        let (mut claims, mut prompts) = (0, 0);
        for (journal, count) in [(JournalId::Daemon, &mut claims), (JournalId::Session(session), &mut prompts)] {
            for record in world.registry.house().store.events(journal, Seq(0), 1_000).await.unwrap() {
                let event = Header::from_json(&record.header).unwrap().event;
                *count += u32::from(matches!(
                    event,
                    Event::ScheduleClaimed { .. } | Event::PromptAccepted { scheduled: Some(_), .. }
                ));
            }
        }
        assert_eq!((claims, prompts), (1, 1));
        older.house().stop.cancel();
        world.stop().await;
    });
}

#[test]
fn a_start_reads_little_however_long_the_journal_is() {
    run(async {
        let mut world = World::new().await;
        let workspace = world.workspace();
        let id = world.add(|r| (r.every_s, r.workspace) = (Some(3_600), Some(workspace))).await;
        let journal = &world.registry.house().journal;
        let began = std::time::Instant::now();
        for _ in 0..1_000 {
            journal
                .note(Event::DaemonEnded { generation: journal.generation() }, &serde_json::json!({}))
                .await
                .unwrap();
        }
        let wrote = began.elapsed();
        world.restart().await;
        let began = std::time::Instant::now();
        let view = world.view(id).await;
        println!("schedules: 1,000 events of others written in {wrote:?}, known {:?} after the start", began.elapsed());
        assert_eq!(view.status, ScheduleStatus::Active);
        let fold = world.registry.house().store.fold_of(JournalId::Daemon, "schedules").await.unwrap().unwrap();
        assert!(fold.seq > Seq(1_000) && fold.bytes.len() < 2_000, "{} bytes at {}", fold.bytes.len(), fold.seq);
        world.stop().await;
    });
}
