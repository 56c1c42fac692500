//! Accept: the one point at which the user's files change.
//!
//! A plan is in the journal before anything is touched. Each file then goes by way of a temporary name beside it: the
//! new bytes are written there and synced, the two names are exchanged in one step of the kernel, and what came out is
//! looked at. Where it is not what the plan said, it goes back, and so does everything that was exchanged before: an
//! accept ends with every file as planned or every file as it was. Directories are synced before that is said.
//!
//! At every instant each path has the whole old or the whole new bytes (nothing at all, where a file takes the place
//! of a directory or a directory that of a file, between the one going and the other coming). [`execute()`] judges
//! each pair of path and temporary name by what is there and by nothing else, so that [`verify`] can go on after a
//! kill at any instant.
//!
//! The one rule about removing: a temporary name is removed only when its bytes are known to the journal. Whatever
//! else came out of a race stays on disk, and its name is told.
//!
//! Not kept of a replaced file: extended attributes, access lists, hard links to it, set-user-id bits. Its permissions
//! are kept, its owner where the kernel lets us. A directory that the plan leaves empty by a deletion is removed, as
//! git does; directories that an interrupted accept made stay if a later attempt takes everything back.

mod choose;
mod directories;
mod execute;
mod judge;
mod plan;
mod spot;
#[cfg(test)]
mod tests;

pub use choose::{Choice, ChoiceError, choose};
pub use execute::{AcceptError, Accepted, Stage, execute, verify};
pub use plan::{MAX_ACCEPT_FILES, PlanError, Selection, plan, plan_undo};
