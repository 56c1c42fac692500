//! The easel on real directories and real repositories: one binary, so that a test can start it again as a child.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod accept;
mod cases;
mod commit;
mod committing;
mod diff;
mod fold;
mod history;
mod hunks;
mod kill;
mod picture;
mod random;
mod refused;
mod worktree;
mod world;
