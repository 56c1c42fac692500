//! Archived sessions: each lies in a file of its own beside the journal, in the format of an export, packed by gzip.
//!
//! A session goes there when somebody says so, or when nothing happened in it for long; it comes back by itself when
//! somebody says something to it, and nobody needs to know that it was away. On its way it is at no moment in neither
//! place: the file is written, synced and read back before the store lets the events go, and taken away after they are
//! back. The name of a file says up to which event it holds its session, so an old one is never taken for a new one.
//!
//! Deliberately absent: anything that reads an archived session without bringing it back, apart from exports and audits;
//! appends to a file.

mod choose;
mod file;
mod leave;
mod read;
mod shelf;

pub(crate) use choose::{Kept, idle};
pub(crate) use leave::{bring_back, put_away, settle, take_away};
pub(crate) use read::{exported, told, verified};
pub(crate) use shelf::{Shelf, name};
