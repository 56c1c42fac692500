//! The one binary: a command line, and the daemon that it speaks to.

use cli::Command;
use std::path::PathBuf;
use std::process::ExitCode;
use wire::places::{Places, PlacesError};
use wire::{Code, Problem};

fn main() -> ExitCode {
    match cli::parse() {
        Command::Run { detached, socket } => match places(socket) {
            Ok(places) => daemon::run(daemon::Options::new(places, detached)),
            Err(problem) => cli::report(&problem, false),
        },
        Command::ConfigCheck { file, json } => match check(file) {
            Ok(found) => say(&found),
            Err(problem) => cli::report(&problem, json),
        },
        Command::Cli(command) => cli::run(command),
    }
}

fn places(socket: Option<PathBuf>) -> Result<Places, Problem> {
    let wrong = |error: PlacesError| Problem::new(Code::InvalidRequest, error.to_string());
    Places::from_env(&|name| std::env::var_os(name), socket).map_err(wrong)
}

/// Reads a configuration as the daemon would, and says what it found.
fn check(file: Option<PathBuf>) -> Result<String, Problem> {
    let file = match file {
        Some(file) => file,
        None => places(None)?.config_file,
    };
    let config = daemon::Config::load(&file).map_err(|error| Problem::new(Code::InvalidRequest, error.to_string()))?;
    let models: Vec<&str> = config.models.keys().map(agent::ModelName::as_str).collect();
    Ok(match config.found {
        true => {
            format!("{} is valid; models: {}; default: {}", file.display(), models.join(", "), config.default_model)
        }
        false => format!("{} does not exist, which is fine: every key has a default", file.display()),
    })
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn say(found: &str) -> ExitCode {
    println!("{found}");
    ExitCode::SUCCESS
}
