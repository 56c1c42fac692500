//! `daemon stop`: stops the daemon in good order and waits until it has gone.

use crate::client::Client;
use crate::error::Error;
use crate::http::HttpError;
use crate::locate::{self, Unreachable};
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::FAINT;
use crate::wait;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;
use wire::rest::{ConfigView, DaemonStatus};
use wire::{Code, Problem, operation};

/// How long a daemon may take to leave once turns had their grace.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// The key of that grace.
const GRACE: &str = "daemon.grace_ms";
/// After this long we say that we wait.
const QUIET: Duration = Duration::from_secs(1);

/// Stops the daemon in good order
///
/// Turns that run are interrupted and go on when a daemon starts again. Waits until it has gone: for as long as turns may
/// take to end (`daemon.grace_ms`), and 30 seconds more.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell daemon stop")]
pub(crate) struct Stop {}

impl Stop {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let Some(pid) = stop(context)? else {
            context.screen.remark(FAINT, "the daemon is not running")?;
            return Ok(Exit::GOOD);
        };
        if context.globals.json {
            let answer = serde_json::json!({ "pid": pid.as_raw_nonzero().get(), "stopped": true });
            return context.print_json(answer.to_string().as_bytes());
        }
        context.screen.out().line(&format!("the daemon (process {}) has stopped", pid.as_raw_nonzero()))?;
        Ok(Exit::GOOD)
    }
}

/// Stops the daemon, waits until it has gone, and says which it was; `None` when none runs.
pub(crate) fn stop(context: &mut Context) -> Result<Option<Pid>, Error> {
    let places = context.places()?;
    let peer = match locate::connect(&places) {
        Ok(found) => found.pid,
        Err(Unreachable::Absent { .. }) => return Ok(None),
        Err(other) => return Err(other.problem().into()),
    };
    let mut client = context.client(Starting::Never)?;
    // By its own word: the kernel names whoever listened first, which may have been a service manager.
    let status = match client.call_promptly(&operation::STATUS) {
        Ok(answer) => answer.read::<DaemonStatus>().ok(),
        // It would not hear the next word either.
        Err(error @ Error::Http(HttpError::Silent { .. })) => return Err(error),
        Err(_) => None,
    };
    let pid = status.and_then(|status| Pid::from_raw(i32::try_from(status.pid).ok()?)).unwrap_or(peer);
    let limit = grace(&mut client) + STOP_LIMIT;
    // Taken before the request, so that it stands for this process even if it ends at once.
    let process = pidfd_open(pid, PidfdFlags::empty());
    match client.call(&Request::new(&operation::STOP)?) {
        // It may hang up before it has answered, and be gone when the request is sent again.
        Ok(_) | Err(Error::Problem(Problem { code: Code::NoDaemon | Code::Draining, .. })) => {}
        Err(Error::Http(error)) if error.is_broken_connection() => {}
        Err(error) => return Err(error),
    }
    if let Ok(process) = process {
        wait_for_end(context, pid, process.as_fd(), limit)?;
    }
    Ok(Some(pid))
}

/// How long the daemon lets turns end; nothing where it does not say.
fn grace(client: &mut Client) -> Duration {
    let asked = client.call_promptly(&operation::CONFIG_GET).and_then(|answer| answer.read::<ConfigView>());
    let keys = asked.map(|config| config.keys).unwrap_or_default();
    let grace_ms = keys.iter().find(|key| key.key == GRACE).and_then(|key| key.value.as_ref()?.parse().ok());
    Duration::from_millis(grace_ms.unwrap_or(0))
}

/// Waits until the process has ended: with it goes its lock, however it ended.
fn wait_for_end(context: &mut Context, pid: Pid, process: BorrowedFd<'_>, limit: Duration) -> Result<(), Error> {
    let ended = |limit| wait::readable([Some(process)], Some(limit)).map_err(HttpError::from);
    if ended(QUIET)? == [true] {
        return Ok(());
    }
    context.screen.remark(FAINT, "waiting for the daemon to end what it does…")?;
    if ended(limit)? == [true] {
        return Ok(());
    }
    let pid = pid.as_raw_nonzero();
    Err(Problem::new(Code::Conflict, format!("the daemon (process {pid}) has not ended after {} s", limit.as_secs()))
        .remedy(format!("look with `tinkerbell daemon logs`; `kill {pid}` asks it once more and `kill -9 {pid}` ends it: nothing that was acknowledged is lost"))
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::daemon;

    #[test]
    fn the_grace_is_what_the_daemon_says_and_nothing_where_it_does_not() {
        let view = r#"{"file":"/f","found":true,"status":{"loaded_at":"2025-11-23T09:00:00.000000Z","cause":"start","watched":true},"keys":[{"key":"daemon.grace_ms","value":"60000","origin":{"from":"file"},"unit":"ms","meaning":"m"}]}"#;
        for (answer, seconds) in [(view, 60), (&view.replace("grace_ms", "idle_ms"), 0), ("{}", 0)] {
            let daemon = daemon(&[answer]);
            assert_eq!(grace(&mut daemon.client()), Duration::from_secs(seconds));
            assert!(daemon.heard()[0].starts_with("GET /v1/config "));
        }
    }
}
