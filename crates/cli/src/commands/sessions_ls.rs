//! `sessions ls`: the sessions, newest first.

use crate::client::Client;
use crate::current::{self, Standing, Which};
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, GOOD, NAME, NOTE};
use crate::table::{Cell, Table};
use crate::words;
use anstyle::Style;
use std::path::PathBuf;
use wire::operation;
use wire::rest::{SessionList, SessionRow, SessionStatus};

/// How many sessions are asked for at once while they are looked through.
const PAGE: u32 = 200;
/// The most sessions that are looked through for those that fit.
const MAX_SEARCHED: usize = 20_000;

/// Lists sessions, newest first: those of this workspace, or all
///
/// Titles are shortened to the terminal's width and whole in a pipe. For words within prompts and replies there is
/// `tinkerbell sessions search`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell sessions ls
  tinkerbell sessions ls --all --limit 100
  tinkerbell sessions ls --all --status waiting
  tinkerbell sessions ls --title parser")]
pub(crate) struct Ls {
    /// Those of every workspace
    #[arg(short, long)]
    all: bool,

    /// Those that are archived, in place of the others
    #[arg(long)]
    archived: bool,

    /// How many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,

    /// Only those that are idle, running or waiting for an answer
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Option<SessionStatus>,

    /// Only those with this text in their title
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,

    /// Work as if started in this directory
    #[arg(short = 'C', long, value_name = "DIR", conflicts_with = "all")]
    workspace: Option<PathBuf>,
}

fn status(word: &str) -> Result<SessionStatus, String> {
    SessionStatus::from_word(word).ok_or_else(|| "a session is idle, running or waiting".to_owned())
}

impl Ls {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let standing = Which { session: None, workspace: self.workspace.clone() }.standing()?;
        let (list, body) = if self.status.is_some() || self.title.is_some() {
            let list = self.those_that_fit(&mut client, &standing)?;
            let body = serde_json::to_vec(&list).expect("a list is plain data");
            (list, body)
        } else {
            let answer = client.call(&self.request(&standing, self.limit, None)?)?;
            (answer.read()?, answer.body)
        };
        if context.globals.json {
            return context.print_json(&body);
        }
        if list.sessions.is_empty() {
            context.screen.remark(FAINT, &self.nothing(&standing))?;
            return Ok(Exit::GOOD);
        }
        self.print(context, &list)
    }

    fn request(&self, standing: &Standing, limit: u32, before: Option<&str>) -> Result<Request, Error> {
        let mut request = Request::new(&operation::SESSION_LIST)?.query("limit", limit);
        if !self.all {
            request = request.query("workspace", standing.workspace_name()?);
        }
        if self.archived {
            request = request.query("archived", true);
        }
        if let Some(status) = self.status {
            request = request.query("status", status.word());
        }
        Ok(before.iter().fold(request, |request, before| request.query("before", before)))
    }

    /// Looks through the pages for sessions that fit the filters, whether or not the daemon knows these.
    fn those_that_fit(&self, client: &mut Client, standing: &Standing) -> Result<SessionList, Error> {
        let (mut sessions, mut searched, mut before) = (Vec::new(), 0, None::<String>);
        loop {
            let page: SessionList = client.call(&self.request(standing, PAGE, before.as_deref())?)?.read()?;
            searched += page.sessions.len();
            sessions.extend(page.sessions.into_iter().filter(|row| self.fits(row)));
            let is_enough = sessions.len() >= self.limit as usize || searched >= MAX_SEARCHED;
            sessions.truncate(self.limit as usize);
            match page.next {
                Some(next) if !is_enough && before.as_ref() != Some(&next) => before = Some(next),
                next => return Ok(SessionList { sessions, next }),
            }
        }
    }

    fn fits(&self, row: &SessionRow) -> bool {
        let has_title = |title: &String| row.title.to_lowercase().contains(&title.to_lowercase());
        self.status.is_none_or(|status| row.status == status) && self.title.as_ref().is_none_or(has_title)
    }

    fn nothing(&self, standing: &Standing) -> String {
        let place = if self.all { "anywhere".to_owned() } else { format!("in {}", standing.workspace.display()) };
        match (self.status.is_some() || self.title.is_some(), self.all) {
            (true, _) => format!("no session {place} fits"),
            (false, _) if self.archived => format!("no session {place} is archived"),
            (false, true) => "there is no session yet".to_owned(),
            (false, false) => current::none(standing).detail,
        }
    }

    fn print(&self, context: &mut Context, list: &SessionList) -> Result<Exit, Error> {
        let now = words::now();
        let status = if self.archived { "ARCHIVED" } else { "STATUS" };
        let mut table = Table::new(["SESSION", status, "MODEL", "COST", "CHANGED", "TITLE", self.workspace_heading()])
            .flexible(5)
            .flexible(6);
        for row in &list.sessions {
            let model = row.model.as_ref().map_or_else(|| "-".to_owned(), |model| plain::name(model.as_str()));
            let workspace = if self.all { plain::name(&row.workspace) } else { String::new() };
            table.row([
                Cell::styled(NAME, row.id.to_string()),
                match &row.archived {
                    Some(archived) => Cell::styled(FAINT, words::bytes(archived.bytes)),
                    None => Cell::styled(style(row.status), row.status.word()),
                },
                model.into(),
                words::dollars(row.cost_microusd).into(),
                words::ago(row.updated_at, now).into(),
                plain::first_line(&row.title, usize::MAX).into(),
                Cell::styled(FAINT, workspace),
            ]);
        }
        let columns = context.columns();
        table.print(context.screen.out(), columns)?;
        if list.next.is_some() {
            context.screen.remark(FAINT, "there are more; --limit shows them")?;
        }
        Ok(Exit::GOOD)
    }

    fn workspace_heading(&self) -> &'static str {
        if self.all { "WORKSPACE" } else { "" }
    }
}

