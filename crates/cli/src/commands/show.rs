//! `show`: one micro-commit as a patch, or one file as the session sees it.

use crate::current::{Current, Which};
use crate::error::Error;
use crate::pager::Paging;
use crate::patch;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::FAINT;
use crate::words;
use agent::Seq;
use wire::operation;
use wire::rest::{CanvasView, Diff};

/// Shows one step as a patch, or one file as the session sees it
///
/// Into a pipe or a file a patch is written as it is, for `git apply`, and so are the bytes of a file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tinkerbell show\n  tinkerbell show 14\n  tinkerbell show README.md\n  tinkerbell show ./14"
)]
pub(crate) struct Show {
    /// A step's number (see `tinkerbell log`), or a path [default: the last step in force]
    #[arg(value_name = "STEP|PATH")]
    what: Option<String>,

    #[command(flatten)]
    paging: Paging,

    #[command(flatten)]
    which: Which,
}

impl Show {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let current = self.which.find(&mut client)?;
        let step = match self.what.as_deref().map(str::parse::<u64>) {
            Some(Ok(seq)) => Seq(seq),
            Some(Err(_)) => return self.file(context, &mut client, &current),
            None => {
                let request = Request::new(&operation::CANVAS_GET)?.at("session", current.id);
                client.call(&request)?.read::<CanvasView>()?.step
            }
        };
        if step == Seq(0) {
            context.screen.remark(FAINT, "the session has not changed anything yet")?;
            return Ok(Exit::GOOD);
        }
        let answer = client.call(&Request::new(&operation::CANVAS_SHOW)?.at("session", current.id).at("seq", step))?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let diff = answer.read::<Diff>()?;
        self.paging.show(context, |sink| patch::print(sink, &diff.patch))
    }

    fn file(
        &self,
        context: &mut Context,
        client: &mut crate::client::Client,
        current: &Current,
    ) -> Result<Exit, Error> {
        let path = current.paths(self.what.as_slice())?.join("/");
        let answer =
            client.call(&Request::new(&operation::CANVAS_FILE)?.at("session", current.id).at("path", &path))?;
        let out = context.screen.out();
        if !out.is_for_people() {
            out.put_bytes(&answer.body)?;
            return Ok(Exit::GOOD);
        }
        match std::str::from_utf8(&answer.body) {
            Ok(text) => return self.paging.show(context, |sink| patch::print_file(sink, &path, text)),
            Err(_) => {
                let size = words::bytes(answer.body.len() as u64);
                let words =
                    format!("{} is not text ({size}); to have its bytes: tinkerbell show … > FILE", plain::name(&path));
                context.screen.remark(FAINT, &words)?;
            }
        }
        Ok(Exit::GOOD)
    }
}
