//! The easel: a session's canvas, its picture in git, and accept.
//!
//! A session never writes the user's files. What its tools change stands in the journal, as changesets of
//! `tool.finished`, and this room says what that adds up to. From the journal to the user's files it goes like this:
//!
//! - [`Fold`]: what the canvas *is*, a value made of events. Sparse: it knows the paths that the session touched, and
//!   nothing of the rest. Rewind, redo and reject are computed here.
//! - [`WorkTree`]: the only way to the user's files; the kernel keeps it inside.
//! - [`View`]: the one over the other, which is what tools read.
//! - [`compare()`]: what the user changed meanwhile, merged or shown as a conflict.
//! - [`plan`], [`execute`], [`verify`]: accept, the one point at which the user's files change.
//! - [`diff()`], [`take_hunks`]: changes as patches.
//! - [`Picture`]: the canvas as a branch that plain git can read.
//!
//! Everything here is synchronous and runs on threads that may block. Deliberately absent: the journal itself (bytes
//! come in through [`Blobs`], events through [`Fold::apply`], and what is to be appended goes out as plain bodies),
//! the user's own repository (never opened, never needed), and any walk over the work tree.

mod accept;
mod blobs;
mod compare;
mod diff;
mod fold;
mod git;
mod merge;
mod picture;
mod view;
mod worktree;

pub use accept::{
    AcceptError, Accepted, MAX_ACCEPT_FILES, PlanError, Selection, Stage, execute, plan, plan_undo, verify,
};
pub use blobs::{BlobError, Blobs, Draft};
pub use compare::{Compared, StatCache, compare, override_conflict};
pub use diff::{Binary, DiffError, FileDiff, MAX_DIFFED_BYTES, diff, take_hunks};
pub use fold::{Fold, MAX_TITLE_CHARACTERS, MoveError, Overlay, Step, StepKind, StepStatus};
pub use merge::MAX_MERGED_BYTES;
pub use picture::{Commit, Picture, PictureError};
pub use view::{ReadError, View};
pub use worktree::{ReadLimits, WorkTree, WorkTreeError};
