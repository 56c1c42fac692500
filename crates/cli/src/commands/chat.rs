//! `chat`: a conversation in the terminal.

use crate::chat::{Conversation, Opening};
use crate::client::Client;
use crate::current::{self, Which};
use crate::error::Error;
use crate::replay;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use agent::ModelName;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use wire::rest::{Acknowledged, CreateSession};
use wire::{Code, Problem, operation};

/// Talks with a session: a line to type in, and the replies as they come
///
/// A new session is opened unless one is named. The session works on a canvas: your files stay as they are until
/// `/accept`. Ctrl-C cancels the running turn, Ctrl-D leaves; `/help` shows what can be typed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tinkerbell chat\n  tinkerbell chat -c\n  tinkerbell chat -s 0a1b2c3d\n  tinkerbell chat --model offline --title \"the parser\""
)]
pub(crate) struct Chat {
    /// Go on with the newest session of this workspace
    #[arg(short = 'c', long = "continue", conflicts_with = "session")]
    goes_on: bool,

    #[command(flatten)]
    which: Which,

    /// The model to ask (see `tinkerbell models ls`)
    #[arg(short, long, value_name = "NAME")]
    model: Option<String>,

    /// What to call a new session
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["session", "goes_on"])]
    title: Option<String>,
}

/// What is known of the session when the conversation begins.
struct Begun {
    opening: Opening,
    acknowledged: Option<Acknowledged>,
    model: Option<ModelName>,
}

impl Chat {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let (input, output) = (io::stdin(), io::stdout());
        if !input.is_terminal() || !output.is_terminal() || context.globals.json {
            return Err(needs_terminal().into());
        }
        let descriptor = |fd: std::os::fd::BorrowedFd<'_>| fd.try_clone_to_owned().map_err(Error::Output);
        let terminal = (descriptor(input.as_fd())?, descriptor(output.as_fd())?);
        let mut client = context.client(Starting::IfNeeded)?;
        client
            .catch_interrupt()
            .map_err(|error| Problem::new(Code::Internal, format!("cannot listen for Ctrl-C: {error}")))?;
        let begun = self.begin(&mut client)?;
        let mut conversation = Conversation::open(context, client, terminal, begun.opening)?;
        conversation.greet(begun.acknowledged.as_ref(), begun.model.as_ref())?;
        conversation.run()
    }

    fn begin(self, client: &mut Client) -> Result<Begun, Error> {
        let standing = self.which.standing()?;
        let named = self.which.named().filter(|_| !self.goes_on);
        let existing = match (named, self.goes_on) {
            (Some(_), _) => Some(self.which.find_id(client)?),
            (None, true) => Some(current::newest(client, &standing)?.ok_or_else(|| current::none(&standing))?.id),
            (None, false) => None,
        };
        let Some(session) = existing else {
            let workspace = standing.workspace_name()?.to_owned();
            let create = CreateSession { workspace: workspace.clone(), title: self.title, prompt: None };
            let request = Request::new(&operation::SESSION_CREATE)?.json(&create);
            let acknowledged: Acknowledged = client.call(&request)?.read()?;
            let opening = Opening {
                session: acknowledged.session,
                directory: standing.directory,
                workspace,
                model: self.model,
                after: acknowledged.seq,
                open: BTreeSet::new(),
                is_new: true,
            };
            let model = acknowledged.model.clone();
            return Ok(Begun { opening, acknowledged: Some(acknowledged), model });
        };
        let view = current::get(client, session)?;
        let opening = Opening {
            session,
            directory: standing.directory,
            after: replay::last_turn(client, session, view.row.head)?,
            open: view.turn.iter().map(|turn| turn.id).chain(view.queued.iter().copied()).collect(),
            workspace: view.row.workspace,
            model: self.model,
            is_new: false,
        };
        Ok(Begun { opening, acknowledged: None, model: view.row.model })
    }
}

fn needs_terminal() -> Problem {
    Problem::new(Code::InvalidRequest, "chat needs a terminal to type in and to write to")
        .remedy("`tinkerbell ask` takes its prompt from arguments or a pipe, and prints to one")
}
