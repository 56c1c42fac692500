//! `log`: the micro-commits of a session.

use crate::current::Which;
use crate::error::Error;
use crate::pager::Paging;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::FAINT;
use crate::table::Table;
use crate::words;
use wire::operation;
use wire::rest::CanvasLog;

/// How many characters of a commit's id are shown.
const COMMIT_CHARS: usize = 10;

/// Lists the steps that changed the canvas, newest first
///
/// Each step is one call of a tool, and a commit in a repository of tinkerbell's own, whose place is said below the list.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell log\n  tinkerbell show 14\n  tinkerbell rewind 14")]
pub(crate) struct Log {
    #[command(flatten)]
    paging: Paging,

    #[command(flatten)]
    which: Which,
}

impl Log {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let session = self.which.find_id(&mut client)?;
        let answer = client.call(&Request::new(&operation::CANVAS_LOG)?.at("session", session))?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let log: CanvasLog = answer.read()?;
        if log.steps.is_empty() {
            context.screen.remark(FAINT, "the session has not changed anything yet")?;
            return Ok(Exit::GOOD);
        }
        let now = words::now();
        let mut table = Table::new(["STEP", "COMMIT", "WHEN", "FILES", "WHAT"]).flexible(4);
        for step in &log.steps {
            let commit = step.commit.as_deref().unwrap_or("-");
            let title = plain::first_line(&step.title, usize::MAX);
            table.row([
                step.seq.to_string(),
                plain::name(commit).chars().take(COMMIT_CHARS).collect(),
                words::ago(step.at, now),
                step.files.to_string(),
                if step.undone { format!("{title} (taken back)") } else { title },
            ]);
        }
        let columns = context.columns();
        self.paging.show(context, |sink| table.print(sink, columns))?;
        let git = format!(
            "with git: git --git-dir {} log {}",
            plain::name(&log.repository.display().to_string()),
            plain::name(&log.reference)
        );
        context.screen.copyable(FAINT, &git)?;
        Ok(Exit::GOOD)
    }
}
