//! `sessions ls`: the sessions, newest first.

use crate::current::{self, Which};
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::FAINT;
use crate::table::Table;
use crate::words;
use std::path::PathBuf;
use wire::operation;
use wire::rest::SessionList;

/// The longest title that is shown, in characters.
const TITLE_CHARS: usize = 60;

/// Lists sessions, newest first: those of this workspace, or all
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell sessions ls\n  tinkerbell sessions ls --all --limit 100")]
pub(crate) struct Ls {
    /// Those of every workspace
    #[arg(short, long)]
    all: bool,

    /// How many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,

    /// Work as if started in this directory
    #[arg(short = 'C', long, value_name = "DIR", conflicts_with = "all")]
    workspace: Option<PathBuf>,
}

impl Ls {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let standing = Which { session: None, workspace: self.workspace.clone() }.standing()?;
        let mut request = Request::new(&operation::SESSION_LIST)?.query("limit", self.limit);
        if !self.all {
            request = request.query("workspace", standing.workspace_name()?);
        }
        let answer = client.call(&request)?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let list: SessionList = answer.read()?;
        if list.sessions.is_empty() {
            let none = current::none(&standing);
            let words = if self.all { "there is no session yet".to_owned() } else { none.detail };
            context.screen.remark(FAINT, &words)?;
            return Ok(Exit::GOOD);
        }
        self.print(context, &list)
    }

    fn print(&self, context: &mut Context, list: &SessionList) -> Result<Exit, Error> {
        let now = words::now();
        let mut table = Table::new(["SESSION", "STATUS", "MODEL", "COST", "CHANGED", "TITLE"]);
        for row in &list.sessions {
            let title = plain::first_line(&row.title, TITLE_CHARS);
            let workspace = plain::name(&row.workspace);
            table.row([
                row.id.to_string(),
                row.status.word().to_owned(),
                row.model.as_ref().map_or_else(|| "-".to_owned(), |model| plain::name(model.as_str())),
                words::dollars(row.cost_microusd),
                words::ago(row.updated_at, now),
                if self.all { format!("{title}  ({workspace})") } else { title },
            ]);
        }
        table.print(context.screen.out())?;
        if list.next.is_some() {
            context.screen.remark(FAINT, "there are more; --limit shows them")?;
        }
        Ok(Exit::GOOD)
    }
}
