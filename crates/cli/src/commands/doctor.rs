//! `doctor`: looks for what is missing, and says what to do about it.

use crate::client::{Client, VERSION};
use crate::error::Error;
use crate::locate::{self, Unreachable};
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{BAD, FAINT, GOOD, NOTE, Sink};
use rustix::process::geteuid;
use serde::Serialize;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use wire::operation;
use wire::places::Places;
use wire::rest::{DaemonStatus, ModelList};

/// Looks whether everything that tinkerbell needs is there
///
/// The exit code is 1 when something that is needed is missing. Nothing is started or changed.
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
                findings.push(good("places", format!("state in {}", places.state_dir.display())));
                findings.push(directory("state directory", &places.state_dir));
                findings.push(configuration(&places.config_file));
                daemon(context.client(Starting::Never)?, &places, &mut findings);
            }
            Err(problem) => findings.push(Finding {
                name: "places",
                state: State::Missing,
                detail: problem.detail,
                remedy: problem.remedy,
            }),
        }
        findings.push(git());
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
    out.line(&format!("{word} {}: {}", finding.name, plain::strip(&finding.detail)))?;
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

/// Whether a directory is ours, private, and can be written; one that is not there yet is made by the daemon.
fn directory(name: &'static str, path: &Path) -> Finding {
    let shown = path.display();
    let about = match std::fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return parent_of(name, path),
        Err(error) => {
            return bad(name, format!("{shown} cannot be looked at: {error}"), "make it yours, or set TINKERBELL_HOME");
        }
    };
    if !about.is_dir() {
        return bad(name, format!("{shown} is not a directory"), "move it away, or set TINKERBELL_HOME");
    }
    if about.uid() != geteuid().as_raw() {
        return bad(name, format!("{shown} belongs to another user"), "set TINKERBELL_HOME to a directory of your own");
    }
    if about.mode() & 0o077 != 0 {
        return bad(name, format!("{shown} can be entered by others"), format!("chmod 700 {shown}"));
    }
    match is_writable(path) {
        true => good(name, format!("{shown} is private and can be written")),
        false => bad(name, format!("{shown} cannot be written"), "make it writable, or set TINKERBELL_HOME"),
    }
}

fn parent_of(name: &'static str, path: &Path) -> Finding {
    let there = path.ancestors().skip(1).find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    match is_writable(there) {
        true => good(name, format!("{} is not there yet and can be made", path.display())),
        false => bad(
            name,
            format!("{} is not there and cannot be made: {} cannot be written", path.display(), there.display()),
            "make it writable, or set TINKERBELL_HOME",
        ),
    }
}

fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
}

fn configuration(path: &Path) -> Finding {
    let shown = path.display();
    match std::fs::File::open(path) {
        Ok(_) => good("configuration", format!("{shown} (tinkerbell config check reads it)")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            good("configuration", format!("{shown} is not there: defaults and the offline model"))
        }
        Err(error) => bad("configuration", format!("{shown} cannot be read: {error}"), "make it readable for yourself"),
    }
}

/// The socket, who listens on it, and what that says of itself.
fn daemon(mut client: Client, places: &Places, findings: &mut Vec<Finding>) {
    match locate::connect(places) {
        Ok(found) => findings.push(good("socket", format!("{} is answered by your own daemon", found.path.display()))),
        Err(Unreachable::Absent { .. }) => {
            findings.push(note("daemon", "it is not running", "nothing need be done: the next command starts it"));
            return;
        }
        Err(other) => {
            let problem = other.problem();
            findings.push(bad("socket", problem.detail, problem.remedy.unwrap_or_default()));
            return;
        }
    }
    let status = Request::new(&operation::STATUS).and_then(|request| client.call(&request)?.read::<DaemonStatus>());
    match status {
        Ok(status) if status.version != VERSION => findings.push(bad(
            "daemon",
            format!("it is version {}, this is {VERSION}", status.version),
            "`tinkerbell daemon stop`; the next command starts the new one",
        )),
        Ok(status) => findings.push(good("daemon", format!("version {VERSION}, process {}", status.pid))),
        Err(error) => {
            findings.push(bad("daemon", error.to_string(), "look with `tinkerbell daemon logs`"));
            return;
        }
    }
    if let Ok(list) = Request::new(&operation::MODELS).and_then(|request| client.call(&request)?.read::<ModelList>()) {
        findings.extend(list.models.iter().map(|model| match &model.missing {
            Some(missing) => {
                note("model", format!("{}: {missing}", model.name), "see [models] in the configuration file")
            }
            None => good("model", model.name.to_string()),
        }));
    }
}

/// Git is not needed: the canvas has its own. It is for looking at the canvas' repository by hand.
fn git() -> Finding {
    let found = std::env::var_os("PATH")
        .and_then(|path| std::env::split_paths(&path).map(|dir| dir.join("git")).find(|file| file.is_file()));
    match found {
        Some(file) => good("git", file.display().to_string()),
        None => note("git", "it is not in PATH", "install it to look at the canvas' history by hand"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_must_be_private_and_may_be_missing() {
        let dir = tempfile::tempdir().unwrap();
        let set = |mode| std::fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
        set(0o700);
        assert_eq!(directory("d", dir.path()).state, State::Good);
        assert_eq!(directory("d", &dir.path().join("a/b")).state, State::Good);
        set(0o755);
        let open = directory("d", dir.path());
        assert_eq!((open.state, open.remedy), (State::Missing, Some(format!("chmod 700 {}", dir.path().display()))));
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(directory("d", &file).state, State::Missing);
    }
}
