//! The one task that reads the configuration anew.

use super::handle::{Ask, Standing};
use super::prepare::Prepared;
use super::refusal::Refusal;
use super::watch::Watch;
use crate::catalog;
use crate::config::{self, Config, ConfigError, KeySource};
use crate::doors::Socket;
use crate::house::House;
use crate::lock::Lock;
use crate::log::LogLevel;
use crate::registry::Registry;
use agent::Event;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, watch};
use wire::places::Places;
use wire::rest::{ConfigChecked, ConfigFault, ConfigRefused, ReloadCause, Reloaded};
use wire::{BlobHash, body};

/// What a file is known by that was read; without one, what its absence is.
pub(super) fn known(text: Option<&str>) -> BlobHash {
    match text {
        Some(text) => BlobHash::of(format!("text {text}").as_bytes()),
        None => BlobHash::of(b"none"),
    }
}

/// Reads the file; `None` where there is none.
pub(crate) type Reader = Arc<dyn Fn(&Path) -> Result<Option<String>, ConfigError> + Send + Sync>;

/// What belongs to the process and follows its configuration.
pub(crate) struct Hands {
    /// Where things lie, as the environment and the command line said.
    pub(crate) places: Places,
    /// SIGHUP.
    pub(crate) hangup: Signal,
    /// How much is logged.
    pub(crate) log: LogLevel,
    /// The socket on which the door accepts.
    pub(crate) sockets: Arc<watch::Sender<Arc<Socket>>>,
    /// Says where we listen.
    pub(crate) lock: Arc<Lock>,
}

/// What it works with.
pub(super) struct Reloader {
    pub(super) registry: Arc<Registry>,
    pub(super) places: Places,
    pub(super) reader: Reader,
    /// Absent where it works without a process of its own.
    pub(super) process: Option<Process>,
    /// What stood in the file when it was read last.
    known: BlobHash,
}

/// What of the process follows the configuration.
pub(super) struct Process {
    log: LogLevel,
    sockets: Arc<watch::Sender<Arc<Socket>>>,
    lock: Arc<Lock>,
}

/// The task, before it runs.
pub(crate) struct Reloading {
    reloader: Reloader,
    watch: Option<Watch>,
    hangup: Signal,
    inbox: mpsc::Receiver<Ask>,
}

/// Begins to watch the file. When this returns, what was written since the daemon knew its configuration is in force, or
/// refused.
pub(crate) async fn begin(registry: Arc<Registry>, hands: Hands) -> Reloading {
    let Hands { places, hangup, log, sockets, lock } = hands;
    let inbox = registry.house().reloads.inbox().expect("it was made just now");
    let process = Some(Process { log, sockets, lock });
    let mut reloader = Reloader::new(registry, places, process);
    let watch = reloader.watch();
    reloader.catch_up().await;
    Reloading { reloader, watch, hangup, inbox }
}

impl Reloading {
    /// Reads the configuration whenever there is a reason to, until the daemon stops.
    pub(crate) async fn serve(self) {
        let Reloading { mut reloader, mut watch, mut hangup, mut inbox } = self;
        let stop = reloader.house().stop.clone();
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                _ = hangup.recv() => None,
                ask = inbox.recv() => ask,
                () = changed(&mut watch) => {
                    // Watched anew before it is read, so that nothing falls between.
                    watch = reloader.watch();
                    reloader.file_changed().await;
                    continue;
                }
            };
            match asked {
                Some(Ask::Check { text, reply }) => drop(reply.send(reloader.check(text).await)),
                Some(Ask::Reload { force, reply }) => {
                    let outcome = reloader.reload(ReloadCause::Asked, force).await;
                    drop(reply.send(outcome.map_err(|refusal| refusal.problem())));
                }
                None => drop(reloader.reload(ReloadCause::Signal, false).await),
            }
            // What happens while it is watched anew is read, not waited for.
            match &watch {
                Some(watching) if watching.covers(reloader.file(), &reloader.key_files()) => {}
                Some(_) => {
                    watch = reloader.watch();
                    reloader.file_changed().await;
                }
                // Where nothing could be watched it is tried again, and a file that is read either way is not read twice.
                None => {
                    watch = reloader.watch();
                    if watch.is_some() {
                        reloader.file_changed().await;
                    }
                }
            }
        }
    }
}

