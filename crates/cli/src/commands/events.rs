//! `events`: what belongs to no session, as the daemon notes it of itself.

mod said;

use crate::client::Client;
use crate::error::Error;
use crate::feed::{Feed, SILENCE_LIMIT, Whose};
use crate::http::HttpError;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, HEAD, Sink};
use crate::update::Update;
use crate::wait;
use agent::Seq;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::os::fd::AsFd;
use wire::{Code, Problem, operation};

/// Shows what the daemon notes of itself: its life, configurations, schedules, snapshots, its key
///
/// Beginnings and ends, configurations that were taken, refused or taken back, schedules and what became of each of their
/// times, snapshots that were made and removed, the key that signs the chain. What happens in sessions is shown by
/// `attach` and `sessions show`. Updates have numbers; a script that remembers the last one it saw misses none. Times are
/// UTC; hashes and all else that an update holds are in --json.
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
            if page.events.is_empty() && after > Seq(0) {
                is_there(&mut client, after)?;
            }
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

/// Refuses a number that no update has yet, as the daemon does where it is followed.
fn is_there(client: &mut Client, after: Seq) -> Result<(), Error> {
    let last: Page = client.call(&Request::new(&operation::EVENTS)?.query("last", 1))?.read()?;
    let head = last.events.last().map_or(Ok(Seq(0)), |update| seq(update.get()))?;
    if after <= head {
        return Ok(());
    }
    let detail = format!("event {after} is not there yet; the last one is {head}");
    Err(Problem::new(Code::InvalidRequest, detail).remedy("follow from the last event that you have seen").into())
}

/// Prints what comes, until somebody presses Ctrl-C, also while the daemon is away: nothing was asked of it.
fn follow(context: &mut Context, client: &mut Client, after: Seq) -> Result<(), Error> {
    match watch(context, client, after) {
        Err(Error::Http(HttpError::Interrupted)) => Ok(()),
        other => other,
    }
}

fn watch(context: &mut Context, client: &mut Client, after: Seq) -> Result<(), Error> {
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
    let words = if json { None } else { line(out, update) };
    out.line(words.as_deref().unwrap_or(update))
}

/// A line of its number, time and kind, and what it says; `None` for one that this version does not know.
fn line(out: &Sink, update: &str) -> Option<String> {
    let Ok(Update::Event(event)) = Update::parse(update) else { return None };
    let words = said::words(&event)?;
    let header = &event.header;
    let at = out.paint(FAINT, &format!("{:>5} {}", header.seq, wire::time::write(header.at)));
    let kind = out.paint(HEAD, header.event.kind());
    Some(format!("{at} {kind} {words}"))
}

#[cfg(test)]
mod tests {
    use crate::testing::{daemon, run};

    const BEGAN: &str = r#"{"seq":1,"at":"2025-11-23T09:00:00.000000Z","kind":"daemon.began","generation":3,"data":{"version":"0.1.0","pid":7}}"#;
    const REJECTED: &str = r#"{"seq":2,"at":"2025-11-23T09:00:01.000000Z","kind":"config.rejected","faults":1,"data":{"cause":"watch","message":"not valid:\nline 3: \u001b[2Jno\nline 4: no","faults":[{"line":3,"message":"no"}]}}"#;

    #[test]
    fn updates_are_one_harmless_line_each_over_all_pages() {
        let pages = [format!(r#"{{"events":[{BEGAN}],"next":1}}"#), format!(r#"{{"events":[{REJECTED}]}}"#)];
        let ran = run(daemon(&[&pages[0], &pages[1]]), &["events"]);
        let lines: Vec<&str> = ran.out.lines().collect();
        assert_eq!(lines[0], "    1 2025-11-23T09:00:00.000000Z daemon.began generation 3, version 0.1.0, process 7");
        assert!(
            lines[1].ends_with(" config.rejected read since the file changed: not valid: line 3: ^[[2Jno; line 4: no")
                && lines.len() == 2,
            "{lines:?}"
        );
        assert!(
            ran.heard[0].starts_with("GET /v1/events?last=50 ") && ran.heard[1].starts_with("GET /v1/events?after=1 ")
        );
        let ran = run(daemon(&[&pages[1]]), &["events", "--after", "1", "--json"]);
        assert_eq!(ran.out, format!("{REJECTED}\n"));
    }

    #[test]
    fn what_the_daemon_notes_is_told_in_words_and_programs_get_all_of_it() {
        let snapshot = "snp_01kav9ft000000000000000009";
        let updates = [
            format!(
                r#"{{"seq":1,"at":"2025-11-23T09:00:00.000000Z","kind":"snapshot.made","snapshot":"{snapshot}","bytes":17408,"data":{{"sha256":"{0}","file":"/s/{snapshot}.tar","reason":"asked","sealed":false,"links":14,"sessions":2}}}}"#,
                "a".repeat(64),
            ),
            r#"{"seq":2,"at":"2025-11-23T09:00:00.000000Z","kind":"schedule.paused","schedule":"sch_01kav9ft000000000000000008","cause":"asked","data":{}}"#.to_owned(),
            r#"{"seq":3,"at":"2025-11-23T09:00:00.000000Z","kind":"daemon.slept","data":{"s":9}}"#.to_owned(),
        ];
        let page = format!(r#"{{"events":[{}]}}"#, updates.join(","));
        let told = run(daemon(&[&page]), &["events"]).out;
        let lines: Vec<&str> = told.lines().map(|line| line.split_once("Z ").unwrap_or(("", line)).1).collect();
        assert_eq!(
            lines[..2],
            [
                &*format!("snapshot.made {snapshot}, 17.0 KiB of 2 sessions, asked for"),
                "schedule.paused 00000008, because somebody asked for it",
            ]
        );
        assert!(told.ends_with(&format!("{}\n", updates[2])), "what is not known is shown as it is: {told}");
        assert_eq!(run(daemon(&[&page]), &["events", "--json"]).out, format!("{}\n", updates.join("\n")));
    }

    #[test]
    fn a_number_that_no_update_has_yet_is_refused() {
        let (none, last) = (r#"{"events":[]}"#, format!(r#"{{"events":[{REJECTED}]}}"#));
        let refused = run(daemon(&[none, &last]), &["events", "--after", "999"]).problem.unwrap();
        assert_eq!(refused.detail, "event 999 is not there yet; the last one is 2");
        let ended = run(daemon(&[none, &last]), &["events", "--after", "2"]);
        assert_eq!((ended.problem, ended.out.as_str()), (None, ""));
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
