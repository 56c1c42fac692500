//! Changes as patches that `git apply` takes.
//!
//! The patches are git's own, made by libgit2 from trees in memory: its header lines, its quoting of names, its form
//! of binary bytes. Deliberately absent: renames (a move is a deletion and a creation) and anything on disk.

use crate::blobs::{BlobError, Blobs};
use crate::git::{self, Leaf, edit_tree};
use crate::hunks::CONTEXT_LINES;
use git2::{DiffOptions, ObjectType, Odb, Oid, Patch, Repository};
use wire::{Change, FileState, RelPath};

/// Larger files are not compared line by line.
pub const MAX_DIFFED_BYTES: i64 = 10 * 1024 * 1024;

/// The patch of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiff {
    /// The path.
    pub path: RelPath,
    /// The patch, in the encoding of the file.
    pub patch: Vec<u8>,
    /// Lines that came.
    pub added: usize,
    /// Lines that went.
    pub removed: usize,
    /// Whether it is binary, so that there are no lines.
    pub binary: bool,
}

/// How binary files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// Wholly, so that the patch can be applied.
    Whole,
    /// As a line that says that they differ.
    Marked,
}

/// Why there is no diff.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// Bytes are missing.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// libgit2 failed.
    #[error("making the diff failed: {0}")]
    Git(#[from] git2::Error),
    /// A hunk was chosen that the change does not have.
    #[error("{path} has no hunk {index}: its {hunks} are counted from 0; look at them again, then choose")]
    NoSuchHunk {
        /// The path.
        path: RelPath,
        /// The number that was chosen.
        index: usize,
        /// How many hunks there are.
        hunks: usize,
    },
}

/// The patches of these changes, one for each path that really differs.
pub fn diff(changes: &[Change], blobs: &Blobs, binary: Binary) -> Result<Vec<FileDiff>, DiffError> {
    let mut sorted: Vec<&Change> = changes.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    sorted
        .iter()
        .filter(|change| change.before != change.after)
        .map(|change| diff_file(change, blobs, binary))
        .collect()
}

fn diff_file(change: &Change, blobs: &Blobs, binary: Binary) -> Result<FileDiff, DiffError> {
    git::prepare();
    let odb = Odb::new()?;
    odb.add_new_mempack_backend(1)?;
    let tree = |state: Option<FileState>| -> Result<Oid, DiffError> {
        let leaf = match state {
            Some(state) => {
                let blob = odb.write(ObjectType::Blob, &blobs.get(state.blob)?)?;
                Some(Leaf { blob, mode: state.mode })
            }
            None => None,
        };
        Ok(edit_tree(&odb, None, &[(change.path.as_str(), leaf)])?)
    };
    let (before, after) = (tree(change.before)?, tree(change.after)?);
    let repository = Repository::from_odb(odb)?;
    let (before, after) = (repository.find_tree(before)?, repository.find_tree(after)?);
    let mut options = options(CONTEXT_LINES);
    options.show_binary(binary == Binary::Whole);
    let diff = repository.diff_tree_to_tree(Some(&before), Some(&after), Some(&mut options))?;
    let mut file = FileDiff { path: change.path.clone(), patch: Vec::new(), added: 0, removed: 0, binary: false };
    // A file that became a link, or a link a file, is a deletion and a creation.
    for index in 0..diff.deltas().len() {
        let Some(mut patch) = Patch::from_diff(&diff, index)? else { continue };
        let (_, added, removed) = patch.line_stats()?;
        file.added += added;
        file.removed += removed;
        file.patch.extend_from_slice(&patch.to_buf()?);
        file.binary |= patch.delta().flags().is_binary();
    }
    Ok(file)
}

pub(crate) fn options(context_lines: u32) -> DiffOptions {
    let mut options = DiffOptions::new();
    options.context_lines(context_lines).indent_heuristic(true).max_size(MAX_DIFFED_BYTES);
    options
}
