//! Models: which there are, what they can do, what a test of one found.

use agent::{ModelName, Money, Tokens};
use serde::{Deserialize, Serialize};

/// `models.list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelList {
    /// The models.
    pub models: Vec<ModelRow>,
    /// The routes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteRow>,
    /// Servers of this machine that were found by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<ServerRow>,
    /// Providers whose key is in the daemon's environment. It is never used unasked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offered: Vec<OfferedRow>,
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
    /// How it came to be in the list.
    pub source: ModelSource,
    /// Whether what is asked leaves this machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remote: bool,
    /// Its whole window.
    pub context_tokens: Tokens,
    /// Price of a million tokens read.
    pub input_microusd_per_mtok: Money,
    /// Price of a million tokens written.
    pub output_microusd_per_mtok: Money,
    /// Whether these prices are known.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub priced: bool,
    /// What it can do, as far as is known.
    #[serde(default)]
    pub abilities: Abilities,
    /// How its server fares, as far as is known: `up`, `down`, or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Whether prompts go to it when none is named.
    pub default: bool,
    /// What is missing for it to work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

fn yes() -> bool {
    true
}

fn is_yes(yes: &bool) -> bool {
    *yes
}

/// How a model came to be in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelSource {
    /// It is part of tinkerbell.
    BuiltIn,
    /// The configuration has it.
    Configured,
    /// A server of this machine has it.
    Found,
    /// Somebody named it as `provider::model`.
    Named,
}

/// How a server fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It answers.
    Up,
    /// It does not.
    Down,
}

/// What a model can do; what is left out is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Abilities {
    /// How it comes to call tools.
    #[serde(default)]
    pub tools: Tooling,
    /// Whether it takes images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<bool>,
    /// Whether it takes PDF documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<bool>,
    /// Whether it can be held to a JSON schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<bool>,
    /// Whether it thinks aloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<bool>,
}

/// How a model comes to call tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tooling {
    /// By its own means.
    Native,
    /// It is held to a JSON schema made from the tool table.
    Constrained,
    /// Not known yet; found out at the first call.
    #[default]
    Unknown,
}

/// A route: models that stand in for each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRow {
    /// Its name, as `--model` takes it.
    pub name: ModelName,
    /// Its models, the first that works first.
    pub models: Vec<ModelName>,
    /// Whether prompts go to it when none is named.
    pub default: bool,
}

/// A server of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRow {
    /// What it is: `ollama`, `llama.cpp`, `openai`.
    pub kind: String,
    /// Where it is.
    pub base_url: String,
    /// Its version, if it says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How many models it holds.
    pub models: u32,
}

/// A provider whose key is in the daemon's environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedRow {
    /// The provider.
    pub provider: String,
    /// The variable that holds the key.
    pub variable: String,
    /// A name that `--model` takes.
    pub example: ModelName,
}

/// `models.test`: what a few small calls found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelTest {
    /// The model.
    pub name: ModelName,
    /// Who provides it.
    pub provider: String,
    /// What was tried, in order.
    pub findings: Vec<Finding>,
    /// What it cost.
    pub cost_microusd: Money,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What: `text`, `stream`, `tool_call`, `parallel_tool_calls`, `json_schema`, `context_size`.
    pub name: String,
    /// What came of it.
    pub outcome: FindingOutcome,
    /// The same in words.
    pub detail: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What came of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingOutcome {
    /// It works.
    Works,
    /// The server took the request and ignored what was asked for.
    Ignored,
    /// It does not work.
    Fails,
    /// It was not tried.
    Untried,
}
