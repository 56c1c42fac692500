//! The daemon as a process: configuration, lock, journal, socket, and the end in good order.

use crate::assemble::{self, AssembleError, Parts, Surroundings};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::detach::{Starter, detach};
use crate::doors::{Socket, SocketError, door, router};
use crate::lock::{Lock, LockError};
use crate::log;
use crate::registry::Registry;
use crate::reload::{self, Hands};
use crate::retention;
use crate::schedule;
use crate::signals::Signals;
use crate::snapshots;
use crate::toolbox::ExtraTool;
use rustix::process::DumpableBehavior;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use wire::places::Places;

/// Worker threads, at most; more gain nothing where every session is one task.
const WORKERS: usize = 4;
/// How long doors and sessions may take to end after effects had their grace.
const FAREWELL: Duration = Duration::from_secs(5);

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
    pub models: Vec<assemble::ExtraModel>,
    /// What time it is.
    pub clock: Clock,
}

impl Options {
    /// A daemon as its users run it.
    pub fn new(places: Places, detached: bool) -> Options {
        Options { places, detached, tools: Vec::new(), models: Vec::new(), clock: Clock::default() }
    }
}

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
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
    if options.detached {
        match detach() {
            Ok(new) => starter = new,
            Err(error) => return refuse(&mut starter, &error),
        }
    }
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(serve(options, &mut starter));
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

#[expect(clippy::print_stderr, reason = "a daemon that does not start has nothing else to say it with")]
fn refuse(starter: &mut Starter, error: &dyn std::error::Error) -> ExitCode {
    tracing::error!(%error, "the daemon did not start");
    eprintln!("error: {error}");
    starter.tell(&error.to_string());
    ExitCode::FAILURE
}

async fn serve(options: Options, starter: &mut Starter) -> Result<(), StartError> {
    let Options { places, tools, models, clock, .. } = options;
    let config = Config::load(&places.config_file)?;
    let lock = Arc::new(Lock::take(&places.state_dir, &places.lock_file())?);
    let restored = snapshots::restore::finish(&places.state_dir)?;
    let log_file = places.log_file();
    let level = log::start(&log_file, config.log).map_err(|error| StartError::Log { path: log_file, error })?;
    let mut signals = Signals::new()?;
    let hangup = signal(SignalKind::hangup())?;
    let chosen = config.socket.clone().filter(|_| !places.socket_chosen).map(|socket| vec![socket]);
    let socket = Arc::new(Socket::open(&chosen.unwrap_or_else(|| places.sockets.clone()))?);
    let listening = socket.path().to_owned();
    let sockets = Arc::new(watch::Sender::new(socket));
    let parts = Parts {
        config,
        state_dir: places.state_dir.clone(),
        socket: listening.clone(),
        canvas_dir: places.canvas_dir(),
        store: store::Options::default(),
        tools,
        models,
    };
    let surroundings = Surroundings { clock, ..Surroundings::default() };
    let registry = assemble::assemble_in(surroundings, parts).await?;
    let house = registry.house().clone();
    log::panics(move |words| house.catalog.current().secrets.mask(words).into_owned());
    lock.announce(Some(listening.clone()))?;
    let waking = registry.house().store.waking().await.map_err(AssembleError::Read)?;
    tracing::info!(version = crate::VERSION, socket = %listening.display(), waking = waking.len(), "ready");
    starter.tell("ready");
    for session in waking {
        registry.wake(session);
    }
    if restored != snapshots::restore::Finished::Nothing {
        tracing::warn!(?restored, "a restore that was killed was brought to its end");
    }
    let stop = registry.house().stop.clone();
    let tasks = &registry.house().tasks;
    tasks.spawn("socket door", door(registry.clone(), sockets.subscribe(), router(registry.clone())));
    let hands = Hands { places, hangup, log: level, sockets: sockets.clone(), lock: lock.clone() };
    tasks.spawn("configuration", reload::serve(registry.clone(), hands));
    tasks.spawn("schedules", schedule::keep(registry.clone()));
    tasks.spawn("janitor", retention::keep(registry.clone()));
    tasks.spawn("snapshots", snapshots::periodic(registry.house().clone()));
    tokio::select! {
        _ = signals.next() => tracing::info!("asked to stop by a signal"),
        () = stop.cancelled() => tracing::info!("asked to stop by the API"),
    }
    stop.cancel();
    // With the door's own hold on it gone, the file goes: who comes now is told at once that nobody listens.
    drop(sockets);
    tokio::select! {
        () = farewell(&registry) => tracing::info!("stopped in good order"),
        _ = signals.next() => tracing::warn!("asked to stop at once"),
    }
    // Threads of ours may still write: the kernel takes the lock back when the process is gone, and not before.
    std::mem::forget(lock);
    Ok(())
}

/// Lets everything end: effects within their grace, sessions after them, then the journal.
async fn farewell(registry: &Arc<Registry>) {
    let house = registry.house();
    let most = Duration::from_millis(house.config().grace_ms) + FAREWELL;
    match tokio::time::timeout(most, house.tasks.finished()).await {
        Ok(()) => {
            snapshots::at_stop(house).await;
            house.journal.end().await;
            house.auditor.end(&house.store).await;
        }
        Err(_) => tracing::warn!("not everything ended within the grace; the next start settles it"),
    }
    house.store.clone().close().await;
}
