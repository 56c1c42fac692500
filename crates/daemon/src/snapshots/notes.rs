//! What the daemon's journal says of snapshots: which were made, with which hash, and which were removed since.

use agent::{Event, Micros, Seq, SnapshotId};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::{JournalId, ReadError, Store};
use wire::{Header, body};

/// Events that are read at once.
const PAGE: usize = 1024;

/// A snapshot as the journal has it.
#[derive(Debug, Clone)]
pub(super) struct Note {
    pub(super) at: Micros,
    pub(super) bytes: u64,
    pub(super) made: body::SnapshotMade,
}

/// The notes, read as far as somebody needed them.
#[derive(Debug, Default)]
pub(super) struct Notes {
    read: Mutex<Read>,
}

#[derive(Debug, Default)]
struct Read {
    upto: Seq,
    made: BTreeMap<SnapshotId, Note>,
}

impl Notes {
    /// All snapshots that were made and not removed, as of now.
    pub(super) async fn made(&self, store: &Store) -> Result<BTreeMap<SnapshotId, Note>, ReadError> {
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
