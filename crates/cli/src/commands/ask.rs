//! `ask`: sends a prompt and prints what comes of it.

use super::{accept, diff};
use crate::client::Client;
use crate::current::{self, Which};
use crate::error::Error;
use crate::follow::{Ending, Scope, Target, follow};
use crate::plain;
use crate::prompt::{Said, Sources};
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, HEAD, Screen};
use crate::words;
use agent::{ModelName, Seq, SessionId, TurnOutcome};
use std::path::PathBuf;
use wire::rest::{Acknowledged, CanvasView, CreateSession, PromptRequest, WhileRunning};
use wire::{Code, Problem, operation};

/// Asks for something, and shows the answer and each step as they come
///
/// A new session is opened unless one is named. The session works on a canvas: your files stay as they are until
/// `tinkerbell accept`. Ctrl-C cancels the turn, a second one leaves it; a closed terminal leaves it running.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Ask {
    /// The prompt; `-`, or nothing with something piped in, reads it from standard input
    #[arg(value_name = "PROMPT")]
    words: Vec<String>,

    /// Append a text file to the prompt
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Send an image (PNG, JPEG, GIF, WebP) or a PDF along; one that is named in the prompt goes along by itself
    #[arg(long = "attach", value_name = "FILE")]
    attached: Vec<PathBuf>,

    /// Go on with the newest session of this workspace
    #[arg(short = 'c', long = "continue", conflicts_with = "session")]
    goes_on: bool,

    #[command(flatten)]
    which: Which,

    /// The model to ask (see `tinkerbell models ls`)
    #[arg(short, long, value_name = "NAME")]
    model: Option<String>,

    /// Join the running turn at its next step, instead of waiting for it
    #[arg(long)]
    steer: bool,

    /// What to call a new session
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["session", "goes_on"])]
    title: Option<String>,

    /// Accept what the turn changed, once it is done
    #[arg(long)]
    accept: bool,

    /// Print the session and the turn, and leave them to it
    #[arg(short, long, conflicts_with = "accept")]
    detach: bool,
}

const EXAMPLES: &str = "\
Examples:
  tinkerbell ask \"create notes.txt with the text hello\"
  tinkerbell ask -c \"now say it in French\"
  git diff | tinkerbell ask \"write a commit message for this\"
  tinkerbell ask \"explain @src/main.rs, and what is wrong in screenshot.png?\"
  tinkerbell ask -f error.log \"what went wrong?\"
  tinkerbell ask --model offline --accept \"delete old.txt\"";

/// A prompt that the daemon has on disk.
struct Sent {
    session: SessionId,
    acknowledged: Acknowledged,
    /// The raw answer.
    body: Vec<u8>,
    /// The last update that was there before the prompt.
    after: Seq,
}

