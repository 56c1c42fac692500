//! `schedule run`: says a schedule's prompt now.

use super::schedule_ls::find;
use crate::current;
use crate::error::Error;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::FAINT;
use wire::operation;
use wire::rest::ScheduleView;

/// Says a schedule's prompt now, beside its times
///
/// Its budget holds, and so does that a session with work is left alone: then nothing is said and the exit code is 4.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell schedule run 0a1b2c3d")]
pub(crate) struct Run {
    /// The schedule: its id, the beginning or end of it, or its name
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
}

impl Run {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let id = find(&mut client, &self.schedule)?;
        let answer = client.call(&Request::new(&operation::SCHEDULE_RUN)?.at("schedule", id))?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let view: ScheduleView = answer.read()?;
        if let Some((session, turn)) = view.runs.first().and_then(|run| Some((run.session?, run.turn?))) {
            context.screen.out().line(&format!("{session} {turn}"))?;
            let short = current::short(session);
            context.screen.remark(FAINT, &format!("it runs; look: tinkerbell attach -s {short}"))?;
        }
        Ok(Exit::GOOD)
    }
}
