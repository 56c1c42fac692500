//! Why a configuration is not put in force, in words for whoever wrote it.

use crate::config::ConfigError;
use crate::doors::SocketError;
use agent::ModelName;
use std::path::PathBuf;
use wire::rest::ConfigFault;
use wire::{Code, Problem};

/// Why.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// It cannot be read, is not believed, or is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It is not there any more.
    #[error(
        "the configuration {0} is gone; what it said stays in force until a file comes, or until the daemon starts anew \
         without one"
    )]
    Gone(PathBuf),
    /// There is nothing in it, which is how a file looks that is being written.
    #[error(
        "the configuration {0} is empty, as a file is that is being written; if all defaults are meant, leave a comment in it"
    )]
    Empty(PathBuf),
    /// The new socket cannot be had.
    #[error("daemon.socket: {0}")]
    Listener(#[from] SocketError),
    /// Something that works would not any more.
    #[error("{}\nmend it, or take it all the same with `tinkerbell config reload --force`", reasons(.0))]
    Unproved(Vec<(ModelName, String)>),
    /// A thread broke down.
    #[error("the configuration could not be read; this is a fault in tinkerbell")]
    Broken,
}

fn reasons(bad: &[(ModelName, String)]) -> String {
    let lines: Vec<String> = bad.iter().map(|(model, reason)| format!("models.{model}: {reason}")).collect();
    lines.join("\n")
}

impl Refusal {
    /// What is wrong in the file, with lines.
    pub(super) fn faults(&self) -> Vec<ConfigFault> {
        match self {
            Refusal::Config(error) => error.faults(),
            _ => Vec::new(),
        }
    }

    /// For whoever asked.
    pub(super) fn problem(&self) -> Problem {
        let code = match self {
            Refusal::Config(_) | Refusal::Empty(_) => Code::InvalidRequest,
            Refusal::Gone(_) => Code::NotFound,
            Refusal::Listener(_) | Refusal::Unproved(_) => Code::Conflict,
            Refusal::Broken => Code::Internal,
        };
        Problem::new(code, self.to_string()).remedy("what was in force stays in force")
    }
}
