//! The lives of a daemon: each from the opening of the state to its closing. Mostly there is one. When an upgrade fails
//! after the state was given away, there is another, on the same lock and the same sockets.

use crate::assemble::{self, AssembleError, Parts, Surroundings};
use crate::config::Config;
use crate::detach::Starter;
use crate::doors::{Socket, door, router};
use crate::house::House;
use crate::lock::{Lock, LockError};
use crate::log::LogLevel;
use crate::notify::Leaving;
use crate::registry::Registry;
use crate::reload::{self, Hands};
use crate::run::{Options, StartError};
use crate::signals::{Asked, Signals};
use crate::tasks::Tasks;
use crate::upgrade::{self, Ask, Asks, Desire, Estate, Heir, Successor, Trial, UpgradeError};
use crate::{carry, log, notify, retention, schedule, snapshots};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::future::{Future, pending};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::Aside;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use wire::DrainReason;
use wire::places::Places;
use wire::rest::{UpgradeBegun, UpgradeOutcome, UpgradeReport};

/// How long doors and sessions may take to end after effects had their grace.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a daemon stands on, and what it hands over.
struct Ground {
    lock: Arc<Lock>,
    /// The socket on which the door accepts; another one where a reload says so.
    socket: Arc<watch::Sender<Arc<Socket>>>,
    log: LogLevel,
}

/// What was there before anything was opened.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The binary.
    pub(crate) started_from: PathBuf,
    /// The conversation with a daemon that hands over to us.
    pub(crate) conversation: Option<OwnedFd>,
    /// The socket that a service manager has opened for us.
    pub(crate) activated: Option<OwnedFd>,
}

/// How a life ends.
enum End {
    Stop,
    Upgrade(Box<(Successor, UpgradeBegun)>),
}

/// Lives until the daemon is stopped or has handed over.
pub(crate) async fn serve(options: Options, starter: &mut Starter, mut origin: Origin) -> Result<(), StartError> {
    let conversation = origin.conversation.take();
    let mut heir = conversation.map(|socket| Heir::new(socket, options.at_step)).transpose()?;
    let outcome = live(options, starter, heir.as_mut(), origin).await;
    if let (Err(error), Some(heir)) = (&outcome, &mut heir) {
        heir.fails(&error.to_string()).await;
    }
    outcome
}

