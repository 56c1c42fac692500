//! `config check`: its arguments; only the daemon's own reader can check a configuration.

use std::path::PathBuf;

/// Checks a configuration file without starting anything
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell config check\n  tinkerbell config check new.toml")]
pub(crate) struct Check {
    /// The file [default: the one that the daemon reads]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
