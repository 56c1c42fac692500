//! Another configuration while the daemon runs: when its file changes, at SIGHUP, and when somebody asks.
//!
//! One task reads, checks and proves the whole of it before anything follows: what would be reached otherwise is asked, a
//! new socket is bound. Then all of it is in force, or nothing, and the daemon's own journal says which keys changed or why
//! it was refused. What was in force stays until a good one comes, also where the file is gone.
//!
//! Deliberately absent: any part of the configuration that needs a restart; and what a running turn makes of it, which its
//! owner decides ([`session`](crate::session)).

mod handle;
mod prepare;
mod refusal;
mod serve;
mod settle;
#[cfg(test)]
mod tests;
mod watch;

pub use handle::Reloads;
pub(crate) use handle::{status, view};
pub(crate) use serve::{Hands, begin};
pub use settle::settle;