async fn live(
    options: Options,
    starter: &mut Starter,
    mut heir: Option<&mut Heir>,
    origin: Origin,
) -> Result<(), StartError> {
    let Options { places, store, at_step, .. } = &options;
    let (mut config, ground) = match &mut heir {
        None => {
            let config = Config::load(&places.config_file)?;
            let ground = Ground::claim(places, &config, origin.activated)?;
            (config, ground)
        }
        Some(heir) => {
            let log = start_log(places, &heir.greeted(places).await?)?;
            let (lock, socket, config) = heir.take(places, store).await?;
            log.set(config.log);
            (config, Ground::of(lock, socket, log))
        }
    };
    let mut signals = Signals::new()?;
    let mut last: Option<UpgradeReport> = None;
    let started_from = origin.started_from;
    loop {
        let parts = Parts {
            config,
            state_dir: places.state_dir.clone(),
            socket: ground.path(),
            canvas_dir: places.canvas_dir(),
            store: store.clone(),
            tools: options.tools.clone(),
            models: options.models.clone(),
        };
        let surroundings = Surroundings { clock: options.clock.clone(), ..Surroundings::default() };
        let assembling = Box::pin(assemble::assemble_in(surroundings, parts));
        // A manager watches us already where we were the daemon before, or are it by now.
        let is_watched = last.is_some() || heir.as_ref().is_some_and(|heir| heir.is_alone());
        let registry = if is_watched { notify::while_away(assembling).await? } else { assembling.await? };
        let house = registry.house().clone();
        let mut asks = house.upgrades.asks().expect("it was made just now");
        house.upgrades.report(last.take());
        if let Some(heir) = &mut heir {
            heir.opened().await?;
        }
        let unwritten = |error| LockError::Io { path: places.lock_file(), error };
        ground.lock.announce(Some(ground.path())).map_err(unwritten)?;
        begin(&registry, &ground, places).await?;
        starter.tell("ready");
        match heir.take() {
            Some(heir) => {
                let (version, at) = (heir.before().to_owned(), house.clock.now());
                let report = upgrade::report(UpgradeOutcome::TakenOver, at, started_from.clone(), version, None);
                house.upgrades.report(Some(report));
                heir.serves().await;
                ground.socket.borrow().is_ours_alone();
            }
            None => notify::ready(),
        }
        let desire = Desire {
            binary: started_from.clone(),
            more: arguments(&options),
            state_dir: places.state_dir.clone(),
            at_step: *at_step,
        };
        let (mut successor, begun) = match until_end(&house, &mut signals, &mut asks, &desire).await {
            End::Upgrade(upgrade) => *upgrade,
            End::Stop => {
                notify::leaves(Leaving::Stop);
                house.drain(DrainReason::Stop);
                // With the door's own hold on it gone, the file goes: who comes now is told at once that nobody listens.
                drop(ground.socket);
                let ending = Box::pin(farewell(house.clone()));
                tokio::select! {
                    _ = notify::while_leaving(&house.store, Leaving::Stop, ending) => {
                        tracing::info!("stopped in good order");
                    }
                    () = signals.stop() => tracing::warn!("asked to stop at once"),
                }
                // Threads of ours may still write: the kernel takes the lock back when the process is gone, and not before.
                std::mem::forget(ground.lock);
                return Ok(());
            }
        };
        notify::leaves(Leaving::Upgrade);
        house.drain(DrainReason::Upgrade);
        tracing::info!(to = %begun.binary.display(), version = begun.to_version, pid = begun.to_pid, "handing over");
        let mut ending = Box::pin(farewell(house.clone()));
        let (is_over, was_stopped) = tokio::select! {
            is_over = notify::while_leaving(&house.store, Leaving::Upgrade, &mut ending) => (is_over, false),
            () = signals.stop() => {
                notify::leaves(Leaving::Stop);
                tokio::select! {
                    _ = notify::while_leaving(&house.store, Leaving::Stop, &mut ending) => {}
                    () = signals.stop() => tracing::warn!("asked to stop at once"),
                }
                (false, true)
            }
        };
        if was_stopped {
            drop(successor);
            std::mem::forget(ground.lock);
            return Ok(());
        }
        config = (*house.config()).clone();
        let (clock, tasks) = (house.clock.clone(), house.tasks.clone());
        drop((house, registry));
        let (outcome, was_stopped) = {
            let handing = hand_over(&mut successor, &begun, &ground, places, &config, is_over);
            passing_on(&mut signals, begun.to_pid, handing).await
        };
        match outcome {
            Some(Ok(())) => {
                notify::handed_over_to(successor.pid());
                ground.socket.borrow().was_given_away();
                tracing::info!(pid = begun.to_pid, "handed over");
                std::mem::forget(ground.lock);
                return Ok(());
            }
            Some(Err(error)) if !was_stopped => {
                tracing::error!(%error, "the upgrade failed; going on");
                if !is_over {
                    // What has not ended is a hook of the user's perhaps: nothing may open the journal beside it.
                    tokio::select! {
                        () = notify::while_away(tasks.finished()) => {}
                        () = signals.stop() => {
                            std::mem::forget(ground.lock);
                            return Ok(());
                        }
                    }
                }
                let (from, why) = (crate::VERSION.to_owned(), Some(error.to_string()));
                last = Some(upgrade::report(UpgradeOutcome::Failed, clock.now(), begun.binary, from, why));
            }
            // Asked to stop meanwhile, and nobody has taken over.
            Some(Err(_)) | None => {
                drop(successor);
                std::mem::forget(ground.lock);
                return Ok(());
            }
        }
    }
}

impl Ground {
    fn of(lock: Lock, socket: Socket, log: LogLevel) -> Ground {
        Ground { lock: Arc::new(lock), socket: Arc::new(watch::Sender::new(Arc::new(socket))), log }
    }

