//! `config get`: its arguments; only the daemon's own reader knows what counts.

/// Shows what counts, and whether the file, the environment or a default says so
///
/// Where a daemon runs, that is what counts in it; else what the file says.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tinkerbell config get\n  tinkerbell config get limits\n  tinkerbell config get daemon.grace_ms"
)]
pub(crate) struct Get {
    /// A key, or a table of keys [default: all]
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,
}
