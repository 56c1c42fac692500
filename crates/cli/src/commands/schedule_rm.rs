//! `schedule rm`: removes schedules.

use super::schedule_ls::find;
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use wire::operation;
use wire::rest::ScheduleView;

/// Removes schedules, and forgets what they say
///
/// Turns that they began go on; sessions that they opened stay.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell schedule rm 0a1b2c3d")]
pub(crate) struct Remove {
    /// The schedules: their ids, the beginnings or ends of them, or their names
    #[arg(value_name = "SCHEDULE", required = true)]
    schedules: Vec<String>,
}

impl Remove {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        for typed in &self.schedules {
            let id = find(&mut client, typed)?;
            let answer = client.call(&Request::new(&operation::SCHEDULE_REMOVE)?.at("schedule", id))?;
            if context.globals.json {
                context.print_json(&answer.body)?;
                continue;
            }
            let view: ScheduleView = answer.read()?;
            let name = plain::first_line(view.name.as_deref().unwrap_or("(forgotten)"), usize::MAX);
            context.screen.out().line(&format!("removed {} {name:?}", view.id))?;
        }
        Ok(Exit::GOOD)
    }
}
