//! `sessions title`: what people call a session.

use crate::current::Which;
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use wire::operation;
use wire::rest::UpdateSession;

/// Gives a session another title
///
/// A title is for people; a new session is called by the first words of its first prompt.
#[derive(Debug, clap::Args)]
#[command(
    allow_missing_positional = true,
    after_help = "Examples:
  tinkerbell sessions title \"the new parser\"
  tinkerbell sessions title 0a1b2c3d \"the new parser\""
)]
pub(crate) struct Title {
    /// The session: its id, or the beginning or end of it [default: the current one]
    #[arg(value_name = "ID", conflicts_with = "session")]
    id: Option<String>,

    /// The title
    #[arg(value_name = "TEXT", required = true)]
    title: String,

    #[command(flatten)]
    which: Which,
}

impl Title {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let session = self.which.or(self.id).find_id(&mut client)?;
        let body = UpdateSession { title: self.title };
        let answer = client.call(&Request::new(&operation::SESSION_UPDATE)?.at("session", session).json(&body))?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let title = plain::first_line(&body.title, usize::MAX);
        context.screen.out().line(&format!("{session} is called {title:?}"))?;
        Ok(Exit::GOOD)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{SESSION, daemon, run};

    #[test]
    fn the_title_may_come_alone_or_after_the_session() {
        let fake = daemon(&["{}"]);
        let got = run(fake, &["sessions", "title", SESSION, "new words"]);
        assert_eq!(got.out, format!("{SESSION} is called \"new words\"\n"));
        assert!(got.heard[0].starts_with(&format!("PATCH /v1/sessions/{SESSION} ")), "{:?}", got.heard);
        assert!(got.heard[0].ends_with("{\"title\":\"new words\"}"), "{:?}", got.heard);
        let fake = daemon(&["{}"]);
        let got = run(fake, &["sessions", "title", "alone", "-s", SESSION]);
        assert_eq!(got.out, format!("{SESSION} is called \"alone\"\n"));
    }
}
