//! Bytes by their hash. The journal's store has them; here they come in by a closure, so that the easel knows no
//! database. What comes in is hashed again before anything is done with it: a blob ends up in the user's files.

use std::fmt;
use std::io;
use std::sync::Arc;
use wire::{BlobHash, Contents, FileState};

type Read = dyn Fn(BlobHash) -> io::Result<Vec<u8>> + Send + Sync;

/// Where blobs are read. Cheap to clone.
#[derive(Clone)]
pub struct Blobs(Arc<Read>);

/// Why the bytes of a blob could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// They are not there, for instance because they were forgotten.
    #[error("the bytes of blob {0} are not in the journal; they may have been forgotten. Reject the path to go on")]
    Missing(BlobHash),
    /// They are not what their hash says.
    #[error("the bytes read for blob {0} have another hash: the journal is damaged, run `tinkerbell doctor`")]
    Damaged(BlobHash),
    /// The journal could not be read.
    #[error("reading blob {hash} from the journal failed: {source}")]
    Io {
        /// Which.
        hash: BlobHash,
        /// Why.
        source: io::Error,
    },
}

impl Blobs {
    /// Blobs that `read` gives; [`io::ErrorKind::NotFound`] means that there is no such blob.
    pub fn new(read: impl Fn(BlobHash) -> io::Result<Vec<u8>> + Send + Sync + 'static) -> Blobs {
        Blobs(Arc::new(read))
    }

    /// The bytes with this hash.
    pub fn get(&self, hash: BlobHash) -> Result<Vec<u8>, BlobError> {
        match (self.0)(hash) {
            Ok(bytes) if BlobHash::of(&bytes) == hash => Ok(bytes),
            Ok(_) => Err(BlobError::Damaged(hash)),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Err(BlobError::Missing(hash)),
            Err(source) => Err(BlobError::Io { hash, source }),
        }
    }

    /// The bytes and the mode that a state stands for.
    pub fn contents(&self, state: &FileState) -> Result<Contents, BlobError> {
        Ok(Contents { bytes: self.get(state.blob)?, mode: state.mode })
    }
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blobs")
    }
}

/// A body on its way to the journal, with the bytes that it names and that the journal may not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft<T> {
    /// The body.
    pub body: T,
    /// New blobs, each to be stored under its SHA-256 in the same append.
    pub blobs: Vec<Vec<u8>>,
}
