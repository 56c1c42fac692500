//! `config get|set|unset|edit|check`: what was typed, done by the daemon's own reader without a daemon, and told.

use cli::ConfigJob;
use daemon::Config;
use daemon::config::{Answer, Change, ConfigError, ConfigFile, Edited, Effective, Fault, GetError, Origin};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use wire::{Code, Problem};

/// Said after each change.
const WHEN: &str = "a daemon that runs reads it at its next start (tinkerbell daemon stop)";

/// What a job found: for people, for programs, and whether all is well.
struct Outcome {
    text: String,
    document: Value,
    good: bool,
}

/// Does a job and prints what came of it.
pub(crate) fn run(job: ConfigJob, config_file: PathBuf, json: bool) -> ExitCode {
    match perform(job, config_file) {
        Ok(outcome) if json => print(&format!("{}\n", outcome.document), outcome.good),
        Ok(outcome) if outcome.good => print(&outcome.text, true),
        Ok(outcome) => cli::report(&wrong(outcome.text.trim_end()), false),
        Err(problem) => cli::report(&problem, json),
    }
}

fn perform(job: ConfigJob, config_file: PathBuf) -> Result<Outcome, Problem> {
    let file = ConfigFile::new(config_file);
    match job {
        ConfigJob::Get { key } => {
            let found = file.get(key.as_deref(), &|name| std::env::var_os(name)).map_err(|error| match error {
                GetError::UnknownKey { .. } => Problem::new(Code::NotFound, error.to_string()),
                GetError::File(error) => wrong(error),
            })?;
            Ok(Outcome { text: table(&found), document: json!({ "keys": found }), good: true })
        }
        ConfigJob::Set { key, value } => file.set(&key, &value).map(changed).map_err(wrong),
        ConfigJob::Unset { key } => file.unset(&key).map(changed).map_err(wrong),
        ConfigJob::Edit => {
            let edited = file.edit(&editor(), &mut ask).map_err(wrong)?;
            let (word, text) = match edited {
                Edited::Unchanged => ("unchanged", "nothing was changed\n".to_owned()),
                Edited::Replaced => ("replaced", format!("{} is changed; {WHEN}\n", file.path().display())),
            };
            let document = json!({ "file": file.path(), "outcome": word });
            Ok(Outcome { text, document, good: true })
        }
        ConfigJob::Check { file: other } => check(other.map_or(file, ConfigFile::new)),
    }
}

fn check(file: ConfigFile) -> Result<Outcome, Problem> {
    let path = file.path().display();
    match file.check() {
        Ok(config) => {
            let text = match config.found {
                true => format!("{path} is valid; {}\n", summary(&config)),
                false => format!("{path} does not exist, which is fine: every key has a default\n"),
            };
            let document = json!({ "file": file.path(), "found": config.found, "valid": true, "faults": [] });
            Ok(Outcome { text, document, good: true })
        }
        Err(error @ ConfigError::Invalid { .. }) => {
            let text = error.to_string();
            let ConfigError::Invalid { faults, .. } = error else { return Err(wrong(text)) };
            let document = json!({ "file": file.path(), "found": true, "valid": false, "faults": faults });
            Ok(Outcome { text, document, good: false })
        }
        Err(error) => Err(wrong(error)),
    }
}

/// What a valid file amounts to.
fn summary(config: &Config) -> String {
    let models: Vec<&str> = config.models.keys().map(agent::ModelName::as_str).collect();
    let models = if models.is_empty() { "none but the built-in".to_owned() } else { models.join(", ") };
    let default = config.default_model.as_ref().map_or("whatever is found", agent::ModelName::as_str);
    format!("models: {models}; default: {default}")
}

fn table(found: &[Effective]) -> String {
    let mut text = String::new();
    let width = found.iter().map(|one| one.key.len()).max().unwrap_or(0);
    for one in found {
        let value = match (&one.value, one.otherwise) {
            (Some(value), _) if one.unit.is_empty() => value.clone(),
            (Some(value), _) => format!("{value} {}", one.unit),
            (None, otherwise) => format!("- ({})", otherwise.unwrap_or("not set")),
        };
        let origin = match one.origin {
            Origin::Default => "default".to_owned(),
            Origin::File { line } => format!("file, line {line}"),
            Origin::Environment { variable } => format!("environment, {variable}"),
        };
        writeln!(text, "{:width$}  {value}  [{origin}]", one.key).expect("a text takes all that is written");
    }
    text
}

fn changed(change: Change) -> Outcome {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "(default)".to_owned());
    let (old, new) = (shown(&change.old), shown(&change.new));
    let text = format!("{}: {old} -> {new} in {}\n{WHEN}\n", change.key, change.file.display());
    Outcome { text, document: json!(change), good: true }
}

fn editor() -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".to_owned())
}

/// Shows what is wrong and asks whether to go on. Where nobody can answer, the copy is kept.
fn ask(faults: &[Fault]) -> Answer {
    if !io::stdin().is_terminal() {
        return Answer::Keep;
    }
    let list: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
    let question = format!("this is not valid:\n{list}edit again? [Y/n] ");
    let mut line = String::new();
    let asked = io::stderr().write_all(question.as_bytes()).and_then(|()| io::stdin().lock().read_line(&mut line));
    match (asked, line.trim().to_ascii_lowercase().as_str()) {
        (Ok(1..), "" | "y" | "yes") => Answer::Again,
        _ => Answer::Keep,
    }
}

fn wrong(error: impl std::fmt::Display) -> Problem {
    Problem::new(Code::InvalidRequest, error.to_string())
}

/// Prints to standard output; a reader that has gone is no fault of the file's.
fn print(text: &str, good: bool) -> ExitCode {
    // There is nobody to tell that nobody reads.
    let _ = io::stdout().write_all(text.as_bytes());
    if good { ExitCode::SUCCESS } else { ExitCode::from(Code::InvalidRequest.exit()) }
}
