//! `daemon start`: starts the daemon where it is not running.

use crate::error::Error;
use crate::run::{Context, Exit, Starting};
use crate::{client::Client, locate};
use wire::{Code, Problem};

/// Starts the daemon in the background, if it is not running
///
/// Every command that needs it does this by itself; this one is for starting it beforehand.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell daemon start\n  tinkerbell daemon start --socket /tmp/mine.sock")]
pub(crate) struct Start {}

impl Start {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        if context.globals.no_start {
            return Err(Problem::new(Code::InvalidRequest, "`daemon start` and --no-start contradict each other")
                .remedy("leave out --no-start; `tinkerbell status` tells whether the daemon runs")
                .into());
        }
        let places = context.places()?;
        let was_running = locate::connect(&places).is_ok();
        let mut client: Client = context.client(Starting::IfNeeded)?;
        let found = client.connect()?;
        let pid = found.pid.as_raw_nonzero();
        let path = found.path.display().to_string();
        if context.globals.json {
            let answer = serde_json::json!({ "pid": pid.get(), "socket": path, "started": !was_running });
            return context.print_json(answer.to_string().as_bytes());
        }
        let verb = if was_running { "runs already" } else { "runs" };
        context.screen.out().line(&format!("the daemon {verb}: process {pid}, socket {path}"))?;
        Ok(Exit::GOOD)
    }
}
