//! `daemon uninstall`: takes back what `daemon install` wrote.

use super::daemon_install::{directory, is_ours_or_absent, manage};
use crate::error::Error;
use crate::run::{Context, Exit};
use crate::screen::FAINT;
use crate::units::Manager;
use wire::{Code, Problem};

/// Has the service manager forget the daemon
///
/// Removes the units that `tinkerbell daemon install` wrote. Sessions, configuration and keys stay as they are. A daemon
/// that the manager runs is stopped in good order with --disable.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tinkerbell daemon uninstall --disable\n  sudo tinkerbell daemon uninstall --system"
)]
pub(crate) struct Uninstall {
    /// What was installed for you alone [the default]
    #[arg(long, conflicts_with = "system")]
    user: bool,

    /// What was installed for the machine
    #[arg(long)]
    system: bool,

    /// Stop it first, and take it out of what starts at login
    #[arg(long)]
    disable: bool,
}

impl Uninstall {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let manager = Manager::here();
        let directory = directory(self.system)?;
        let there: Vec<_> =
            manager.names().iter().map(|name| directory.join(name)).filter(|path| path.exists()).collect();
        let failed = |path: &std::path::Path, error: std::io::Error| {
            Problem::new(Code::InvalidRequest, format!("cannot remove {}: {error}", path.display()))
                .remedy("for --system, use sudo")
        };
        for path in &there {
            if !is_ours_or_absent(path).map_err(|error| failed(path, error))? {
                let words = format!("{} was not written by tinkerbell; it was left alone", path.display());
                return Err(Problem::new(Code::Conflict, words).remedy("remove it by hand").into());
            }
        }
        let command = |more: &[&'static str]| -> Vec<&'static str> {
            let mut words = vec!["systemctl"];
            words.extend((!self.system).then_some("--user"));
            words.extend(more);
            words
        };
        let disabling = match manager {
            Manager::Systemd => command(&["disable", "--now", "tinkerbell.socket", "tinkerbell.service"]),
            Manager::Launchd => vec!["launchctl", "remove", "org.tinkerbell.daemon"],
        };
        manage(&[disabling], self.disable && !there.is_empty())?;
        for path in &there {
            std::fs::remove_file(path).map_err(|error| failed(path, error))?;
        }
        let reloads = self.disable && manager == Manager::Systemd && !there.is_empty();
        manage(&[command(&["daemon-reload"])], reloads)?;
        let removed: Vec<String> = there.iter().map(|path| path.display().to_string()).collect();
        if context.globals.json {
            return context.print_json(serde_json::json!({ "removed": removed }).to_string().as_bytes());
        }
        if removed.is_empty() {
            context.screen.remark(FAINT, "nothing is installed")?;
        }
        for path in removed {
            context.screen.out().line(&format!("removed {path}"))?;
        }
        Ok(Exit::GOOD)
    }
}
