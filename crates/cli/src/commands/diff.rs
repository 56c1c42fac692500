//! `diff`: what the canvas holds that is not in the user's files.

use crate::current::Which;
use crate::error::Error;
use crate::pager::Paging;
use crate::patch;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, NOTE, Screen};
use crate::words;
use wire::operation;
use wire::rest::{self, CanvasView};

/// Shows what the session changed and you have not accepted
///
/// Into a pipe or a file the patch is written as it is, for `git apply`; on a terminal control characters are made
/// visible.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tinkerbell diff\n  tinkerbell diff src\n  tinkerbell diff --stat\n  tinkerbell diff > change.patch"
)]
pub(crate) struct Diff {
    /// Only these paths and what lies below them
    #[arg(value_name = "PATH")]
    paths: Vec<String>,

    /// Only name the files, with lines added and removed
    #[arg(long)]
    stat: bool,

    #[command(flatten)]
    paging: Paging,

    #[command(flatten)]
    which: Which,
}

impl Diff {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let current = self.which.find(&mut client)?;
        let paths = current.paths(&self.paths)?;
        if self.stat && paths.is_empty() {
            let answer = client.call(&Request::new(&operation::CANVAS_GET)?.at("session", current.id))?;
            if context.globals.json {
                return context.print_json(&answer.body);
            }
            print_canvas(&mut context.screen, &answer.read()?)?;
            return Ok(Exit::GOOD);
        }
        let mut request = Request::new(&operation::CANVAS_DIFF)?.at("session", current.id);
        if !paths.is_empty() {
            request = request.query("path", paths.join("\n"));
        }
        let answer = client.call(&request)?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let diff: rest::Diff = answer.read()?;
        if diff.files.is_empty() {
            context.screen.remark(FAINT, "nothing is on the canvas that is not in your files")?;
            return Ok(Exit::GOOD);
        }
        self.paging.show(context, |sink| match self.stat {
            true => words::diffstat(sink, &diff.files),
            false => patch::print(sink, &diff.patch),
        })
    }
}

/// Prints what differs, and what stands in the way of accepting it.
pub(crate) fn print_canvas(screen: &mut Screen, canvas: &CanvasView) -> Result<(), Error> {
    if canvas.files.is_empty() {
        screen.remark(FAINT, "nothing is on the canvas that is not in your files")?;
    } else {
        words::diffstat(screen.out(), &canvas.files)?;
    }
    print_conflicts(screen, canvas)
}

/// Prints what stands in the way of accepting, with the ways out.
pub(crate) fn print_conflicts(screen: &mut Screen, canvas: &CanvasView) -> Result<(), Error> {
    for path in &canvas.conflicts {
        let path = plain::name(path.as_str());
        screen.remark(
            NOTE,
            &format!("! {path} was changed outside the session in a way that does not merge: `tinkerbell accept --overwrite {path}` takes the session's, `tinkerbell reject {path}` yours"),
        )?;
    }
    Ok(())
}
