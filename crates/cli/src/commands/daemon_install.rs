//! `daemon install`: has the system's service manager start the daemon and look after it.

use crate::child::{self, Program};
use crate::error::Error;
use crate::locate;
use crate::run::{Context, Exit};
use crate::screen::FAINT;
use crate::units::{self, Manager, Unit, Wanted, Whose};
use std::path::{Path, PathBuf};
use wire::{Code, Problem};

/// Has systemd (on macOS: launchd) start the daemon and look after it
///
/// Writes a unit that starts this binary at login, tells systemd when the daemon is ready, and has it restarted when it
/// dies or hangs. Without this the daemon starts by itself at the first command that needs it, so this is for machines
/// that run it for months. Keys are not written into the unit: keep them with `tinkerbell keys set`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tinkerbell daemon install --print\n  tinkerbell daemon install --enable\n  tinkerbell daemon install --on-demand\n  sudo tinkerbell daemon install --system --run-as ada"
)]
pub(crate) struct Install {
    /// For you alone, while you are logged in; always, after `loginctl enable-linger` [the default]
    #[arg(long, conflicts_with = "system")]
    user: bool,

    /// For the machine, from its start on; needs root
    #[arg(long)]
    system: bool,

    /// The user that the machine's daemon runs as [default: $SUDO_USER]
    #[arg(long, value_name = "USER", requires = "system")]
    run_as: Option<String>,

    /// Have systemd listen, and start the daemon when somebody first connects
    #[arg(long)]
    on_demand: bool,

    /// Print what would be written, and write nothing
    #[arg(long)]
    print: bool,

    /// Start it now and at each login
    #[arg(long, conflicts_with = "print")]
    enable: bool,
}

impl Install {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let wanted = self.wanted(context)?;
        let directory = directory(self.system)?;
        let files = units::units(&wanted, &directory);
        if self.print {
            for Unit { path, text } in &files {
                let text = if files.len() > 1 { format!("# {}\n{text}\n", path.display()) } else { text.clone() };
                context.screen.out().put(&text)?;
            }
            return Ok(Exit::GOOD);
        }
        let runs = locate::connect(&context.places()?).is_ok();
        if self.enable && runs {
            return Err(Problem::new(
                Code::Conflict,
                "a daemon runs already, and the manager's would find it in its way",
            )
            .remedy("`tinkerbell daemon stop`, then the same again")
            .into());
        }
        files.iter().try_for_each(write)?;
        let managed = manage(&self.enabling(wanted.manager), self.enable)?;
        let written: Vec<String> = files.iter().map(|unit| unit.path.display().to_string()).collect();
        if context.globals.json {
            let answer = serde_json::json!({ "written": written, "enabled": self.enable });
            return context.print_json(answer.to_string().as_bytes());
        }
        for path in written {
            context.screen.out().line(&format!("wrote {path}"))?;
        }
        if !managed {
            context.screen.remark(FAINT, &next(&self.enabling(wanted.manager), runs))?;
        }
        Ok(Exit::GOOD)
    }

    fn wanted(&self, context: &Context) -> Result<Wanted, Problem> {
        let wrong = |words: &str, remedy: &str| Problem::new(Code::InvalidRequest, words).remedy(remedy);
        let manager = Manager::here();
        if self.on_demand && manager == Manager::Launchd {
            return Err(wrong("launchd does not listen for the daemon", "leave out --on-demand"));
        }
        let var = |name: &str| std::env::var_os(name);
        let whose = match self.system {
            false => Whose::Ours,
            true => {
                let user = self.run_as.clone().or_else(|| var("SUDO_USER")?.into_string().ok());
                let sound = |name: &String| !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '%');
                let user = user.filter(sound);
                Whose::Machine(user.ok_or_else(|| {
                    wrong("it is not known which user's daemon this is to be", "name the user with --run-as")
                })?)
            }
        };
        let binary = std::env::current_exe()
            .map_err(|error| wrong(&format!("this binary's own path is not known: {error}"), "start it by its path"))?;
        let places = context.places()?;
        let socket = places.sockets.first().cloned().unwrap_or_default();
        // The machine's daemon lives in its user's home and not in that of whoever installs it.
        let mut environment = if self.system { Vec::new() } else { units::places(&var) };
        if let Some(socket) = &context.globals.socket {
            environment.retain(|(name, _)| *name != "TINKERBELL_SOCKET");
            environment.push(("TINKERBELL_SOCKET", socket.display().to_string()));
        }
        Ok(Wanted { manager, whose, on_demand: self.on_demand, binary, socket, environment })
    }

    /// The commands that make the manager begin.
    fn enabling(&self, manager: Manager) -> Vec<Vec<&'static str>> {
        let unit = if self.on_demand { "tinkerbell.socket" } else { "tinkerbell.service" };
        match (manager, self.system) {
            (Manager::Systemd, false) => {
                vec![vec!["systemctl", "--user", "daemon-reload"], vec!["systemctl", "--user", "enable", "--now", unit]]
            }
            (Manager::Systemd, true) => {
                vec![vec!["systemctl", "daemon-reload"], vec!["systemctl", "enable", "--now", unit]]
            }
            (Manager::Launchd, false) => {
                vec![vec!["launchctl", "load", "-w", "~/Library/LaunchAgents/org.tinkerbell.daemon.plist"]]
            }
            (Manager::Launchd, true) => {
                vec![vec!["launchctl", "load", "-w", "/Library/LaunchDaemons/org.tinkerbell.daemon.plist"]]
            }
        }
    }
}

