//! What was found.

use agent::Tokens;

/// A server that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What it is.
    pub kind: ServerKind,
    /// The base URL as the configuration wants it: the root for Ollama, up to `/v1` for the others.
    pub base_url: String,
    /// What it says its version is.
    pub version: Option<String>,
    /// Its models that can chat and run on this machine, in the order in which it names them; at most 64.
    pub models: Vec<FoundModel>,
}

/// Whose program a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// Ollama, to be called in its own dialect.
    Ollama,
    /// llama.cpp's server.
    LlamaCpp,
    /// Another server that speaks the chat dialect: LM Studio, vLLM and their like.
    OpenAiCompatible,
}

/// A model of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundModel {
    /// The name by which the server knows it.
    pub name: String,
    /// The size of the context that a request has now, where the server says it: of Ollama only while the model is loaded.
    pub context_tokens: Option<Tokens>,
    /// The size that the model was trained for, which no setting goes beyond.
    pub trained_context_tokens: Option<Tokens>,
    /// What it can do.
    pub abilities: Abilities,
}

/// What a model can do on its server; `None` where nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// How it calls tools.
    pub tools: Tooling,
    /// Whether it sees images.
    pub images: Option<bool>,
    /// Whether it reads documents.
    pub documents: Option<bool>,
    /// Whether its answers can be held to a JSON schema.
    pub json: Option<bool>,
    /// Whether it can think before it answers.
    pub reasoning: Option<bool>,
}

/// How a model calls tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tooling {
    /// In its own way, which its template knows.
    Native,
    /// Its template has no place for tools, so it must be held to a schema: see [`Constrained`](crate::Constrained).
    Constrained,
    /// It could not be found out.
    Unknown,
}

impl Abilities {
    /// Nothing is known.
    pub(super) const UNKNOWN: Abilities =
        Abilities { tools: Tooling::Unknown, images: None, documents: None, json: None, reasoning: None };
}
