//! The tree of commands and what was typed; each command's own arguments stand in its file.

use crate::commands::*;
use crate::hand::Hand;
use crate::passphrase::PassphraseFrom;
use crate::run::Context;
use crate::screen::{Colour, Screen};
use clap::{CommandFactory, Parser, Subcommand};
use std::path::{Path, PathBuf};

/// An agent daemon: it answers prompts, works on a virtual canvas, and changes your files only when you accept.
#[derive(Debug, Parser)]
#[command(name = "tinkerbell", version, propagate_version = false, arg_required_else_help = true)]
#[command(subcommand_required = true, disable_help_subcommand = true, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  tinkerbell ask \"rename the function foo in src/lib.rs to bar\"
  tinkerbell diff
  tinkerbell accept
  tinkerbell accept --undo

The daemon starts by itself at the first command that needs it. Commands are
about the newest session of the workspace (the git work tree that you stand in,
or the directory), unless --session or the variable TINKERBELL_SESSION names
another one; `ask` opens a new one.

Exit codes:
  0  done                              7  a limit was reached
  1  failed                            8  no room on the disk
  2  wrong usage                       9  it is not known whether it happened
  3  no such thing                    10  no daemon
  4  the state does not allow it      11  the turn waits for an answer
  5  unknown model or workspace       70  a fault of tinkerbell
  6  not allowed                     130  cancelled";

