//! Sessions that are carried elsewhere, and sessions that are run again.

use agent::{Access, ModelName, Money, Seq, SessionId, TurnId};
use serde::{Deserialize, Serialize};

/// Answer of `sessions.import`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// The session as it is named here.
    pub session: SessionId,
    /// The session that the file holds.
    pub from: SessionId,
    /// The event that says that it came from elsewhere.
    pub seq: Seq,
    /// How many events came.
    pub events: u64,
    /// Where it works from now on.
    pub workspace: String,
    /// Questions that wait for an answer.
    pub approvals: u32,
}

/// `sessions.replay`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// The last event that is compared; by default all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Seq>,
    /// What shall be otherwise than it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<ReplayWith>,
    /// Whether the calls that this takes are agreed to. Without that they are only announced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub agreed: bool,
}

/// What of a turn shall be otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayWith {
    /// The turn; by default the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// The model that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
    /// The prompt that stands in the place of the turn's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
}

/// Answer of `sessions.replay`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// The session.
    pub session: SessionId,
    /// The last event that was compared.
    pub until: Seq,
    /// Events that were compared.
    pub events: u64,
    /// Those of them that the brain decided on: turns, questions, starts.
    pub decisions: u64,
    /// Requests to models that were made again and are the same to the byte.
    pub requests: u64,
    /// Requests that could not be made again, because words were forgotten or their model is not known here.
    pub unchecked: u64,
    /// Where it first went another way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Divergence>,
    /// What came of doing it otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun: Option<Rerun>,
}

/// The first place at which a session that is run again does not do what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// The event.
    pub seq: Seq,
    /// What is not the same, in words.
    pub what: String,
    /// What is recorded.
    pub recorded: String,
    /// What this version does.
    pub now: String,
    /// Both, line by line: what is the same after a blank, what was after `-`, what is after `+`.
    pub diff: Vec<String>,
}

/// A turn that was run otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rerun {
    /// The turn.
    pub turn: TurnId,
    /// The model.
    pub model: ModelName,
    /// Whether what is said to it leaves this machine.
    pub leaves_machine: bool,
    /// The most calls that this takes.
    pub calls_at_most: u32,
    /// The most that the first of them can cost; nothing is said where its price is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_microusd: Option<Money>,
    /// What it cost.
    pub cost_microusd: Money,
    /// What happened, in order; empty where the calls were only announced.
    pub steps: Vec<RerunStep>,
    /// How it ended, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// One call of the model in a turn that was run otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RerunStep {
    /// What the model said.
    pub text: String,
    /// What it asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<RerunCall>,
    /// Whether it is what the record has at this place.
    pub as_recorded: bool,
}

/// A tool call in a turn that was run otherwise. Nothing is run: it is answered from the record or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RerunCall {
    /// The tool.
    pub name: String,
    /// The arguments.
    pub arguments: String,
    /// What the tool may do, where there is such a tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// The event whose result answered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<Seq>,
}
