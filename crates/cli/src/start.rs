//! Starts the daemon where it is not running, and waits until it takes requests.
//!
//! The child gets a pipe as its standard error and says one thing on it: `ready`, or why it could not begin. Many
//! commands may start a daemon at once; one of the daemons gets the lock, the others say so and go, and their starters
//! wait for the one that lives.

use crate::locate::{self, Found};
use crate::screen;
use crate::wait;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};
use wire::places::Places;
use wire::{Code, Problem};

/// What a daemon says that is ready.
const READY: &[u8] = b"ready\n";
/// How long a start may take. Recovery of a large journal is part of it.
const START_LIMIT: Duration = Duration::from_secs(120);
/// After this long we say what we wait for.
const QUIET: Duration = Duration::from_secs(1);
/// How long we wait for a daemon that somebody else started.
const OTHERS_LIMIT: Duration = Duration::from_secs(30);
/// How often we look whether that one is ready: nothing tells us that.
const OTHERS_PAUSE: Duration = Duration::from_millis(10);
/// The most that is read of what a failing daemon says, in bytes.
const MAX_WORDS_BYTES: usize = 64 * 1024;

/// How to start a daemon.
#[derive(Debug, Clone)]
pub(crate) struct Starter {
    executable: PathBuf,
    /// The socket that the command line named; the environment is inherited.
    socket: Option<PathBuf>,
}

/// What a child said on its pipe.
enum Said {
    Ready,
    Words(String),
    NothingYet,
}

impl Starter {
    /// Starts the executable that is running now.
    pub(crate) fn new(socket: Option<PathBuf>) -> Starter {
        Starter { executable: PathBuf::from("/proc/self/exe"), socket }
    }

    /// Starts another executable, for tests.
    #[cfg(test)]
    pub(crate) fn of(executable: &std::path::Path) -> Starter {
        Starter { executable: executable.to_owned(), socket: None }
    }

    /// Starts a daemon and connects to it, or to the one that was quicker.
    pub(crate) fn start(&self, places: &Places) -> Result<Found, Problem> {
        let began = Instant::now();
        let mut told = false;
        loop {
            // A name that a daemon left in the lock file stays there until the next one begins: it is in nobody's way.
            let gone = locate::announced(places).map(|left| left.pid).filter(|pid| wait::has_ended(*pid));
            let mut child = self.spawn(places)?;
            let mut pipe = child.stderr.take().expect("the child was spawned with a pipe as its standard error");
            let words =
                match listen(&mut pipe, began, &mut told).map_err(|error| cannot_start(&error.to_string(), places))? {
                    Said::Ready => return locate::connect(places).map_err(|unreachable| unreachable.problem()),
                    Said::NothingYet => return Err(not_ready()),
                    Said::Words(words) => words,
                };
            // It is ending; waiting for it leaves no zombie behind.
            let _ = child.wait();
            match another(places, [Some(child.id()), gone])? {
                Other::Ready(found) => return Ok(found),
                // The one that was in our way has gone: it was stopping, not starting.
                Other::Gone if began.elapsed() < OTHERS_LIMIT => {}
                Other::Gone | Other::Nobody => return Err(cannot_start(&words, places)),
            }
        }
    }

    fn spawn(&self, places: &Places) -> Result<Child, Problem> {
        let mut command = Command::new(&self.executable);
        command.arg0("tinkerbell").args(["daemon", "run", "--detached"]);
        if let Some(socket) = &self.socket {
            let socket = std::path::absolute(socket).unwrap_or_else(|_| socket.clone());
            command.arg("--socket").arg(socket);
        }
        // The child makes a session of its own, which the leader of a process group could not.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().map_err(|error| {
            let words = format!("cannot run {}: {error}", self.executable.display());
            cannot_start(&words, places)
        })
    }
}

/// Waits until the child has said something whole, saying on our side what we wait for once it takes long: one time,
/// however many children there are.
fn listen(pipe: &mut ChildStderr, began: Instant, told: &mut bool) -> io::Result<Said> {
    let mut heard = Vec::new();
    loop {
        let limit = if *told { START_LIMIT } else { QUIET };
        let left = limit.saturating_sub(began.elapsed());
        let [ready] = wait::readable([Some(pipe.as_fd())], Some(left))?;
        if ready {
            let mut piece = [0; 4096];
            let length = pipe.read(&mut piece)?;
            heard.extend_from_slice(&piece[..length]);
            if heard.starts_with(READY) {
                return Ok(Said::Ready);
            }
            if length == 0 || heard.len() > MAX_WORDS_BYTES {
                return Ok(Said::Words(String::from_utf8_lossy(&heard).trim().to_owned()));
            }
        } else if *told {
            return Ok(Said::NothingYet);
        } else {
            *told = true;
            screen::progress("starting the daemon…");
        }
    }
}

/// What became of the daemon that was in the way of ours.
enum Other {
    Ready(Found),
    Gone,
    /// There is none: ours failed for a reason of its own.
    Nobody,
}