async fn changed(watch: &mut Option<Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

impl Reloader {
    /// One that knows what is in force.
    pub(super) fn new(registry: Arc<Registry>, places: Places, process: Option<Process>) -> Reloader {
        let config = registry.house().config();
        let known = known(Some(&*config.text).filter(|_| config.found));
        Reloader { registry, places, reader: Arc::new(config::read_own), process, known }
    }

    pub(super) fn house(&self) -> &Arc<House> {
        self.registry.house()
    }

    /// The file.
    pub(super) fn file(&self) -> &Path {
        &self.places.config_file
    }

    /// The key files that the configuration in force names.
    fn key_files(&self) -> Vec<PathBuf> {
        let config = self.house().config();
        let keys = config.models.values().filter_map(|model| match &model.key {
            Some(KeySource::File(path)) => Some(path.clone()),
            _ => None,
        });
        keys.collect()
    }

    /// Watches the file and those of keys.
    fn watch(&self) -> Option<Watch> {
        let watch = Watch::new(self.file(), &self.key_files()).inspect_err(|error| {
            tracing::warn!(%error, "changes of the configuration are not noticed by themselves");
        });
        let watch = watch.ok().flatten();
        let watched = watch.is_some();
        self.house()
            .reloads
            .standing
            .send_if_modified(|standing| std::mem::replace(&mut standing.watched, watched) != watched);
        watch
    }

    /// Something changed where the file is, or where keys are.
    pub(super) async fn file_changed(&mut self) {
        if !self.catch_up().await {
            catalog::keys_changed(self.house()).await;
        }
    }

    /// Reads the file and puts it in force, unless it was read before. Whether it was not.
    async fn catch_up(&mut self) -> bool {
        let (config, known) = self.read().await;
        let is_new = std::mem::replace(&mut self.known, known) != known;
        if is_new {
            drop(self.settle(config, ReloadCause::Watch, false).await);
        }
        is_new
    }

    /// Reads the file and puts it in force.
    pub(super) async fn reload(&mut self, cause: ReloadCause, force: bool) -> Result<Reloaded, Refusal> {
        let (config, known) = self.read().await;
        self.known = known;
        self.settle(config, cause, force).await
    }

    /// Puts in force what was read, or says why not.
    pub(super) async fn settle(
        &mut self,
        config: Result<Config, Refusal>,
        cause: ReloadCause,
        force: bool,
    ) -> Result<Reloaded, Refusal> {
        let prepared = match config {
            Ok(config) => self.prepare(config, cause, force).await,
            Err(refusal) => Err(refusal),
        };
        match prepared {
            Ok(prepared) => Ok(self.put_in_force(prepared, cause).await),
            Err(refusal) => {
                self.refuse(&refusal, cause).await;
                Err(refusal)
            }
        }
    }

    /// Says what a reload would do, and does nothing.
    pub(super) async fn check(&self, text: Option<String>) -> ConfigChecked {
        let config = match text {
            Some(text) => Config::parse(self.file(), &text, true).map_err(Refusal::from),
            None => self.read().await.0,
        };
        let prepared = match config {
            Ok(config) => self.prepare(config, ReloadCause::Asked, false).await,
            Err(refusal) => Err(refusal),
        };
        match prepared {
            Ok(prepared) => {
                ConfigChecked { valid: true, faults: Vec::new(), message: None, would: Some(prepared.told()) }
            }
            Err(refusal) => {
                let message = Some(refusal.to_string());
                ConfigChecked { valid: false, faults: refusal.faults(), message, would: None }
            }
        }
    }

    /// From here on nothing can fail any more.
    async fn put_in_force(&mut self, prepared: Prepared, cause: ReloadCause) -> Reloaded {
        let told = prepared.told();
        let Prepared { config, changed, warnings, forgiven, socket } = prepared;
        if !(changed.is_empty() && warnings.is_empty()) {
            tracing::info!(?cause, ?changed, ?warnings, "another configuration is in force");
            let event = Event::ConfigReloaded { changed: changed.len() as u32 };
            self.note(event, &body::ConfigReloaded { cause, changed, warnings }).await;
        }
        let level = config.log;
        self.house().catalog.replace(config, forgiven).await;
        self.registry.resize();
        if let Some(Process { log, sockets, lock }) = &self.process {
            log.set(level);
            if let Some(socket) = socket {
                let path = socket.path().to_owned();
                if let Err(error) = lock.announce(Some(path.clone())) {
                    tracing::warn!(%error, "where we listen now could not be written into the lock file");
                }
                self.house().socket.send_replace(path);
                sockets.send_replace(Arc::new(socket));
            }
        }
        let (loaded_at, refused) = (self.house().clock.now(), None);
        self.stand(|watched| Standing { loaded_at, cause, watched, refused });
        told
    }

    /// What is in force stays. Said once for each thing that is wrong.
    async fn refuse(&self, refusal: &Refusal, cause: ReloadCause) {
        let secrets = self.house().catalog.current().secrets.clone();
        let message = secrets.masked(refusal.to_string());
        // A fault quotes what was written, which may be a key in the wrong place.
        let masked = |fault: ConfigFault| ConfigFault {
            key: secrets.masked(fault.key),
            message: secrets.masked(fault.message),
            ..fault
        };
        let faults: Vec<ConfigFault> = refusal.faults().into_iter().map(masked).collect();
        let before = self.house().reloads.standing.borrow().clone();
        let again = before.refused.as_ref().is_some_and(|refused| refused.message == message);
        let refused =
            ConfigRefused { at: self.house().clock.now(), cause, message: message.clone(), faults: faults.clone() };
        self.stand(|watched| Standing { watched, refused: Some(refused), ..before });
        if !again {
            tracing::warn!(?cause, message, "a configuration was refused; the one before stays in force");
            let event = Event::ConfigRejected { faults: faults.len() as u32 };
            self.note(event, &body::ConfigRejected { cause, message, faults }).await;
        }
    }

    fn stand(&self, standing: impl FnOnce(bool) -> Standing) {
        self.house().reloads.standing.send_modify(|now| *now = standing(now.watched));
    }

    /// A full disk keeps nobody from setting the daemon right.
    async fn note<B: serde::Serialize>(&self, event: Event, body: &B) {
        if let Err(error) = self.house().journal.note(event, body).await {
            tracing::warn!(%error, "what became of the configuration could not be written down");
        }
    }
}