    /// The lock, the log and the socket of a daemon that begins by itself.
    fn claim(places: &Places, config: &Config, activated: Option<OwnedFd>) -> Result<Ground, StartError> {
        let lock = Lock::take(&places.state_dir, &places.lock_file())?;
        let restored = snapshots::restore::finish(&places.state_dir)?;
        let log = start_log(places, config)?;
        if restored != snapshots::restore::Finished::Nothing {
            tracing::warn!(?restored, "a restore that was killed was brought to its end");
        }
        if let Some(descriptor) = activated {
            return Ok(Ground::of(lock, Socket::activated(descriptor)?, log));
        }
        let socket = Socket::open(&config.sockets(places))?;
        Ok(Ground::of(lock, socket, log))
    }

    /// Where the daemon says that it listens.
    fn path(&self) -> PathBuf {
        self.socket.borrow().path().to_owned()
    }
}

fn start_log(places: &Places, config: &Config) -> Result<LogLevel, StartError> {
    let path = places.log_file();
    log::start(&path, config.log).map_err(|error| StartError::Log { path, error })
}

/// Hands over, and passes on to the new daemon what asks us to stop meanwhile: it ends, or serves and stops in good order.
/// Whether something did; no outcome where it was asked for twice, and we end as one that is killed.
async fn passing_on<T>(signals: &mut Signals, to: u32, handing: impl Future<Output = T>) -> (Option<T>, bool) {
    let mut handing = std::pin::pin!(handing);
    let mut was_stopped = false;
    loop {
        tokio::select! {
            biased;
            outcome = &mut handing => return (Some(outcome), was_stopped),
            () = signals.stop() => {
                tracing::info!(pid = to, "asked to stop by a signal; the new daemon is asked as well");
                // It is a child of ours that nobody has waited for, so the number is its own.
                if let Some(pid) = i32::try_from(to).ok().and_then(Pid::from_raw) {
                    let _ = kill_process(pid, Signal::TERM);
                }
                if was_stopped {
                    return (None, true);
                }
                was_stopped = true;
            }
        }
    }
}

/// Follows the configuration, wakes what has work left and opens the doors.
async fn begin(registry: &Arc<Registry>, ground: &Ground, places: &Places) -> Result<(), StartError> {
    let house = registry.house().clone();
    if let Err(error) = carry::sweep(&places.state_dir) {
        tracing::warn!(%error, "what is left of sessions that were being imported cannot be taken away");
    }
    let hands = Hands {
        places: places.clone(),
        hangup: signal(SignalKind::hangup())?,
        log: ground.log.clone(),
        sockets: ground.socket.clone(),
        lock: ground.lock.clone(),
    };
    // Before anything runs: what was tightened while nobody read the file counts from the first call on.
    let reloading = reload::begin(registry.clone(), hands).await;
    let waking = house.store.waking().await.map_err(AssembleError::Read)?;
    tracing::info!(version = crate::VERSION, socket = %ground.path().display(), waking = waking.len(), "ready");
    for session in waking {
        registry.wake(session);
    }
    let tasks = &house.tasks;
    tasks.spawn("socket door", door(registry.clone(), ground.socket.subscribe(), router(registry.clone())));
    tasks.spawn("configuration", reloading.serve());
    tasks.spawn("schedules", schedule::keep(registry.clone()));
    tasks.spawn("janitor", retention::keep(registry.clone()));
    tasks.spawn("snapshots", snapshots::periodic(house.clone()));
    tasks.spawn("watchdog", notify::watchdog(house.clone()));
    // The catalog alone: a hook outlives the house.
    let catalog = house.catalog.clone();
    log::panics(move |words| catalog.current().secrets.mask(words).into_owned());
    Ok(())
}

/// What a new daemon is started with.
fn arguments(options: &Options) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    if options.detached {
        arguments.push("--detached".into());
    }
    if let Some(socket) = options.places.sockets.first().filter(|_| options.places.socket_chosen) {
        arguments.extend(["--socket".into(), socket.into()]);
    }
    arguments
}

