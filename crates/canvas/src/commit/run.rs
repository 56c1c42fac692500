//! Running the user's git: its own process group, a time limit, bounded output, and never a question to anybody.

use super::environment::CommitOptions;
use super::error::CommitError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{MemfdFlags, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The most that is kept of what git and hooks say, in bytes; the rest is read and dropped.
const MAX_WORDS_BYTES: usize = 8 * 1024;
/// The longest list of paths that git may answer with, in bytes.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// How long a git that took too long is given to remove its locks before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// The user's git in a workspace.
pub(super) struct Git<'a> {
    pub(super) workspace: &'a Path,
    pub(super) options: &'a CommitOptions,
}

/// How a run ended.
pub(super) struct Ended {
    status: ExitStatus,
    answer: Vec<u8>,
    complaints: Vec<u8>,
}

impl Git<'_> {
    /// Asks for something that changes nothing, not even the times that git remembers in the index.
    pub(super) fn ask(
        &self,
        doing: &'static str,
        arguments: &[impl AsRef<std::ffi::OsStr>],
        input: &[u8],
    ) -> Result<Ended, CommitError> {
        let mut command = self.command();
        command.env("GIT_OPTIONAL_LOCKS", "0").args(arguments);
        let ended = self.run(doing, command, input)?;
        if ended.answer.len() > MAX_ANSWER_BYTES {
            let source = io::Error::other(format!("its answer has more than {MAX_ANSWER_BYTES} bytes"));
            return Err(CommitError::Io { doing, source });
        }
        Ok(ended)
    }

    /// Does something.
    pub(super) fn act(&self, doing: &'static str, arguments: &[&str], input: &[u8]) -> Result<Ended, CommitError> {
        let mut command = self.command();
        command.args(arguments);
        self.run(doing, command, input)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.options.program);
        command.current_dir(self.workspace).env_clear().envs(&self.options.environment);
        command.envs([("GIT_TERMINAL_PROMPT", "0"), ("GIT_EDITOR", "true"), ("GIT_PAGER", "cat")]);
        command.process_group(0);
        command
    }

    fn run(&self, doing: &'static str, mut command: Command, input: &[u8]) -> Result<Ended, CommitError> {
        let failed = |source| CommitError::Io { doing, source };
        command.stdin(if input.is_empty() { Stdio::null() } else { given(input).map_err(failed)? });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| match self.workspace.is_dir() {
            true => CommitError::NoGit { program: self.options.program.clone(), source },
            false => CommitError::Io { doing, source },
        })?;
        let listened = listen(&mut child, self.options.limit);
        if listened.is_err() {
            end(&child, Signal::KILL);
        }
        let status = child.wait().map_err(failed)?;
        let Heard { answer, complaints, timed_out } = listened.map_err(failed)?;
        let ended = Ended { status, answer, complaints };
        if timed_out {
            return Err(CommitError::TimedOut { doing, limit: self.options.limit, words: ended.words() });
        }
        Ok(ended)
    }
}

impl Ended {
    /// The number that it ended with; `None` when a signal ended it.
    pub(super) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    pub(super) fn succeeded(&self) -> bool {
        self.status.success()
    }

    /// What it answered, if it succeeded.
    pub(super) fn answer(self, doing: &'static str) -> Result<Vec<u8>, CommitError> {
        if self.succeeded() { Ok(self.answer) } else { Err(CommitError::Git { doing, words: self.words() }) }
    }

    /// What it complained of, or else said, for people.
    pub(super) fn words(&self) -> String {
        let said = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_WORDS_BYTES)]).into_owned();
        let mut words = said(&self.complaints);
        if !self.answer.is_empty() {
            words.push_str(&said(&self.answer));
        }
        let plain = |c: char| if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c };
        let words: String = words.chars().map(plain).collect();
        if words.trim().is_empty() { format!("({})", self.status) } else { words.trim().to_owned() }
    }
}

/// A file in memory, so that nobody has to write while somebody else has to read.
fn given(input: &[u8]) -> io::Result<Stdio> {
    let mut file = File::from(rustix::fs::memfd_create("input", MemfdFlags::CLOEXEC)?);
    file.write_all(input)?;
    file.rewind()?;
    Ok(file.into())
}

struct Heard {
    answer: Vec<u8>,
    complaints: Vec<u8>,
    timed_out: bool,
}

/// Reads what the child says until it ends, which may be before those end that it started and that still hold its
/// outputs. One that takes too long is asked to end, then killed, with all that is in its group.
fn listen(child: &mut Child, limit: Duration) -> io::Result<Heard> {
    let process = pidfd_open(pid_of(child), PidfdFlags::empty())?;
    let mut answer = Stream::new(child.stdout.take().map(OwnedFd::from), MAX_ANSWER_BYTES + 1)?;
    let mut complaints = Stream::new(child.stderr.take().map(OwnedFd::from), MAX_WORDS_BYTES)?;
    let (mut deadline, mut timed_out) = (Instant::now() + limit, false);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            end(child, if timed_out { Signal::KILL } else { Signal::TERM });
            (deadline, timed_out) = (Instant::now() + GRACE, true);
            continue;
        }
        let ended = wait(&process, &[&answer, &complaints], left)?;
        answer.read()?;
        complaints.read()?;
        if ended {
            if timed_out {
                // What it started and what did not want to end with it. Its number is not free before it is waited for.
                end(child, Signal::KILL);
            }
            return Ok(Heard { answer: answer.kept, complaints: complaints.kept, timed_out });
        }
    }
}

/// Waits until there is something to read or the process has ended; whether it has.
fn wait(process: &OwnedFd, streams: &[&Stream], at_most: Duration) -> io::Result<bool> {
    let mut polled = vec![PollFd::new(process, PollFlags::IN)];
    polled.extend(streams.iter().filter_map(|stream| Some(PollFd::new(stream.pipe.as_ref()?, PollFlags::IN))));
    let timeout = Timespec { tv_sec: at_most.as_secs().cast_signed(), tv_nsec: at_most.subsec_nanos().into() };
    match poll(&mut polled, Some(&timeout)) {
        Ok(_) => Ok(!polled[0].revents().is_empty()),
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// One output of the child.
struct Stream {
    pipe: Option<File>,
    kept: Vec<u8>,
    limit: usize,
}

impl Stream {
    fn new(pipe: Option<OwnedFd>, limit: usize) -> io::Result<Stream> {
        if let Some(pipe) = &pipe {
            let flags = rustix::fs::fcntl_getfl(pipe)?;
            rustix::fs::fcntl_setfl(pipe.as_fd(), flags | OFlags::NONBLOCK)?;
        }
        Ok(Stream { pipe: pipe.map(File::from), kept: Vec::new(), limit })
    }

    /// Reads what is there now, and no more than a pipe holds, so that a flood cannot keep us here.
    fn read(&mut self) -> io::Result<()> {
        let mut chunk = [0; 64 * 1024];
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        match pipe.read(&mut chunk) {
            Ok(0) => self.pipe = None,
            Ok(read) => {
                let room = self.limit - self.kept.len();
                self.kept.extend_from_slice(&chunk[..read.min(room)]);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// A group that is gone already needs no end.
fn end(child: &Child, signal: Signal) {
    let _ = kill_process_group(pid_of(child), signal);
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}
