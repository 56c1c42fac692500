//! `config check`: its arguments; only the daemon's own reader can check a configuration.

use std::path::PathBuf;

/// Checks a configuration file without starting anything
///
/// Where a daemon runs, it also says what a reload would change, and whether keys, addresses and a socket that are new
/// would work.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell config check\n  tinkerbell config check new.toml")]
pub(crate) struct Check {
    /// The file [default: the one that the daemon reads]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
