//! `schedule resume`: lets schedules go on that rest.

use super::schedule_ls::find;
use super::schedule_show::next;
use crate::error::Error;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use wire::operation;
use wire::rest::ScheduleView;

/// Lets schedules go on that rest
///
/// A schedule whose session is no more rests again at its next time.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell schedule resume 0a1b2c3d")]
pub(crate) struct Resume {
    /// The schedules: their ids, the beginnings or ends of them, or their names
    #[arg(value_name = "SCHEDULE", required = true)]
    schedules: Vec<String>,
}

impl Resume {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        for typed in &self.schedules {
            let id = find(&mut client, typed)?;
            let answer = client.call(&Request::new(&operation::SCHEDULE_RESUME)?.at("schedule", id))?;
            if context.globals.json {
                context.print_json(&answer.body)?;
                continue;
            }
            let view: ScheduleView = answer.read()?;
            context.screen.out().line(&format!("{} goes on, next {}", view.id, next(&view)))?;
        }
        Ok(Exit::GOOD)
    }
}