/// Waits for the daemon that holds the lock: until it is ready, or has gone. It is none of `others`.
fn another(places: &Places, others: [Option<u32>; 2]) -> Result<Other, Problem> {
    let began = Instant::now();
    let mut told = false;
    let holder = || locate::announced(places).filter(|running| !others.contains(&Some(running.pid)));
    let Some(first) = holder() else {
        return Ok(locate::connect(places).map_or(Other::Nobody, Other::Ready));
    };
    let Some(process) = wait::process(first.pid) else {
        return Ok(locate::connect(places).map_or(Other::Nobody, Other::Ready));
    };
    loop {
        if let Ok(found) = locate::connect(places) {
            return Ok(Other::Ready(found));
        }
        let [has_ended] = wait::readable([Some(process.as_fd())], Some(OTHERS_PAUSE))
            .map_err(|error| cannot_start(&error.to_string(), places))?;
        if has_ended {
            return Ok(Other::Gone);
        }
        if began.elapsed() > OTHERS_LIMIT {
            // What our own daemon said before it went names the other one and the way out.
            return Ok(Other::Nobody);
        }
        if !told && began.elapsed() > QUIET {
            told = true;
            screen::progress(&format!("waiting for the daemon that is starting or stopping (process {})…", first.pid));
        }
    }
}

fn not_ready() -> Problem {
    let seconds = START_LIMIT.as_secs();
    Problem::new(Code::NoDaemon, format!("the daemon was started and is not ready after {seconds} s"))
        .remedy("it may still become ready: look with `tinkerbell daemon logs -f`")
}

fn cannot_start(words: &str, places: &Places) -> Problem {
    let words = words.strip_prefix("error: ").unwrap_or(words);
    let why = if words.is_empty() { "it ended without a word" } else { words };
    let remedy = match words.contains(&places.config_file.display().to_string()) {
        true => "`tinkerbell config edit`",
        false => "`tinkerbell doctor` looks for what is missing; `tinkerbell daemon run` starts it in the foreground",
    };
    Problem::new(Code::NoDaemon, format!("the daemon could not be started: {why}")).remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    fn script(dir: &Path, text: &str) -> Starter {
        let (source, path) = (dir.join("source"), dir.join("fake"));
        std::fs::write(&source, format!("#!/bin/sh\n{text}\n")).unwrap();
        // By another process: what this one has open to write, a child of another test holds too, and it cannot be run.
        assert!(Command::new("install").args(["-m", "700"]).args([&source, &path]).status().unwrap().success());
        Starter::of(&path)
    }

    fn places(dir: &Path) -> Places {
        Places {
            config_file: dir.join("config.toml"),
            state_dir: dir.to_owned(),
            sockets: vec![dir.join("socket")],
            socket_chosen: false,
        }
    }

    #[test]
    fn a_daemon_that_is_ready_is_connected_to() {
        let dir = tempfile::tempdir().unwrap();
        let _listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        let starter = script(dir.path(), &format!("echo \"$@\" > {}/arguments; echo ready >&2", dir.path().display()));
        let found = starter.start(&places(dir.path())).unwrap();
        assert_eq!(found.path, dir.path().join("socket"));
        assert_eq!(std::fs::read_to_string(dir.path().join("arguments")).unwrap(), "daemon run --detached\n");
    }

    #[test]
    fn a_daemon_that_cannot_begin_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let starter = script(dir.path(), "echo 'error: the disk is full' >&2; exit 8");
        let problem = starter.start(&places(dir.path())).unwrap_err();
        assert_eq!(problem.detail, "the daemon could not be started: the disk is full");
        let file = dir.path().join("config.toml");
        let starter =
            script(dir.path(), &format!("echo 'error: the configuration {} is not valid' >&2", file.display()));
        let problem = starter.start(&places(dir.path())).unwrap_err();
        assert_eq!(problem.remedy.as_deref(), Some("`tinkerbell config edit`"));
        let silent = script(dir.path(), "exit 1").start(&places(dir.path())).unwrap_err();
        assert_eq!(silent.detail, "the daemon could not be started: it ended without a word");
        let missing = Starter::of(&dir.path().join("nothing")).start(&places(dir.path())).unwrap_err();
        assert!(missing.detail.contains("nothing"), "{missing}");
    }

    #[test]
    fn a_daemon_that_has_ended_is_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        // It stays a zombie: nobody asks after it before the end of the test.
        let mut zombie = Command::new("true").spawn().unwrap();
        let process = wait::process(zombie.id()).unwrap();
        assert_eq!(wait::readable([Some(process.as_fd())], None).unwrap(), [true]);
        let left = wire::places::Running { pid: zombie.id(), version: "0.1.0".into(), socket: None };
        let lock = dir.path().join("daemon.lock");
        std::fs::write(&lock, serde_json::to_vec(&left).unwrap()).unwrap();
        std::fs::set_permissions(&lock, Permissions::from_mode(0o600)).unwrap();
        let tries = dir.path().join("tries");
        let starter = script(dir.path(), &format!("echo x >> {}; echo 'error: no' >&2; exit 2", tries.display()));
        let problem = starter.start(&places(dir.path())).unwrap_err();
        assert_eq!(problem.detail, "the daemon could not be started: no");
        assert_eq!(std::fs::read_to_string(&tries).unwrap(), "x\n");
        zombie.wait().unwrap();
    }

    #[test]
    fn the_daemon_that_was_quicker_will_do() {
        let dir = tempfile::tempdir().unwrap();
        let _listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        let starter = script(dir.path(), "echo 'another tinkerbell daemon already runs' >&2; exit 4");
        assert!(starter.start(&places(dir.path())).is_ok());
    }
}
