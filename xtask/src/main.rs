//! The project's own chores: `cargo xtask test`, `tidy`, `bench` and `install`.
//!
//! What CONTRIBUTING.md asks of people, a machine does here, so that there is one way to do it on a laptop and in CI.
//! Needs Rust, git and a C compiler; what needs more (a real llama.cpp server, codex) is fetched by scripts in
//! `scripts/real`, and only when asked. Deliberately absent: anything that the daemon needs to build or to run.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to a person or to a log, by these alone")]

mod bench;
mod install;
mod process;
mod real;
mod tally;
mod test;
mod tidy;

use anyhow::Context;
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's own chores")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Run the workspace's tests and sum up what passed, failed and was skipped, and why
    Test(test::Options),
    /// Check formatting, lints and the house rules
    Tidy,
    /// Measure tinkerbell beside a peer and beside what the machine can do
    Bench(bench::Options),
    /// Build the stripped binary and put it, its manual and its completions in place
    Install(install::Options),
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does a chore; false when it found a fault in the project, an error when it could not be done.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let root = root()?;
    match &arguments.chore {
        Chore::Test(options) => test::run(&root, options),
        Chore::Tidy => tidy::run(&root),
        Chore::Bench(options) => bench::run(&root, options),
        Chore::Install(options) => install::run(&root, options),
    }
}

/// The workspace that this xtask was built from.
fn root() -> anyhow::Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.parent().context("the xtask crate lies in the workspace's root")?;
    root.canonicalize()
        .with_context(|| format!("{} is gone; build xtask again where the project is now", root.display()))
}
