//! `cargo xtask test`: the workspace's tests, plain; with `--real` those that need programs by others.

use crate::process::Program;
use crate::real::{Cache, Counterpart, Installed};
use crate::tally::Tally;
use clap::{Args, ValueEnum};
use std::path::Path;
use std::time::Duration;

/// How long one run of the workspace's tests may take, building included: below what CI allows for all of it.
const TEST_LIMIT: Duration = Duration::from_secs(60 * 60);

/// What the reasons of tests for another run begin with.
const REAL_REASON: &str = "real: ";
const HEAVY_REASON: &str = "heavy: ";

/// How much to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Run, instead, the tests that need programs by others, after fetching those; `heavy` adds those that take long
    #[arg(long, value_name = "TIER", num_args = 0..=1, require_equals = true, default_missing_value = "plain")]
    real: Option<Tier>,
    /// Only tests whose name contains one of these
    filters: Vec<String>,
}

/// How much of the tests with real counterparts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tier {
    /// Those named `real_…`.
    Plain,
    /// Those named `heavy_…` as well.
    Heavy,
}

/// Runs tests and prints the summary; true when all passed.
pub(crate) fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let tally = match options.real {
        None => plain(root, &options.filters)?,
        Some(tier) => real(root, tier, &options.filters)?,
    };
    println!("{tally}");
    Ok(tally.failed == 0)
}

fn plain(root: &Path, filters: &[String]) -> anyhow::Result<Tally> {
    let mut tally = cargo_test(root, &[], filters, None)?;
    for (beginning, command) in
        [(REAL_REASON, "cargo xtask test --real"), (HEAVY_REASON, "cargo xtask test --real=heavy")]
    {
        if tally.skipped.keys().any(|reason| reason.starts_with(beginning)) {
            tally.hints.insert(format!("`{command}` runs what was skipped as \"{}\"", beginning.trim_end()));
        }
    }
    Ok(tally)
}

fn real(root: &Path, tier: Tier, filters: &[String]) -> anyhow::Result<Tally> {
    let cache = Cache::of(root)?;
    let mut missing = Vec::new();
    for counterpart in Counterpart::FOR_TESTS {
        if let Installed::Skipped(reason) = cache.install(counterpart)? {
            missing.push((counterpart.name(), reason));
        }
    }
    let wanted: Vec<String> = match (filters, tier) {
        ([], Tier::Plain) => vec!["real_".into()],
        ([], Tier::Heavy) => vec!["real_".into(), "heavy_".into()],
        (filters, _) => filters.to_vec(),
    };
    let mut tally = cargo_test(root, &["--ignored"], &wanted, Some(cache.directory()))?;
    for (name, reason) in missing {
        tally.skipped.entry(format!("no {name}: {reason}")).or_default().push(format!("whatever needs {name}"));
    }
    if tier == Tier::Plain {
        tally.hints.insert("`cargo xtask test --real=heavy` also runs the tests named heavy_…".into());
    }
    Ok(tally)
}

/// One run of `cargo test`. Passing tests' output is read too, because there they say what they skipped and from
/// which seed they ran.
fn cargo_test(root: &Path, arguments: &[&str], filters: &[String], real: Option<&Path>) -> anyhow::Result<Tally> {
    let mut program = Program::cargo(root, TEST_LIMIT)
        .args(["test", "--workspace", "--no-fail-fast", "--", "--show-output"])
        .args(arguments.iter().copied())
        .args(filters.iter().cloned());
    if let Some(directory) = real {
        program = program.env("TINKERBELL_REAL", directory);
    }
    let mut tally = Tally::default();
    let status = program.lines(|line| {
        if tally.line(line) {
            println!("{line}");
        }
    })?;
    if !status.success() && tally.failed == 0 {
        tally.fell_over(format!(
            "cargo test ended with {status}, though no test failed: look for a crash or for what did not build"
        ));
    }
    Ok(tally)
}