/// Options of every command.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Globals {
    /// Print JSON: answers as the daemon gives them, updates one a line, errors as problem documents
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// The daemon's socket [default: $TINKERBELL_SOCKET, else where the daemon says it listens]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,

    /// Do not start the daemon where it is not running
    #[arg(long, global = true)]
    pub(crate) no_start: bool,

    /// When to use colours: auto (on a terminal, unless NO_COLOR is set), always, never
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", hide_possible_values = true)]
    pub(crate) color: Colour,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Ask(ask::Ask),
    Chat(chat::Chat),
    Attach(attach::Attach),
    Cancel(cancel::Cancel),
    Approve(approve::Approve),
    Deny(deny::Deny),
    Diff(diff::Diff),
    Log(log::Log),
    Show(show::Show),
    Accept(accept::Accept),
    Reject(reject::Reject),
    Rewind(rewind::Rewind),
    Redo(redo::Redo),
    /// What the next model call would be given
    #[command(subcommand)]
    Context(ContextVerb),
    /// Lists, searches, forks, carries, redacts and removes sessions
    #[command(subcommand)]
    Sessions(Sessions),
    /// Checks that nothing was changed, and lets others check it
    #[command(subcommand)]
    Audit(Audit),
    /// Prompts that are said by themselves: by cron, at an interval, or once
    #[command(subcommand)]
    Schedule(Schedule),
    /// The models that can be asked, and what they can do
    #[command(subcommand)]
    Models(Models),
    /// Keys of model providers
    #[command(subcommand)]
    Keys(Keys),
    /// Copies of the whole state
    #[command(subcommand)]
    Snapshot(Snapshot),
    Status(status::Status),
    Events(events::Events),
    /// Runs, starts and stops the daemon
    #[command(subcommand)]
    Daemon(Daemon),
    /// The configuration file
    #[command(subcommand)]
    Config(Config),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
    Man(man::Man),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ContextVerb {
    Show(context_show::Show),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Sessions {
    Ls(sessions_ls::Ls),
    Show(sessions_show::Show),
    Search(sessions_search::Search),
    Fork(sessions_fork::Fork),
    Title(sessions_title::Title),
    Redact(sessions_redact::Redact),
    Export(sessions_export::Export),
    Import(sessions_import::Import),
    Archive(sessions_archive::Archive),
    Unarchive(sessions_unarchive::Unarchive),
    Replay(sessions_replay::Replay),
    #[command(name = "rm")]
    Remove(sessions_rm::Remove),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    Verify(audit_verify::Verify),
    Export(audit_export::Export),
    Script(audit_script::Script),
    Sign(audit_sign::Sign),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Schedule {
    Add(Box<schedule_add::Add>),
    Ls(schedule_ls::Ls),
    Show(schedule_show::Show),
    #[command(name = "rm")]
    Remove(schedule_rm::Remove),
    Pause(schedule_pause::Pause),
    Resume(schedule_resume::Resume),
    Run(schedule_run::Run),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Models {
    Ls(models_ls::Ls),
    Test(models_test::Test),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    Set(keys_set::Set),
    Ls(keys_ls::Ls),
    #[command(name = "rm")]
    Remove(keys_rm::Remove),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Snapshot {
    Create(snapshot_create::Create),
    Ls(snapshot_ls::Ls),
    Show(snapshot_show::Show),
    Verify(snapshot_verify::Verify),
    Restore(Box<snapshot_restore::Restore>),
    #[command(name = "rm")]
    Remove(snapshot_rm::Remove),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Daemon {
    Run(daemon_run::Run),
    Start(daemon_start::Start),
    Stop(daemon_stop::Stop),
    Upgrade(daemon_upgrade::Upgrade),
    /// The same as `tinkerbell status`
    Status(status::Status),
    Logs(daemon_logs::Logs),
    Gc(daemon_gc::Gc),
    Install(daemon_install::Install),
    Uninstall(daemon_uninstall::Uninstall),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    Get(config_get::Get),
    Set(config_set::Set),
    Unset(config_unset::Unset),
    Edit(config_edit::Edit),
    Check(config_check::Check),
    Reload(config_reload::Reload),
    Path(config_path::Path),
}

/// What the process is asked to be.
#[derive(Debug)]
pub enum Command {
    /// The daemon.
    Run {
        /// Whether to leave the terminal and report to the starter on standard error.
        detached: bool,
        /// Whether a daemon hands over to it on standard input.
        takes_over: bool,
        /// The socket to listen on, if somebody said which.
        socket: Option<PathBuf>,
    },
    /// Something about the configuration file, which only the daemon's own reader can do.
    Config {
        /// What.
        job: ConfigJob,
        /// Whether to print JSON.
        json: bool,
        /// The socket of a daemon that runs, if somebody said which.
        socket: Option<PathBuf>,
    },
    /// Something about a snapshot that is done without a daemon.
    Snapshot {
        /// What.
        job: SnapshotJob,
        /// What the command line lends for it.
        hand: Box<Hand>,
    },
    /// A command of the command line, for [`run`](crate::run).
    Cli(Invocation),
}

/// What to do with the configuration file.
#[derive(Debug)]
pub enum ConfigJob {
    /// Show what counts.
    Get {
        /// A key or a table; by default all.
        key: Option<String>,
    },
    /// Give a key a value.
    Set {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// Take a key out.
    Unset {
        /// The key.
        key: String,
    },
    /// Open it in an editor.
    Edit,
    /// Say all that is wrong with it.
    Check {
        /// The file; by default the one that the daemon reads.
        file: Option<PathBuf>,
    },
}

/// What to do with a snapshot without a daemon.
#[derive(Debug)]
pub enum SnapshotJob {
    /// Show what a file says of itself.
    Show {
        /// The file.
        file: String,
    },
    /// Read a file to its end.
    Verify {
        /// The file.
        file: String,
        /// Where its passphrase is, if it has one.
        passphrase: PassphraseFrom,
    },
    /// Put one in the place of the state, or elsewhere.
    Restore {
        /// Its name, or a part of it, or a file.
        what: String,
        /// The new directory, if not in the place of the state.
        to: Option<PathBuf>,
        /// Where its sessions work now, as `OLD=NEW`.
        roots: Vec<String>,
        /// Whether the answer to what would be asked is yes.
        yes: bool,
        /// Where its passphrase is, if it has one.
        passphrase: PassphraseFrom,
    },
    /// Put the state back that the last restore replaced.
    Undo {
        /// The name that it is kept under; the last one, where there is none.
        name: Option<String>,
        /// Whether the answer to what would be asked is yes.
        yes: bool,
    },
}

/// A command of the command line with its arguments.
#[derive(Debug)]
pub struct Invocation {
    pub(crate) globals: Globals,
    pub(crate) verb: Verb,
}

/// Reads the command line. Help, and what cannot be understood, ends the process here.
pub fn parse() -> Command {
    command(Arguments::parse())
}

/// Reads a command line that was typed elsewhere: in a conversation, or by a test.
pub(crate) fn parse_from<T>(typed: impl IntoIterator<Item = T>) -> Result<Command, clap::Error>
where
    T: Into<std::ffi::OsString> + Clone,
{
    Arguments::try_parse_from(typed).map(command)
}

/// The tree of commands, for documents and tests.
pub fn tree() -> clap::Command {
    Arguments::command()
}

fn command(Arguments { globals, verb }: Arguments) -> Command {
    match verb {
        Verb::Daemon(Daemon::Run(run)) => {
            Command::Run { detached: run.detached, takes_over: run.take_over, socket: globals.socket }
        }
        Verb::Config(verb) => match config_job(verb) {
            Ok(job) => Command::Config { job, json: globals.json, socket: globals.socket },
            Err(verb) => Command::Cli(Invocation { globals, verb: Verb::Config(verb) }),
        },
        Verb::Snapshot(verb) => match snapshot_job(verb) {
            Ok(job) => Command::Snapshot {
                job,
                hand: Box::new(Hand::new(Context::new(Screen::standard(globals.color), globals))),
            },
            Err(verb) => Command::Cli(Invocation { globals, verb: Verb::Snapshot(verb) }),
        },
        verb => Command::Cli(Invocation { globals, verb }),
    }
}

/// What is done without a daemon.
fn snapshot_job(verb: Snapshot) -> Result<SnapshotJob, Snapshot> {
    match verb {
        Snapshot::Show(show) if is_file(&show.what) => Ok(SnapshotJob::Show { file: show.what }),
        Snapshot::Verify(snapshot_verify::Verify { what: Some(file), from, .. }) if is_file(&file) => {
            Ok(SnapshotJob::Verify { file, passphrase: from })
        }
        Snapshot::Restore(restore) => Ok(match restore.what {
            Some(what) => {
                let (to, roots, yes) = (restore.to, restore.roots, restore.yes);
                SnapshotJob::Restore { what, to, roots, yes, passphrase: restore.from }
            }
            None => SnapshotJob::Undo { name: restore.undo.flatten(), yes: restore.yes },
        }),
        other => Err(other),
    }
}

/// Whether somebody means a file, not a snapshot's name.
fn is_file(typed: &str) -> bool {
    typed.contains('/') || Path::new(typed).exists()
}

/// What the daemon's own code does; the rest the command line does itself.
fn config_job(verb: Config) -> Result<ConfigJob, Config> {
    Ok(match verb {
        Config::Get(get) => ConfigJob::Get { key: get.key },
        Config::Set(set) => ConfigJob::Set { key: set.key, value: set.value },
        Config::Unset(unset) => ConfigJob::Unset { key: unset.key },
        Config::Edit(_) => ConfigJob::Edit,
        Config::Check(check) => ConfigJob::Check { file: check.file },
        Config::Path(_) | Config::Reload(_) => return Err(verb),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_sound() {
        tree().debug_assert();
    }

    #[test]
    fn options_of_every_command_may_stand_anywhere() {
        for typed in ["tinkerbell --json --socket /s status", "tinkerbell status --json --socket /s"] {
            let Command::Cli(invocation) = command(Arguments::parse_from(typed.split(' '))) else { panic!("{typed}") };
            assert!(invocation.globals.json && invocation.globals.socket == Some("/s".into()), "{typed}");
        }
    }

    #[test]
    fn what_needs_the_daemons_own_code_is_handed_on() {
        let typed = |text: &str| command(Arguments::parse_from(text.split(' ')));
        let run = typed("tinkerbell daemon run --detached --socket /s");
        assert!(matches!(run, Command::Run { detached: true, takes_over: false, socket: Some(_) }));
        let check = typed("tinkerbell config check /etc/x.toml --json");
        assert!(matches!(check, Command::Config { job: ConfigJob::Check { file: Some(_) }, json: true, .. }));
        let set = typed("tinkerbell config set limits.steps 9");
        assert!(matches!(set, Command::Config { job: ConfigJob::Set { .. }, json: false, .. }));
    }
}
