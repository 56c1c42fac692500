//! The only way to the user's files: a directory, opened once, and paths that are resolved beneath it by the kernel
//! (`openat2` with `RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS`), so that no `..`, no symbolic link, no race and no
//! `/proc` can lead out of it.
//!
//! Reading follows symbolic links on the way as long as they stay inside and do not lead into `.git`; the last name is
//! never followed: a link is a file whose bytes are its target. Writing (which only accept does) follows none at all.
//! Named pipes, sockets and devices are named and never opened. A hard link to a file elsewhere reads like any file,
//! and accept replaces the name, not what else has it.
//!
//! Deliberately absent: a walk over the tree, a watcher, and any knowledge of git beyond keeping out of `.git`.

mod error;
mod examine;
mod list;
mod resolve;
mod tree;

pub use error::WorkTreeError;
pub use tree::{ReadLimits, WorkTree};

pub(crate) use examine::{Examined, Fingerprint, examine, hash_of, read_whole};
