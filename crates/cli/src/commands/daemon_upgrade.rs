//! `daemon upgrade`: has the running daemon hand over to another binary, and waits until it has.

use crate::client::Client;
use crate::error::Error;
use crate::http::HttpError;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::wait;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use wire::rest::{DaemonStatus, UpgradeBegun, UpgradeOutcome, UpgradeRequest};
use wire::{Code, Problem, operation};

/// How long the new binary may take to show that it is fit; the daemon's own limit is shorter, unless somebody raised it.
const FIT_LIMIT: Duration = Duration::from_secs(600);
/// How long the hand-over itself may take.
const HAND_OVER_LIMIT: Duration = Duration::from_secs(300);
/// How long whoever serves after both have ended may take to say so.
const LAST_LOOK: Duration = Duration::from_secs(2);
/// How often we ask who serves.
const PAUSE: Duration = Duration::from_millis(20);

/// Hands the running daemon over to another binary, without a loss
///
/// The new binary first shows that it can read the configuration and the state. Then turns are brought to the end of
/// their step, and it takes the sockets and the state. Clients that look on connect again by themselves. Should it fail
/// at any point, the old daemon goes on as if nothing had been. Sending the daemon SIGUSR2 does the same.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tinkerbell daemon upgrade\n  tinkerbell daemon upgrade ~/Downloads/tinkerbell\n  kill -USR2 \"$(tinkerbell status --json | jq .pid)\""
)]
pub(crate) struct Upgrade {
    /// The new binary [default: what lies now where the running one was started from]
    #[arg(value_name = "BINARY")]
    binary: Option<PathBuf>,
}

impl Upgrade {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let binary = self.binary.as_deref().map(absolute).transpose()?;
        let mut client = context.client(Starting::Never)?;
        let before: DaemonStatus = client.call(&Request::new(&operation::STATUS)?)?.read()?;
        let began = Instant::now();
        client.wait_for("the new binary shows that it is fit".to_owned(), FIT_LIMIT);
        let request = Request::new(&operation::UPGRADE)?.json(&UpgradeRequest { binary });
        let begun: UpgradeBegun = client.call(&request)?.read()?;
        client.wait_for("turns come to the end of their step".to_owned(), HAND_OVER_LIMIT);
        client.while_one_lives([begun.from_pid, begun.to_pid].into_iter().filter_map(wait::process).collect());
        let now = who_serves(&mut client, &before, &begun, began)?;
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if context.globals.json {
            let answer = serde_json::json!({ "begun": begun, "generation": now.generation, "took_ms": took_ms });
            return context.print_json(answer.to_string().as_bytes());
        }
        let (from, to) = (plain::name(&begun.from_version), plain::name(&begun.to_version));
        let text = format!(
            "upgraded in {}.{} s: version {from} (process {}) handed over to version {to} (process {})",
            took_ms / 1000,
            took_ms % 1000 / 100,
            begun.from_pid,
            begun.to_pid,
        );
        context.screen.out().line(&text)?;
        Ok(Exit::GOOD)
    }
}

/// Waits until the new process answers, or the old one says that it goes on. Whoever is asked in between waits in the
/// socket's own line.
fn who_serves(
    client: &mut Client,
    before: &DaemonStatus,
    begun: &UpgradeBegun,
    began: Instant,
) -> Result<DaemonStatus, Error> {
    loop {
        let answer = client.call(&Request::new(&operation::STATUS)?).and_then(|answer| answer.read::<DaemonStatus>());
        match answer {
            Ok(status) if status.pid == begun.to_pid => return Ok(status),
            Ok(status) if status.pid == before.pid && status.generation == before.generation => {}
            Ok(status) => return Err(failed(status).into()),
            // A service manager may have started another one.
            Err(Error::Http(HttpError::Gone)) => {
                client.wait_in_silence(LAST_LOOK);
                let last = client.call(&Request::new(&operation::STATUS)?).and_then(|answer| answer.read());
                return Err(last.map_or_else(|_| ended(begun), failed).into());
            }
            Err(Error::Problem(problem)) if problem.code == Code::NoDaemon => return Err(ended(begun).into()),
            // Between the two, a connection may break.
            Err(Error::Http(error)) if error.is_broken_connection() => {}
            Err(Error::Problem(problem)) if matches!(problem.code, Code::Draining | Code::Upgrading) => {}
            Err(error) => return Err(error),
        }
        if began.elapsed() > FIT_LIMIT + HAND_OVER_LIMIT {
            return Err(Problem::new(Code::OutcomeUnknown, "the hand-over has not ended")
                .remedy("look with `tinkerbell status` and `tinkerbell daemon logs`")
                .into());
        }
        std::thread::sleep(PAUSE);
    }
}

/// Neither of the two is there any more.
fn ended(begun: &UpgradeBegun) -> Problem {
    let UpgradeBegun { from_pid, to_pid, .. } = begun;
    let detail = format!(
        "the hand-over failed: neither the old daemon (process {from_pid}) nor the new one (process {to_pid}) serves any more"
    );
    Problem::new(Code::NoDaemon, detail)
        .remedy("nothing that was acknowledged is lost: start it with `tinkerbell daemon start`, and look with `tinkerbell daemon logs`")
}

fn failed(status: DaemonStatus) -> Problem {
    let report = status.upgrade.filter(|report| report.outcome == UpgradeOutcome::Failed);
    let why = report.and_then(|report| report.why).unwrap_or_else(|| "another daemon serves".to_owned());
    Problem::new(Code::Conflict, format!("the upgrade did not happen: {}", plain::strip(&why)))
        .remedy("nothing was lost and the daemon goes on; look with `tinkerbell daemon logs`")
}

fn absolute(binary: &Path) -> Result<PathBuf, Problem> {
    std::path::absolute(binary).map_err(|error| {
        Problem::new(Code::InvalidRequest, format!("{} is no path of a binary: {error}", binary.display()))
    })
}
