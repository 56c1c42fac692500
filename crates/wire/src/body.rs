//! Bodies of events: words, paths, contents. Everything here may be forgotten, so no state depends on it.
//!
//! One struct for each kind that has a body; an event without words has `{}`.

use crate::chain::BlobHash;
use crate::change::{Changeset, FileState};
use crate::media::MediaType;
use crate::path::RelPath;
use crate::rest::{ConfigFault, ReloadCause};
use crate::snapshot::SnapshotReason;
use agent::{EffectId, ModelName, Plan, Tokens};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Texts longer than this go to the table of blobs.
pub const INLINE_BYTES: usize = 16 * 1024;

/// A text in a body: itself, or where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// The text.
    Inline(String),
    /// A text of more than [`INLINE_BYTES`].
    Blob {
        /// The blob that holds it.
        blob: BlobHash,
        /// Its length.
        bytes: u64,
    },
}

impl Default for Text {
    fn default() -> Text {
        Text::Inline(String::new())
    }
}

impl Text {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        matches!(self, Text::Inline(text) if text.is_empty())
    }

    /// The blob, if the text is in one.
    pub fn blob(&self) -> Option<BlobHash> {
        match self {
            Text::Inline(_) => None,
            Text::Blob { blob, .. } => Some(*blob),
        }
    }
}

/// `session.created`, `session.updated`, `session.forked`, `session.imported`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The workspace's real path.
    pub workspace: String,
    /// What people call the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// `owner.began`: what lost model calls had said, as far as it was saved. It closes their messages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Began {
    /// The messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostMessage>,
}

/// A message whose model call was lost with its daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostMessage {
    /// The call.
    pub effect: EffectId,
    /// What was saved of it; more may have been said.
    pub text: Text,
}

/// `prompt.accepted`, `prompt.queued`, `prompt.steered`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// What was said.
    pub text: Text,
    /// Images and documents that came with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// An image or a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// What people call it: a file name, or a path below the workspace.
    pub name: String,
    /// What it is.
    pub media_type: MediaType,
    /// Where its bytes are.
    pub blob: BlobHash,
    /// How many.
    pub bytes: u64,
}

/// `turn.finished`: words for people where the outcome is not `done`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TurnEnd {
    /// Why, and the way on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `model.started`: the recipe, from which the request can be made again to the byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// Version of the renderer.
    pub renderer: u32,
    /// Which messages of the conversation, as it stood before this event.
    #[serde(flatten)]
    pub plan: Plan,
    /// The system prompt.
    pub system: BlobHash,
    /// The tool table.
    pub tools: BlobHash,
    /// Files of the workspace that are read along, as text without authority.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instructions: Vec<Instruction>,
    /// The settings under which it was decided.
    pub settings: BlobHash,
    /// The most that the reply may have.
    pub max_output_tokens: Tokens,
    /// Why this model.
    pub why: String,
}

/// A file of instructions that a workspace holds, as it was read along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    /// Where it is, below the workspace.
    pub path: RelPath,
    /// What was read of it.
    pub blob: BlobHash,
    /// How many bytes that are.
    pub bytes: u64,
    /// Whether there is more of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// `model.finished`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reply {
    /// What the model said.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub text: Text,
    /// What it thought aloud.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reasoning: Text,
    /// The tool calls it asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
    /// Calls beyond the limit, which were dropped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_calls: u32,
    /// SHA-256 of the request's bytes, so that a recipe can be checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_sha256: Option<BlobHash>,
    /// What the provider wants to be sent back with this reply: signed or encrypted reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry: Option<Carry>,
}

/// What one provider gave to be sent back to it, and to nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carry {
    /// Dialect and model.
    pub from: String,
    /// What it is, as the backend wrote it.
    pub data: Text,
}

/// A tool call that a model asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The provider's id for it, or one of our making.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as the model wrote them: JSON, if the call is valid.
    pub arguments: Text,
    /// Why the call does not run, when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// `model.failed`, `model.interrupted`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Partial {
    /// What had been said.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub text: Text,
    /// What went wrong, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `tool.started`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolStart {
    /// The tool.
    pub name: String,
    /// What it is about, in a few words: a path, a pattern.
    pub about: String,
}

/// `tool.finished`. A changeset that is not empty makes it a micro-commit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ToolEnd {
    /// The tool.
    pub name: String,
    /// What it did or found: one line first, then the bounded body, then how to read on.
    pub text: Text,
    /// What it changed on the canvas.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Changeset,
    /// Which files the session has now seen, in which state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
    /// Images and documents that it read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// A file as the session saw it; `None` is "there was none".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The path.
    pub path: RelPath,
    /// Its state.
    pub state: Option<FileState>,
}

