//! `deny`: answers a question with no.

use super::approve::Reply;
use crate::error::Error;
use crate::question;
use crate::run::{Context, Exit};

/// Answers a question of the session with no
///
/// A tool call that waits for permission does not run, and the model is told; a call that was lost when the daemon
/// ended is left out; a turn in which the daemon died again and again is given up.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell deny\n  tinkerbell deny trn_1.2.ask.0.1")]
pub(crate) struct Deny {
    #[command(flatten)]
    reply: Reply,
}

impl Deny {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        self.reply.send(context, question::denial)
    }
}
