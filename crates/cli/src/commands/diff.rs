//! `diff`: what the canvas holds that is not in the user's files.

use crate::current::Which;
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{BAD, FAINT, GOOD, HEAD, NAME, NOTE, Screen, Sink};
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
        } else if self.stat {
            words::diffstat(context.screen.out(), &diff.files)?;
        } else {
            print_patch(context.screen.out(), &diff.patch)?;
        }
        Ok(Exit::GOOD)
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
            &format!("! {path} was changed outside the session in a way that does not merge: undo that, or `tinkerbell reject {path}`"),
        )?;
    }
    Ok(())
}

/// Prints a patch: for people in colours and harmless, for programs as it is.
pub(crate) fn print_patch(sink: &mut Sink, patch: &str) -> Result<(), Error> {
    if !sink.is_for_people() {
        return sink.put(patch);
    }
    let mut in_hunk = false;
    for line in patch.lines() {
        let style = if line.starts_with("diff ") {
            in_hunk = false;
            Some(HEAD)
        } else if line.starts_with("@@") {
            in_hunk = true;
            Some(NAME)
        } else if !in_hunk {
            Some(HEAD)
        } else {
            match line.as_bytes().first() {
                Some(b'+') => Some(GOOD),
                Some(b'-') => Some(BAD),
                _ => None,
            }
        };
        let text = plain::visible(line);
        let painted = style.map(|style| sink.paint(style, &text));
        sink.line(&painted.unwrap_or(text))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::testing;

    const PATCH: &str = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-old\n+new\u{1b}[2J\n same\n";

    #[test]
    fn a_program_gets_the_patch_to_the_byte() {
        let (mut screen, out, _) = testing::screen(false);
        print_patch(screen.out(), PATCH).unwrap();
        assert_eq!(out.text(), PATCH);
    }

    #[test]
    fn people_get_colours_and_see_what_would_act_on_their_terminal() {
        let (mut screen, out, _) = testing::screen(true);
        print_patch(screen.out(), PATCH).unwrap();
        let text = out.text();
        assert!(
            text.contains("\u{1b}[31m-old\u{1b}[0m\n") && text.contains("\u{1b}[32m+new^[[2J\u{1b}[0m\n"),
            "{text:?}"
        );
        assert!(text.contains("\u{1b}[1m--- a/a\u{1b}[0m\n"), "headers are not removed lines: {text:?}");
    }
}
