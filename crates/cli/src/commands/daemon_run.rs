//! `daemon run`: its arguments; running the daemon is the daemon's own business.

/// Runs the daemon in the foreground, with its log on the terminal
///
/// Ctrl-C or SIGTERM stops it in good order, a second one at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell daemon run\n  TINKERBELL_HOME=/tmp/try tinkerbell daemon run")]
pub(crate) struct Run {
    /// Leave the terminal, and say on standard error once that it is ready or why it is not
    #[arg(long, hide = true)]
    pub(crate) detached: bool,

    /// Take over from the daemon whose conversation is on standard input
    #[arg(long, hide = true)]
    pub(crate) take_over: bool,
}
