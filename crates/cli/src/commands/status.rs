//! `status`: what the daemon is and how it fares.

use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{HEAD, Sink};
use crate::words;
use std::path::Path;
use wire::operation;
use wire::rest::DaemonStatus;

/// Shows whether the daemon runs and how it fares
///
/// It is never started for this: without a daemon the exit code is 10.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell status\n  tinkerbell status --json")]
pub(crate) struct Status {}

impl Status {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::Never)?;
        let answer = client.call(&Request::new(&operation::STATUS)?)?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        print(context.screen.out(), &answer.read()?)?;
        Ok(Exit::GOOD)
    }
}

fn print(out: &mut Sink, status: &DaemonStatus) -> Result<(), Error> {
    let running_s = words::now().0.saturating_sub(status.started_at.0) / 1_000_000;
    let name = plain::name(&status.version);
    let heading = format!("tinkerbell {name}, process {}, for {}", status.pid, words::lasting(running_s));
    let heading = out.paint(HEAD, &heading);
    out.line(&heading)?;
    let path = |path: &Path| plain::name(&path.display().to_string());
    let config = match status.config_found {
        true => path(&status.config_file),
        false => format!("{} (not there: defaults)", path(&status.config_file)),
    };
    let store = &status.store;
    let model = status.default_model.as_ref().map_or_else(|| "none".to_owned(), |model| plain::name(model.as_str()));
    let lines = [
        ("socket", path(&status.socket)),
        ("state", path(&status.state_dir)),
        ("config", config),
        ("model", model),
        (
            "sessions",
            format!("{}, {} running, {} in memory", words::number(status.sessions), status.running, status.awake),
        ),
        (
            "journal",
            format!(
                "{}, {} and {} not yet folded in",
                plain::name(&store.health),
                words::bytes(store.journal_bytes),
                words::bytes(store.wal_bytes)
            ),
        ),
        ("memory", words::bytes(status.resident_bytes)),
        ("spent", format!("{} today (UTC)", words::dollars(status.spent_today_microusd))),
        ("begun", words::count(status.generation.0, "time")),
    ];
    lines.iter().try_for_each(|(name, value)| out.line(&format!("  {name:9} {value}")))
}
