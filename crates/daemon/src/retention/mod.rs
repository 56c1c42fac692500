//! Retention: nothing that a daemon keeps grows without a bound or a policy.
//!
//! A janitor tidies while nothing runs ([`keep`]): answers under idempotency keys that have expired, partial texts that
//! nobody goes on with, free pages of the journal, pictures of canvases that nobody looks at; and sessions in which nothing
//! happened for long leave the journal for files of their own (`archive`). It works in slices with named
//! limits, and somebody may ask for it at once. What lies where, and how much, is measured now and then and never on the
//! way of a prompt.
//!
//! Deliberately absent: logs, which bound themselves (`log`), snapshots, which have a keeper of their own, and any
//! judgement of what a session is worth: a session goes when somebody removes it.

mod janitor;
mod measure;
mod pictures;
mod sessions;

pub use janitor::{Janitor, keep};
