//! Whether what is being done is still wanted: until somebody presses Ctrl-C, or ends the command otherwise.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wire::{Code, Problem};

/// From its making on, SIGINT and SIGTERM end the wish and not the process.
pub(crate) struct Wanted {
    ended: Arc<AtomicBool>,
}

impl Wanted {
    /// Begins to listen.
    pub(crate) fn listen() -> Result<Wanted, Problem> {
        let ended = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, ended.clone())
                .map_err(|error| Problem::new(Code::Internal, format!("cannot listen for Ctrl-C: {error}")))?;
        }
        Ok(Wanted { ended })
    }

    /// Whether nobody has ended it.
    pub(crate) fn is_so(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }
}
