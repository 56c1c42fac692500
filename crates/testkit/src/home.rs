//! A world of its own for a daemon: home, socket, workspace, all below one temporary directory.

use crate::http::Client;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use tempfile::TempDir;

/// Names the variable in which a test gives the daemon another clock: `SINCE_MICROS TIMES`.
pub const CLOCK: &str = "TESTKIT_CLOCK";

/// The world.
#[derive(Debug)]
pub struct Home {
    dir: TempDir,
}

/// A daemon that runs in it.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
}

impl Home {
    /// An empty world.
    pub fn new() -> Home {
        let dir = tempfile::Builder::new().prefix("tb").tempdir().expect("a temporary directory");
        let home = Home { dir };
        for path in [home.tinkerbell(), home.workspace()] {
            std::fs::create_dir(path).expect("a directory");
        }
        home
    }

    /// `TINKERBELL_HOME`.
    pub fn tinkerbell(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// An empty workspace.
    pub fn workspace(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// A path beside both.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The daemon's state.
    pub fn state(&self) -> PathBuf {
        self.tinkerbell().join("state")
    }

    /// Writes the configuration.
    pub fn configure(&self, text: &str) {
        std::fs::write(self.tinkerbell().join("config.toml"), text).expect("the configuration can be written");
    }

    /// A client of whatever daemon listens here.
    pub fn client(&self) -> Client {
        Client::new(&self.tinkerbell().join("tinkerbell.sock"))
    }

    /// A command in this world, with nothing of the outside's environment but what programs need.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().current_dir(self.workspace()).env("TINKERBELL_HOME", self.tinkerbell());
        for keep in ["PATH", "LANG", "TMPDIR"] {
            if let Some(value) = std::env::var_os(keep) {
                command.env(keep, value);
            }
        }
        command
            .env("HOME", self.dir.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env(crate::COUNT_FILE, self.path("count"))
            .env(crate::SLEEPER_FILE, self.path("sleeper"));
        command
    }

    /// Starts a daemon and waits until it says that it is ready, or why it is not.
    pub fn start(&self, program: impl AsRef<Path>) -> Result<Daemon, String> {
        self.start_as(self.command(program).args(["daemon", "run", "--detached"]).current_dir("/"))
    }

    /// Starts a daemon by a command of the caller's making, which must speak to its standard error as one that was
    /// detached does.
    pub fn start_as(&self, command: &mut Command) -> Result<Daemon, String> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = loop {
            match command.spawn() {
                // A child that another thread starts may for a moment hold a script open that was written just now.
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                spawned => break spawned.map_err(|error| error.to_string())?,
            }
        };
        let mut said = String::new();
        let pipe = child.stderr.take().expect("it is piped");
        let read = BufReader::new(pipe).lines().map_while(Result::ok).find(|line| {
            said.push_str(line);
            line == "ready"
        });
        match read {
            Some(_) => Ok(Daemon { child }),
            None => {
                let status = child.wait().map_err(|error| error.to_string())?;
                Err(format!("{said} ({status})"))
            }
        }
    }
}

impl Default for Home {
    fn default() -> Home {
        Home::new()
    }
}

impl Daemon {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    /// Asks it to stop and waits until it has; true when it ended in good order.
    pub fn stop(mut self) -> io::Result<bool> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        Ok(self.child.wait()?.success())
    }

    /// Has it end as by a fault that leaves a core file behind, where one may be left; how it ended.
    pub fn abort(mut self) -> io::Result<ExitStatus> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::ABORT)?;
        self.child.wait()
    }

    /// Waits until it ends by itself; true when it ended in good order.
    pub fn wait(mut self) -> io::Result<bool> {
        Ok(self.child.wait()?.success())
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether a process has ended, reaped or not: those that nobody here started wait for init to do that.
pub fn has_ended(pid: rustix::process::Pid) -> bool {
    /// Where the fields after the name have the number of threads.
    const THREADS: usize = 17;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    // The first thread may be gone while others still hold files, and the lock.
    stat.rsplit_once(") ").is_none_or(|(_, fields)| {
        let alone = fields.split(' ').nth(THREADS).is_some_and(|count| count.parse::<u32>().is_ok_and(|n| n <= 1));
        fields.starts_with(['Z', 'X']) && alone
    })
}
