//! `reject`: drops changes from the canvas.

use super::rewind;
use crate::current::Which;
use crate::error::Error;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use wire::operation;
use wire::rest::Selection;

/// Drops changes from the canvas; your files stay as they are
///
/// What was dropped is still in the history of the session: `tinkerbell rewind` goes back to before.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell reject src/lib.rs\n  tinkerbell reject --all")]
pub(crate) struct Reject {
    /// These paths and what lies below them
    #[arg(value_name = "PATH", required_unless_present = "all", conflicts_with = "all")]
    paths: Vec<String>,

    /// Everything
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    which: Which,
}

impl Reject {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let current = self.which.find(&mut client)?;
        // Without `--all` there is at least one path, so the selection is never empty by accident.
        let selection = Selection { paths: Some(current.paths(&self.paths)?).filter(|paths| !paths.is_empty()) };
        let request = Request::new(&operation::CANVAS_REJECT)?.at("session", current.id).json(&selection);
        client.wait_for_canvas();
        let answer = client.call(&request)?;
        rewind::print_moved(context, &answer, "Dropped. On the canvas now:")
    }
}
