//! How a command ends when it does not end well, and how that is told.

use crate::http::HttpError;
use std::io::{self, Write};
use std::process::ExitCode;
use wire::{Code, Problem};

/// Exit code when the reader of our output has gone, as a shell reports a process that SIGPIPE ended.
const EXIT_OUTPUT_CLOSED: u8 = 141;

/// Why a command stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The daemon said no, or we did in its place.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// Talking to the daemon failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Nobody reads our output any more, or it cannot be written.
    #[error("cannot write the output: {0}")]
    Output(io::Error),
}

impl Error {
    /// The same as a problem document, also where nobody may be there to read it.
    pub(crate) fn problem(self) -> Problem {
        self.into_problem().unwrap_or_else(|| Problem::new(Code::Internal, "nobody reads the output any more"))
    }

    /// The same as a problem document; `None` when there is nobody to tell.
    pub(crate) fn into_problem(self) -> Option<Problem> {
        match self {
            Error::Problem(problem) => Some(problem),
            Error::Http(error @ HttpError::TimedOut { .. }) => Some(
                Problem::new(Code::NoDaemon, error.to_string())
                    .remedy("look with `tinkerbell daemon logs`; `tinkerbell daemon stop` ends it, and the next command starts a new one"),
            ),
            Error::Http(error @ HttpError::Silent { process, .. }) => Some(
                Problem::new(Code::NoDaemon, error.to_string()).remedy(match process {
                    Some(pid) => format!(
                        "again in a while; else `kill {pid}` asks it to stop and `kill -9 {pid}` ends it: nothing that was acknowledged is lost"
                    ),
                    None => "again in a while; else look with `tinkerbell daemon logs`".to_owned(),
                }),
            ),
            Error::Http(error @ HttpError::Interrupted) => Some(
                Problem::new(Code::OutcomeUnknown, error.to_string())
                    .remedy("what was asked may still happen; look with `tinkerbell sessions ls`"),
            ),
            Error::Http(error) if error.is_broken_connection() => Some(
                Problem::new(Code::NoDaemon, error.to_string()).remedy("look with `tinkerbell daemon logs`"),
            ),
            Error::Http(error) => Some(
                Problem::new(Code::Internal, error.to_string())
                    .remedy("check with `tinkerbell doctor` who listens on the socket"),
            ),
            Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            Error::Output(error) => {
                Some(Problem::new(Code::Internal, format!("cannot write the output: {error}")))
            }
        }
    }

    /// The same for people, for whoever shows it in a place of their own; empty when there is nobody to tell.
    pub(crate) fn told(self) -> String {
        self.into_problem().map(|problem| text(&problem, false)).unwrap_or_default()
    }

    /// Tells of it on standard error, and gives the exit code that says the same.
    pub(crate) fn report(self, json: bool) -> ExitCode {
        match self.into_problem() {
            Some(problem) => report(&problem, json),
            None => ExitCode::from(EXIT_OUTPUT_CLOSED),
        }
    }
}

/// Tells of a problem on standard error, for people or as its JSON document, and gives its exit code.
pub fn report(problem: &Problem, json: bool) -> ExitCode {
    // There is nowhere left to say that standard error is closed.
    let _ = io::stderr().write_all(text(problem, json).as_bytes());
    ExitCode::from(problem.code.exit())
}

fn text(problem: &Problem, json: bool) -> String {
    if json {
        let document = serde_json::to_string(problem).expect("a problem is plain data");
        return format!("{document}\n");
    }
    let detail = crate::plain::strip(&problem.detail);
    match &problem.remedy {
        Some(remedy) => format!("error: {detail}\n  try: {}\n", crate::plain::strip(remedy)),
        None => format!("error: {detail}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_its_way_out_and_without_escape_sequences() {
        let problem =
            Problem::new(Code::UnknownModel, "there is no model \u{1b}[31m\"gpt\"").remedy("tinkerbell models ls");
        assert_eq!(text(&problem, false), "error: there is no model \"gpt\"\n  try: tinkerbell models ls\n");
        let read: Problem = serde_json::from_str(&text(&problem, true)).unwrap();
        assert_eq!(read, problem);
    }

    #[test]
    fn a_closed_pipe_is_nothing_to_talk_about() {
        assert_eq!(Error::Output(io::ErrorKind::BrokenPipe.into()).into_problem(), None);
        let silent = Error::Http(HttpError::TimedOut { seconds: 3 }).into_problem().unwrap();
        assert_eq!((silent.code, silent.remedy.is_some()), (Code::NoDaemon, true));
    }
}
