//! `config get|set|unset|edit|check`: what was typed, done by the daemon's own reader, and told. Where a daemon runs, it is
//! asked what it makes of it: what counts there, what a reload would do, and to take what was changed at once.

use cli::ConfigJob;
use daemon::Config;
use daemon::config::{Answer, Change, ConfigError, ConfigFile, Edited, Fault, GetError, chosen};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wire::operation::{CONFIG_CHECK, CONFIG_GET, CONFIG_RELOAD};
use wire::rest::{
    CheckRequest, ConfigChecked, ConfigFrom, ConfigKey, ConfigRefused, ConfigView, ReloadRequest, Reloaded,
};
use wire::{Code, Problem};

/// What a job found: for people, for programs, what is to be said aside, and whether all is well.
#[derive(Default)]
struct Outcome {
    text: String,
    document: Value,
    remark: String,
    good: bool,
}

/// The file, and the socket of a daemon that runs if somebody said which.
struct Desk {
    file: ConfigFile,
    socket: Option<PathBuf>,
}

/// Does a job and prints what came of it.
pub(crate) fn run(job: ConfigJob, config_file: PathBuf, socket: Option<PathBuf>, json: bool) -> ExitCode {
    match perform(job, &Desk { file: ConfigFile::new(config_file), socket }) {
        Ok(outcome) if json => print(&format!("{}\n", outcome.document), outcome.good),
        Ok(outcome) if outcome.good => {
            let code = print(&outcome.text, true);
            // There is nobody to tell that nobody reads.
            let _ = io::stderr().write_all(outcome.remark.as_bytes());
            code
        }
        Ok(outcome) => cli::report(&wrong(outcome.text.trim_end()), false),
        Err(problem) => cli::report(&problem, json),
    }
}

fn perform(job: ConfigJob, desk: &Desk) -> Result<Outcome, Problem> {
    let file = &desk.file;
    match job {
        ConfigJob::Get { key } => get(desk, key.as_deref()),
        ConfigJob::Set { key, value } => changed(desk, file.set(&key, &value).map_err(wrong)?),
        ConfigJob::Unset { key } => changed(desk, file.unset(&key).map_err(wrong)?),
        ConfigJob::Edit => {
            let edited = file.edit(&editor(), &mut ask).map_err(wrong)?;
            let (word, text, taken) = match edited {
                Edited::Unchanged => ("unchanged", "nothing was changed\n".to_owned(), Taken::default()),
                Edited::Replaced => {
                    let taken = take(desk)?;
                    ("replaced", format!("{} is changed; {}\n", file.path().display(), taken.text), taken)
                }
            };
            let document = json!({ "file": file.path(), "outcome": word, "daemon": taken.document });
            Ok(Outcome { text, document, remark: taken.remark, good: true })
        }
        ConfigJob::Check { file: other } => check(desk, other),
    }
}

/// What counts: in the daemon that runs, else by the file.
fn get(desk: &Desk, key: Option<&str>) -> Result<Outcome, Problem> {
    let wrong = |error: GetError| match error {
        GetError::UnknownKey { .. } => Problem::new(Code::NotFound, error.to_string()),
        GetError::File(error) => wrong(error),
    };
    let running: Option<ConfigView> = cli::ask_running(desk.socket.clone(), &CONFIG_GET, &())?;
    let (found, refused) = match running {
        Some(view) => (chosen(view.keys, key).map_err(wrong)?, view.status.refused),
        None => (desk.file.get(key, &|name| std::env::var_os(name)).map_err(wrong)?, None),
    };
    let remark = refused.as_ref().map(|ConfigRefused { message, .. }| {
        format!(
            "note: this counts in the daemon that runs; the file says something else, and was refused:\n{message}\n"
        )
    });
    let (text, document) = (table(&found), json!({ "keys": found, "refused": refused }));
    Ok(Outcome { text, document, remark: remark.unwrap_or_default(), good: true })
}

/// What the daemon that runs made of a change.
#[derive(Default)]
struct Taken {
    text: String,
    document: Value,
    remark: String,
}

/// Has the daemon that runs take what was changed, and says how that went.
fn take(desk: &Desk) -> Result<Taken, Problem> {
    let asked = cli::ask_running::<Reloaded>(desk.socket.clone(), &CONFIG_RELOAD, &ReloadRequest::default());
    let reloaded = asked.map_err(|problem| {
        let Problem { code, detail, .. } = &problem;
        if *code == Code::OutcomeUnknown {
            let path = desk.file.path().display();
            let detail = format!("{path} is changed, and the daemon that runs was asked to take it: {detail}");
            return Problem::new(*code, detail).remedy("`tinkerbell config reload` has it taken, or says why not");
        }
        let detail = format!("the file was changed, and the daemon that runs does not take it: {detail}");
        Problem { detail, ..problem }
    })?;
    let Some(Reloaded { file, warnings, .. }) = reloaded else {
        let text = "no daemon runs; the next one reads it".to_owned();
        return Ok(Taken { text, document: json!("none runs"), ..Taken::default() });
    };
    if file != desk.file.path() {
        let text = format!("the daemon that runs reads another file, {}", file.display());
        return Ok(Taken { text, document: json!("reads another file"), ..Taken::default() });
    }
    let text = "it counts from now on in the daemon that runs".to_owned();
    Ok(Taken { text, document: json!("took it"), remark: notes(&warnings) })
}

