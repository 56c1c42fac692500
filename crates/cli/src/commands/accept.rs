//! `accept`: writes the canvas into the user's files, or takes that back.

use crate::current::Which;
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, HEAD, Screen};
use crate::words;
use agent::AcceptOutcome;
use wire::rest::{Accepted, Selection};
use wire::{Code, Problem, operation};

/// Writes what the session changed into your files, all of it or some paths
///
/// Each file is exchanged whole, and only if it is still what the session saw; if one is not, none is changed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell accept\n  tinkerbell accept src README.md\n  tinkerbell accept --undo")]
pub(crate) struct Accept {
    /// Only these paths and what lies below them
    #[arg(value_name = "PATH", conflicts_with = "undo")]
    paths: Vec<String>,

    /// Take the last accept back
    #[arg(long)]
    undo: bool,

    #[command(flatten)]
    which: Which,
}

/// Which way files went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the canvas into the work tree.
    Forth,
    /// An accept was taken back.
    Back,
}

impl Accept {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let (request, way) = if self.undo {
            let session = self.which.find_id(&mut client)?;
            (Request::new(&operation::CANVAS_UNDO)?.at("session", session), Way::Back)
        } else {
            let current = self.which.find(&mut client)?;
            let selection = Selection { paths: Some(current.paths(&self.paths)?).filter(|paths| !paths.is_empty()) };
            (Request::new(&operation::CANVAS_ACCEPT)?.at("session", current.id).json(&selection), Way::Forth)
        };
        let answer = client.call(&request)?;
        let json = context.globals.json;
        if json {
            context.print_json(&answer.body)?;
        }
        let which = self.which.session.as_ref().map(|name| format!(" -s {name}")).unwrap_or_default();
        tell(&mut context.screen, &answer.read()?, way, &which, json)
    }
}

/// Tells how an accept ended; what went wrong is an error with its way out.
pub(crate) fn tell(screen: &mut Screen, accepted: &Accepted, way: Way, which: &str, json: bool) -> Result<Exit, Error> {
    match accepted.outcome {
        AcceptOutcome::Done if json => Ok(Exit::GOOD),
        AcceptOutcome::Done => {
            screen.end_lines()?;
            let heading = match way {
                Way::Forth => "Written to your files:",
                Way::Back => "Taken back from your files:",
            };
            let heading = screen.out().paint(HEAD, heading);
            screen.out().line(&heading)?;
            words::diffstat(screen.out(), &accepted.files)?;
            let next = match way {
                Way::Forth => format!("next: tinkerbell accept{which} --undo takes it back"),
                Way::Back => format!("next: tinkerbell diff{which}; the changes are on the canvas again"),
            };
            screen.remark(FAINT, &next)?;
            Ok(Exit::GOOD)
        }
        AcceptOutcome::Conflict => Err(conflict(accepted, which).into()),
        AcceptOutcome::Failed => {
            let why = accepted.message.as_deref().unwrap_or("no reason was given");
            let detail = format!("nothing was accepted, every file is as it was: {why}");
            screen.end_lines()?;
            screen.remark(crate::screen::BAD, &format!("error: {}", plain::strip(&detail)))?;
            Ok(Exit::BAD)
        }
    }
}

fn conflict(accepted: &Accepted, which: &str) -> Problem {
    let path = accepted.path.as_ref().map_or_else(|| "a file".to_owned(), |path| path.to_string());
    let why = accepted.message.as_deref().unwrap_or("it is not what the session saw");
    Problem::new(Code::Conflict, format!("{path} stands in the way: {why}. Nothing was accepted, every file is as it was"))
        .remedy(format!("look with `tinkerbell diff{which} --stat`; undo your change of {path}, or drop the session's with `tinkerbell reject{which} {path}`, and accept again"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::testing;
    use wire::RelPath;

    #[test]
    fn a_conflict_names_the_file_and_the_way_out() {
        let accepted = Accepted {
            outcome: AcceptOutcome::Conflict,
            seq: agent::Seq(9),
            files: Vec::new(),
            message: Some("it was changed meanwhile".into()),
            path: Some(RelPath::new("src/a.rs").unwrap()),
        };
        let (mut screen, _, _) = testing::screen(false);
        let Err(Error::Problem(problem)) = tell(&mut screen, &accepted, Way::Forth, "", false) else { panic!() };
        assert_eq!(problem.code, Code::Conflict);
        assert!(problem.detail.contains("src/a.rs stands in the way: it was changed meanwhile"), "{problem}");
        assert!(problem.remedy.unwrap().contains("tinkerbell reject src/a.rs"));
    }

    #[test]
    fn what_was_written_is_told_with_how_to_take_it_back() {
        let accepted =
            Accepted { outcome: AcceptOutcome::Done, seq: agent::Seq(9), files: Vec::new(), message: None, path: None };
        let (mut screen, out, aside) = testing::screen(false);
        tell(&mut screen, &accepted, Way::Forth, " -s 00ab", false).unwrap();
        assert!(out.text().starts_with("Written to your files:\n"), "{}", out.text());
        assert_eq!(aside.text(), "next: tinkerbell accept -s 00ab --undo takes it back\n");
    }
}
