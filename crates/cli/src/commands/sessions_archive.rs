//! `sessions archive`: sessions leave the journal for files of their own.

use crate::current::Which;
use crate::error::Error;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, NOTE};
use crate::words;
use agent::SessionId;
use wire::operation;
use wire::rest::SessionArchived;

/// Puts sessions away: their events leave the journal for one file each
///
/// Nothing is lost, and nothing needs to be remembered: the session is listed with `sessions ls --archived`, found by
/// `sessions search`, and comes back by itself, with the same id and the same events, when you say something to it or look
/// at it. Snapshots take the files along. A session whose turn runs or waits for an answer, or that a schedule speaks to, is
/// refused. Sessions in which nothing happens for `retention.archive_idle_ms` are archived by themselves.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell sessions archive 0a1b2c3d
  tinkerbell sessions archive 0a1b2c3d 4e5f6a7b --json")]
pub(crate) struct Archive {
    /// The sessions: their ids, or the beginnings or ends of them
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
}

impl Archive {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let mut sessions: Vec<SessionId> = Vec::new();
        for id in &self.ids {
            let id = Which::of(id).find_id(&mut client)?;
            if !sessions.contains(&id) {
                sessions.push(id);
            }
        }
        for session in sessions {
            let answer = client.call(&Request::new(&operation::SESSION_ARCHIVE)?.at("session", session))?;
            if context.globals.json {
                context.print_json(&answer.body)?;
                continue;
            }
            let archived: SessionArchived = answer.read()?;
            let (events, bytes) = (words::count(archived.events, "event"), words::bytes(archived.bytes));
            context.screen.out().line(&format!("archived {session} with {events} ({bytes})"))?;
            if archived.was_archived {
                context.screen.remark(FAINT, "it was archived before")?;
            }
            if !archived.cleared {
                context.screen.remark(NOTE, "! its rows are still in the journal's file; they go with later writes")?;
            }
        }
        Ok(Exit::GOOD)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{SESSION, daemon, run};

    #[test]
    fn each_is_told_with_its_size() {
        let answer = |was: bool| {
            serde_json::json!({
                "session": SESSION, "events": 9, "bytes": 2_048, "archived_at": "2025-11-23T09:00:00.000000Z",
                "was_archived": was, "cleared": true,
            })
            .to_string()
        };
        let got = run(daemon(&[&answer(false)]), &["sessions", "archive", SESSION, SESSION]);
        assert_eq!(got.out, format!("archived {SESSION} with 9 events (2.0 KiB)\n"));
        assert!(got.heard[0].starts_with(&format!("POST /v1/sessions/{SESSION}/archive ")), "{:?}", got.heard);
        let again = run(daemon(&[&answer(true)]), &["sessions", "archive", SESSION]);
        assert_eq!(again.aside, "it was archived before\n");
    }
}