fn notes(warnings: &[String]) -> String {
    warnings.iter().map(|warning| format!("note: {warning}\n")).collect()
}

/// Checks a file by itself, and then, where a daemon runs, with what only that can find out.
fn check(desk: &Desk, other: Option<PathBuf>) -> Result<Outcome, Problem> {
    let file = other.clone().map_or_else(|| desk.file.clone(), ConfigFile::new);
    // The daemon can do without its file; a file that somebody names is one that should be there.
    if let Some(named) = other.as_ref().filter(|named| !named.exists()) {
        return Err(Problem::new(Code::NotFound, format!("there is no file {}", named.display()))
            .remedy("`tinkerbell config check` alone checks the file that the daemon reads"));
    }
    let alone = check_alone(&file)?;
    if !alone.good {
        return Ok(alone);
    }
    let is_ours = other.is_none();
    let text = other.map(|path| std::fs::read_to_string(&path).unwrap_or_default());
    let checked: Option<ConfigChecked> = cli::ask_running(desk.socket.clone(), &CONFIG_CHECK, &CheckRequest { text })?;
    let Some(checked) = checked else {
        if is_ours {
            file.is_own().map_err(wrong)?;
        }
        return Ok(alone);
    };
    let document = json!({
        "file": file.path(), "found": file.path().exists(), "valid": checked.valid, "faults": checked.faults,
        "message": checked.message, "would": checked.would,
    });
    let Some(would) = checked.would else {
        let text = checked.message.unwrap_or_else(|| "the daemon that runs would refuse it".to_owned());
        return Ok(Outcome { text, document, ..Outcome::default() });
    };
    let what = match would.changed.is_empty() {
        true => "it says what counts already in the daemon that runs\n".to_owned(),
        false => format!("in the daemon that runs it would change {}\n", would.changed.join(", ")),
    };
    Ok(Outcome { text: alone.text + &what, document, remark: notes(&would.warnings), good: true })
}

fn check_alone(file: &ConfigFile) -> Result<Outcome, Problem> {
    let path: &Path = file.path();
    match file.check() {
        Ok(config) => {
            let text = match config.found {
                true => format!("{} is valid; {}\n", path.display(), summary(&config)),
                false => format!("{} does not exist, which is fine: every key has a default\n", path.display()),
            };
            let document = json!({ "file": path, "found": config.found, "valid": true, "faults": [] });
            Ok(Outcome { text, document, good: true, ..Outcome::default() })
        }
        Err(error @ ConfigError::Invalid { .. }) => {
            let document = json!({ "file": path, "found": true, "valid": false, "faults": error.faults() });
            Ok(Outcome { text: error.to_string(), document, ..Outcome::default() })
        }
        Err(error) => Err(wrong(error)),
    }
}

/// Whether the daemon could begin with a file: what it amounts to, or all that is wrong with it. A file that is not there
/// is fine.
pub(crate) fn look(path: &Path) -> Result<String, String> {
    match Config::load(path) {
        Ok(config) if config.found => Ok(format!("{} is valid; {}", path.display(), summary(&config))),
        Ok(_) => Ok(format!("{} is not there: defaults and the offline model", path.display())),
        Err(error) => Err(error.to_string()),
    }
}

/// What a valid file amounts to.
fn summary(config: &Config) -> String {
    let models: Vec<&str> = config.models.keys().map(agent::ModelName::as_str).collect();
    let models = if models.is_empty() { "none but the built-in".to_owned() } else { models.join(", ") };
    let default = config.default_model.as_ref().map_or("whatever is found", agent::ModelName::as_str);
    format!("models: {models}; default: {default}")
}

fn table(found: &[ConfigKey]) -> String {
    let mut text = String::new();
    let width = found.iter().map(|one| one.key.len()).max().unwrap_or(0);
    for one in found {
        let value = match (&one.value, &one.otherwise) {
            (Some(value), _) if one.unit.is_empty() => value.clone(),
            (Some(value), _) => format!("{value} {}", one.unit),
            (None, otherwise) => format!("- ({})", otherwise.as_deref().unwrap_or("not set")),
        };
        let origin = match one.origin.from {
            ConfigFrom::Default => "default".to_owned(),
            ConfigFrom::File => format!("file, line {}", one.origin.line.unwrap_or_default()),
            ConfigFrom::Environment => {
                format!("environment, {}", one.origin.variable.as_deref().unwrap_or_default())
            }
        };
        writeln!(text, "{:width$}  {value}  [{origin}]", one.key).expect("a text takes all that is written");
    }
    text
}

/// What was changed in the file, and what the daemon that runs made of it.
fn changed(desk: &Desk, change: Change) -> Result<Outcome, Problem> {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "(default)".to_owned());
    let (old, new) = (shown(&change.old), shown(&change.new));
    let taken = take(desk)?;
    let text = format!("{}: {old} -> {new} in {}\n{}\n", change.key, change.file.display(), taken.text);
    let mut document = json!(change);
    document["daemon"] = taken.document;
    Ok(Outcome { text, document, remark: taken.remark, good: true })
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
