//! Bodies of REST requests and answers. Unknown fields in requests are errors; unknown fields in answers are to be
//! ignored by clients.

use crate::change::Mode;
use crate::path::RelPath;
use agent::{
    AcceptOutcome, Answer, EffectId, Generation, Micros, ModelName, Money, Question, Seq, SessionId, Tokens, TurnId,
    Usage,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The header in which every answer says which version of the daemon gave it.
pub const VERSION_HEADER: &str = "tinkerbell-version";
/// The header that makes a write happen once however often it is sent.
pub const IDEMPOTENCY_HEADER: &str = "idempotency-key";

/// `sessions.create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateSession {
    /// The directory the session works on; an absolute path.
    pub workspace: String,
    /// What people shall call it; by default the first words of its first prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The first prompt, in the same append.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PromptRequest>,
}

/// `sessions.prompt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptRequest {
    /// What is said.
    pub text: String,
    /// The model to ask; by default the configuration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
    /// What to do while a turn runs.
    #[serde(default)]
    pub while_running: WhileRunning,
}

/// What a prompt does that comes while a turn runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhileRunning {
    /// It waits for a turn of its own.
    #[default]
    Queue,
    /// It joins the running turn at its next step.
    Steer,
}

/// Answer of `sessions.create` and `sessions.prompt`: it is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// The session.
    pub session: SessionId,
    /// The event that the acknowledgement is for.
    pub seq: Seq,
    /// The turn that answers the prompt, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// The model it goes to, if that is known by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
}

/// `sessions.list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionList {
    /// The sessions, newest first.
    pub sessions: Vec<SessionRow>,
    /// The cursor of the next page (`before=`), if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A session in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// Its workspace.
    pub workspace: String,
    /// What people call it.
    pub title: String,
    /// What it is doing.
    pub status: SessionStatus,
    /// Its last event.
    pub head: Seq,
    /// The model it last went to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
    /// Spent so far.
    pub cost_microusd: Money,
    /// When it was opened.
    #[serde(with = "crate::time::text")]
    pub created_at: Micros,
    /// When something last happened in it.
    #[serde(with = "crate::time::text")]
    pub updated_at: Micros,
}

/// What a session is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// Nothing.
    Idle,
    /// A turn runs.
    Running,
    /// It waits for an answer.
    Waiting,
}

impl SessionStatus {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            SessionStatus::Idle => "idle",
            SessionStatus::Running => "running",
            SessionStatus::Waiting => "waiting",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<SessionStatus> {
        [SessionStatus::Idle, SessionStatus::Running, SessionStatus::Waiting].into_iter().find(|s| s.word() == word)
    }
}

/// `sessions.get`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// What a list says of it.
    #[serde(flatten)]
    pub row: SessionRow,
    /// Turns so far.
    pub turns: u32,
    /// Paths on the canvas that are not accepted.
    pub pending: u32,
    /// The running turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnView>,
    /// Turns whose prompts wait.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queued: Vec<TurnId>,
    /// Questions that wait for an answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalView>,
    /// Used so far.
    pub usage: Usage,
}

/// A running turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnView {
    /// Its id.
    pub id: TurnId,
    /// Its step.
    pub step: u32,
    /// Whether it is being cancelled.
    pub ending: bool,
    /// The effects that run.
    pub running: Vec<EffectId>,
}

/// A question that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalView {
    /// Its id, for the answer's path.
    pub id: EffectId,
    /// What is asked.
    pub question: Question,
    /// The same in a sentence.
    pub message: String,
    /// The answers that make sense.
    pub answers: Vec<Answer>,
}

/// `sessions.cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// The turn that is being cancelled.
    pub turn: TurnId,
    /// The event that says so.
    pub seq: Seq,
}

/// `sessions.answer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// The answer.
    pub answer: Answer,
}

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

/// `canvas.accept`, `canvas.reject`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Only these paths and what lies below them; all of the canvas where this is left out. An empty list is refused, so
    /// that a choice that found nothing does not mean everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<String>>,
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
    /// What stood in the way.
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

/// Answer of `canvas.reject`, `canvas.rewind`, `canvas.redo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The event that says so.
    pub seq: Seq,
    /// How the canvas differs from its bases now.
    pub canvas: CanvasView,
}

/// `models.list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelList {
    /// The models.
    pub models: Vec<ModelRow>,
}

/// A model that can be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRow {
    /// Its name, as `--model` takes it.
    pub name: ModelName,
    /// Who provides it.
    pub provider: String,
    /// Where it is, without any key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Its whole window.
    pub context_tokens: Tokens,
    /// Price of a million tokens read.
    pub input_microusd_per_mtok: Money,
    /// Price of a million tokens written.
    pub output_microusd_per_mtok: Money,
    /// Whether prompts go to it when none is named.
    pub default: bool,
    /// What is missing for it to work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// `daemon.status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// How often a daemon has begun on this state directory.
    pub generation: Generation,
    /// Since when it runs.
    #[serde(with = "crate::time::text")]
    pub started_at: Micros,
    /// Where its state lies.
    pub state_dir: PathBuf,
    /// Its socket.
    pub socket: PathBuf,
    /// Its configuration file, and whether there is one.
    pub config_file: PathBuf,
    /// Whether the configuration file exists.
    pub config_found: bool,
    /// The model that prompts go to when none is named.
    pub default_model: Option<ModelName>,
    /// Sessions in memory.
    pub awake: u32,
    /// Sessions with a running turn.
    pub running: u32,
    /// Sessions on disk.
    pub sessions: u64,
    /// The store's health.
    pub store: StoreStatus,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// Spent today (UTC).
    pub spent_today_microusd: Money,
}

/// How the store fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// `open`, or `read_only` after the disk failed twice.
    pub health: String,
    /// Size of the journal's file.
    pub journal_bytes: u64,
    /// Size of its write-ahead log.
    pub wal_bytes: u64,
}