fn style(status: SessionStatus) -> Style {
    match status {
        SessionStatus::Idle => Style::new(),
        SessionStatus::Running => GOOD,
        SessionStatus::Waiting => NOTE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SESSION, daemon, run, session_row};

    #[test]
    fn sessions_are_listed_with_what_they_do() {
        let list = serde_json::json!({ "sessions": [session_row("fix\tit", "waiting")], "next": "c" }).to_string();
        let got = run(daemon(&[&list]), &["sessions", "ls", "--all"]);
        let row = format!("{SESSION}  waiting  offline  $1.50  2025-11-23  fix it  /w\n");
        assert!(got.out.ends_with(&row), "{}", got.out);
        assert_eq!(got.aside, "there are more; --limit shows them\n");
    }

    #[test]
    fn archived_ones_are_asked_for_and_told_with_their_size() {
        let mut row = session_row("old", "idle");
        row["archived"] = serde_json::json!({ "at": "2025-11-23T09:00:00.000000Z", "bytes": 2_048 });
        let list = serde_json::json!({ "sessions": [row] }).to_string();
        let got = run(daemon(&[&list]), &["sessions", "ls", "--all", "--archived"]);
        assert!(got.out.contains("ARCHIVED") && got.out.contains("  2.0 KiB   offline  "), "{}", got.out);
        assert!(got.heard[0].contains("limit=20&archived=true"), "{:?}", got.heard);
    }

    #[test]
    fn filters_look_through_the_pages() {
        let page = |rows: &[serde_json::Value], next: Option<&str>| {
            serde_json::json!({ "sessions": rows, "next": next }).to_string()
        };
        let first = page(&[session_row("the parser", "idle"), session_row("other", "waiting")], Some("c1"));
        let second = page(&[session_row("The Parser", "waiting")], None);
        let typed = ["sessions", "ls", "--all", "--status", "waiting", "--title", "parser", "--json"];
        let got = run(daemon(&[&first, &second]), &typed);
        let list: SessionList = serde_json::from_str(&got.out).unwrap();
        assert_eq!(list.sessions.iter().map(|row| row.title.as_str()).collect::<Vec<_>>(), ["The Parser"]);
        assert!(got.heard[1].contains("limit=200&status=waiting&before=c1"), "{:?}", got.heard);
        let none = run(daemon(&["{\"sessions\":[]}"]), &["sessions", "ls", "--all", "--status", "running"]);
        assert_eq!(none.aside, "no session anywhere fits\n");
    }
}
