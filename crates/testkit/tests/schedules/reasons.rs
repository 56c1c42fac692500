//! Why an occurrence is left out, and what a run may spend.

use super::house::{World, run};
use agent::{Money, PauseCause, SkipReason, TurnOutcome};
use daemon::Prompt;
use wire::rest::{ScheduleStatus, WhileRunning};

fn said(text: &str) -> Prompt {
    Prompt { text: text.to_owned(), model: None, while_running: WhileRunning::Queue, attachments: Vec::new() }
}

fn reasons(view: &wire::rest::ScheduleView) -> Vec<Option<SkipReason>> {
    view.runs.iter().map(|run| run.reason).collect()
}

#[test]
fn a_busy_session_is_left_alone() {
    run(async {
        let mut world = World::new().await;
        let session = world.session().await;
        let id = world.add(|r| (r.every_s, r.session) = (Some(60), Some(session))).await;
        world.registry.prompt(session, said("[[pause 100000]] I speak slowly"), None).await.unwrap();
        world.pass(60);
        let view = world.until(id, |view| view.skipped == 1).await;
        assert_eq!(reasons(&view), [Some(SkipReason::Busy)]);
        let asked = world.registry.house().schedules.run(id).await.unwrap_err();
        assert_eq!(asked.code, wire::Code::Conflict);
        world.registry.cancel(session).await.unwrap();
        world.pass(60);
        world.until(id, |view| view.fired == 1 || view.skipped == 2).await;
        world.stop().await;
    });
}

#[test]
fn a_heartbeat_of_a_session_that_nobody_touches_falls_silent() {
    run(async {
        let mut world = World::new().await;
        let session = world.session().await;
        let make = |r: &mut wire::rest::CreateSchedule| {
            (r.every_s, r.session, r.active_s) = (Some(3_600), Some(session), Some(7_200));
        };
        let id = world.add(make).await;
        world.registry.prompt(session, said("a person is here"), None).await.unwrap();
        let mut view = world.view(id).await;
        for hour in 1..=10 {
            world.pass(3_600);
            view = world.until(id, |view| view.fired + view.skipped == hour).await;
        }
        assert!(view.fired <= 3 && view.skipped >= 7, "{view:#?}");
        assert_eq!(view.runs[0].reason, Some(SkipReason::Inactive), "its own prompts are no sign of a person");
        // Asking for it is one.
        let fired = view.fired;
        world.registry.house().schedules.run(id).await.unwrap();
        world.until(id, |view| view.fired == fired + 1).await;
        world.stop().await;
    });
}

#[test]
fn a_schedule_whose_session_is_gone_rests_and_says_why() {
    run(async {
        let mut world = World::new().await;
        let session = world.session().await;
        let id = world.add(|r| (r.every_s, r.session) = (Some(600), Some(session))).await;
        world.registry.remove(session, true).await.unwrap();
        world.pass(600);
        let view = world.until(id, |view| view.skipped == 1).await;
        assert_eq!((view.status, view.paused), (ScheduleStatus::Paused, Some(PauseCause::SessionGone)));
        for _ in 0..5 {
            world.pass(600);
        }
        assert_eq!(world.looked(id).await.skipped, 1, "nothing burns on");
        world.restart().await;
        assert_eq!(world.looked(id).await.paused, Some(PauseCause::SessionGone));
        world.stop().await;
    });
}

#[test]
fn a_run_spends_what_it_may_and_a_day_as_well() {
    run(async {
        let mut world = World::new().await;
        let session = world.session().await;
        // Ten calls of a tool that is not there, each of which costs; a run may spend what about one call takes at most.
        let tick = "[[tool x {}]] [[then]] [[tool y {}]] [[then]] [[tool z {}]]";
        let make = |r: &mut wire::rest::CreateSchedule| {
            (r.every_s, r.session, r.prompt) = (Some(600), Some(session), tick.to_owned());
            (r.run_microusd, r.day_microusd) = (Some(Money(25_000)), Some(Money(26_000)));
        };
        let id = world.add(make).await;
        world.pass(600);
        let view = world.until(id, |view| view.fired == 1).await;
        let first = &view.runs[0];
        assert!(first.cost_microusd <= Money(25_000), "{first:?}");
        assert_eq!(view.spent_today_microusd, first.cost_microusd);
        println!("schedules: a run of {:?} cost {:?}", first.outcome, first.cost_microusd);
        for _ in 0..20 {
            let seen = world.view(id).await;
            world.pass(600);
            world.until(id, |view| view.fired + view.skipped > seen.fired + seen.skipped).await;
        }
        let view = world.view(id).await;
        assert!(view.spent_today_microusd <= Money(26_000), "{view:#?}");
        world.stop().await;
    });
}

