//! Snapshots: copies of the whole state, each in one file that proves itself.
//!
//! [`Snapshots`] makes them while turns run and looks after them; [`restore`] puts one in the place of the state, or
//! elsewhere, without a daemon. What a file looks like is in `container`, what stands in front of it in
//! [`wire::snapshot`], and why in `docs/decisions/0014`.
//!
//! Deliberately absent: the way to a copy of the journal (`store` has it), and any state of its own: what there is lies
//! in the directory, and what was made stands in the daemon's journal.

mod asked;
mod container;
mod identity;
mod keeper;
mod make;
mod making;
mod notes;
mod portable;
pub mod restore;
mod retain;
mod shelf;
mod steady;
#[cfg(test)]
mod tests;
mod timer;
mod work;

pub(crate) use asked::{create, remove};
pub use container::UnpackError;
use identity::check_identity;
pub(crate) use identity::{directory, problem};
pub use keeper::Snapshots;
pub use portable::home;
pub(crate) use timer::{at_stop, periodic};
