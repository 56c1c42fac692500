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
//! - [`diff()`], [`hunks()`], [`choose`]: changes as patches, their hunks, and a selection made of some.
//! - [`check_commit`], [`commit()`]: a commit of what was accepted, made by the user's own git.
//! - [`Picture`]: the canvas as a branch that plain git can read.
//!
//! Everything here is synchronous and runs on threads that may block. Deliberately absent: the journal itself (bytes
//! come in through [`Blobs`], events through [`Fold::apply`], and what is to be appended goes out as plain bodies),
//! the user's own repository (asked for by `--commit` alone, and never needed), and any walk over the work tree.

mod accept;
mod blobs;
mod commit;
mod compare;
mod diff;
mod fold;
mod git;
mod hunks;
mod merge;
mod picture;
mod view;
mod worktree;

pub use accept::{
    AcceptError, Accepted, Choice, ChoiceError, MAX_ACCEPT_FILES, PlanError, Selection, Stage, choose, execute, plan,
    plan_undo, verify,
};
pub use blobs::{BlobError, Blobs, Draft};
pub use commit::{
    COMMIT_LIMIT, CommitError, CommitOptions, Committed, MAX_MESSAGE_BYTES, Operation, check_commit, commit,
    committed_already, index_lock,
};
pub use compare::{Compared, KeepError, StatCache, compare};
pub use diff::{Binary, DiffError, FileDiff, MAX_DIFFED_BYTES, diff};
pub use fold::{
    Fold, MAX_RECENT_CHANGES, MAX_RECENT_STEPS, MAX_TITLE_CHARACTERS, MoveError, Older, Overlay, Step, StepKind,
    StepStatus,
};
pub use hunks::{CONTEXT_LINES, Hunk, HunkKind, hunks, take_hunks};
pub use merge::MAX_MERGED_BYTES;
pub use picture::{Commit, Picture, PictureError};
pub use view::{ReadError, View};
pub use worktree::{ReadLimits, WorkTree, WorkTreeError};
