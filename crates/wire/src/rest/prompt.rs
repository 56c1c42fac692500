//! Prompts, and their acknowledgement.

use agent::{ModelName, Seq, SessionId, TurnId};
use serde::{Deserialize, Serialize};

/// `sessions.prompt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptRequest {
    /// What is said.
    pub text: String,
    /// Images and documents that belong to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentRequest>,
    /// The model or route to ask: a name of the configuration, or `provider::model`; by default the configuration's, else
    /// what was found on this machine.
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
    /// The model or route it goes to, if that is known by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
    /// Why this one, where nobody named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// An image or a document with a prompt. What it is is told by its first bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachmentRequest {
    /// What people call it: a file name.
    pub name: String,
    /// Its bytes in base64 (RFC 4648, section 4).
    pub data: String,
}

impl std::fmt::Debug for AttachmentRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AttachmentRequest({:?}, {} characters)", self.name, self.data.len())
    }
}