impl Ask {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let said = Sources { words: &self.words, files: &self.files, attached: &self.attached }.read()?;
        let mut client = context.client(Starting::IfNeeded)?;
        if !self.detach {
            client
                .catch_interrupt()
                .map_err(|error| Problem::new(Code::Internal, format!("cannot listen for Ctrl-C: {error}")))?;
        }
        let sent = self.send(&mut client, said)?;
        if self.detach {
            return self.left_running(context, &sent);
        }
        let turn = sent
            .acknowledged
            .turn
            .ok_or_else(|| Problem::new(Code::Internal, "the daemon took the prompt and named no turn"))?;
        let which = self.hint(sent.session);
        let json = context.globals.json;
        if !json {
            tell_model(&mut context.screen, &sent.acknowledged)?;
        }
        let target =
            Target { session: sent.session, scope: Scope::Turn(turn), after: sent.after, json, which: which.clone() };
        match follow(&mut client, &mut context.screen, target)? {
            Ending::NeedsAnswer => Ok(Exit::WAITING),
            Ending::Left => Ok(Exit::CANCELLED),
            Ending::Idle => Ok(Exit::GOOD),
            Ending::Finished(outcome) => self.finished(context, &mut client, &sent, outcome, &which),
        }
    }

    fn send(&self, client: &mut Client, said: Said) -> Result<Sent, Error> {
        let while_running = if self.steer { WhileRunning::Steer } else { WhileRunning::Queue };
        let model = self.model.as_deref().map(ModelName::new);
        let prompt = PromptRequest { text: said.text, attachments: said.attachments, model, while_running };
        let named = self.which.named().filter(|_| !self.goes_on);
        let existing = match (named, self.goes_on) {
            (Some(_), _) => Some(self.which.find_id(client)?),
            (None, true) => {
                let standing = self.which.standing()?;
                Some(current::newest(client, &standing)?.ok_or_else(|| current::none(&standing))?.id)
            }
            (None, false) => None,
        };
        let request = match existing {
            Some(session) => Request::new(&operation::SESSION_PROMPT)?.at("session", session).json(&prompt),
            None => {
                let workspace = self.which.standing()?.workspace_name()?.to_owned();
                let create = CreateSession { workspace, title: self.title.clone(), prompt: Some(prompt) };
                Request::new(&operation::SESSION_CREATE)?.json(&create)
            }
        };
        let answer = client.call(&request)?;
        let acknowledged: Acknowledged = answer.read()?;
        // A new session is shown from its beginning.
        let after = existing.map_or(Seq(0), |_| Seq(acknowledged.seq.0.saturating_sub(1)));
        Ok(Sent { session: acknowledged.session, acknowledged, body: answer.body, after })
    }

    fn left_running(&self, context: &mut Context, sent: &Sent) -> Result<Exit, Error> {
        if context.globals.json {
            return context.print_json(&sent.body);
        }
        let turn = sent.acknowledged.turn.map(|turn| format!(" {turn}")).unwrap_or_default();
        context.screen.out().line(&format!("{}{turn}", sent.session))?;
        let which = self.hint(sent.session);
        let next = format!("next: tinkerbell sessions show {}, tinkerbell cancel{which}", sent.session);
        context.screen.remark(FAINT, &next)?;
        Ok(Exit::GOOD)
    }

    fn finished(
        &self,
        context: &mut Context,
        client: &mut Client,
        sent: &Sent,
        outcome: TurnOutcome,
        which: &str,
    ) -> Result<Exit, Error> {
        let exit = exit(outcome);
        if self.accept && outcome == TurnOutcome::Done {
            let canvas = canvas(client, sent.session)?;
            if canvas.files.is_empty() {
                return Ok(exit);
            }
            let request = Request::new(&operation::CANVAS_ACCEPT)?
                .at("session", sent.session)
                .json(&wire::rest::Selection::default());
            let answer = client.call(&request)?;
            // The updates are all that `--json` prints; the exit code says how the accept ended.
            let json = context.globals.json;
            return accept::tell(
                &mut context.screen,
                &answer.read()?,
                accept::Asked { way: accept::Way::Forth, commit: false },
                accept::Hints { which, in_chat: false },
                json,
            );
        }
        if !context.globals.json {
            self.what_next(context, client, sent.session, which)?;
        }
        Ok(exit)
    }

    /// What stands on the canvas, and what one can do with it.
    fn what_next(&self, context: &mut Context, client: &mut Client, id: SessionId, which: &str) -> Result<(), Error> {
        let canvas = canvas(client, id)?;
        let go_on = if which.is_empty() { " -c" } else { which };
        if canvas.files.is_empty() {
            return context.screen.remark(FAINT, &format!("next: tinkerbell ask{go_on} \"…\""));
        }
        context.screen.end_lines()?;
        let aside = context.screen.aside()?;
        let heading = aside.paint(HEAD, "On the canvas, not in your files yet:");
        aside.line(&heading)?;
        words::diffstat(aside, &canvas.files)?;
        diff::print_conflicts(&mut context.screen, &canvas)?;
        let next = format!(
            "next: tinkerbell diff{which}, tinkerbell accept{which}, tinkerbell reject{which} --all, tinkerbell ask{go_on} \"…\""
        );
        context.screen.remark(FAINT, &next)
    }

    /// How hints name the session: not at all where it is the current one of the next command.
    fn hint(&self, session: SessionId) -> String {
        let is_current = self.which.session.is_none() && self.which.workspace.is_none();
        if is_current { String::new() } else { format!(" -s {}", current::short(session)) }
    }
}

/// Which model is asked, and why, where nobody named one.
fn tell_model(screen: &mut Screen, acknowledged: &Acknowledged) -> Result<(), Error> {
    let (Some(model), Some(why)) = (&acknowledged.model, &acknowledged.why) else { return Ok(()) };
    screen.remark(FAINT, &format!("model {}: {}", plain::name(model.as_str()), plain::strip(why)))
}

fn canvas(client: &mut Client, session: SessionId) -> Result<CanvasView, Error> {
    client.call(&Request::new(&operation::CANVAS_GET)?.at("session", session))?.read()
}

/// The exit code of a turn.
pub(super) fn exit(outcome: TurnOutcome) -> Exit {
    match outcome {
        TurnOutcome::Done => Exit::GOOD,
        TurnOutcome::Failed | TurnOutcome::Abandoned => Exit::BAD,
        TurnOutcome::Limit => Exit(Code::LimitReached.exit()),
        TurnOutcome::Cancelled => Exit::CANCELLED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_tells_the_outcome() {
        use TurnOutcome::*;
        let codes = [Done, Failed, Cancelled, Limit, Abandoned].map(|outcome| exit(outcome).0);
        assert_eq!(codes, [0, 1, 130, 7, 1]);
    }
}
