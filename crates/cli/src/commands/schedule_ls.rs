//! `schedule ls`: the schedules with their next and last runs.

use super::schedule_show;
use crate::client::Client;
use crate::current;
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, GOOD, NAME, NOTE};
use crate::table::{Cell, Table};
use agent::ScheduleId;
use anstyle::Style;
use wire::rest::{ScheduleList, ScheduleStatus, ScheduleView};
use wire::{Code, Problem, operation};

/// Lists the schedules: when they are due next, and what became of the last time
///
/// `tinkerbell schedule show` has more of each.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell schedule ls\n  tinkerbell schedule ls --json")]
pub(crate) struct Ls {}

impl Ls {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let answer = client.call(&Request::new(&operation::SCHEDULE_LIST)?)?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let list: ScheduleList = answer.read()?;
        if list.schedules.is_empty() {
            let how = "there is no schedule yet; `tinkerbell schedule add --every 1h \"…\"` makes one";
            context.screen.remark(FAINT, how)?;
            return Ok(Exit::GOOD);
        }
        let mut table = Table::new(["SCHEDULE", "STATUS", "WHEN", "NEXT", "LAST", "SESSION", "NAME"]).flexible(6);
        for view in &list.schedules {
            table.row([
                Cell::styled(NAME, short(view.id)),
                Cell::styled(style(view.status), view.status.word()),
                plain::name(&view.when).into(),
                schedule_show::next(view).into(),
                view.runs.first().map_or_else(|| "-".to_owned(), schedule_show::outcome).into(),
                view.session.map_or_else(|| "new".to_owned(), current::short).into(),
                plain::first_line(view.name.as_deref().unwrap_or("(forgotten)"), usize::MAX).into(),
            ]);
        }
        let columns = context.columns();
        table.print(context.screen.out(), columns)?;
        Ok(Exit::GOOD)
    }
}

/// The end of an id, which stands for it.
pub(crate) fn short(id: ScheduleId) -> String {
    let id = id.to_string();
    id[id.len() - 8..].to_owned()
}

/// The schedule that somebody means: by its id, the beginning or end of it, or its name.
pub(crate) fn find(client: &mut Client, typed: &str) -> Result<ScheduleId, Error> {
    if let Ok(id) = typed.parse() {
        return Ok(id);
    }
    let list: ScheduleList = client.call(&Request::new(&operation::SCHEDULE_LIST)?)?.read()?;
    let named: Vec<&ScheduleView> = list.schedules.iter().filter(|view| view.name.as_deref() == Some(typed)).collect();
    let bare = typed.strip_prefix("sch_").unwrap_or(typed);
    let is_part = |view: &&ScheduleView| {
        let id = view.id.to_string();
        bare.len() >= 4 && (id["sch_".len()..].starts_with(bare) || id.ends_with(bare))
    };
    let found = if named.is_empty() { list.schedules.iter().filter(is_part).collect() } else { named };
    let problem = match found.as_slice() {
        [one] => return Ok(one.id),
        [] => Problem::new(Code::NotFound, format!("there is no schedule {typed:?}")),
        several => Problem::new(Code::InvalidRequest, format!("{typed:?} may be {} schedules", several.len())),
    };
    Err(problem.remedy("`tinkerbell schedule ls` lists them").into())
}

fn style(status: ScheduleStatus) -> Style {
    match status {
        ScheduleStatus::Active => Style::new(),
        ScheduleStatus::Running => GOOD,
        ScheduleStatus::Paused => NOTE,
        ScheduleStatus::Done => FAINT,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{SESSION, daemon, run};

    #[test]
    fn schedules_are_listed_with_what_became_of_the_last_time() {
        let view = serde_json::json!({
            "id": "sch_01kav9ft000000000000000008", "name": "news", "prompt": "anything new?", "when": "every 30m",
            "status": "paused", "paused": "asked", "session": SESSION, "missed": "skip",
            "created_at": "2025-11-23T09:00:00.000000Z", "spent_today_microusd": 0, "fired": 1, "skipped": 1,
            "missed_count": 0,
            "runs": [{"due_at": "2025-11-23T09:30:00.000000Z", "occasion": "due", "reason": "busy"}],
        });
        let list = serde_json::json!({ "schedules": [view] }).to_string();
        let got = run(daemon(&[&list]), &["schedule", "ls"]);
        assert!(got.out.contains("00000008  paused  every 30m  never  skipped: busy  00000007  news\n"), "{}", got.out);
        let none = run(daemon(&["{\"schedules\":[]}"]), &["schedule", "ls"]);
        assert!(none.aside.contains("schedule add"), "{}", none.aside);
        let by_name = run(daemon(&[&list, &view.to_string()]), &["schedule", "resume", "news"]);
        assert!(by_name.heard[1].starts_with("POST /v1/schedules/sch_01kav9ft000000000000000008/resume "));
        let unknown = run(daemon(&[&list]), &["schedule", "show", "olds"]).problem.unwrap();
        assert!(unknown.detail.contains("no schedule \"olds\""), "{unknown}");
    }
}
