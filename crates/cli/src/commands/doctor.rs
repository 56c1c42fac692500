//! `doctor`: looks for what is missing, and says what to do about it.

mod daemon;
mod machine;

use crate::error::Error;
use crate::plain;
use crate::run::{Context, Exit, Starting};
use crate::screen::{BAD, FAINT, GOOD, NOTE, Sink};
use serde::Serialize;

/// Looks whether everything that tinkerbell needs is there
///
/// Paths, configuration, the daemon and its health, models with their servers and keys, git, the terminal. The exit code
/// is 1 when something that is needed is missing. Nothing is started or changed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell doctor\n  tinkerbell doctor --json")]
pub(crate) struct Doctor {}

/// What was found out about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// The thing.
    name: &'static str,
    /// How it is.
    state: State,
    /// The same in words.
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As it should be.
    Good,
    /// Missing, and one can do without.
    Optional,
    /// Missing or wrong, and needed.
    Missing,
}

impl Doctor {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut findings = Vec::new();
        match context.places() {
            Ok(places) => {
                findings.extend(machine::places(&places, context.reader));
                findings.extend(daemon::all(context.client(Starting::Never)?, &places));
            }
            Err(problem) => findings.push(Finding {
                name: "places",
                state: State::Missing,
                detail: problem.detail,
                remedy: problem.remedy,
            }),
        }
        findings.push(machine::git());
        findings.push(machine::terminal());
        if context.globals.json {
            let body =
                serde_json::to_vec(&serde_json::json!({ "findings": findings })).expect("findings are plain data");
            context.print_json(&body)?;
        } else {
            findings.iter().try_for_each(|finding| print(context.screen.out(), finding))?;
        }
        let is_missing = findings.iter().any(|finding| finding.state == State::Missing);
        Ok(if is_missing { Exit::BAD } else { Exit::GOOD })
    }
}

fn print(out: &mut Sink, finding: &Finding) -> Result<(), Error> {
    let (style, word) = match finding.state {
        State::Good => (GOOD, "ok     "),
        State::Optional => (NOTE, "note   "),
        State::Missing => (BAD, "missing"),
    };
    let word = out.paint(style, word);
    let detail = plain::strip(&finding.detail).replace('\n', "\n        ");
    out.line(&format!("{word} {}: {detail}", finding.name))?;
    if let Some(remedy) = &finding.remedy {
        let remedy = out.paint(FAINT, &format!("        try: {}", plain::strip(remedy)));
        out.line(&remedy)?;
    }
    Ok(())
}

fn good(name: &'static str, detail: impl Into<String>) -> Finding {
    Finding { name, state: State::Good, detail: detail.into(), remedy: None }
}

fn bad(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { name, state: State::Missing, detail: detail.into(), remedy: Some(remedy.into()) }
}

fn note(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { name, state: State::Optional, detail: detail.into(), remedy: Some(remedy.into()) }
}
