//! What a session's canvas *is*: the sum of its journal, as a plain value that can be written down and read back.
//!
//! For each path that the session touched: its *base* (what the work tree had, or shall have, beneath the session's
//! changes), its *current* state, and which state the session last saw. Beside it the steps, in order, from which
//! rewinding is computed and git's picture is drawn.
//!
//! A path whose base and current state are equal is *clean*: it is read live from the work tree, like one that was
//! never touched, and the next change of it makes the bytes found there its base.
//!
//! Deliberately absent: bytes. A fold knows hashes; bytes are in the journal and in the work tree.

mod apply;
mod forgetting;
mod history;
mod moves;
mod step;
mod value;

pub use history::{MAX_RECENT_CHANGES, MAX_RECENT_STEPS, Older};
pub use moves::MoveError;
pub use step::{MAX_TITLE_CHARACTERS, Step, StepKind, StepStatus};
pub use value::{Fold, Overlay};
