//! Why nothing was restored.

use crate::snapshots::container::UnpackError;
use std::io;
use std::path::PathBuf;
use store::OpenError;

/// Why nothing was restored. The state is as it was, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The snapshot is not good, or not to be opened.
    #[error("the snapshot {which} is not taken: {error}")]
    Snapshot {
        /// Which.
        which: String,
        /// Why.
        error: UnpackError,
    },
    /// The journal in it cannot be used by this tinkerbell.
    #[error("the journal in the snapshot cannot be used: {0}")]
    Journal(#[from] OpenError),
    /// Something lies where the restored state should go.
    #[error("{0} is there already and not empty; name a directory that is new")]
    Occupied(PathBuf),
    /// There is nothing to put back.
    #[error("no restore has kept a replaced state in {0}, so there is nothing to put back")]
    NothingKept(PathBuf),
    /// Nobody wants it any more.
    #[error("it was interrupted, so nothing was restored")]
    Stopped,
    /// What an earlier restore wanted cannot be read.
    #[error(
        "{path} says what a restore was about to do and cannot be read ({detail}); move it away to start with what is there"
    )]
    Intent {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// The disk.
    #[error("cannot {what} {path}: {error}")]
    Io {
        /// What was to be done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}
