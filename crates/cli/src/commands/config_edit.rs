//! `config edit`: its arguments.

/// Opens the configuration file in an editor, and checks it before it counts
///
/// The editor is $VISUAL, else $EDITOR, else vi. It works on a copy, which takes the file's place once it is valid. What
/// you typed is kept where it is not.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell config edit\n  EDITOR='code --wait' tinkerbell config edit")]
pub(crate) struct Edit {}
