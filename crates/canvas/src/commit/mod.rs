//! A commit of what was accepted, in the user's own repository, as `git commit --only` makes it.
//!
//! The user's own git makes it, with his configuration, so that hooks, filters and signing are what he has. The branch
//! moves by one commit that holds the accepted paths, these are entered in his index, and every other entry stays as it
//! is. What git would do otherwise than he may expect is refused aloud, before anything is written: [`check_commit`] is
//! asked before the accept starts, [`commit`] after its files were exchanged.
//!
//! A git that outlives us goes on by itself, and holds its own lock as long as it does; so after a kill
//! [`committed_already`] tells whether there still is something to do. When a commit fails, files stay accepted and the
//! index is as it was.
//!
//! Deliberately absent: `--no-verify`, `--force`, `--amend`, pushing, and anything about a repository that was not
//! asked for by `--commit`: the canvas itself needs none.

mod check;
mod environment;
mod error;
mod make;
mod message;
mod paths;
mod run;

pub use check::{check_commit, index_lock};
pub use environment::{COMMIT_LIMIT, CommitOptions};
pub use error::{CommitError, Operation};
pub use make::{Committed, commit, committed_already};
pub use message::MAX_MESSAGE_BYTES;
