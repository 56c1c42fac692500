//! Asks a daemon that runs, for commands that can do without one: those about the configuration file.

use crate::arguments::Globals;
use crate::error::Error;
use crate::http::HttpError;
use crate::request::Request;
use crate::run::{Context, Starting};
use crate::screen::{Colour, Screen};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use wire::operation::Operation;
use wire::{Code, Problem};

/// The answer of the daemon that runs; `None` where none does. None is started for it.
pub fn ask_running<T: DeserializeOwned>(
    socket: Option<PathBuf>,
    operation: &Operation,
    body: &impl Serialize,
) -> Result<Option<T>, Problem> {
    let globals = Globals { socket, no_start: true, ..Globals::default() };
    let context = Context::new(Screen::standard(Colour::default()), globals);
    let asked = || -> Result<T, Error> {
        let request = Request::new(operation)?;
        let request = if operation.method == "GET" { request } else { request.json(body) };
        context.client(Starting::Never)?.call(&request)?.read()
    };
    match asked() {
        Ok(answer) => Ok(Some(answer)),
        // It runs, and nobody is told that none does.
        Err(error @ Error::Http(HttpError::TimedOut { .. })) => {
            Err(Problem { code: Code::OutcomeUnknown, ..error.problem() })
        }
        Err(error) => match error.into_problem() {
            Some(problem) if problem.code != Code::NoDaemon => Err(problem),
            _ => Ok(None),
        },
    }
}
