//! What tools return and the canvas keeps: changes of files, by the hashes of their bytes.

use crate::chain::BlobHash;
use crate::path::RelPath;
use serde::{Deserialize, Serialize};

/// What a file is, in git's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// A plain file.
    #[serde(rename = "100644")]
    Regular,
    /// A file that may be executed.
    #[serde(rename = "100755")]
    Executable,
    /// A symbolic link; its bytes are the target.
    #[serde(rename = "120000")]
    Symlink,
}

impl Mode {
    /// Git's number.
    pub fn git(self) -> i32 {
        match self {
            Mode::Regular => 0o100644,
            Mode::Executable => 0o100755,
            Mode::Symlink => 0o120000,
        }
    }
}

/// The bytes and the mode of a file at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileState {
    /// Where the bytes are.
    pub blob: BlobHash,
    /// How many.
    pub bytes: u64,
    /// What it is.
    pub mode: Mode,
}

/// One path before and after; `None` is "no such file".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The path.
    pub path: RelPath,
    /// Before.
    pub before: Option<FileState>,
    /// After.
    pub after: Option<FileState>,
}

/// Changes of different paths.
pub type Changeset = Vec<Change>;

/// The bytes and the mode of a file, in memory, on their way between a tool and the canvas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The bytes; of a symbolic link its target.
    pub bytes: Vec<u8>,
    /// What it is.
    pub mode: Mode,
}

impl Contents {
    /// The state that these contents are.
    pub fn state(&self) -> FileState {
        FileState { blob: BlobHash::of(&self.bytes), bytes: self.bytes.len() as u64, mode: self.mode }
    }
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// A file or a symbolic link.
    File(Contents),
    /// A directory.
    Directory,
    /// Something else that tools leave alone: a socket, a device, a submodule; with the word for it.
    Other(&'static str),
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name; where it is not UTF-8, as near as can be written.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// False when the name cannot be written in UTF-8, so the entry cannot be touched.
    pub reachable: bool,
}

/// What a name in a directory stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A file, with its size in bytes.
    File(u64),
    /// A symbolic link.
    Symlink,
    /// Something else.
    Other,
}
