//! The snapshots of a daemon: makes them one at a time, lists, verifies and removes them, and knows what they hold.

use super::container::{Nowhere, Passphrase, UnpackError, unpack};
use super::make::{self, Made, MakeError, Order};
use super::making::Making;
use super::notes::{Note, Notes};
use super::portable;
use super::retain::{self, Bounds};
use super::shelf::{self, Found};
use super::steady;
use super::work::Leftovers;
use crate::archive::Shelf;
use crate::assemble::Surroundings;
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::{Config, KeySource};
use crate::journal::{self, DaemonJournal, NoteError};
use crate::keys::KeyStore;
use crate::lock::{LockError, private_directory};
use crate::status::internal;
use crate::tasks::Tasks;
use agent::{Event, Micros, Seq, SessionId, SnapshotId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use store::{Pace, Store};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use wire::rest::{CreateSnapshot, SnapshotList, SnapshotRow, SnapshotStatus, SnapshotVerified, SnapshotView};
use wire::snapshot::SnapshotReason;
use wire::{BlobHash, Code, Problem, body};

/// The longest note.
const MAX_NOTE_BYTES: usize = 1024;

/// The snapshots of a daemon.
pub struct Snapshots {
    store: Store,
    tasks: Tasks,
    clock: Clock,
    catalog: Arc<Catalog>,
    keys: KeyStore,
    /// The files of archived sessions, which belong to the state.
    shelf: Shelf,
    state_dir: PathBuf,
    notes: Notes,
    /// One is made at a time, and nothing is taken away meanwhile.
    line: Arc<Semaphore>,
    making: Making,
    leftovers: Arc<Leftovers>,
    failure: Mutex<Option<(Micros, String)>>,
    /// Cancelled when the daemon stops.
    stop: CancellationToken,
}

/// What a snapshot is asked for by.
#[derive(Debug)]
struct Wish {
    reason: SnapshotReason,
    note: Option<String>,
    passphrase: Option<Passphrase>,
    file: Option<PathBuf>,
    portable: bool,
}

impl Snapshots {
    /// Those of this state directory.
    pub(crate) fn new(
        store: Store,
        Surroundings { clock, tasks }: Surroundings,
        catalog: Arc<Catalog>,
        shelf: Shelf,
        state_dir: PathBuf,
        stop: CancellationToken,
    ) -> Snapshots {
        let (keys, notes, line) = (KeyStore::new(&state_dir), Notes::default(), Arc::new(Semaphore::new(1)));
        let (making, leftovers, failure) = (Making::default(), Arc::default(), Mutex::default());
        Snapshots {
            store,
            tasks,
            clock,
            catalog,
            keys,
            shelf,
            state_dir,
            notes,
            line,
            making,
            leftovers,
            failure,
            stop,
        }
    }

    /// Makes one because somebody asks for it. Refused while another one is being made.
    pub(super) async fn create(
        &self,
        journal: &DaemonJournal,
        request: CreateSnapshot,
    ) -> Result<SnapshotView, Problem> {
        let CreateSnapshot { note, passphrase, file, portable } = request;
        let secrets = self.catalog.current().secrets.clone();
        let note = note.map(|note| secrets.masked(note.trim().to_owned())).filter(|note| !note.is_empty());
        if note.as_ref().is_some_and(|note| note.len() > MAX_NOTE_BYTES) {
            return Err(bad(format!("a note has at most {MAX_NOTE_BYTES} bytes")));
        }
        if passphrase.as_deref().is_some_and(|passphrase| passphrase.trim().is_empty()) {
            return Err(bad("the passphrase is empty".to_owned()));
        }
        if let Some(file) = file.as_ref().filter(|file| !file.is_absolute() || file.file_name().is_none()) {
            return Err(bad(format!("{} is not an absolute path of a file", file.display())));
        }
        let _turn = self.line.clone().try_acquire_owned().map_err(|_| {
            Problem::new(Code::Conflict, "another snapshot is being made").remedy("try again when it is done")
        })?;
        let passphrase = passphrase.map(|words| Passphrase::new(&words));
        self.make(journal, Wish { reason: SnapshotReason::Asked, note, passphrase, file, portable }).await
    }

    /// Makes one of the daemon's own accord, if a session wrote something since the last one. Retention follows.
    pub(crate) async fn create_if_changed(
        &self,
        journal: &DaemonJournal,
        reason: SnapshotReason,
    ) -> Result<Option<SnapshotView>, Problem> {
        let _turn = self.line.clone().acquire_owned().await.expect("it is never closed");
        let last = self.notes().await?.into_values().map(|note| note.made.links).max();
        let changed = self.store.changed_since(last.unwrap_or(0)).await.map_err(internal)?;
        let made = match changed {
            true => {
                let wish = Wish { reason, note: None, passphrase: None, file: None, portable: false };
                Some(self.make(journal, wish).await?)
            }
            false => None,
        };
        // It was read back when it was made.
        self.retain(journal, made.as_ref().map(|made| made.row.id)).await?;
        Ok(made)
    }

    async fn make(&self, journal: &DaemonJournal, wish: Wish) -> Result<SnapshotView, Problem> {
        let made = self.try_make(journal, wish).await;
        let failure = made.as_ref().err().map(|problem| (self.clock.now(), problem.detail.clone()));
        if let Some((_, why)) = &failure {
            tracing::warn!(%why, "there is no new snapshot");
        }
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
        made
    }

    async fn try_make(&self, journal: &DaemonJournal, wish: Wish) -> Result<SnapshotView, Problem> {
        let outfit = self.catalog.current();
        let (config, secrets) = (outfit.config.clone(), outfit.secrets.clone());
        let (id, directory) = (self.clock.snapshot_id(), self.directory(&config));
        let target = wish.file.clone().unwrap_or_else(|| shelf::path(&directory, id));
        let own_shelf = wish.file.is_none();
        let passphrase = match wish.passphrase {
            Some(passphrase) => Some(passphrase),
            None => self.configured(&config).await?,
        };
        let (state_dir, created_at, store) = (self.state_dir.clone(), self.clock.now(), self.store.clone());
        let (shelf, keys, leftovers) = (self.shelf.clone(), self.keys.clone(), self.leftovers.clone());
        let (reason, note) = (wish.reason, wish.note);
        let underway = self.making.begin(id);
        // The last one is made when all else has stopped.
        let stop = if reason == SnapshotReason::Stop { CancellationToken::new() } else { self.stop.clone() };
        let job = move || {
            leftovers.sweep(&state_dir);
            if own_shelf {
                private_directory(&directory).map_err(|error| match error {
                    LockError::Io { path, error } => MakeError::Io { path, error }.problem(),
                    error => bad(error.to_string()),
                })?;
            }
            let text = match std::fs::read_to_string(&config.file) {
                Ok(text) => Some(text),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(internal(format!("{}: {error}", config.file.display()))),
            };
            let describe = || portable::describe(&keys, &config, text.as_deref(), &secrets);
            let portable = wish.portable.then(describe);
            let config = text.map(|text| secrets.masked(text));
            let order =
                Order { id, reason, created_at, note, passphrase, target, state_dir, shelf, config, portable, stop };
            make::make(&store, &order, &Pace::default())
                .map(|made| (made, order.target, underway))
                .map_err(MakeError::problem)
        };
        let (made, file, _underway) = self.tasks.chore(job).await.ok_or_else(panicked)??;
        tracing::info!(%id, bytes = made.bytes, log_bytes = made.log_bytes, "made a snapshot");
        let noted = self.note(journal, &made, &file).await;
        let found = Found { path: file, bytes: made.bytes, manifest: made.manifest };
        Ok(SnapshotView { row: found.row(noted), manifest: found.manifest })
    }

    /// Writes down that it was made. It is there all the same when that fails.
    async fn note(&self, journal: &DaemonJournal, made: &Made, file: &Path) -> bool {
        let manifest = &made.manifest;
        let body = body::SnapshotMade {
            sha256: made.sha256,
            file: file.to_owned(),
            reason: manifest.reason,
            note: manifest.note.clone(),
            sealed: manifest.sealed_bytes.is_some(),
            links: manifest.links,
            sessions: manifest.sessions,
            unswept: manifest.unswept,
        };
        let event = Event::SnapshotMade { snapshot: manifest.id, bytes: made.bytes };
        let noted = self.write_down(journal, event, body::write(&body)).await;
        if let Err(error) = &noted {
            tracing::warn!(id = %manifest.id, %error, "a snapshot was made and could not be written down");
        }
        noted.is_ok()
    }

    async fn write_down(&self, journal: &DaemonJournal, event: Event, body: String) -> Result<Seq, NoteError> {
        // Read up to here, so that the next start has little to read.
        let fold = self.notes().await.ok().map(|_| self.notes.fold());
        let notes = journal::Notes { events: vec![(event, body)], fold, forget: Vec::new() };
        journal.note_all(self.clock.now(), notes).await
    }

    /// Takes away what the rules of retention let go of. Before anything goes, one is read to its end and found good.
    async fn retain(&self, journal: &DaemonJournal, good: Option<SnapshotId>) -> Result<(), Problem> {
        let config = self.catalog.current().config.clone();
        let snapshots = &config.snapshots;
        let bounds = Bounds { keep: snapshots.keep, max_age_ms: snapshots.max_age_ms, max_bytes: snapshots.max_bytes };
        let directory = self.directory(&config);
        let notes = self.notes().await?;
        let (found, state) = (self.found(&directory).await?, self.store.state_name().await.map_err(internal)?);
        // Another daemon may keep its own in the same directory.
        let ours = found.iter().filter(|found| Some(found.manifest.state) == state);
        let rows: Vec<SnapshotRow> = ours.map(|found| found.row(notes.contains_key(&found.manifest.id))).collect();
        let nothing_goes =
            rows.first().is_none_or(|row| retain::goes(&rows, row.id, bounds, self.clock.now()).is_empty());
        if nothing_goes {
            return Ok(());
        }
        for row in &rows {
            let expected = notes.get(&row.id).map(|note| note.made.sha256);
            if good == Some(row.id) || self.read(row.id, row.file.clone(), None, expected).await.is_ok() {
                for (id, why) in retain::goes(&rows, row.id, bounds, self.clock.now()) {
                    self.take_away(journal, &directory, id, why).await?;
                }
                return Ok(());
            }
        }
        Err(internal("no snapshot could be read to its end, so none was taken away"))
    }

    /// All that lie in the directory.
    pub async fn list(&self) -> Result<SnapshotList, Problem> {
        let directory = self.directory(&self.catalog.current().config);
        let (found, notes) = (self.found(&directory).await?, self.notes().await?);
        let row = |found: &Found| found.row(notes.contains_key(&found.manifest.id));
        Ok(SnapshotList { directory, snapshots: found.iter().map(row).collect() })
    }

    /// One of them.
    pub async fn get(&self, id: SnapshotId) -> Result<SnapshotView, Problem> {
        let path = shelf::path(&self.directory(&self.catalog.current().config), id);
        let noted = self.notes().await?.contains_key(&id);
        let found = self.tasks.look(move || shelf::look(&path)).await.ok_or_else(panicked)?;
        let found = found.map_err(|error| unreadable(id, error))?;
        Ok(SnapshotView { row: found.row(noted), manifest: found.manifest })
    }

    /// Reads one to its end; one that is not as it was written, or not the one that was made under its name, is refused.
    pub async fn verify(&self, id: SnapshotId, passphrase: Option<String>) -> Result<SnapshotVerified, Problem> {
        let config = self.catalog.current().config.clone();
        let file = shelf::path(&self.directory(&config), id);
        let expected = self.notes().await?.get(&id).map(|note| note.made.sha256);
        if let Some(words) = passphrase {
            let read = self.read(id, file, Some(Passphrase::new(&words)), expected).await;
            return read.map_err(|error| unreadable(id, error));
        }
        let configured = self.configured(&config).await?;
        let is_there = configured.is_some();
        match self.read(id, file.clone(), configured, expected).await {
            // It was made with an earlier one, or for somebody else: its outside tells whether it is good.
            Err(UnpackError::Passphrase) if is_there => {
                let outside = self.read(id, file, None, expected).await.map_err(|error| unreadable(id, error))?;
                Ok(SnapshotVerified { other_passphrase: true, ..outside })
            }
            read => read.map_err(|error| unreadable(id, error)),
        }
    }

    async fn read(
        &self,
        id: SnapshotId,
        file: PathBuf,
        passphrase: Option<Passphrase>,
        expected: Option<BlobHash>,
    ) -> Result<SnapshotVerified, UnpackError> {
        let job = move || {
            let (source, bytes) = shelf::open(&file).map_err(UnpackError::Source)?;
            let read = unpack(source, Some(bytes), passphrase.as_ref(), true, &mut Nowhere)?;
            super::check_identity(id, &read.manifest, read.sha256, expected)?;
            let (sha256, opened, noted) = (read.sha256, read.opened, expected.is_some());
            Ok::<_, UnpackError>(SnapshotVerified { id, file, bytes, sha256, opened, noted, other_passphrase: false })
        };
        let ended = || UnpackError::Source(std::io::Error::other("reading it ended in the middle"));
        self.tasks.chore(job).await.ok_or_else(ended)?
    }

    /// Removes one.
    pub(super) async fn remove(&self, journal: &DaemonJournal, id: SnapshotId) -> Result<(), Problem> {
        let _turn = self.line.clone().acquire_owned().await.expect("it is never closed");
        let directory = self.directory(&self.catalog.current().config);
        self.take_away(journal, &directory, id, "asked").await
    }

    async fn take_away(
        &self,
        journal: &DaemonJournal,
        directory: &Path,
        id: SnapshotId,
        why: &'static str,
    ) -> Result<(), Problem> {
        let (path, directory) = (shelf::path(directory, id), directory.to_owned());
        let job = move || {
            steady::remove(&path)?;
            std::fs::File::open(directory)?.sync_all()
        };
        let removed = self.tasks.chore(job).await.ok_or_else(panicked)?;
        removed.map_err(|error| unreadable(id, UnpackError::Source(error)))?;
        tracing::info!(%id, why, "removed a snapshot");
        let body = body::SnapshotRemoved { why: why.to_owned() };
        let noted = self.write_down(journal, Event::SnapshotRemoved { snapshot: id }, body::write(&body)).await;
        noted.map(drop).map_err(|error| internal(format!("{id} is removed, and that could not be noted: {error}")))
    }

    /// The one that is being made, which is neither on the shelf nor noted yet.
    pub(crate) fn being_made(&self) -> Option<SnapshotId> {
        self.making.now()
    }

    /// The snapshots that still hold an event of a session, or a later one, whatever became of it since; newest first. Those
    /// that were written elsewhere are among them.
    pub async fn holding_from(&self, session: SessionId, seq: Seq) -> Result<Vec<SnapshotRow>, Problem> {
        let Some(span) = self.store.span(session, seq).await.map_err(internal)? else { return Ok(Vec::new()) };
        // What was removed before a snapshot was made is not in it, unless its words were still being swept.
        let holds = |links: u64, unswept: u64| {
            links >= span.first && (unswept > 0 || span.removed.is_none_or(|removed| removed > links))
        };
        let directory = self.directory(&self.catalog.current().config);
        let (found, mut notes) = (self.found(&directory).await?, self.notes().await?);
        let mut rows = Vec::new();
        for found in found {
            let noted = notes.remove(&found.manifest.id).is_some();
            // One of before a restore may hold more of the session than this journal knows: its links say too little.
            if holds(found.manifest.links, found.manifest.unswept) || !noted {
                rows.push(found.row(noted));
            }
        }
        let elsewhere = notes.into_iter().filter(|(_, note)| holds(note.made.links, note.made.unswept));
        rows.extend(elsewhere.map(|(id, note)| note.row(id)));
        rows.sort_by_key(|row| std::cmp::Reverse((row.created_at, row.id)));
        Ok(rows)
    }

    /// How they fare.
    pub(crate) async fn status(&self) -> Result<SnapshotStatus, Problem> {
        let rows = self.list().await?.snapshots;
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(SnapshotStatus {
            count: rows.len() as u64,
            bytes: rows.iter().map(|row| row.bytes).sum(),
            newest_at: rows.first().map(|row| row.created_at),
            failed_at: failure.as_ref().map(|(at, _)| *at),
            failure: failure.map(|(_, why)| why),
        })
    }

    /// When the last one was made.
    pub(crate) async fn last_at(&self) -> Result<Option<Micros>, Problem> {
        Ok(self.notes().await?.into_values().map(|note| note.at).max())
    }

    /// Takes away what a kill left of snapshots that were being made, unless that was done.
    pub(crate) async fn sweep(&self) {
        let (leftovers, state_dir) = (self.leftovers.clone(), self.state_dir.clone());
        self.tasks.chore(move || leftovers.sweep(&state_dir)).await;
    }

    fn directory(&self, config: &Config) -> PathBuf {
        super::directory(config, &self.state_dir)
    }

    async fn found(&self, directory: &Path) -> Result<Vec<Found>, Problem> {
        let path = directory.to_owned();
        self.tasks.look(move || shelf::list(&path)).await.ok_or_else(panicked)?.map_err(|error| {
            internal(format!("the directory of snapshots {} cannot be read: {error}", directory.display()))
        })
    }

    async fn notes(&self) -> Result<BTreeMap<SnapshotId, Note>, Problem> {
        self.notes.made(&self.store).await.map_err(internal)
    }

    /// The passphrase of the configuration, if it has one.
    async fn configured(&self, config: &Config) -> Result<Option<Passphrase>, Problem> {
        let Some(source) = config.snapshots.passphrase.clone() else { return Ok(None) };
        let keys = self.keys.clone();
        let found = self.tasks.chore(move || passphrase(&keys, &source)).await.ok_or_else(panicked)?;
        found.map(Some)
    }
}

/// A passphrase from where the configuration says it is.
pub(super) fn passphrase(keys: &KeyStore, source: &KeySource) -> Result<Passphrase, Problem> {
    let secret = keys.secret(source).map_err(|error| {
        Problem::new(Code::Conflict, format!("the passphrase of snapshots is not there: {error}"))
            .remedy("put it there, or take `snapshots.passphrase` out of the configuration")
    })?;
    Ok(Passphrase::new(secret.text()))
}

fn unreadable(id: SnapshotId, error: UnpackError) -> Problem {
    match error {
        UnpackError::Source(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Problem::new(Code::NotFound, format!("there is no snapshot {id}"))
                .remedy("`tinkerbell snapshot ls` lists those that there are")
        }
        error => super::problem(&id.to_string(), &error),
    }
}

fn bad(detail: String) -> Problem {
    Problem::new(Code::InvalidRequest, detail)
}

fn panicked() -> Problem {
    internal("what was to be done with a snapshot ended in the middle")
}
