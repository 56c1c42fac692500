//! `sessions unarchive`: archived sessions come back into the journal.

use crate::current::Which;
use crate::error::Error;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::FAINT;
use crate::words;
use wire::operation;
use wire::rest::SessionUnarchived;

/// Brings archived sessions back into the journal, with the same ids, events and hashes
///
/// It happens by itself when you say something to an archived session or look at it; this is for whoever wants it before.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell sessions ls --archived\n  tinkerbell sessions unarchive 0a1b2c3d")]
pub(crate) struct Unarchive {
    /// The sessions: their ids, or the beginnings or ends of them
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
}

impl Unarchive {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        for id in &self.ids {
            let session = Which::of(id).find_id(&mut client)?;
            let answer = client.call(&Request::new(&operation::SESSION_UNARCHIVE)?.at("session", session))?;
            if context.globals.json {
                context.print_json(&answer.body)?;
                continue;
            }
            let back: SessionUnarchived = answer.read()?;
            let events = words::count(back.events, "event");
            match back.was_archived {
                true => context.screen.out().line(&format!("{session} is back with {events}"))?,
                false => context.screen.remark(FAINT, &format!("{session} is in the journal already"))?,
            }
        }
        Ok(Exit::GOOD)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{SESSION, daemon, run};

    #[test]
    fn it_says_whether_there_was_something_to_do() {
        let answer = |was| serde_json::json!({"session": SESSION, "events": 9, "was_archived": was}).to_string();
        let got = run(daemon(&[&answer(true)]), &["sessions", "unarchive", SESSION]);
        assert_eq!(got.out, format!("{SESSION} is back with 9 events\n"));
        assert!(got.heard[0].starts_with(&format!("POST /v1/sessions/{SESSION}/unarchive ")), "{:?}", got.heard);
        let again = run(daemon(&[&answer(false)]), &["sessions", "unarchive", SESSION]);
        assert_eq!((again.out.as_str(), again.aside), ("", format!("{SESSION} is in the journal already\n")));
    }
}
