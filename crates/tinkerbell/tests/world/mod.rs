//! A world in which the product's own binary is run as its users run it, and what it answered.

#![allow(dead_code, reason = "each test program uses its own part of this")]

pub(crate) mod half;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use testkit::{Client, Daemon, Home, has_ended};

/// The product.
pub(crate) const TINKERBELL: &str = env!("CARGO_BIN_EXE_tinkerbell");
/// Longer than anything in a test takes that does not hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often we look for what nothing tells us of.
pub(crate) const LOOK: Duration = Duration::from_millis(2);

/// The world. Whatever daemon its commands started is gone when it is dropped.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) home: Home,
}

/// How a program ended and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    /// An empty world: a plain folder as workspace, no configuration, no daemon.
    pub(crate) fn new() -> World {
        World { home: Home::new() }
    }

    /// A world whose workspace is a git repository with one commit of `a.txt` and `src/lib.rs`.
    pub(crate) fn repository() -> World {
        let world = World::new();
        world.write("a.txt", "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n");
        world.write("src/lib.rs", "pub fn foo() {}\n");
        world.git(&["init", "--quiet", "--initial-branch=main"]);
        world.git(&["add", "."]);
        world.git(&["commit", "--quiet", "-m", "the beginning"]);
        world
    }

    pub(crate) fn client(&self) -> Client {
        self.home.client()
    }

    /// Runs a daemon that goes with its handle.
    pub(crate) fn daemon(&self) -> Daemon {
        self.home.start(TINKERBELL).unwrap()
    }

    /// The product in the workspace.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command(TINKERBELL);
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs the product.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.command(arguments))
    }

    /// Runs the product, which must end well, and gives its output.
    pub(crate) fn good(&self, arguments: &[&str]) -> String {
        self.run(arguments).good()
    }

    /// Runs the product with `--json` and reads what it prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let out = self.run(&[arguments, &["--json"]].concat()).good();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?} printed {out:?}: {error}"))
    }

    /// Runs the product with something on its standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    }

    /// Runs git in the workspace, as the user does.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let mut command = self.home.command("git");
        ran(command.args(["-c", "user.name=User", "-c", "user.email=user@example.org"]).args(arguments)).good()
    }

    /// Where a file of the workspace is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.workspace().join(name)
    }

    /// Writes a file of the workspace, as the user does.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Reads a file of the workspace; `None` when it is not there.
    pub(crate) fn read(&self, name: &str) -> Option<String> {
        match std::fs::read_to_string(self.path(name)) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => panic!("{name}: {error}"),
        }
    }

    /// Whether some process holds the lock on the state, or listens: one that is killed lets go of the two one after the
    /// other.
    pub(crate) fn is_held(&self) -> bool {
        if std::os::unix::net::UnixStream::connect(self.home.tinkerbell().join("tinkerbell.sock")).is_ok() {
            return true;
        }
        let Ok(file) = std::fs::File::open(self.home.state().join("daemon.lock")) else { return false };
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockShared).is_err()
    }

    /// The process of the daemon that last began here, as the lock file names it.
    pub(crate) fn announced(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.home.state().join("daemon.lock")).ok()?;
        serde_json::from_str::<Value>(&text).ok()?["pid"].as_u64().map(|pid| pid as u32)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A daemon that a command started is nobody's child here. It is ours if its environment names this world.
        let Some(pid) = self.announced() else { return };
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let ours = format!("TINKERBELL_HOME={}", self.home.tinkerbell().display());
        if environment.split(|byte| *byte == 0).any(|variable| variable == ours.as_bytes()) {
            let pid = process(pid);
            let _ = kill_process(pid, Signal::KILL);
            wait_until("the daemon is gone", || has_ended(pid));
        }
    }
}

impl Ran {
    pub(crate) fn of(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The output of a program that must have ended well.
    #[track_caller]
    pub(crate) fn good(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// A program that must have ended with an error whose words contain all of these.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in {self:?}");
        }
    }
}

/// Runs a command to its end.
pub(crate) fn ran(command: &mut Command) -> Ran {
    Ran::of(command.output().unwrap())
}

/// A process by its number.
pub(crate) fn process(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

/// Looks until something is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(LOOK);
    }
}

/// A configuration whose prompts go to a chat server; `more` are further lines of the model's table.
pub(crate) fn server(base_url: &str, more: &str) -> String {
    format!(
        "default_model = \"served\"\n[models.served]\nprovider = \"openai\"\nbase_url = \"{base_url}/v1\"\n\
         model = \"scripted\"\n{more}\n[limits]\nattempts = 2\nbackoff_ms = 5\n"
    )
}

/// All events of a session, by pages.
pub(crate) fn journal(client: &Client, session: &str) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    loop {
        let after = events.len();
        let page = client.get(&format!("/v1/sessions/{session}/events?after={after}")).unwrap().json();
        events.extend(page["events"].as_array().unwrap().iter().cloned());
        if page["next"].is_null() {
            return events;
        }
    }
}

/// Whether this process may do what only root may.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The root of the project.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(Path::parent).unwrap()
}
