//! The one binary: a command line, and the daemon that it speaks to.

mod carried;
mod config;
mod snapshot;
mod wanted;

use cli::Command;
use std::path::PathBuf;
use std::process::ExitCode;
use wire::places::{Places, PlacesError};
use wire::{Code, Problem};

fn main() -> ExitCode {
    match cli::parse() {
        Command::Run { detached, takes_over, socket } => match places(socket) {
            Ok(places) => daemon::run(daemon::Options { takes_over, ..daemon::Options::new(places, detached) }),
            Err(problem) => cli::report(&problem, false),
        },
        Command::Config { job, json, socket } => match places(socket.clone()) {
            Ok(places) => config::run(job, places.config_file, socket, json),
            Err(problem) => cli::report(&problem, json),
        },
        Command::Snapshot { job, hand } => snapshot::run(job, *hand),
        Command::Cli(command) => cli::run(command, config::look),
    }
}

fn places(socket: Option<PathBuf>) -> Result<Places, Problem> {
    let wrong = |error: PlacesError| Problem::new(Code::InvalidRequest, error.to_string());
    Places::from_env(&|name| std::env::var_os(name), socket).map_err(wrong)
}
