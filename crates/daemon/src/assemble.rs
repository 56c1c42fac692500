//! The one place where everything is wired, in order: tools, models, store, house, registry.

use crate::archive::{self, Shelf};
use crate::audit::{self, Auditor};
use crate::catalog::Catalog;
use crate::clock::{Clock, Steady};
use crate::config::Config;
use crate::house::House;
use crate::journal::{DaemonJournal, NoteError};
use crate::keys::KeyStore;
use crate::pictures::Pictures;
use crate::registry::Registry;
use crate::reload::Reloads;
use crate::reroot::{self, RerootError};
use crate::retention::Janitor;
use crate::schedule::Schedules;
use crate::search::VOCABULARY;
use crate::snapshots::Snapshots;
use crate::tasks::Tasks;
use crate::toolbox::{ExtraTool, Toolbox};
use crate::upgrade::Upgrades;
use agent::{ModelName, ModelSpec};
use models::Backend;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use store::{AppendError, OpenError, Options, ReadError, Store};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::rest::Abilities;

/// A model that a daemon is assembled with beside those of its configuration.
#[derive(Clone)]
pub struct ExtraModel {
    /// Its name.
    pub name: ModelName,
    /// How it is reached.
    pub backend: Arc<dyn Backend>,
    /// What the brain knows of it.
    pub spec: ModelSpec,
    /// What it can do.
    pub abilities: Abilities,
}

impl fmt::Debug for ExtraModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtraModel").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a daemon is assembled from.
#[derive(Debug)]
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// Where all state lies; the caller holds the lock on it.
    pub state_dir: PathBuf,
    /// Where the daemon listens, for `status`.
    pub socket: PathBuf,
    /// Where the canvas draws its pictures.
    pub canvas_dir: PathBuf,
    /// How the store is opened.
    pub store: Options,
    /// Tools beside the built-in ones.
    pub tools: Vec<ExtraTool>,
    /// Models beside the configured ones.
    pub models: Vec<ExtraModel>,
}

/// Why a daemon cannot be assembled.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The journal cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The daemon's own journal cannot be read.
    #[error("the daemon's journal cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The beginning cannot be written down.
    #[error("the daemon's beginning cannot be written down in {path}: {error}")]
    Append {
        /// Where the journal lies.
        path: PathBuf,
        /// Why.
        error: AppendError,
    },
    /// The journal opened, and its first write failed.
    #[error(
        "the first write to the journal in {0} failed: look after the disk; if that is well, the journal is damaged: \
         restore it from a snapshot, or move it away to begin with an empty one"
    )]
    FirstWrite(PathBuf),
    /// The state is from another machine, and its sessions are not where they work here.
    #[error(transparent)]
    Reroot(#[from] RerootError),
}

/// What a daemon takes from the machine, and a simulation gives it.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// What time it is.
    pub clock: Clock,
    /// Where tasks and work that blocks run.
    pub tasks: Tasks,
}

/// Wires a daemon, and writes down that it began; and where sessions of another machine work, if a restore brought some.
/// Nothing runs yet but the store's threads.
pub async fn assemble(parts: Parts) -> Result<Arc<Registry>, AssembleError> {
    assemble_in(Surroundings::default(), parts).await
}

/// The same in other surroundings than the machine's.
pub async fn assemble_in(surroundings: Surroundings, parts: Parts) -> Result<Arc<Registry>, AssembleError> {
    let Surroundings { clock, tasks } = surroundings;
    let Parts { config, state_dir, socket, canvas_dir, mut store, tools, models } = parts;
    let toolbox = Toolbox::new(tools);
    let access = toolbox.specs().iter().map(|spec| (spec.name.clone(), spec.access)).collect();
    let catalog = Catalog::new(Arc::new(config), KeyStore::new(&state_dir), access, models, tasks.clone());
    store.words = Some(VOCABULARY);
    let store = Store::open(&state_dir, store)?;
    let (journal, before) = DaemonJournal::begin(&store, clock.clone()).await.map_err(|error| match error {
        NoteError::Append(AppendError::OutcomeUnknown) => AssembleError::FirstWrite(state_dir.clone()),
        NoteError::Append(error) => AssembleError::Append { path: state_dir.clone(), error },
        // Found a little later than by opening it, and the way out is the same.
        NoteError::Read(ReadError::Damaged { what }) => {
            AssembleError::Store(OpenError::Damaged { path: state_dir.join("journal.db"), detail: what })
        }
        NoteError::Read(error) => AssembleError::Read(error),
    })?;
    let auditor = Auditor::begin(&state_dir, &store, &journal, clock.clone()).await;
    let stop = CancellationToken::new();
    let own = Surroundings { clock: clock.clone(), tasks: tasks.clone() };
    let shelf = Shelf::new(&state_dir);
    let snapshots = Snapshots::new(store.clone(), own, catalog.clone(), shelf.clone(), state_dir.clone(), stop.clone());
    let house = House {
        snapshots,
        shelf,
        store,
        tasks,
        generation: journal.generation(),
        journal,
        auditor,
        catalog,
        toolbox,
        pictures: Pictures::new(canvas_dir, !before.clean),
        janitor: Janitor::new(),
        schedules: Schedules::new(),
        state_dir,
        reloads: Reloads::new(clock.now()),
        socket: watch::Sender::new(socket),
        started_at: clock.now(),
        steady: Steady::after(clock.clone(), before.at),
        clock,
        upgrades: Upgrades::default(),
        stop,
        leaving: OnceLock::new(),
    };
    let house = Arc::new(house);
    reroot::follow(&house).await?;
    house.tasks.spawn("audit", audit::watch(house.clone()));
    house.tasks.spawn("archive", archive::settle(house.clone()));
    Ok(Registry::new(house))
}
