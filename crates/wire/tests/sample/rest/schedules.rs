//! Schedules, and what became of their occurrences.

use super::{model, words};
use crate::sample::shapes::{MORNING, schedule, session};
use crate::sample::written::{Written, written};
use agent::{MissedRule, Money, Occasion, PauseCause, Seq, SkipReason, TurnId, TurnOutcome};
use wire::rest::*;

pub(super) fn samples() -> Vec<Written> {
    let fired = ScheduleRun {
        session: Some(session()),
        turn: Some(TurnId(3)),
        seq: Some(Seq(41)),
        outcome: Some(TurnOutcome::Done),
        cost_microusd: Money(4_800),
        occasion: Some(Occasion::Due),
        ..run()
    };
    let skipped = ScheduleRun {
        reason: Some(SkipReason::Refused),
        message: words("there is no model named careful"),
        occasion: Some(Occasion::CaughtUp),
        ..run()
    };
    let missed = ScheduleRun { missed: Some(3), ..run() };
    let full = ScheduleView {
        name: words("the carry"),
        prompt: words("Is the carry well?"),
        paused: Some(PauseCause::SessionGone),
        session: Some(session()),
        workspace: words("/home/ada/engine"),
        run_microusd: Some(Money(50_000)),
        day_microusd: Some(Money(500_000)),
        active_s: Some(86_400),
        model: Some(model()),
        next_at: Some(MORNING),
        runs: vec![fired.clone(), skipped.clone(), missed.clone()],
        ..view(ScheduleStatus::Paused)
    };
    let views = [ScheduleStatus::Active, ScheduleStatus::Running, ScheduleStatus::Done].map(view);
    let [active, running, done] = views;
    written![
        CreateSchedule: [
            CreateSchedule { prompt: "Is the carry well?".to_owned(), ..CreateSchedule::default() },
            CreateSchedule {
                prompt: "Is the carry well?".to_owned(),
                name: words("the carry"),
                cron: words("0 9 * * 1-5"),
                every_s: Some(1_800),
                at: words("2026-12-01T09:00"),
                in_s: Some(600),
                zone: words("Europe/Berlin"),
                session: Some(session()),
                workspace: words("/home/ada/engine"),
                missed: Some(MissedRule::One),
                run_microusd: Some(Money(50_000)),
                day_microusd: Some(Money(500_000)),
                active_s: Some(86_400),
                model: Some(model()),
            },
        ],
        ScheduleList: [
            ScheduleList { schedules: vec![] },
            ScheduleList { schedules: vec![active.clone()] },
        ],
        ScheduleView: [active, running, done, full],
        ScheduleRun: [fired, skipped, missed],
    ]
}

fn run() -> ScheduleRun {
    ScheduleRun {
        due_at: MORNING,
        occasion: None,
        reason: None,
        missed: None,
        session: None,
        turn: None,
        seq: None,
        outcome: None,
        cost_microusd: Money(0),
        message: None,
    }
}

fn view(status: ScheduleStatus) -> ScheduleView {
    ScheduleView {
        id: schedule(),
        name: None,
        prompt: None,
        when: "0 9 * * 1-5 (Europe/Berlin)".to_owned(),
        status,
        paused: None,
        session: None,
        workspace: None,
        missed: MissedRule::Skip,
        run_microusd: None,
        day_microusd: None,
        active_s: None,
        model: None,
        created_at: MORNING,
        next_at: None,
        spent_today_microusd: Money(0),
        fired: 7,
        skipped: 2,
        missed_count: 3,
        runs: vec![],
    }
}
