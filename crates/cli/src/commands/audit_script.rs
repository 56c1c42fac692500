//! `audit script`: the program that checks bundles without tinkerbell.

use crate::error::Error;
use crate::run::{Context, Exit};

/// The one of the sources.
const SCRIPT: &str = include_str!("../../../../docs/audit_verify.py");

/// Prints the program that checks a bundle without tinkerbell
///
/// It is plain Python with nothing but the standard library, and short enough to be read by whoever is to believe it. It
/// says `sound` with the key that vouches for the bundle, or the first line that is not; then its exit code is 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell audit script | python3 - bundle.jsonl
  tinkerbell audit script > audit_verify.py")]
pub(crate) struct Script {}

impl Script {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        context.screen.out().put_bytes(SCRIPT.as_bytes())?;
        Ok(Exit::GOOD)
    }
}
