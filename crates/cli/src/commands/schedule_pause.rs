//! `schedule pause`: lets schedules rest until they are resumed.

use super::schedule_ls::find;
use crate::error::Error;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use wire::operation;
use wire::rest::ScheduleView;

/// Lets schedules rest until they are resumed
///
/// What would be due meanwhile is nobody's loss: it is not made up for.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell schedule pause 0a1b2c3d")]
pub(crate) struct Pause {
    /// The schedules: their ids, the beginnings or ends of them, or their names
    #[arg(value_name = "SCHEDULE", required = true)]
    schedules: Vec<String>,
}

impl Pause {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        for typed in &self.schedules {
            let id = find(&mut client, typed)?;
            let answer = client.call(&Request::new(&operation::SCHEDULE_PAUSE)?.at("schedule", id))?;
            if context.globals.json {
                context.print_json(&answer.body)?;
                continue;
            }
            let view: ScheduleView = answer.read()?;
            context.screen.out().line(&format!("{} rests", view.id))?;
        }
        Ok(Exit::GOOD)
    }
}
