//! Programs that a chore runs: the only place in xtask that starts a process.
//!
//! Every program has no standard input and a deadline, after which it is killed with all that it had started, so that a
//! chore that hangs in CI ends with a word instead of with the machine. Programs stay in our process group, so that an
//! interrupt at the terminal reaches them as well.

use anyhow::Context;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Lines that a program may be ahead of whoever reads them; more only make it wait.
const LINES_AHEAD: usize = 1024;

/// A program with its arguments, and how long it may take.
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
    name: String,
    limit: Duration,
}

impl Program {
    /// A program that runs in `directory`.
    pub(crate) fn new(name: impl Into<OsString>, directory: &Path, limit: Duration) -> Program {
        let name = name.into();
        let mut command = Command::new(&name);
        command.current_dir(directory).stdin(Stdio::null());
        Program { command, name: name.to_string_lossy().into_owned(), limit }
    }

    /// The cargo that started us.
    pub(crate) fn cargo(directory: &Path, limit: Duration) -> Program {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Program::new(cargo, directory, limit)
    }

    /// Adds arguments.
    pub(crate) fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Program {
        self.command.args(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Program {
        self.command.env(name, value.into());
        self
    }

    /// Runs it to its end, its output going where ours goes.
    pub(crate) fn run(self) -> anyhow::Result<ExitStatus> {
        self.run_with_lines(None)
    }

    /// Runs it to its end and hands over each line of its standard output as it comes; bytes that are not UTF-8 are
    /// replaced.
    pub(crate) fn lines(self, mut line: impl FnMut(&str)) -> anyhow::Result<ExitStatus> {
        self.run_with_lines(Some(&mut line))
    }

    fn run_with_lines(mut self, mut line: Option<&mut dyn FnMut(&str)>) -> anyhow::Result<ExitStatus> {
        if line.is_some() {
            self.command.stdout(Stdio::piped());
        }
        let deadline = Instant::now() + self.limit;
        let mut child = self.command.spawn().with_context(|| format!("{} could not be started", self.name))?;
        let (sender, receiver) = sync_channel(LINES_AHEAD);
        let output = child.stdout.take();
        std::thread::spawn(move || {
            let mut output = BufReader::new(match output {
                Some(output) => output,
                None => return,
            });
            let mut bytes = Vec::new();
            while output.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
                if sender.send(String::from_utf8_lossy(&bytes).trim_end().to_owned()).is_err() {
                    return;
                }
                bytes.clear();
            }
        });
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match receiver.recv_timeout(left) {
                Ok(text) => {
                    if let Some(line) = &mut line {
                        line(&text);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return self.wait(child, deadline),
                Err(RecvTimeoutError::Timeout) => return Err(self.kill(child)),
            }
        }
    }

    /// Its output has ended, or goes elsewhere; the program itself is looked after until the deadline.
    fn wait(&self, mut child: Child, deadline: Instant) -> anyhow::Result<ExitStatus> {
        loop {
            if let Some(status) = child.try_wait().with_context(|| format!("{} could not be waited for", self.name))? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(self.kill(child));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn kill(&self, mut child: Child) -> anyhow::Error {
        let started: Vec<String> = descendants(child.id()).iter().map(ToString::to_string).collect();
        // What ended by itself in this instant is as good as killed.
        let _ = Command::new("kill").args(["-KILL", "--"]).args(started).stderr(Stdio::null()).status();
        let _ = child.wait();
        anyhow::anyhow!("{} ran past its {} s and was killed with all it had started", self.name, self.limit.as_secs())
    }
}

/// A process and all that descend from it, as the kernel lists them; without `/proc` only the process itself.
fn descendants(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let children: Vec<u32> = lists
            .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
            .collect();
        found.extend(children);
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Program {
        Program::new("sh", Path::new("/"), limit).args(["-c", script])
    }

    #[test]
    fn lines_arrive_in_order_and_the_status_is_the_programs() {
        let mut seen = Vec::new();
        let status =
            shell("echo one; printf 'two'; exit 3", Duration::from_secs(60)).lines(|line| seen.push(line.to_owned()));
        assert_eq!((seen, status.unwrap().code()), (vec!["one".to_owned(), "two".to_owned()], Some(3)));
    }

    #[test]
    fn a_program_past_its_deadline_is_killed_with_its_children() {
        let mut child = String::new();
        let slow = shell("sleep 600 & echo $!; wait", Duration::from_secs(5)).lines(|line| child = line.to_owned());
        let message = slow.unwrap_err().to_string();
        assert!(message.contains("ran past its 5 s"), "{message}");
        let lives = || {
            let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            !state.is_empty() && !state.contains(") Z ")
        };
        let patience = Instant::now() + Duration::from_secs(30);
        while lives() && Instant::now() < patience {
            std::thread::yield_now();
        }
        assert!(!lives(), "the child {child} lives on");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let missing = Program::new("no-such-program-here", Path::new("/"), Duration::from_secs(1)).run();
        assert!(missing.unwrap_err().to_string().starts_with("no-such-program-here could not be started"));
    }
}
