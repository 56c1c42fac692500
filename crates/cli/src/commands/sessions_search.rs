//! `sessions search`: in which sessions words stand.

use crate::current::{Which, short};
use crate::error::Error;
use crate::plain::{self, Stripper};
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, HEAD, NOTE, Sink};
use crate::words;
use agent::Micros;
use std::path::PathBuf;
use wire::operation;
use wire::rest::{HitKind, SearchHit, SearchList};

/// Finds words in the titles, prompts and replies of sessions
///
/// The sessions of this workspace are searched, the best hit of each is shown, and the last word may be the beginning of
/// one. What tools read or wrote is not searched.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell sessions search parser error
  tinkerbell sessions search --all --limit 5 migration
  tinkerbell sessions search parser --json")]
pub(crate) struct Search {
    /// The words; all of them must stand in the same text
    #[arg(value_name = "WORD", required = true)]
    words: Vec<String>,

    /// Search the sessions of every workspace
    #[arg(short, long)]
    all: bool,

    /// The most sessions to show
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,

    /// Search the sessions of this directory's workspace
    #[arg(short = 'C', long, value_name = "DIR", conflicts_with = "all")]
    workspace: Option<PathBuf>,
}

impl Search {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let text = self.words.join(" ");
        let mut request = Request::new(&operation::SESSION_SEARCH)?.query("q", &text).query("limit", self.limit);
        if !self.all {
            let standing = Which { session: None, workspace: self.workspace.clone() }.standing()?;
            request = request.query("workspace", standing.workspace_name()?);
        }
        let answer = client.call(&request)?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let list: SearchList = answer.read()?;
        if list.hits.is_empty() {
            let elsewhere = if self.all { "" } else { "; --all searches those of every workspace" };
            let words = format!("no session has {:?}{elsewhere}", plain::first_line(&text, usize::MAX));
            context.screen.remark(FAINT, &words)?;
            return Ok(Exit::BAD);
        }
        let now = words::now();
        list.hits.iter().try_for_each(|hit| print(context.screen.out(), hit, self.all, now))?;
        Ok(Exit::GOOD)
    }
}

fn print(out: &mut Sink, hit: &SearchHit, all: bool, now: Micros) -> Result<(), Error> {
    let session = &hit.session;
    let id = out.paint(NOTE, &short(session.id));
    let title = out.paint(HEAD, &plain::first_line(&session.title, usize::MAX));
    let workspace = if all { format!(", in {}", plain::name(&session.workspace)) } else { String::new() };
    let status = if session.archived.is_some() { "archived" } else { session.status.word() };
    let about = format!("{}, {status}{workspace}", words::ago(session.updated_at, now));
    let about = out.paint(FAINT, &about);
    out.line(&format!("{id}  {title}  {about}"))?;
    let kind = match hit.kind {
        HitKind::Title => return Ok(()),
        HitKind::Prompt => "prompt",
        HitKind::Reply => "reply",
    };
    let snippet = marked(out, &hit.snippet, &hit.matches);
    let kind = out.paint(FAINT, &format!("{kind}:"));
    out.line(&format!("  {kind} {snippet}"))
}

/// The snippet on one line, harmless, with what was found in a style. Ranges that make no sense are passed over.
fn marked(out: &Sink, snippet: &str, matches: &[[u32; 2]]) -> String {
    let mut stripper = Stripper::default();
    let mut piece = |text: &str| {
        let mut harmless = String::new();
        stripper.push(text, &mut harmless);
        harmless.replace(['\n', '\t'], " ")
    };
    let (mut shown, mut from) = (String::new(), 0);
    for [begin, end] in matches.iter().map(|range| range.map(|at| at as usize)) {
        let (Some(before), Some(found)) = (snippet.get(from..begin), snippet.get(begin..end)) else { continue };
        shown.push_str(&piece(before));
        shown.push_str(&out.paint(NOTE.bold(), &piece(found)));
        from = end;
    }
    shown.push_str(&piece(&snippet[from..]));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::testing;
    use crate::testing::{SESSION, daemon, run, session_row};

    #[test]
    fn what_was_found_is_in_colour_and_the_rest_is_harmless() {
        let (mut screen, _, _) = testing::screen(true);
        let snippet = "the p\u{1b}[31marser\nfails: ü parser";
        let at = |word: &str| snippet.rfind(word).unwrap() as u32;
        let found = [at("parser"), at("parser") + 6];
        let shown = marked(screen.out(), snippet, &[found, [3, 900], [1, 2]]);
        assert_eq!(shown, "the parser fails: ü \u{1b}[1m\u{1b}[33mparser\u{1b}[0m");
    }

    #[test]
    fn hits_are_listed_with_their_session() {
        let hit = serde_json::json!({"session": session_row("fix the parser", "idle"), "seq": 4, "kind": "reply",
            "snippet": "a parser error", "matches": [[2, 8]]});
        let answer = serde_json::json!({ "hits": [hit] }).to_string();
        let fake = daemon(&[&answer]);
        let got = run(fake, &["sessions", "search", "--all", "parser", "error"]);
        let text = got.out;
        assert!(text.starts_with(&format!("{}  fix the parser  ", &SESSION[SESSION.len() - 8..])), "{text}");
        assert!(text.contains(", in /w\n  reply: a parser error\n"), "{text}");
        assert!(got.heard[0].starts_with("GET /v1/sessions/search?q=parser%20error&limit=20 HTTP"), "{:?}", got.heard);
    }

    #[test]
    fn nothing_found_is_said_and_is_exit_code_1() {
        let fake = daemon(&["{\"hits\":[]}"]);
        let got = run(fake, &["sessions", "search", "--all", "x"]);
        assert_eq!((got.exit, got.aside.as_str()), (Some(Exit::BAD), "no session has \"x\"\n"));
    }
}
