//! The store against real files: what it promises, one file for each promise.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod appends;
mod archives;
mod audits;
mod blobs;
mod budgets;
mod chains;
mod copies;
mod files;
mod forks;
mod gaps;
mod imports;
mod keys;
mod killed;
mod removals;
mod rows;
mod searching;
mod tidying;
mod world;
