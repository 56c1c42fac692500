//! What can go wrong between us and the user's files.

use std::io;
use std::path::PathBuf;
use wire::RelPath;

/// Why the work tree could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WorkTreeError {
    /// The workspace itself cannot be opened.
    #[error("the workspace {at:?} cannot be opened: {source}")]
    NotOpened {
        /// Where.
        at: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel has no `openat2`, or a sandbox hides it.
    #[error(
        "the kernel cannot keep file access inside {at:?}: openat2 is missing (Linux 5.6 has it) or forbidden by a sandbox"
    )]
    NoOpenat2 {
        /// The workspace.
        at: PathBuf,
    },
    /// The path leads out of the workspace by a symbolic link.
    #[error("{0} leads out of the workspace by a symbolic link; give a path that stays inside")]
    Outside(RelPath),
    /// The path leads into git's own directory by a symbolic link.
    #[error("{0} leads into .git by a symbolic link; only git changes what is there")]
    Git(RelPath),
    /// Symbolic links lead in a circle, or into the kernel's own (`/proc/self/root` and the like).
    #[error("{0} cannot be followed: a symbolic link on the way leads in a circle or is one of the kernel's own")]
    Unfollowable(RelPath),
    /// A directory on the way is a symbolic link, and something was to be written.
    #[error("{0} lies behind a symbolic link; accept writes through real directories only, so use the real path")]
    BehindLink(RelPath),
    /// It is not a directory.
    #[error("{0} is not a directory")]
    NotADirectory(RelPath),
    /// The file is too large to be read as a whole.
    #[error(
        "{path} has {bytes} bytes, more than the {limit} that are read at once; search in it or read a part of it by a command"
    )]
    TooLarge {
        /// The path.
        path: RelPath,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The directory has too many names.
    #[error("{directory} has more than {limit} entries; list a directory below it or search by a pattern")]
    TooManyEntries {
        /// The directory, `.` for the workspace.
        directory: String,
        /// The limit.
        limit: usize,
    },
    /// The kernel refused.
    #[error("{doing} {path} failed: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what, `.` for the workspace.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl WorkTreeError {
    pub(crate) fn io(doing: &'static str, path: &RelPath, source: io::Error) -> WorkTreeError {
        WorkTreeError::Io { doing, path: path.to_string(), source }
    }
}
