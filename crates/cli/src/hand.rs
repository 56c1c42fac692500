//! What the command line lends to commands that the daemon's own code carries out: asking, telling, and stopping and
//! starting a daemon.

use crate::client::Client;
use crate::commands::{daemon_stop, snapshot_show};
use crate::confirm::confirm;
use crate::error::Error;
use crate::passphrase::{self, PassphraseFrom};
use crate::run::{Context, Starting};
use crate::screen::{self, FAINT};
use std::process::ExitCode;
use wire::places::Places;
use wire::rest::SnapshotView;
use wire::{Code, Problem};

/// The command line's hand.
#[derive(Debug)]
pub struct Hand {
    context: Context,
}

impl Hand {
    pub(crate) fn new(context: Context) -> Hand {
        Hand { context }
    }

    /// Where things lie.
    pub fn places(&self) -> Result<Places, Problem> {
        self.context.places()
    }

    /// The passphrase of something that has one: from where somebody said it is, else asked for at the terminal.
    pub fn passphrase(&mut self, from: &PassphraseFrom, of: &str) -> Result<String, Problem> {
        if let Some(words) = from.read()? {
            return Ok(words);
        }
        let question = format!("Passphrase of {of} (it is not shown): ");
        let typed = passphrase::ask(&mut self.context.screen, &question).map_err(Error::problem)?;
        typed.ok_or_else(|| Problem::new(Code::InvalidRequest, "no passphrase was typed, so nothing was done"))
    }

    /// The passphrase that somebody said where it is, if they did.
    pub fn given_passphrase(&self, from: &PassphraseFrom) -> Result<Option<String>, Problem> {
        from.read()
    }

    /// Whether somebody can be asked.
    pub fn is_interactive(&self) -> bool {
        self.context.screen.is_interactive()
    }

    /// Asks, unless the answer was given beforehand.
    pub fn confirm(&mut self, question: &str, said_yes: bool) -> Result<bool, Problem> {
        confirm(&mut self.context.screen, question, said_yes).map_err(Error::problem)
    }

    /// Stops the daemon, if one runs, and says whether one did.
    pub fn stop_daemon(&mut self) -> Result<bool, Problem> {
        daemon_stop::stop(&mut self.context).map(|pid| pid.is_some()).map_err(Error::problem)
    }

    /// Starts the daemon.
    pub fn start_daemon(&mut self) -> Result<(), Problem> {
        let mut client: Client = self.context.client(Starting::IfNeeded)?;
        client.connect().map(drop)
    }

    /// Says at a terminal what takes long.
    pub fn progress(&self, words: &str) {
        screen::progress(words);
    }

    /// Prints what was done: a document for programs, or words for people, the remarks after them apart.
    pub fn done(mut self, document: &serde_json::Value, words: &str, remarks: &[String]) -> ExitCode {
        let told = self.tell(document, words, remarks);
        self.ended(told)
    }

    /// Prints what a snapshot says of itself.
    pub fn snapshot(mut self, view: &SnapshotView) -> ExitCode {
        let told = snapshot_show::tell(&mut self.context, view).and_then(|()| self.context.screen.flush());
        self.ended(told)
    }

    fn ended(self, told: Result<(), Error>) -> ExitCode {
        match told {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => error.report(self.context.globals.json),
        }
    }

    fn tell(&mut self, document: &serde_json::Value, words: &str, remarks: &[String]) -> Result<(), Error> {
        if self.context.globals.json {
            self.context.print_json(document.to_string().as_bytes())?;
        } else {
            self.context.screen.out().line(words)?;
            for remark in remarks {
                self.context.screen.remark(FAINT, remark)?;
            }
        }
        self.context.screen.flush()
    }

    /// Tells of what stands in the way.
    pub fn refused(self, problem: &Problem) -> ExitCode {
        crate::error::report(problem, self.context.globals.json)
    }
}
