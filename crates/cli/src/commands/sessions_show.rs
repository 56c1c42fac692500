//! `sessions show`: what happened in a session.

use crate::client::Client;
use crate::current::{self, Which};
use crate::error::Error;
use crate::follow::fetch_blob;
use crate::plain;
use crate::question;
use crate::render::{Transcript, View};
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, HEAD, NOTE};
use crate::update::Update;
use crate::words;
use agent::{Seq, SessionId};
use serde::Deserialize;
use serde_json::value::RawValue;
use wire::operation;
use wire::rest::SessionView;

/// How many updates are asked for at once.
const PAGE: u32 = 500;

/// Shows a session: prompts, replies, steps and how each turn ended
///
/// With `--json` the session's state as the daemon gives it; with `--events` its updates, one a line.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tinkerbell sessions show\n  tinkerbell sessions show 0a1b2c3d\n  tinkerbell sessions show --events"
)]
pub(crate) struct Show {
    /// The session: its id, or the beginning or end of it [default: the current one]
    #[arg(value_name = "ID", conflicts_with = "session")]
    id: Option<String>,

    /// Print the updates themselves, one JSON object a line
    #[arg(long)]
    events: bool,

    #[command(flatten)]
    which: Which,
}

/// A page of updates.
#[derive(Deserialize)]
struct Page {
    events: Vec<Box<RawValue>>,
    #[serde(default)]
    next: Option<Seq>,
}

impl Show {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let which = self.which.clone().or(self.id.clone());
        let session = which.find_id(&mut client)?;
        if self.events {
            each_update(&mut client, session, |_, text| context.screen.out().line(text))?;
            return Ok(Exit::GOOD);
        }
        let answer = client.call(&Request::new(&operation::SESSION_GET)?.at("session", session))?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        context.screen.join();
        let mut view: SessionView = answer.read()?;
        if view.row.archived.is_some() {
            client.call(&Request::new(&operation::SESSION_UNARCHIVE)?.at("session", session))?;
            view = current::get(&mut client, session)?;
            context.screen.remark(FAINT, "it was archived, and is back in the journal")?;
        }
        self.print(context, &mut client, &view)
    }

    fn print(&self, context: &mut Context, client: &mut Client, view: &SessionView) -> Result<Exit, Error> {
        let row = &view.row;
        let screen = &mut context.screen;
        screen.remark(HEAD, &plain::first_line(&row.title, usize::MAX))?;
        let place = format!("{} in {}, {}", row.id, plain::name(&row.workspace), row.status.word());
        screen.remark(FAINT, &place)?;
        let mut transcript = Transcript::new(View::Everything);
        each_update(client, row.id, |client, text| {
            let mut fetch = |blob| fetch_blob(client, row.id, blob);
            match Update::parse(text)? {
                Update::Event(update) => transcript.event(screen, &update, &mut fetch),
                Update::Delta(delta) => transcript.delta(screen, &delta),
                Update::Unknown(_) | Update::Draining(_) => Ok(()),
            }
        })?;
        screen.end_lines()?;
        let turns = words::count(u64::from(view.turns), "turn");
        let pending = words::count(u64::from(view.pending), "path");
        let total = format!("\n{turns}, {}; {pending} on the canvas", words::usage(&view.usage, row.cost_microusd));
        screen.remark(FAINT, &total)?;
        let which = format!(" -s {}", current::short(row.id));
        for open in &view.approvals {
            let how = question::commands(open.question, open.id, &which);
            screen.remark(NOTE, &format!("? {}\n  {how}", plain::strip(&open.message)))?;
        }
        Ok(Exit::GOOD)
    }
}

/// Reads all updates of a session, page by page.
fn each_update(
    client: &mut Client,
    session: SessionId,
    mut take: impl FnMut(&mut Client, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut after = Seq(0);
    loop {
        let request =
            Request::new(&operation::SESSION_EVENTS)?.at("session", session).query("after", after).query("limit", PAGE);
        let page: Page = client.call(&request)?.read()?;
        for event in &page.events {
            take(client, event.get())?;
        }
        match page.next {
            Some(next) if next > after && !page.events.is_empty() => after = next,
            _ => return Ok(()),
        }
    }
}
