//! The one place where everything is wired, in order: tools, models, store, house, registry.

use crate::catalog::Catalog;
use crate::clock;
use crate::config::Config;
use crate::house::House;
use crate::keys::KeyStore;
use crate::pictures::Pictures;
use crate::registry::Registry;
use crate::search::VOCABULARY;
use crate::tasks::Tasks;
use crate::toolbox::{ExtraTool, Toolbox};
use agent::{Epoch, Event, Generation, ModelName, ModelSpec, Seq};
use models::Backend;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use store::{Append, AppendError, JournalId, NewEvent, OpenError, Options, ReadError, Store};
use tokio_util::sync::CancellationToken;
use wire::rest::Abilities;
use wire::{Header, body};

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
    #[error("the daemon's beginning cannot be written down: {0}")]
    Append(AppendError),
    /// The journal opened, and its first write failed.
    #[error(
        "the first write to the journal in {0} failed: look after the disk; if that is well, the journal is damaged: \
         restore it from a snapshot, or move it away to begin with an empty one"
    )]
    FirstWrite(PathBuf),
}

/// Wires a daemon, and writes down that it began. Nothing runs yet but the store's threads.
pub async fn assemble(parts: Parts) -> Result<Arc<Registry>, AssembleError> {
    let Parts { config, state_dir, socket, canvas_dir, mut store, tools, models } = parts;
    let (toolbox, tasks) = (Toolbox::new(tools), Tasks::default());
    let access = toolbox.specs().iter().map(|spec| (spec.name.clone(), spec.access)).collect();
    let catalog = Catalog::new(config.clone(), KeyStore::new(&state_dir), access, models, tasks.clone());
    store.words = Some(VOCABULARY);
    let store = Store::open(&state_dir, store)?;
    let (generation, clean) = begin(&store).await.map_err(|error| match error {
        AssembleError::Append(AppendError::OutcomeUnknown) => AssembleError::FirstWrite(state_dir.clone()),
        other => other,
    })?;
    let house = House {
        store,
        tasks,
        generation,
        config,
        catalog,
        toolbox,
        pictures: Pictures::new(canvas_dir, !clean),
        state_dir,
        socket,
        started_at: clock::now(),
        stop: CancellationToken::new(),
    };
    Ok(Registry::new(Arc::new(house)))
}

/// Writes `daemon.began` with the next generation: from here on, an older daemon's writes are refused. Says also
/// whether the daemon before ended in good order.
async fn begin(store: &Store) -> Result<(Generation, bool), AssembleError> {
    let head = store.head(JournalId::Daemon).await?;
    let generation = Generation(head.map_or(0, |head| head.generation.0) + 1);
    let body = body::Daemon { version: crate::VERSION.to_owned(), pid: std::process::id() };
    let after = head.map_or(Seq(0), |head| head.seq);
    let last = store.event(JournalId::Daemon, after).await?.and_then(|last| Header::from_json(&last.header).ok());
    let clean = last.is_some_and(|last| matches!(last.event, Event::DaemonEnded { .. }));
    note(store, generation, after, Event::DaemonBegan { generation }, &body).await.map_err(AssembleError::Append)?;
    Ok((generation, clean))
}

/// Writes `daemon.ended`: the next start need not wonder.
pub(crate) async fn end(house: &House) {
    let Ok(Some(head)) = house.store.head(JournalId::Daemon).await else { return };
    let generation = house.generation;
    let body = body::Daemon { version: crate::VERSION.to_owned(), pid: std::process::id() };
    if let Err(error) = note(&house.store, generation, head.seq, Event::DaemonEnded { generation }, &body).await {
        tracing::warn!(%error, "the daemon's end could not be written down");
    }
}

async fn note(
    store: &Store,
    generation: Generation,
    after: Seq,
    event: Event,
    body: &body::Daemon,
) -> Result<(), AppendError> {
    let header = Header { seq: after.next(), at: clock::now(), session: None, event }.to_json();
    // The daemon's journal has one owner at a time by the lock, so its epoch is its generation.
    let mut append = Append::new(JournalId::Daemon, Epoch(generation.0), generation, after);
    append.facts = vec![NewEvent { header, body: wire::body::write(body), ..NewEvent::default() }];
    store.append(append).await.map(drop)
}
