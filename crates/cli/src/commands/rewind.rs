//! `rewind`: steps the canvas back.

use super::diff::print_canvas;
use crate::client::Answer;
use crate::current::Which;
use crate::error::Error;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, HEAD};
use agent::Seq;
use wire::operation;
use wire::rest::{Moved, RewindRequest};

/// Puts the canvas back to an earlier step
///
/// Nothing is lost: `tinkerbell redo` steps forward again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell rewind\n  tinkerbell rewind 14\n  tinkerbell rewind 0")]
pub(crate) struct Rewind {
    /// The step to go back to (see `tinkerbell log`); 0 is the beginning [default: one step back]
    #[arg(value_name = "STEP")]
    step: Option<u64>,

    #[command(flatten)]
    which: Which,
}

impl Rewind {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let session = self.which.find_id(&mut client)?;
        let body = RewindRequest { seq: self.step.map(Seq) };
        client.wait_for_canvas();
        let answer = client.call(&Request::new(&operation::CANVAS_REWIND)?.at("session", session).json(&body))?;
        print_moved(context, &answer, "On the canvas now:")
    }
}

/// Prints how the canvas stands after it moved.
pub(crate) fn print_moved(context: &mut Context, answer: &Answer, heading: &str) -> Result<Exit, Error> {
    if context.globals.json {
        return context.print_json(&answer.body);
    }
    let moved: Moved = answer.read()?;
    let heading = context.screen.out().paint(HEAD, heading);
    context.screen.out().line(&heading)?;
    print_canvas(&mut context.screen, &moved.canvas)?;
    if moved.canvas.redoable {
        context.screen.remark(FAINT, "next: tinkerbell redo steps forward again")?;
    }
    Ok(Exit::GOOD)
}
