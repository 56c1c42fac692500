//! Sessions that are carried from one daemon to another, in one file of the format that `wire::export` defines.
//!
//! An export is written from what is on disk, a page and a blob at a time, and wakes nobody. An import is received into a
//! file that has no name, read wholly and found right, and only then given to the store, which makes a journal of it that
//! is whole or not there. So neither needs more memory than one blob, and damage is found before the first write.
//!
//! Deliberately absent: folds, pictures and the index of search, which are made again; the memory of a session, until there
//! is one (it will be lines of a kind of its own, under the next version of the format).

mod check;
mod damage;
mod export;
mod import;
mod lines;
mod pieces;

pub(crate) use check::{Checked, check};
pub(crate) use export::export;
pub(crate) use import::{Wanted, import, sweep};
pub(crate) use lines::Lines;
pub(crate) use pieces::Pieces;
