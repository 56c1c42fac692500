//! `attach`: shows a live session.

use crate::current::{self, Which};
use crate::error::Error;
use crate::follow::{Ending, Scope, Target, follow};
use crate::plain;
use crate::replay;
use crate::run::{Context, Exit, Starting};
use crate::screen::FAINT;
use agent::{Seq, TurnOutcome};
use wire::{Code, Problem};

/// Looks on at a session: its last turn so far, then everything as it happens
///
/// Ctrl-C leaves and cancels nothing. Where nobody sits before a terminal it ends by itself, once no turn runs or waits
/// any more.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tinkerbell attach\n  tinkerbell attach -s 0a1b2c3d --all\n  tinkerbell attach --control\n  tinkerbell attach --json > updates.jsonl"
)]
pub(crate) struct Attach {
    /// Begin with this update
    #[arg(long, value_name = "SEQ", conflicts_with = "all")]
    from: Option<u64>,

    /// Begin with the session's first update
    #[arg(long)]
    all: bool,

    /// Answer questions here, rather than only look on
    #[arg(long)]
    control: bool,

    #[command(flatten)]
    which: Which,
}

impl Attach {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let session = self.which.find_id(&mut client)?;
        let view = current::get(&mut client, session)?;
        client
            .catch_interrupt()
            .map_err(|error| Problem::new(Code::Internal, format!("cannot listen for Ctrl-C: {error}")))?;
        let head = view.row.head;
        let after = match (self.from, self.all) {
            (Some(from), _) => Seq(from.saturating_sub(1)),
            (None, true) => Seq(0),
            (None, false) => replay::last_turn(&mut client, session, head)?,
        };
        let json = context.globals.json;
        if !json {
            let id = current::short(session);
            let status = view.row.status.word();
            let place = format!("session {id} in {}, {status}", plain::name(&view.row.workspace));
            context.screen.remark(FAINT, &place)?;
        }
        let open = view.turn.iter().map(|turn| turn.id).chain(view.queued.iter().copied()).collect();
        let scope = Scope::Session { head, open, answers: self.control };
        let which = format!(" -s {}", current::short(session));
        let target = Target { session, scope, after, json, which };
        Ok(match follow(&mut client, &mut context.screen, target)? {
            Ending::NeedsAnswer => Exit::WAITING,
            // Who only looks on has nothing to cancel by leaving.
            Ending::Idle | Ending::Left | Ending::Finished(TurnOutcome::Done) => Exit::GOOD,
            Ending::Finished(outcome) => super::ask::exit(outcome),
        })
    }
}
