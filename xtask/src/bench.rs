//! `cargo xtask bench`: the figures by which tinkerbell is judged, beside a peer and beside what the machine can do.
//!
//! The scripts in `bench/` measure and print JSON; here they are run for the figures that are wanted, read, and set
//! against their goals. Numbers of one run are compared with each other only. No figure fails a run: a benchmark
//! informs, a test judges.

mod figure;
mod report;

use crate::process::Program;
use crate::real::{Cache, Counterpart, Installed};
use anyhow::{Context, bail};
use clap::Args;
use figure::{FIGURES, Figure, Script};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long building the measured binary may take.
const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);
/// How long one script may take.
const SCRIPT_LIMIT: Duration = Duration::from_secs(30 * 60);

/// What to measure, and how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Figures to measure, such as P1 or P5; by default all that take no longer than minutes
    names: Vec<String>,
    /// Rounds of each measurement
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Measure codex beside it, after fetching it by npm
    #[arg(long)]
    with_codex: bool,
    /// Also start a daemon over 100,000 sessions, which takes minutes to make
    #[arg(long)]
    many_sessions: bool,
    /// Build and measure with the release profile
    #[arg(long, conflicts_with = "bin")]
    release: bool,
    /// Measure this binary instead of building one
    #[arg(long, value_name = "FILE")]
    bin: Option<PathBuf>,
}

/// Measures, prints the table, keeps the numbers.
pub(crate) fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let figures = chosen(&options.names, options.many_sessions)?;
    let bench = Bench {
        root,
        binary: binary(root, options)?,
        path: search_path(root, options)?,
        rounds: options.rounds,
        with_codex: options.with_codex,
        many_sessions: options.many_sessions,
    };
    let mut measured = Map::new();
    for script in figures.iter().flat_map(|figure| figure.scripts()).collect::<BTreeSet<_>>() {
        println!("bench: {} …", script.name());
        let begun = Instant::now();
        let found = bench.measure(script).unwrap_or_else(|error| serde_json::json!({ "error": format!("{error:#}") }));
        if let Some(error) = found.get("error").and_then(Value::as_str) {
            println!("bench: {}: {error}", script.name());
        }
        println!("bench: {} took {} s", script.name(), begun.elapsed().as_secs());
        measured.insert(script.name().to_owned(), found);
    }
    let measured = Value::Object(measured);
    println!("\n{}", report::table(&figures, &measured));
    let kept = keep(root, &bench.binary, measured)?;
    println!("all numbers: {}", kept.display());
    Ok(true)
}

/// The figures of these names; a name stands for all whose name it begins.
fn chosen(names: &[String], many_sessions: bool) -> anyhow::Result<Vec<&'static Figure>> {
    let known = || FIGURES.iter().map(|figure| figure.name).collect::<Vec<_>>().join(", ");
    for name in names {
        if !FIGURES.iter().any(|figure| figure.is_named(name)) {
            bail!("there is no figure {name}; there are {}", known());
        }
    }
    let wanted = |figure: &&Figure| match names {
        [] => many_sessions || !figure.takes_long,
        names => names.iter().any(|name| figure.is_named(name)) && (many_sessions || !figure.takes_long),
    };
    Ok(FIGURES.iter().filter(wanted).collect())
}

/// The binary to measure, built if nobody named one.
fn binary(root: &Path, options: &Options) -> anyhow::Result<PathBuf> {
    if let Some(binary) = &options.bin {
        return binary.canonicalize().with_context(|| format!("there is no binary {}", binary.display()));
    }
    let (profile, directory) = if options.release { (Some("--release"), "release") } else { (None, "debug") };
    let build = Program::cargo(root, BUILD_LIMIT).args(["build", "--package", "tinkerbell"]).args(profile);
    let status = build.run()?;
    if !status.success() {
        bail!("tinkerbell did not build ({status}), so there is nothing to measure");
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join(directory).join("tinkerbell"))
}

