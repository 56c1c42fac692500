//! `cancel`: stops the running turn.

use crate::current::Which;
use crate::error::Error;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use wire::operation;
use wire::rest::Cancelled;

/// Cancels the running turn of the session
///
/// What runs is stopped; what had been changed on the canvas stays there until it is rejected or accepted.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell cancel\n  tinkerbell cancel -s 0a1b2c3d")]
pub(crate) struct Cancel {
    #[command(flatten)]
    which: Which,
}

impl Cancel {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let session = self.which.find_id(&mut client)?;
        let answer = client.call(&Request::new(&operation::SESSION_CANCEL)?.at("session", session))?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let cancelled: Cancelled = answer.read()?;
        context.screen.out().line(&format!("{} of {session} is being cancelled", cancelled.turn))?;
        Ok(Exit::GOOD)
    }
}