/// `approval.requested`, `approval.resolved`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Question {
    /// The question in a sentence, or the answer's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The tool call that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
}

/// `canvas.rewound`, `canvas.rejected`: how current bytes changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Moved {
    /// Current bytes before and after.
    pub changes: Changeset,
}

/// `canvas.rebased`: how bases changed, and what the merges made of current bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rebased {
    /// Bases before and after.
    pub bases: Changeset,
    /// Current bytes before and after.
    pub changes: Changeset,
}

/// `canvas.conflicted`: paths that the user changed in ways that do not merge.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Conflict {
    /// For each path: its base before, and what is in the work tree now.
    pub paths: Changeset,
}

/// `accept.started`: the plan. Each file is exchanged by way of a temporary name beside it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AcceptPlan {
    /// The files, in order.
    pub files: Vec<PlannedFile>,
    /// The message of the commit that is to be made of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// One file of an accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFile {
    /// What must be in the work tree before, and what shall be there after.
    #[serde(flatten)]
    pub change: crate::change::Change,
    /// The temporary name, in the same directory.
    pub temporary: String,
}

/// `accept.finished`, `accept.undone`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AcceptEnd {
    /// How bases changed: empty unless the outcome is `done`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bases: Changeset,
    /// The commit that was made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<crate::rest::CommitView>,
    /// What stood in the way, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The file that stood in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<RelPath>,
}

/// `daemon.began`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// The version of the binary.
    pub version: String,
    /// Its process.
    pub pid: u32,
}

/// `config.reloaded`: which keys say something else now, never what they say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigReloaded {
    /// Why the file was read.
    pub cause: ReloadCause,
    /// The keys, in the order of the table.
    pub changed: Vec<String>,
    /// What a probe found that replaces nothing which works.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// `config.rejected`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRejected {
    /// Why the file was read.
    pub cause: ReloadCause,
    /// Why it was refused.
    pub message: String,
    /// All that is wrong in it, with lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<ConfigFault>,
}

/// `config.reverted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigReverted {
    /// The model that is reached as before.
    pub model: ModelName,
    /// What proved bad, and how.
    pub reason: String,
}

/// `permission.tightened`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tightened {
    /// The tool.
    pub name: String,
    /// What the call is about, for people.
    pub about: String,
}

/// `event.forgotten`: why, and what the canvas is from here on at the paths whose bytes went.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Forgotten {
    /// Why, in the words of whoever wished it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Paths that the events which are left name, where these alone would add up to something else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathLeft>,
}

/// What the canvas is at a path after a forgetting. A path that leaves the canvas has neither base nor current state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathLeft {
    /// The path.
    pub path: RelPath,
    /// Its base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<FileState>,
    /// Its current state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<FileState>,
}

/// `schedule.created`, `schedule.moved`: what is said, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// What people call it.
    pub name: String,
    /// What is said each time.
    pub prompt: String,
    /// Where new sessions work, when each time opens one; a real path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
}

/// `schedule.skipped`: words for people.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Skipped {
    /// What stood in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `snapshot.made`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotMade {
    /// The hash of the file's content: another file under its name is seen by this.
    pub sha256: BlobHash,
    /// Its file.
    pub file: std::path::PathBuf,
    /// Why it was made.
    pub reason: SnapshotReason,
    /// What somebody said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether it takes a passphrase.
    pub sealed: bool,
    /// How far the chain of heads goes in it: what it holds follows from this.
    pub links: u64,
    /// How many sessions it holds.
    pub sessions: u64,
    /// How many removed sessions still had words in it.
    #[serde(default)]
    pub unswept: u64,
}

/// `snapshot.removed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRemoved {
    /// Why: `asked`, or the rule of retention that it fell to: `count`, `age`, `size`.
    pub why: String,
}

/// `budget.exhausted`: what it would have taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exhausted {
    /// The model that was not called.
    pub model: ModelName,
    /// Why, and the way on.
    pub message: String,
}

/// Reads a body, whatever else it holds.
pub fn read<T: serde::de::DeserializeOwned>(body: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(body)
}

/// Writes a body.
pub fn write<T: Serialize>(body: &T) -> String {
    serde_json::to_string(body).expect("a body is plain data")
}

/// The body as it stands in an update.
#[derive(Debug, Deserialize)]
pub struct InUpdate {
    /// The stored bytes.
    pub data: Option<Box<RawValue>>,
    /// Set when the body was forgotten.
    #[serde(default)]
    pub forgotten: bool,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}
