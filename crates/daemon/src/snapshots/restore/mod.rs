//! Putting a snapshot in the place of the state, or elsewhere, without a daemon.
//!
//! A snapshot is unpacked beside the state and checked to its last bit before anything of the state is touched. Then an
//! intent is written, which is the moment from which on the new state counts; what was there is moved aside, what is
//! new is moved in, and the intent goes. Each move is decided by what lies where, so that whoever comes after a kill
//! (the next start, the next restore) goes on where it ended: there is the whole old state or the whole new one.
//!
//! What was replaced is kept, with its write-ahead log, in a directory whose name is told; [`undo`] puts it back in the
//! same way.
//!
//! Sessions of a state from another machine may have to work elsewhere here: a restore leaves a list of roots in the
//! state, which the first daemon on it follows (`crate::reroot`).
//!
//! Deliberately absent: stopping and starting a daemon. Whoever restores in place holds the daemon's lock.

mod disk;
mod elsewhere;
mod error;
mod exchange;
mod expected;
mod held;
mod intent;
mod roots;
mod staging;

pub use disk::Point;
pub use elsewhere::{Elsewhere, restore_to};
pub use error::RestoreError;
#[cfg(test)]
pub(super) use exchange::finish_with;
pub use exchange::{Finished, Restored, finish, kept, restore, undo};
pub use expected::{Chosen, choose, configured, journal_hash, look, opens, verify_file};
pub use held::Held;
pub(crate) use roots::FILE as ROOTS;
pub use roots::{Root, RootError, Roots};
pub use staging::Wanted;
