//! `sessions rm`: removes sessions with all their words.

use crate::commands::sessions_redact;
use crate::confirm::confirm;
use crate::current::{self, Which};
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::NOTE;
use crate::typed;
use crate::words;
use wire::rest::{Removed, SessionRow, SessionStatus};
use wire::{Code, Problem, operation};

/// How many characters of a title a question has.
const TITLE_CHARS: usize = 60;

/// Removes sessions with all their words; this cannot be taken back
///
/// Prompts, replies, outputs and what is on the canvas are gone; your files stay as they are. A session whose turn runs
/// is refused unless --force cancels the turn first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell sessions rm 0a1b2c3d
  tinkerbell sessions rm --yes --force 0a1b2c3d 4e5f6a7b")]
pub(crate) struct Remove {
    /// The sessions: their ids, or the beginnings or ends of them
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,

    /// Cancel a turn that runs, then remove its session
    #[arg(short, long)]
    force: bool,
}

impl Remove {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let mut rows: Vec<SessionRow> = Vec::new();
        for id in &self.ids {
            let id = Which::of(id).find_id(&mut client)?;
            if rows.iter().all(|row| row.id != id) {
                rows.push(current::get(&mut client, id)?.row);
            }
        }
        if let Some(busy) = rows.iter().find(|row| is_busy(row) && !self.force) {
            return Err(still_busy(busy).into());
        }
        if !confirm(&mut context.screen, &question(&rows), self.yes)? {
            return Ok(Exit::BAD);
        }
        for row in &rows {
            // One that cannot be read any more must be removable all the same.
            let said = typed::prompts(&mut client, row.id, None).unwrap_or_default();
            let mut request = Request::new(&operation::SESSION_REMOVE)?.at("session", row.id);
            if self.force {
                request = request.query("force", true);
            }
            let answer = client.call(&request)?;
            typed::forget(context, &said)?;
            if context.globals.json {
                context.print_json(&answer.body)?;
                continue;
            }
            let removed: Removed = answer.read()?;
            let events = words::count(removed.events, "event");
            context.screen.out().line(&format!("removed {} with {events}", removed.session))?;
            told_rest(context, &removed)?;
        }
        Ok(Exit::GOOD)
    }
}

/// Says where its words still are.
fn told_rest(context: &mut Context, removed: &Removed) -> Result<(), Error> {
    if !removed.forks.is_empty() {
        let forks: Vec<String> = removed.forks.iter().map(|fork| current::short(*fork)).collect();
        let what = format!("! forks still hold what they copied of it: {}", forks.join(" "));
        context.screen.remark(NOTE, &what)?;
    }
    sessions_redact::in_snapshots(context, &removed.snapshots, &removed.held_in)?;
    sessions_redact::in_kept_states(context, &removed.kept_states)?;
    match removed.cleared {
        true => Ok(()),
        false => context.screen.remark(NOTE, sessions_redact::NOT_CLEARED),
    }
}

fn is_busy(row: &SessionRow) -> bool {
    row.status != SessionStatus::Idle
}

fn still_busy(row: &SessionRow) -> Problem {
    let short = current::short(row.id);
    let what = match row.status {
        SessionStatus::Waiting => "waits for an answer",
        SessionStatus::Running | SessionStatus::Idle => "is running",
    };
    Problem::new(Code::Conflict, format!("a turn of {} {what}, so nothing was removed", row.id))
        .remedy(format!("wait for it, or `tinkerbell sessions rm --force {short}` to cancel it first"))
}

fn question(rows: &[SessionRow]) -> String {
    let called = |row: &SessionRow| format!("{} {:?}", row.id, plain::first_line(&row.title, TITLE_CHARS));
    match rows {
        [one] => format!("Remove {} for good?", called(one)),
        several => {
            let names: Vec<String> = several.iter().map(|row| format!("  {}", called(row))).collect();
            format!("{}\nRemove these {} sessions for good?", names.join("\n"), several.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SESSION, daemon, run, session_view};

    #[test]
    fn it_needs_a_yes_where_nobody_can_be_asked() {
        let view = session_view("a", "idle");
        let refused = run(daemon(&[&view]), &["sessions", "rm", SESSION]);
        let problem = refused.problem.unwrap();
        assert!(problem.detail.contains("Remove ses_01kav9ft000000000000000007 \"a\" for good?"), "{problem}");
        let removed = format!("{{\"session\":\"{SESSION}\",\"events\":9,\"cleared\":true}}");
        let done = run(daemon(&[&view, "{\"events\":[]}", &removed]), &["sessions", "rm", "--yes", SESSION, SESSION]);
        assert_eq!(done.out, format!("removed {SESSION} with 9 events\n"));
        assert!(done.heard[2].starts_with(&format!("DELETE /v1/sessions/{SESSION} ")), "{:?}", done.heard);
    }

    #[test]
    fn a_running_session_is_refused_and_by_force_the_daemon_cancels_it() {
        let busy = session_view("a", "running");
        let refused = run(daemon(&[&busy]), &["sessions", "rm", "-y", SESSION]);
        let problem = refused.problem.unwrap();
        let remedy = "wait for it, or `tinkerbell sessions rm --force 00000007` to cancel it first";
        assert_eq!((problem.code, problem.remedy.as_deref()), (Code::Conflict, Some(remedy)));
        let removed = format!("{{\"session\":\"{SESSION}\",\"events\":11}}");
        let done = run(daemon(&[&busy, "{\"events\":[]}", &removed]), &["sessions", "rm", "-yf", SESSION, "--json"]);
        assert_eq!(done.out, format!("{removed}\n"));
        assert!(done.heard[2].starts_with(&format!("DELETE /v1/sessions/{SESSION}?force=true ")), "{:?}", done.heard);
    }
}
