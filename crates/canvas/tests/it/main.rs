//! The easel on real directories and real repositories: one binary, so that a test can start it again as a child.

mod accept;
mod cases;
mod diff;
mod fold;
mod kill;
mod picture;
mod random;
mod world;
mod worktree;
