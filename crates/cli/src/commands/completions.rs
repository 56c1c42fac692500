//! `completions`: what a shell needs to complete our commands.

use crate::error::Error;
use crate::run::{Context, Exit};

/// Prints completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell completions bash > ~/.local/share/bash-completion/completions/tinkerbell
  tinkerbell completions fish > ~/.config/fish/completions/tinkerbell.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

impl Completions {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::tree(), "tinkerbell", &mut script);
        context.screen.out().put_bytes(&script)?;
        Ok(Exit::GOOD)
    }
}
