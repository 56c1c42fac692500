//! Sessions: what they are, what is found in them, what becomes of them.

use super::{PromptRequest, SnapshotRow};
use crate::chain::BlobHash;
use crate::path::RelPath;
use agent::{Answer, EffectId, ItemKind, Micros, ModelName, Money, Question, Seq, SessionId, Tokens, TurnId, Usage};
use serde::{Deserialize, Serialize};

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
    /// Set where its events lie in a file of their own. It comes back when somebody says something to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<Archived>,
}

/// An archived session's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// Since when the session is there.
    #[serde(with = "crate::time::text")]
    pub at: Micros,
    /// The file's size.
    pub bytes: u64,
}

/// Answer of `sessions.archive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionArchived {
    /// The session.
    pub session: SessionId,
    /// How many events its file holds.
    pub events: u64,
    /// The file's size.
    pub bytes: u64,
    /// Since when it is archived.
    #[serde(with = "crate::time::text")]
    pub archived_at: Micros,
    /// Whether it was archived before, so that there was nothing to do.
    pub was_archived: bool,
    /// Whether its rows are gone from the journal already; if not, they go with later writes or at the next start.
    pub cleared: bool,
}

/// Answer of `sessions.unarchive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionUnarchived {
    /// The session.
    pub session: SessionId,
    /// How many events it has.
    pub events: u64,
    /// Whether it was archived; if not, there was nothing to do.
    pub was_archived: bool,
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

/// `sessions.update`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateSession {
    /// What people shall call it.
    pub title: String,
}

/// `sessions.fork`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForkRequest {
    /// The last event that the fork shares; by default all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_seq: Option<Seq>,
    /// What people shall call the fork; by default as its parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// Answer of `sessions.fork`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forked {
    /// The new session.
    pub session: SessionId,
    /// Its `session.forked`.
    pub seq: Seq,
    /// The session that was copied.
    pub parent: SessionId,
    /// The last event that both share.
    pub at_seq: Seq,
}

/// Answer of `sessions.remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// The session that is gone.
    pub session: SessionId,
    /// How many events it had.
    pub events: u64,
    /// Whether no byte is left in the journal's log, in the index of search, in the picture of the canvas and in files of the
    /// archive. If not, they go with later writes or when the daemon is next started.
    #[serde(default)]
    pub cleared: bool,
    /// Forks that still hold copies of its beginning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forks: Vec<SessionId>,
    /// Snapshots that were made before and still hold it, and one that is being made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<String>,
    /// The same with their files. Where one is not `noted`, nobody knows how far it goes: it may hold the session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_in: Vec<SnapshotRow>,
    /// Where states lie that restores have replaced and kept: each may hold the session as it was then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_states: Vec<String>,
}

/// `sessions.search`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchList {
    /// The sessions in which the words stand, the best first.
    pub hits: Vec<SearchHit>,
}

/// A session in which words were found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchHit {
    /// The session.
    pub session: SessionRow,
    /// The event that has the words.
    pub seq: Seq,
    /// What has them.
    pub kind: HitKind,
    /// The words with what stands around them.
    pub snippet: String,
    /// Where in the snippet they are: ranges of bytes.
    pub matches: Vec<[u32; 2]>,
}

/// What words were found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HitKind {
    /// The title.
    Title,
    /// A prompt.
    Prompt,
    /// A reply.
    Reply,
}

/// `sessions.context`: what the next model call would be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextView {
    /// The model it is planned for.
    pub model: ModelName,
    /// That model's whole window.
    pub context_tokens: Tokens,
    /// Kept free for the reply.
    pub output_tokens: Tokens,
    /// Size of the system prompt.
    pub system_tokens: Tokens,
    /// Size of the tool table.
    pub tools_tokens: Tokens,
    /// Files of the workspace that are read along, as text without authority.
    pub instructions: Vec<InstructionView>,
    /// The messages, oldest first.
    pub messages: Vec<ContextMessage>,
    /// How many older messages are left out.
    pub omitted: u64,
    /// All of it together, estimated.
    pub tokens: Tokens,
}

/// A file of instructions that is read along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstructionView {
    /// Where it is, below the workspace.
    pub path: RelPath,
    /// What is read of it.
    pub blob: BlobHash,
    /// Its size in the context.
    pub tokens: Tokens,
    /// Whether only its beginning is read, since it is long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// A message of the context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextMessage {
    /// The event.
    pub seq: Seq,
    /// What it is.
    pub kind: ItemKind,
    /// Its size.
    pub tokens: Tokens,
    /// The size it is shortened to, where room is short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortened_to: Option<Tokens>,
}