#[test]
fn a_run_without_money_ends_before_it_calls() {
    run(async {
        let mut world = World::new().await;
        let workspace = world.workspace();
        let make = |r: &mut wire::rest::CreateSchedule| {
            (r.every_s, r.workspace, r.run_microusd) = (Some(600), Some(workspace.clone()), Some(Money(10)));
        };
        let id = world.add(make).await;
        world.pass(600);
        let view = world.until(id, |view| view.fired == 1).await;
        assert_eq!((view.runs[0].outcome, view.runs[0].cost_microusd), (Some(TurnOutcome::Limit), Money(0)));
        // With nothing left for the day it does not even begin.
        let poor = world
            .add(|r| (r.every_s, r.workspace, r.day_microusd) = (Some(600), Some(workspace.clone()), Some(Money(0))))
            .await;
        world.pass(600);
        assert_eq!(reasons(&world.until(poor, |view| view.skipped == 1).await), [Some(SkipReason::Budget)]);
        world.stop().await;
    });
}

#[test]
fn what_is_removed_is_forgotten_and_what_makes_no_sense_is_refused() {
    run(async {
        let world = World::new().await;
        let (workspace, schedules) = (world.workspace(), &world.registry.house().schedules);
        let id = world.add(|r| (r.every_s, r.workspace) = (Some(600), Some(workspace.clone()))).await;
        schedules.pause(id).await.unwrap();
        assert_eq!(schedules.resume(id).await.unwrap().status, ScheduleStatus::Active);
        schedules.remove(id).await.unwrap();
        assert_eq!(schedules.get(id).await.unwrap_err().code, wire::Code::NotFound);
        let records = world.registry.house().store.events(store::JournalId::Daemon, agent::Seq(0), 100).await.unwrap();
        assert!(records.iter().all(|record| !record.body.as_deref().unwrap_or_default().contains("hello")));
        world.registry.house().store.verify(store::JournalId::Daemon).await.unwrap();
        let refused = async |change: fn(&mut wire::rest::CreateSchedule)| {
            let mut request = wire::rest::CreateSchedule {
                prompt: "hello".to_owned(),
                workspace: Some(workspace.clone()),
                every_s: Some(600),
                ..Default::default()
            };
            change(&mut request);
            schedules.add(request).await.unwrap_err().code
        };
        use wire::Code::{BadWorkspace, InvalidRequest, NotFound, TooLarge, UnknownModel};
        assert_eq!(refused(|r| r.prompt = " ".into()).await, InvalidRequest);
        assert_eq!(refused(|r| r.prompt = "x".repeat(20_000)).await, TooLarge);
        assert_eq!(refused(|r| r.every_s = Some(1)).await, InvalidRequest);
        assert_eq!(refused(|r| (r.every_s, r.cron) = (None, Some("0 0 30 2 *".into()))).await, InvalidRequest);
        assert_eq!(refused(|r| (r.every_s, r.at) = (None, Some("2001-01-01T00:00".into()))).await, InvalidRequest);
        assert_eq!(refused(|r| r.workspace = Some("/no/such/place".into())).await, BadWorkspace);
        assert_eq!(refused(|r| r.model = Some(agent::ModelName::new("nobody"))).await, UnknownModel);
        let nobody = Some("ses_01jd2y6v9hq3k8t5w7x4z0abcd".parse().unwrap());
        let request = wire::rest::CreateSchedule {
            prompt: "hello".into(),
            every_s: Some(60),
            session: nobody,
            ..Default::default()
        };
        assert_eq!(schedules.add(request).await.unwrap_err().code, NotFound);
        world.stop().await;
    });
}
