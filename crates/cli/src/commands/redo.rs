//! `redo`: steps the canvas forward again.

use super::rewind::print_moved;
use crate::current::Which;
use crate::error::Error;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use wire::operation;

/// Steps the canvas forward again after a rewind
///
/// One step at a time, up to where the canvas was; a new change ends what can be redone.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell redo")]
pub(crate) struct Redo {
    #[command(flatten)]
    which: Which,
}

impl Redo {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let session = self.which.find_id(&mut client)?;
        client.wait_for_canvas();
        let answer = client.call(&Request::new(&operation::CANVAS_REDO)?.at("session", session))?;
        print_moved(context, &answer, "On the canvas now:")
    }
}
