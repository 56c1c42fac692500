//! From what was typed to an exit code.

use crate::arguments::{
    Audit, Config, ContextVerb, Daemon, Globals, Invocation, Keys, Models, Schedule, Sessions, Snapshot, Verb,
};
use crate::client::Client;
use crate::error::Error;
use crate::screen::Screen;
use crate::start::Starter;
use crate::terminal;
use agent::Seq;
use std::path::Path;
use std::process::ExitCode;
use wire::places::Places;
use wire::{Code, Problem};

/// The exit code of a command that ended well, or whose result is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    /// All is well.
    pub(crate) const GOOD: Exit = Exit(0);
    /// What was asked was done, and the answer is no.
    pub(crate) const BAD: Exit = Exit(1);
    /// A turn waits for an answer.
    pub(crate) const WAITING: Exit = Exit(11);
    /// Somebody pressed Ctrl-C, as a shell reports it.
    pub(crate) const CANCELLED: Exit = Exit(130);
}

/// The daemon's own reader of the configuration, which the command line does not have: what a file amounts to, or all
/// that is wrong with it.
pub type ConfigReader = fn(&Path) -> Result<String, String>;

/// What a command has to work with.
#[derive(Debug)]
pub(crate) struct Context {
    /// Options of every command.
    pub(crate) globals: Globals,
    /// Where output goes.
    pub(crate) screen: Screen,
    /// Whether a conversation runs this command: it looks after the signals that end the process, and what is to be
    /// typed next is typed there.
    pub(crate) in_chat: bool,
    /// The end of the accept that this command asked for and told of.
    pub(crate) accepted: Option<Seq>,
    /// Reads a configuration as the daemon does, where somebody lent it.
    pub(crate) reader: Option<ConfigReader>,
}

/// Whether a command may start the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Starting {
    /// Where it is not running, unless somebody said not to.
    IfNeeded,
    /// Never: the command is about the daemon as it is.
    Never,
}

impl Context {
    /// What a command has that is run by itself.
    pub(crate) fn new(screen: Screen, globals: Globals) -> Context {
        Context { globals, screen, in_chat: false, accepted: None, reader: None }
    }

    /// Where things lie.
    pub(crate) fn places(&self) -> Result<Places, Problem> {
        Places::from_env(&|name| std::env::var_os(name), self.globals.socket.clone()).map_err(|error| {
            Problem::new(Code::InvalidRequest, error.to_string())
                .remedy("set HOME, or TINKERBELL_HOME to a directory of your own")
        })
    }

    /// A client of the daemon.
    pub(crate) fn client(&self, starting: Starting) -> Result<Client, Problem> {
        let may_start = starting == Starting::IfNeeded && !self.globals.no_start;
        let starter = may_start.then(|| Starter::new(self.globals.socket.clone()));
        Ok(Client::new(self.places()?, starter))
    }

    /// How many columns standard output has, where it is a terminal; what goes elsewhere has no bound.
    pub(crate) fn columns(&self) -> Option<usize> {
        terminal::size().map(|size| size.columns)
    }

    /// Prints an answer as it came.
    pub(crate) fn print_json(&mut self, body: &[u8]) -> Result<Exit, Error> {
        let out = self.screen.out();
        out.put_bytes(body)?;
        out.end_line()?;
        Ok(Exit::GOOD)
    }
}

/// Runs a command of the command line, which is lent the daemon's reader of the configuration.
pub fn run(invocation: Invocation, reader: ConfigReader) -> ExitCode {
    let Invocation { globals, verb } = invocation;
    let json = globals.json;
    let mut context = Context::new(Screen::standard(globals.color), globals);
    context.reader = Some(reader);
    let result = dispatch(verb, &mut context);
    // What was printed before an error belongs before it.
    let flushed = context.screen.flush();
    match result.and_then(|exit| flushed.map(|()| exit)) {
        Ok(Exit(code)) => ExitCode::from(code),
        Err(error) => error.report(json),
    }
}