/// Where the scripts look for peers: what is on the path already, and codex if it is wanted.
fn search_path(root: &Path, options: &Options) -> anyhow::Result<OsString> {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    if options.with_codex {
        let cache = Cache::of(root)?;
        match cache.install(Counterpart::Codex)? {
            Installed::Ready => {
                let codex = cache.place(Counterpart::Codex).join("bin");
                path = std::env::join_paths([codex].into_iter().chain(std::env::split_paths(&path)))
                    .context("a directory in PATH or the cache's path holds a colon")?;
            }
            Installed::Skipped(reason) => println!("bench: without codex: {reason}"),
        }
    }
    Ok(path)
}

/// One run.
struct Bench<'a> {
    root: &'a Path,
    binary: PathBuf,
    path: OsString,
    rounds: u32,
    with_codex: bool,
    many_sessions: bool,
}

impl Bench<'_> {
    /// Runs a script; what it prints is one JSON object at its end, or, of the store's example, a figure a line.
    fn measure(&self, script: Script) -> anyhow::Result<Value> {
        let mut output = String::new();
        let program = match script {
            Script::Store => Program::cargo(self.root, BUILD_LIMIT).args([
                "run",
                "--quiet",
                "--package",
                "store",
                "--example",
                "figures",
            ]),
            _ => Program::new("python3", &self.root.join("bench"), SCRIPT_LIMIT).args(script.arguments(&self.plan())),
        };
        let program =
            program.env("TINKERBELL_BIN", &self.binary).env("PATH", &self.path).env("PYTHONDONTWRITEBYTECODE", "1");
        let status = program.lines(|line| {
            if line.starts_with('#') {
                println!("bench: {line}");
            } else {
                output += line;
                output.push('\n');
            }
        })?;
        if !status.success() {
            bail!("{} ended with {status}", script.name());
        }
        match script {
            Script::Store => Ok(report::summaries(&output)),
            _ => report::last_object(&output)
                .with_context(|| format!("{} printed no JSON object at its end", script.name())),
        }
    }

    fn plan(&self) -> figure::Plan {
        figure::Plan { rounds: self.rounds, with_codex: self.with_codex, many_sessions: self.many_sessions }
    }
}

/// Writes what was measured to `bench/results`, named by the moment at which it began.
fn keep(root: &Path, binary: &Path, measured: Value) -> anyhow::Result<PathBuf> {
    let begun = report::began(&measured).unwrap_or("undated").to_owned();
    let directory = root.join("bench/results");
    std::fs::create_dir_all(&directory).with_context(|| format!("{} could not be made", directory.display()))?;
    let file = directory.join(format!("{begun}.json"));
    let text = serde_json::to_string_pretty(&serde_json::json!({ "binary": binary, "measured": measured }))
        .expect("numbers and names are plain data");
    std::fs::write(&file, text).with_context(|| format!("{} could not be written", file.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &[&str], many_sessions: bool) -> Vec<&'static str> {
        let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        chosen(&asked, many_sessions).unwrap().iter().map(|figure| figure.name).collect()
    }

    #[test]
    fn a_name_stands_for_its_figures() {
        assert_eq!(names(&["P1"], false), ["P1", "P1c"]);
        assert_eq!(names(&["p8"], false), ["P8"]);
        assert!(!names(&["P2"], false).contains(&"P2 100k") && names(&["P2"], true).contains(&"P2 100k"));
        let error = chosen(&["P99".to_owned()], false).unwrap_err().to_string();
        assert!(error.contains("P99") && error.contains("P13"), "{error}");
    }

    #[test]
    fn numbers_are_kept_under_the_moment_at_which_they_were_measured() {
        let directory = tempfile::tempdir().unwrap();
        let measured = serde_json::json!({ "limits": { "before": { "utc": "2026-11-24T143933Z" } } });
        let file = keep(directory.path(), Path::new("/bin/true"), measured).unwrap();
        assert!(file.ends_with("bench/results/2026-11-24T143933Z.json"));
        assert!(std::fs::read_to_string(file).unwrap().contains("/bin/true"));
    }
}
