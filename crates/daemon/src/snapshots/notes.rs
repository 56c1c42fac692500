//! What the daemon's journal says of snapshots: which were made, with which hash, and which were removed since.
//!
//! A fold of it is kept beside each of these events, so that whoever asks first after a start reads what was noted since
//! the last snapshot, and not the journal of years.

use agent::{Event, Micros, Seq, SnapshotId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::{FoldRow, JournalId, ReadError, Store};
use wire::rest::SnapshotRow;
use wire::{Header, body};

/// The fold's name in the store.
const KIND: &str = "snapshots";
/// The version of its format.
const FORMAT: u32 = 1;
/// Events that are read at once.
const PAGE: usize = 1024;

/// A snapshot as the journal has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Note {
    #[serde(with = "wire::time::text")]
    pub(super) at: Micros,
    pub(super) bytes: u64,
    pub(super) made: body::SnapshotMade,
}

impl Note {
    /// As lists show it.
    pub(super) fn row(self, id: SnapshotId) -> SnapshotRow {
        let Note { at, bytes, made } = self;
        let body::SnapshotMade { file, reason, note, sealed, sessions, .. } = made;
        SnapshotRow { id, file, bytes, created_at: at, reason, note, sealed, sessions, noted: true }
    }
}

/// The notes, read as far as somebody needed them.
#[derive(Debug, Default)]
pub(super) struct Notes {
    read: Mutex<Read>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Read {
    upto: Seq,
    made: BTreeMap<SnapshotId, Note>,
}

impl Notes {
    /// All snapshots that were made and not removed, as of now.
    pub(super) async fn made(&self, store: &Store) -> Result<BTreeMap<SnapshotId, Note>, ReadError> {
        self.begin(store).await?;
        loop {
            let after = self.lock().upto;
            let page = store.events(JournalId::Daemon, after, PAGE).await?;
            let mut read = self.lock();
            if page.is_empty() {
                return Ok(read.made.clone());
            }
            for record in page {
                // Somebody else may have read on meanwhile.
                if record.seq > read.upto {
                    read.take(&record);
                }
            }
        }
    }

    /// Begins with the fold, where nothing was read before.
    async fn begin(&self, store: &Store) -> Result<(), ReadError> {
        if self.lock().upto > Seq(0) {
            return Ok(());
        }
        let row = store.fold_of(JournalId::Daemon, KIND).await?.filter(|row| row.format == FORMAT);
        let kept: Option<Read> = row.and_then(|row| serde_json::from_slice(&row.bytes).ok());
        let mut read = self.lock();
        if let Some(kept) = kept.filter(|kept| kept.upto > read.upto) {
            *read = kept;
        }
        Ok(())
    }

    /// What was read so far, to be kept.
    pub(super) fn fold(&self) -> FoldRow {
        let read = self.lock();
        let bytes = serde_json::to_vec(&*read).expect("what was read is plain data");
        FoldRow { kind: KIND.to_owned(), format: FORMAT, seq: read.upto, bytes }
    }

    fn lock(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read {
    fn take(&mut self, record: &wire::Record) {
        self.upto = record.seq;
        match Header::from_json(&record.header) {
            Ok(Header { event: Event::SnapshotMade { snapshot, bytes }, at, .. }) => {
                let made = record.body.as_deref().and_then(|body| body::read(body).ok());
                self.made.extend(made.map(|made| (snapshot, Note { at, bytes, made })));
            }
            Ok(Header { event: Event::SnapshotRemoved { snapshot }, .. }) => drop(self.made.remove(&snapshot)),
            // Other events; and those of a later version, which are none of ours.
            _ => {}
        }
    }
}