/// Runs a command to its end.
pub(crate) fn dispatch(verb: Verb, context: &mut Context) -> Result<Exit, Error> {
    match verb {
        Verb::Ask(command) => command.run(context),
        Verb::Chat(command) => command.run(context),
        Verb::Attach(command) => command.run(context),
        Verb::Cancel(command) => command.run(context),
        Verb::Approve(command) => command.run(context),
        Verb::Deny(command) => command.run(context),
        Verb::Diff(command) => command.run(context),
        Verb::Log(command) => command.run(context),
        Verb::Show(command) => command.run(context),
        Verb::Accept(command) => command.run(context),
        Verb::Reject(command) => command.run(context),
        Verb::Rewind(command) => command.run(context),
        Verb::Redo(command) => command.run(context),
        Verb::Sessions(Sessions::Ls(command)) => command.run(context),
        Verb::Sessions(Sessions::Show(command)) => command.run(context),
        Verb::Sessions(Sessions::Search(command)) => command.run(context),
        Verb::Sessions(Sessions::Fork(command)) => command.run(context),
        Verb::Sessions(Sessions::Title(command)) => command.run(context),
        Verb::Sessions(Sessions::Redact(command)) => command.run(context),
        Verb::Sessions(Sessions::Export(command)) => command.run(context),
        Verb::Sessions(Sessions::Import(command)) => command.run(context),
        Verb::Sessions(Sessions::Archive(command)) => command.run(context),
        Verb::Sessions(Sessions::Unarchive(command)) => command.run(context),
        Verb::Sessions(Sessions::Replay(command)) => command.run(context),
        Verb::Sessions(Sessions::Remove(command)) => command.run(context),
        Verb::Audit(Audit::Verify(command)) => command.run(context),
        Verb::Audit(Audit::Export(command)) => command.run(context),
        Verb::Audit(Audit::Script(command)) => command.run(context),
        Verb::Audit(Audit::Sign(command)) => command.run(context),
        Verb::Context(ContextVerb::Show(command)) => command.run(context),
        Verb::Schedule(Schedule::Add(command)) => command.run(context),
        Verb::Schedule(Schedule::Ls(command)) => command.run(context),
        Verb::Schedule(Schedule::Show(command)) => command.run(context),
        Verb::Schedule(Schedule::Remove(command)) => command.run(context),
        Verb::Schedule(Schedule::Pause(command)) => command.run(context),
        Verb::Schedule(Schedule::Resume(command)) => command.run(context),
        Verb::Schedule(Schedule::Run(command)) => command.run(context),
        Verb::Models(Models::Ls(command)) => command.run(context),
        Verb::Models(Models::Test(command)) => command.run(context),
        Verb::Keys(Keys::Set(command)) => command.run(context),
        Verb::Keys(Keys::Ls(command)) => command.run(context),
        Verb::Keys(Keys::Remove(command)) => command.run(context),
        Verb::Snapshot(Snapshot::Create(command)) => command.run(context),
        Verb::Snapshot(Snapshot::Ls(command)) => command.run(context),
        Verb::Snapshot(Snapshot::Show(command)) => command.run(context),
        Verb::Snapshot(Snapshot::Verify(command)) => command.run(context),
        Verb::Snapshot(Snapshot::Remove(command)) => command.run(context),
        Verb::Status(command) | Verb::Daemon(Daemon::Status(command)) => command.run(context),
        Verb::Daemon(Daemon::Start(command)) => command.run(context),
        Verb::Daemon(Daemon::Stop(command)) => command.run(context),
        Verb::Daemon(Daemon::Upgrade(command)) => command.run(context),
        Verb::Daemon(Daemon::Logs(command)) => command.run(context),
        Verb::Daemon(Daemon::Gc(command)) => command.run(context),
        Verb::Daemon(Daemon::Install(command)) => command.run(context),
        Verb::Daemon(Daemon::Uninstall(command)) => command.run(context),
        Verb::Config(Config::Path(command)) => command.run(context),
        Verb::Config(Config::Reload(command)) => command.run(context),
        Verb::Events(command) => command.run(context),
        Verb::Doctor(command) => command.run(context),
        Verb::Completions(command) => command.run(context),
        Verb::Man(command) => command.run(context),
        Verb::Daemon(Daemon::Run(_)) | Verb::Config(_) | Verb::Snapshot(Snapshot::Restore(_)) => {
            unreachable!("parse hands these on to the daemon's own code")
        }
    }
}
