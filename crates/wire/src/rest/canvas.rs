//! The canvas: what it holds, what becomes of it.

use crate::chain::BlobHash;
use crate::change::Mode;
use crate::path::RelPath;
use agent::{AcceptOutcome, Micros, Seq};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `canvas.get`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanvasView {
    /// Paths that differ from their base.
    pub files: Vec<FileRow>,
    /// Paths that the user changed in ways that do not merge; accept refuses them until they are settled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<RelPath>,
    /// The last micro-commit in force.
    pub step: Seq,
    /// Whether `accept --undo` has something to take back.
    pub undoable: bool,
    /// Whether `redo` has something to redo.
    pub redoable: bool,
}

/// One file of a diff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRow {
    /// Its path.
    pub path: RelPath,
    /// What happened to it.
    pub status: FileStatus,
    /// Lines added.
    pub added: u32,
    /// Lines removed.
    pub removed: u32,
    /// Whether it is not text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub binary: bool,
    /// Its mode after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileStatus {
    /// It is new.
    Added,
    /// Its bytes or its mode changed.
    Modified,
    /// It is gone.
    Deleted,
}

/// `canvas.diff`, `canvas.show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// The files.
    pub files: Vec<FileRow>,
    /// The patch, as `git apply` takes it.
    pub patch: String,
}

/// `canvas.log`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanvasLog {
    /// The repository that holds the picture.
    pub repository: PathBuf,
    /// The session's ref in it.
    pub reference: String,
    /// The steps, newest first.
    pub steps: Vec<StepRow>,
}

/// A micro-commit or another event that changed the canvas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRow {
    /// The event.
    pub seq: Seq,
    /// Its commit in the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// What it did, in a line.
    pub title: String,
    /// When.
    #[serde(with = "crate::time::text")]
    pub at: Micros,
    /// Whether a rewind took it back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undone: bool,
    /// How many paths.
    pub files: u32,
}

/// `canvas.reject`, `canvas.keep`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Only these paths and what lies below them; all of the canvas where this is left out. An empty list is refused, so
    /// that a choice that found nothing does not mean everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<String>>,
}

/// `canvas.accept`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptRequest {
    /// Only these paths and what lies below them; all of the canvas where neither this nor `hunks` is given. An empty list
    /// is refused, so that a choice that found nothing does not mean everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<String>>,
    /// Only these hunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hunks: Option<HunkChoice>,
    /// Make a commit of what is accepted, with this message, as `git commit --only` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// Hunks that were chosen from a [`HunkList`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HunkChoice {
    /// The number of context lines that the list was made with.
    pub context_lines: u32,
    /// The choice in each file.
    pub files: Vec<ChosenHunks>,
}

/// The hunks of one file that were chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChosenHunks {
    /// The file.
    pub path: RelPath,
    /// What the list named as its base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<BlobHash>,
    /// What the list named as its current bytes. A choice from an older list is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<BlobHash>,
    /// The numbers of the hunks.
    pub take: Vec<u32>,
}

/// `canvas.hunks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HunkList {
    /// The number of context lines around each change.
    pub context_lines: u32,
    /// The files.
    pub files: Vec<FileHunks>,
}

/// The hunks of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileHunks {
    /// The file.
    #[serde(flatten)]
    pub file: FileRow,
    /// Its base; none for a new file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<BlobHash>,
    /// Its current bytes; none for a deleted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<BlobHash>,
    /// The hunks. A file that is new, gone or not text is one; a change of mode is one of its own.
    pub hunks: Vec<HunkRow>,
}

/// One hunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HunkRow {
    /// Its number, from 0. A change of mode has one too, behind those of the lines.
    pub index: u32,
    /// Its header: `@@ -1,3 +1,4 @@`.
    pub header: String,
    /// Its lines, each with ` `, `+` or `-` before it.
    pub patch: String,
}

/// A commit in the user's repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitView {
    /// Its id.
    pub id: String,
    /// The branch that moved; none where HEAD is detached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

/// Answer of `canvas.accept` and `canvas.undo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// How it ended.
    pub outcome: AcceptOutcome,
    /// The event that says so.
    pub seq: Seq,
    /// The files written.
    pub files: Vec<FileRow>,
    /// The commit that was made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitView>,
    /// What stood in the way, of the accept or of its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The file that stood in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<RelPath>,
}

/// `canvas.rewind`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewindRequest {
    /// The micro-commit to go back to; 0 is the beginning. Without it: one step back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
}

/// Answer of `canvas.reject`, `canvas.keep`, `canvas.rewind`, `canvas.redo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The event that says so.
    pub seq: Seq,
    /// How the canvas differs from its bases now.
    pub canvas: CanvasView,
}
