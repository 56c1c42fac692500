//! The daemon as a process: configuration, lock, journal, socket, and the end in good order.

use crate::activation;
use crate::assemble::{AssembleError, ExtraModel};
use crate::clock::Clock;
use crate::config::ConfigError;
use crate::detach::{Starter, detach};
use crate::doors::SocketError;
use crate::life::{self, Origin};
use crate::lock::LockError;
use crate::snapshots;
use crate::toolbox::ExtraTool;
use crate::upgrade::{self, AtStep, HeirError};
use rustix::process::DumpableBehavior;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use wire::places::Places;

/// Worker threads, at most; more gain nothing where every session is one task.
const WORKERS: usize = 4;

/// How a daemon is run.
#[derive(Debug)]
pub struct Options {
    /// Where everything lies.
    pub places: Places,
    /// Whether to leave the terminal and tell the starter.
    pub detached: bool,
    /// Tools beside the built-in ones.
    pub tools: Vec<ExtraTool>,
    /// Models beside the configured ones.
    pub models: Vec<ExtraModel>,
    /// What time it is.
    pub clock: Clock,
    /// How the journal is opened.
    pub store: store::Options,
    /// Whether to take over from the daemon whose conversation is on standard input.
    pub takes_over: bool,
    /// What happens at each step of a hand-over, for tests.
    pub at_step: AtStep,
}

impl Options {
    /// A daemon as its users run it.
    pub fn new(places: Places, detached: bool) -> Options {
        let (tools, models, store) = (Vec::new(), Vec::new(), store::Options::default());
        Options { places, detached, tools, models, clock: Clock::default(), store, takes_over: false, at_step: |_| {} }
    }
}

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Restore(#[from] snapshots::restore::RestoreError),
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    #[error("{0}; choose another with --socket or TINKERBELL_SOCKET")]
    Socket(#[from] SocketError),
    #[error(transparent)]
    Heir(#[from] HeirError),
    #[error("cannot write the log {path}: {error}")]
    Log { path: PathBuf, error: io::Error },
    #[error("the system refused: {0}")]
    System(#[from] io::Error),
}

/// Runs a daemon until it is stopped. Prints why when it cannot start.
pub fn run(options: Options) -> ExitCode {
    let mut starter = Starter::nobody();
    // Keys are in memory and perhaps in the environment: neither goes into a core file, and nobody but root reads them
    // from outside, not even other programs of the same user.
    if let Err(error) = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        return refuse(&mut starter, &io::Error::from(error));
    }
    let origin = match before(&options, &mut starter) {
        Ok(origin) => origin,
        Err(error) => return refuse(&mut starter, &error),
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(life::serve(options, &mut starter, origin));
            runtime.shutdown_timeout(Duration::from_secs(1));
            outcome
        }
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&mut starter, &error),
    }
}

/// What comes before anything is opened: descriptors that were given to us are taken, and all others left.
fn before(options: &Options, starter: &mut Starter) -> io::Result<Origin> {
    let started_from = upgrade::started_from();
    let mut origin = Origin { started_from, conversation: None, activated: None };
    if options.takes_over {
        origin.conversation = Some(upgrade::conversation(options.detached)?);
    } else if options.detached {
        *starter = detach()?;
    } else {
        origin.activated = activation::socket()?;
    }
    Ok(origin)
}

#[expect(clippy::print_stderr, reason = "a daemon that does not start has nothing else to say it with")]
fn refuse(starter: &mut Starter, error: &dyn std::error::Error) -> ExitCode {
    tracing::error!(%error, "the daemon did not start");
    eprintln!("error: {error}");
    starter.tell(&error.to_string());
    ExitCode::FAILURE
}
