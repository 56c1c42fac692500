//! The store against real files: what it promises, one file for each promise.

mod appends;
mod blobs;
mod budgets;
mod chains;
mod files;
mod keys;
mod killed;
mod rows;
mod world;