/// What makes the manager begin; a daemon that runs would be in the way of its own.
fn next(enabling: &[Vec<&str>], runs: bool) -> String {
    let stop = runs.then(|| "tinkerbell daemon stop".to_owned());
    let lines: Vec<String> = stop.into_iter().chain(enabling.iter().map(|words| words.join(" "))).collect();
    format!("next: {}", lines.join(" && "))
}

/// Where the manager's files lie.
pub(super) fn directory(machine: bool) -> Result<PathBuf, Problem> {
    Manager::here().directory(machine, &|name| std::env::var_os(name)).ok_or_else(|| {
        Problem::new(Code::InvalidRequest, "HOME is not set, so there is no place for the unit")
            .remedy("set HOME, or print the unit with --print")
    })
}

/// Runs the manager's own commands, if that is wanted; whether it was.
pub(super) fn manage(commands: &[Vec<&'static str>], wanted: bool) -> Result<bool, Problem> {
    if !wanted {
        return Ok(false);
    }
    for words in commands {
        let line = words.join(" ");
        if child::said(&Program::Shell(line.clone())).is_none() {
            return Err(Problem::new(Code::Conflict, format!("`{line}` failed; what was written stays"))
                .remedy(format!("run `{line}` by hand to see why")));
        }
    }
    Ok(true)
}

/// Writes a unit, unless somebody else's stands there.
fn write(unit: &Unit) -> Result<(), Problem> {
    let Unit { path, text } = unit;
    let failed = |error: std::io::Error| {
        Problem::new(Code::InvalidRequest, format!("cannot write {}: {error}", path.display()))
            .remedy("print it with --print; for --system, use sudo")
    };
    if !is_ours_or_absent(path).map_err(failed)? {
        let words = format!("{} is there and was not written by tinkerbell; it was left alone", path.display());
        return Err(Problem::new(Code::Conflict, words).remedy("move it away, or print ours with --print"));
    }
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
    let mut new = path.clone().into_os_string();
    new.push(".new");
    std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, path)).map_err(failed)
}

/// Whether we may write or remove a file.
pub(super) fn is_ours_or_absent(path: &Path) -> std::io::Result<bool> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(units::is_ours(&text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn a_daemon_that_runs_is_stopped_first() {
        let enabling = [vec!["systemctl", "daemon-reload"], vec!["systemctl", "enable", "x"]];
        assert_eq!(next(&enabling, false), "next: systemctl daemon-reload && systemctl enable x");
        assert_eq!(next(&enabling[1..], true), "next: tinkerbell daemon stop && systemctl enable x");
    }
}
