//! Who may hold a connection for long: one copy at a time, and nobody while every connection has to be closed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The gate before long reads.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
    /// How many want it shut; whoever is inside looks at this between two steps.
    wanted: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    inside: bool,
    closed: bool,
}

/// Somebody is inside; their connection is closed before this is dropped.
pub(crate) struct Inside<'a>(&'a Gate);

/// Nobody is inside, and nobody enters until this is dropped.
pub(crate) struct Shut(Arc<Gate>);

impl Gate {
    /// Waits for its turn; `None` when the store is closed.
    pub(crate) fn enter(&self) -> Option<Inside<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.closed && (state.inside || self.wanted.load(Ordering::SeqCst) > 0) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return None;
        }
        state.inside = true;
        Some(Inside(self))
    }

    /// Asks whoever is inside to leave, and returns once they have.
    pub(crate) fn shut(self: &Arc<Gate>) -> Shut {
        self.wanted.fetch_add(1, Ordering::SeqCst);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.inside {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        Shut(self.clone())
    }

    /// Shuts it for good.
    pub(crate) fn close(self: &Arc<Gate>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        drop(self.shut());
    }
}

impl Inside<'_> {
    /// Whether somebody waits for this to be dropped.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.wanted.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).inside = false;
        self.0.changed.notify_all();
    }
}

impl Drop for Shut {
    fn drop(&mut self) {
        // Under the lock, so that nobody goes to sleep between looking and waiting.
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.wanted.fetch_sub(1, Ordering::SeqCst);
        drop(state);
        self.0.changed.notify_all();
    }
}
