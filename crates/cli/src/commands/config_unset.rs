//! `config unset`: its arguments.

/// Takes a key, or a table such as models.NAME, out of the configuration file, so that the default counts
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell config unset limits.steps\n  tinkerbell config unset models.old")]
pub(crate) struct Unset {
    /// The key, with dots
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
}
