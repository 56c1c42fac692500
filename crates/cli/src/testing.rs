//! Runs whole commands, from what is typed to what is printed, against a daemon that says what a test tells it to.

use crate::arguments::{Command, Globals, parse_from};
use crate::error::Error;
use crate::fake::{self, FakeDaemon};
use crate::run::{Context, Exit, dispatch};
use crate::screen::testing::{self, Written};
use wire::Problem;

/// The session of tests.
pub(crate) const SESSION: &str = "ses_01kav9ft000000000000000007";

/// What a command did.
#[derive(Debug)]
pub(crate) struct Run {
    /// How it ended; none when with an error.
    pub(crate) exit: Option<Exit>,
    /// The error.
    pub(crate) problem: Option<Problem>,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error, without the error.
    pub(crate) aside: String,
    /// The requests that it sent.
    pub(crate) heard: Vec<String>,
}

/// A daemon that gives these bodies as good answers, each on a connection of its own.
pub(crate) fn daemon(bodies: &[&str]) -> FakeDaemon {
    FakeDaemon::new(bodies.iter().map(|body| vec![fake::ok(body)]).collect())
}

/// What a command works with: this daemon, which is never started, and a screen that is none.
pub(crate) fn context(daemon: &FakeDaemon) -> (Context, Written, Written) {
    let (screen, out, aside) = testing::screen(false);
    let globals = Globals { socket: Some(daemon.socket()), no_start: true, ..Globals::default() };
    (Context::new(screen, globals), out, aside)
}

/// Runs what is typed after `tinkerbell`.
pub(crate) fn run(daemon: FakeDaemon, typed: &[&str]) -> Run {
    let command = parse_from(["tinkerbell"].iter().chain(typed)).unwrap_or_else(|error| panic!("{error}"));
    let Command::Cli(invocation) = command else { panic!("{typed:?} is not for us") };
    let (mut context, out, aside) = context(&daemon);
    context.globals.json = invocation.globals.json;
    let (exit, problem) = match dispatch(invocation.verb, &mut context) {
        Ok(exit) => (Some(exit), None),
        Err(Error::Problem(problem)) => (None, Some(problem)),
        Err(other) => panic!("{typed:?}: {other}"),
    };
    Run { exit, problem, out: out.text(), aside: aside.text(), heard: daemon.heard() }
}

/// A session as the daemon lists it.
pub(crate) fn session_row(title: &str, status: &str) -> serde_json::Value {
    serde_json::json!({
        "id": SESSION, "workspace": "/w", "title": title, "status": status, "head": 9, "model": "offline",
        "cost_microusd": 1_500_000, "created_at": "2025-11-23T09:00:00.000000Z",
        "updated_at": "2025-11-23T09:00:00.000000Z",
    })
}

/// A session as the daemon shows it alone.
pub(crate) fn session_view(title: &str, status: &str) -> String {
    let mut view = session_row(title, status);
    let more = serde_json::json!({"turns": 1, "pending": 0, "usage": agent::Usage::default()});
    for (name, value) in more.as_object().expect("it is an object") {
        view[name] = value.clone();
    }
    view.to_string()
}