/// Waits until the daemon is to stop, or a successor has shown that it is fit.
async fn until_end(house: &House, signals: &mut Signals, asks: &mut Asks, desire: &Desire) -> End {
    let mut trial: Option<Trial> = None;
    loop {
        let tried = async {
            match &mut trial {
                Some(trial) => trial.outcome.as_mut().await,
                None => pending().await,
            }
        };
        let ask = tokio::select! {
            asked = signals.next() => match asked {
                Asked::Stop => {
                    tracing::info!("asked to stop by a signal");
                    return End::Stop;
                }
                Asked::Upgrade => Ask { binary: None, reply: None },
            },
            () = house.stop.cancelled() => {
                tracing::info!("asked to stop by the API");
                return End::Stop;
            }
            Some(ask) = asks.recv() => ask,
            outcome = tried => {
                let Some(Trial { binary, reply, .. }) = trial.take() else { continue };
                // Whoever asked may have left.
                let answer = |answer| reply.map(|reply| reply.send(answer));
                match outcome {
                    Ok((successor, begun)) => {
                        let _ = answer(Ok(begun.clone()));
                        return End::Upgrade(Box::new((successor, begun)));
                    }
                    Err(error) => {
                        tracing::error!(%error, "the upgrade did not happen");
                        let _ = answer(Err(error.problem()));
                        let (from, why) = (crate::VERSION.to_owned(), Some(error.to_string()));
                        let at = house.clock.now();
                        house.upgrades.report(Some(upgrade::report(UpgradeOutcome::Failed, at, binary, from, why)));
                        continue;
                    }
                }
            }
        };
        match (&trial, ask.reply) {
            (None, reply) => {
                trial = Some(desire.trial(Ask { binary: ask.binary, reply }, house.config()));
            }
            (Some(_), Some(reply)) => drop(reply.send(Err(upgrade::under_way()))),
            (Some(_), None) => {}
        }
    }
}

/// Gives everything to a successor, with the journal closed. After an error the successor is gone, and the journal is
/// as it was.
async fn hand_over(
    successor: &mut Successor,
    begun: &UpgradeBegun,
    ground: &Ground,
    places: &Places,
    config: &Config,
    is_over: bool,
) -> Result<(), UpgradeError> {
    // Nobody else has it open, and nobody is served.
    let aside = match begun.migrates && is_over {
        true => Some(notify::while_away(keep_aside(places.state_dir.clone())).await?),
        false => None,
    };
    let socket = ground.socket.borrow().clone();
    let estate = Estate {
        descriptors: vec![ground.lock.as_fd(), socket.as_fd()],
        sockets: vec![socket.given()],
        config,
        after_us: !is_over,
    };
    let given = successor.give(estate).await;
    match (given, aside) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some(aside)) => {
            // What stays is removed by the next start.
            aside.discard().unwrap_or_else(|error| tracing::warn!(%error, "a copy of the journal is left over"));
            Ok(())
        }
        (Err(error), aside) => {
            successor.end();
            match aside {
                // It may have served: what it wrote was perhaps acknowledged, and counts.
                Some(_) if successor.was_told() => {}
                Some(aside) => aside.bring_back().map_err(UpgradeError::Aside)?,
                None => {}
            }
            Err(error)
        }
    }
}

/// Copies the journal aside, which may take its time.
async fn keep_aside(state_dir: PathBuf) -> Result<Aside, UpgradeError> {
    // The house is gone, and its tasks with it.
    let kept = Tasks::default().chore(move || Aside::keep(&state_dir)).await;
    kept.ok_or(UpgradeError::Panicked)?.map_err(UpgradeError::Aside)
}

/// Lets everything end: effects within their grace, sessions after them, then the journal. Whether all of it did.
async fn farewell(house: Arc<House>) -> bool {
    let most = Duration::from_millis(house.config().grace_ms) + FAREWELL;
    let is_over = tokio::time::timeout(most, house.tasks.finished()).await.is_ok();
    match is_over {
        true => {
            if house.leaving() == DrainReason::Stop {
                snapshots::at_stop(&house).await;
            }
            house.journal.end().await;
            house.auditor.end(&house.store).await;
        }
        false => tracing::warn!("not everything ended within the grace; the next start settles it"),
    }
    house.store.clone().close().await;
    is_over
}
