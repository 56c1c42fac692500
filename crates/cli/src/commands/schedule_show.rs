//! `schedule show`: one schedule, and what became of its last occurrences.

use super::schedule_ls::find;
use crate::current;
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{HEAD, Screen};
use crate::table::Table;
use crate::words;
use agent::{Micros, Money, Occasion, PauseCause};
use wire::operation;
use wire::rest::{ScheduleRun, ScheduleView};

/// Shows a schedule: its prompt, its budget, its next time, and what became of its last ones
///
/// Times are UTC and say so; the zone that a cron line goes by stands behind it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell schedule show 0a1b2c3d\n  tinkerbell schedule show \"monthly report\"")]
pub(crate) struct Show {
    /// The schedule: its id, the beginning or end of it, or its name
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
}

impl Show {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let id = find(&mut client, &self.schedule)?;
        let answer = client.call(&Request::new(&operation::SCHEDULE_GET)?.at("schedule", id))?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let columns = context.columns();
        print(&mut context.screen, &answer.read()?, columns)?;
        Ok(Exit::GOOD)
    }
}

fn print(screen: &mut Screen, view: &ScheduleView, columns: Option<usize>) -> Result<(), Error> {
    let out = screen.out();
    let forgotten = "(forgotten)";
    let name = plain::first_line(view.name.as_deref().unwrap_or(forgotten), usize::MAX);
    let heading = out.paint(HEAD, &format!("{name} ({})", view.id));
    out.line(&heading)?;
    let place = match (view.session, &view.workspace) {
        (Some(session), _) => format!("the session {session}"),
        (None, Some(workspace)) => format!("a new session each time, in {}", plain::name(workspace)),
        (None, None) => "a new session each time".to_owned(),
    };
    let prompt = plain::first_line(view.prompt.as_deref().unwrap_or(forgotten), usize::MAX);
    let lines = [
        ("status", status(view)),
        ("when", plain::name(&view.when)),
        ("next", next(view)),
        ("where", place),
        ("prompt", prompt),
        ("model", view.model.as_ref().map_or_else(|| "the default".to_owned(), |model| plain::name(model.as_str()))),
        ("missed", view.missed.word().to_owned()),
        ("budget", budget(view)),
        ("so far", format!("{} fired, {} skipped, {} missed", view.fired, view.skipped, view.missed_count)),
    ];
    lines.iter().try_for_each(|(name, value)| out.line(&format!("  {name:9} {value}")))?;
    if view.runs.is_empty() {
        return Ok(());
    }
    out.line("")?;
    let mut table = Table::new(["DUE", "OUTCOME", "COST", "SESSION", "TURN", ""]).flexible(5);
    for run in &view.runs {
        let money = if run.session.is_some() { words::dollars(run.cost_microusd) } else { "-".to_owned() };
        table.row([
            time(run.due_at),
            outcome(run),
            money,
            run.session.map_or_else(|| "-".to_owned(), current::short),
            run.turn.map_or_else(|| "-".to_owned(), |turn| turn.to_string()),
            plain::first_line(run.message.as_deref().unwrap_or_default(), usize::MAX),
        ]);
    }
    table.print(out, columns)
}

fn status(view: &ScheduleView) -> String {
    match view.paused {
        None => view.status.word().to_owned(),
        Some(cause) => format!("{}, because {}", view.status.word(), because(cause)),
    }
}

/// Why a schedule rests.
pub(crate) fn because(cause: PauseCause) -> &'static str {
    match cause {
        PauseCause::Asked => "somebody asked for it",
        PauseCause::SessionGone => "its session is no more",
        PauseCause::Forgotten => "its prompt was forgotten",
    }
}

fn budget(view: &ScheduleView) -> String {
    let limit = |name: &str, most: Option<Money>| most.map(|most| format!("{} {name}", words::dollars(most)));
    let limits: Vec<String> =
        [limit("a run", view.run_microusd), limit("a day", view.day_microusd)].into_iter().flatten().collect();
    let limits = if limits.is_empty() { "none of its own".to_owned() } else { limits.join(", ") };
    let active = view.active_s.map_or_else(String::new, |seconds| {
        let long = words::lasting(i64::try_from(seconds).unwrap_or(i64::MAX));
        format!("; only if somebody was there within {long}")
    });
    format!("{limits}; {} spent today (UTC){active}", words::dollars(view.spent_today_microusd))
}

/// When it is due next, from now.
pub(crate) fn next(view: &ScheduleView) -> String {
    let Some(next) = view.next_at else { return "never".to_owned() };
    let seconds = next.0.saturating_sub(words::now().0) / 1_000_000;
    if seconds <= 0 { "now".to_owned() } else { format!("{} (in {})", time(next), words::lasting(seconds)) }
}

/// What became of an occurrence, in a word or two.
pub(crate) fn outcome(run: &ScheduleRun) -> String {
    if let Some(count) = run.missed {
        return format!("missed: {count}");
    }
    if let Some(reason) = run.reason {
        return format!("skipped: {}", reason.word().replace('_', " "));
    }
    let how = match run.occasion {
        Some(Occasion::CaughtUp) => " (caught up)",
        Some(Occasion::Asked) => " (asked)",
        Some(Occasion::Due) | None => "",
    };
    let ended = run.outcome.map_or("running", |outcome| outcome.word());
    let ended = if run.outcome.is_none() && run.message.is_some() { "gone" } else { ended };
    format!("{ended}{how}")
}

/// A time to the second, which says that it is UTC: the schedule may go by another zone.
pub(crate) fn time(at: Micros) -> String {
    format!("{} UTC", wire::time::write(at)[..19].replace('T', " "))
}

#[cfg(test)]
mod tests {
    use crate::testing::{SESSION, daemon, run};

    #[test]
    fn a_schedule_is_told_of_with_its_runs() {
        let view = serde_json::json!({
            "id": "sch_01kav9ft000000000000000008", "name": "news", "prompt": "anything new?",
            "when": "0 9 * * 1-5 (UTC)", "status": "paused", "paused": "session_gone", "session": SESSION,
            "missed": "all", "run_microusd": 50_000, "day_microusd": 500_000, "active_s": 86_400,
            "created_at": "2025-11-23T09:00:00.000000Z", "spent_today_microusd": 1_200, "fired": 1, "skipped": 1,
            "missed_count": 3,
            "runs": [
                {"due_at": "2025-11-26T09:00:00.000000Z", "occasion": "due", "reason": "session_gone"},
                {"due_at": "2025-11-25T09:00:00.000000Z", "missed": 3},
                {"due_at": "2025-11-24T09:00:00.000000Z", "occasion": "due", "session": SESSION, "turn": "trn_3",
                 "seq": 41, "outcome": "done", "cost_microusd": 1_200},
            ],
        });
        let got = run(daemon(&[&view.to_string()]), &["schedule", "show", "sch_01kav9ft000000000000000008"]).out;
        for line in [
            "  status    paused, because its session is no more\n",
            "  budget    $0.05 a run, $0.50 a day; $0.0012 spent today (UTC); only if somebody was there within 1 day\n",
            "2025-11-26 09:00:00 UTC  skipped: session gone  -        -         -\n",
            "2025-11-25 09:00:00 UTC  missed: 3              -        -         -\n",
            "2025-11-24 09:00:00 UTC  done                   $0.0012  00000007  trn_3\n",
        ] {
            assert!(got.contains(line), "{line}{got}");
        }
    }
}
