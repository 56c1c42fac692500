//! Which snapshot is being made: until it is on the shelf or noted, nobody else knows of it.

use agent::SnapshotId;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The one that is being made, if there is one; one is made at a time. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Making(Arc<Mutex<Option<SnapshotId>>>);

/// While it lives, one is being made. It goes with the work, not with whoever waits for it.
#[derive(Debug)]
pub(super) struct Underway(Making);

impl Making {
    pub(super) fn begin(&self, id: SnapshotId) -> Underway {
        *self.lock() = Some(id);
        Underway(self.clone())
    }

    pub(super) fn now(&self) -> Option<SnapshotId> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<SnapshotId>> {
        // Nothing under this lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}
