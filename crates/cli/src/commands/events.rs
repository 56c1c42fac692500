//! `events`: what belongs to no session, as the daemon notes it of itself.

use crate::client::Client;
use crate::error::Error;
use crate::feed::{Feed, SILENCE_LIMIT, Whose};
use crate::http::HttpError;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, HEAD, Sink};
use crate::update::Update;
use crate::wait;
use agent::Seq;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::os::fd::AsFd;
use wire::{Code, Problem, operation};

/// Shows what the daemon notes of itself: beginnings and ends, configurations that were taken or refused
///
/// What happens in sessions is shown by `attach` and `sessions show`. Updates have numbers; a script that remembers the
/// last one it saw misses none.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell events
  tinkerbell events --follow
  tinkerbell events --limit 500
  tinkerbell events --after 120 --json")]
pub(crate) struct Events {
    /// Wait for more; Ctrl-C leaves
    #[arg(short, long)]
    follow: bool,

    /// How many of the last ones
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// Those after this number, however many
    #[arg(long, value_name = "SEQ", conflicts_with = "limit")]
    after: Option<u64>,

    /// Those since the daemon first began
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    all: bool,
}

/// A page of updates.
#[derive(Deserialize)]
struct Page {
    events: Vec<Box<RawValue>>,
    #[serde(default)]
    next: Option<Seq>,
}

/// What is read of every update.
#[derive(Deserialize)]
struct Numbered {
    seq: Seq,
}

impl Events {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let begin = if self.all { Some(0) } else { self.after };
        let mut after = Seq(begin.unwrap_or(0));
        let mut request = match begin {
            Some(_) => Whose::Daemon.request(after)?,
            None => Request::new(&operation::EVENTS)?.query("last", self.limit),
        };
        loop {
            let page: Page = client.call(&request)?.read()?;
            for update in page.events {
                after = seq(update.get())?;
                print(context, update.get())?;
            }
            if page.next.is_none() {
                break;
            }
            request = Whose::Daemon.request(after)?;
        }
        if self.follow {
            follow(context, &mut client, after)?;
        }
        Ok(Exit::GOOD)
    }
}

/// Prints what comes, until somebody presses Ctrl-C.
fn follow(context: &mut Context, client: &mut Client, after: Seq) -> Result<(), Error> {
    client
        .catch_interrupt()
        .map_err(|error| Problem::new(Code::Internal, format!("cannot listen for Ctrl-C: {error}")))?;
    let mut feed = Feed::open(client, Whose::Daemon, after)?;
    loop {
        while let Some(update) = feed.pop() {
            print(context, &update.data)?;
            feed.taken(&Update::parse(&update.data)?);
        }
        context.screen.flush()?;
        let waited = wait::readable([Some(feed.as_fd()), client.interrupt().map(AsFd::as_fd)], Some(SILENCE_LIMIT));
        let [came, interrupted] = waited.map_err(HttpError::from)?;
        if interrupted {
            return Ok(());
        }
        let broke = if came { feed.fill()? } else { Some(crate::feed::Broke::Lost) };
        if let Some(broke) = broke {
            let screen = &mut context.screen;
            feed.reopen(client, broke, |words| screen.remark(FAINT, words).and_then(|()| screen.flush()))?;
        }
    }
}

fn seq(update: &str) -> Result<Seq, Error> {
    let read = serde_json::from_str::<Numbered>(update).map(|numbered| numbered.seq);
    read.map_err(|error| {
        let detail = format!("an update of the daemon cannot be read: {error}");
        let remedy = "check with `tinkerbell status` that the daemon and this command have the same version";
        Problem::new(Code::Internal, detail).remedy(remedy).into()
    })
}

fn print(context: &mut Context, update: &str) -> Result<(), Error> {
    let (json, out) = (context.globals.json, context.screen.out());
    match serde_json::from_str(update) {
        Ok(Value::Object(record)) if !json => print_line(out, &record),
        _ => out.line(update),
    }
}

/// A line of its number, time and kind, and what else it says.
fn print_line(out: &mut Sink, record: &Map<String, Value>) -> Result<(), Error> {
    const HEADING: [&str; 5] = ["seq", "at", "kind", "session", "data"];
    let none = Map::new();
    let data = record.get("data").and_then(Value::as_object).unwrap_or(&none);
    // What the body says in words, the header only counts.
    let header = record.iter().filter(|(name, _)| !HEADING.contains(&name.as_str()) && !data.contains_key(*name));
    let (mut fields, mut words) = (String::new(), String::new());
    for (name, value) in header.chain(data) {
        match name.as_str() {
            "message" | "reason" => words = format!(": {}", said(value)),
            _ => fields.push_str(&format!(" {}={}", plain::name(name), said(value))),
        }
    }
    let text = |name: &str| plain::name(record.get(name).and_then(Value::as_str).unwrap_or_default());
    let number = record.get("seq").map(ToString::to_string).unwrap_or_default();
    let (at, kind) = (out.paint(FAINT, &format!("{number:>5} {}", text("at"))), out.paint(HEAD, &text("kind")));
    out.line(&format!("{at} {kind}{fields}{words}"))
}

/// A value without the marks of JSON, where it is simple.
fn said(value: &Value) -> String {
    match value {
        Value::String(text) => plain::name(text),
        Value::Array(list) if list.iter().all(|item| item.is_string() || item.is_number()) => {
            list.iter().map(said).collect::<Vec<_>>().join(",")
        }
        other => plain::name(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{daemon, run};

    const BEGAN: &str = r#"{"seq":1,"at":"2025-11-23T09:00:00.000000Z","kind":"daemon.began","generation":3,"data":{"version":"0.1.0","pid":7}}"#;
    const REJECTED: &str = r#"{"seq":2,"at":"2025-11-23T09:00:01.000000Z","kind":"config.rejected","faults":1,"data":{"cause":"watch","message":"line 3: \u001b[2Jno","faults":[{"line":3,"message":"no"}]}}"#;

    #[test]
    fn updates_are_one_harmless_line_each_over_all_pages() {
        let pages = [format!(r#"{{"events":[{BEGAN}],"next":1}}"#), format!(r#"{{"events":[{REJECTED}]}}"#)];
        let ran = run(daemon(&[&pages[0], &pages[1]]), &["events"]);
        let lines: Vec<&str> = ran.out.lines().collect();
        assert_eq!(lines[0], "    1 2025-11-23T09:00:00.000000Z daemon.began generation=3 version=0.1.0 pid=7");
        assert!(lines[1].contains("config.rejected cause=watch faults=[{") && lines[1].ends_with(": line 3: ^[[2Jno"));
        assert!(
            ran.heard[0].starts_with("GET /v1/events?last=50 ") && ran.heard[1].starts_with("GET /v1/events?after=1 ")
        );
        let ran = run(daemon(&[&pages[1]]), &["events", "--after", "1", "--json"]);
        assert_eq!(ran.out, format!("{REJECTED}\n"));
    }

    #[test]
    fn no_more_is_read_than_is_shown() {
        let page = format!(r#"{{"events":[{BEGAN}]}}"#);
        for (arguments, asked) in [
            (&["--limit", "700"][..], "last=700"),
            (&["-n", "1"], "last=1"),
            (&["--all"], "after=0"),
            (&["--after", "7"], "after=7"),
        ] {
            let ran = run(daemon(&[&page]), &[&["events"], arguments].concat());
            assert_eq!(ran.heard.len(), 1);
            assert!(ran.heard[0].starts_with(&format!("GET /v1/events?{asked} ")), "{}", ran.heard[0]);
        }
    }
}
