//! What an Ollama server has. Its lists differ between versions, so each model is asked about by itself.

use super::probe::Probe;
use super::server::{Abilities, FoundModel, Server, ServerKind, Tooling};
use crate::ollama::Shown;
use agent::Tokens;
use futures_util::future::join_all;
use serde_json::{Value, json};

/// The most models of a server that are looked at.
pub(super) const MAX_MODELS: usize = 64;

/// Looks whether Ollama is there, and at its models.
pub(super) async fn find(probe: &Probe, root: &str) -> Option<Server> {
    let version = probe.get("/api/version").await.ok()?.get("version")?.as_str()?.to_owned();
    let (tags, loaded) = futures_util::join!(probe.get("/api/tags"), probe.get("/api/ps"));
    let (tags, loaded) = (tags.unwrap_or_default(), loaded.unwrap_or_default());
    let names = models(&tags).filter(|model| runs_here(model)).filter_map(name).take(MAX_MODELS);
    let found = join_all(names.map(|name| model(probe, name, context_of(&loaded, name)))).await;
    Some(Server {
        kind: ServerKind::Ollama,
        base_url: root.to_owned(),
        version: Some(version),
        models: found.into_iter().flatten().collect(),
    })
}

async fn model(probe: &Probe, name: &str, context_tokens: Option<Tokens>) -> Option<FoundModel> {
    let shown =
        probe.post("/api/show", &json!({"model": name})).await.map(|shown| Shown::read(&shown)).unwrap_or_default();
    // A model that only embeds cannot chat.
    (shown.can("completion") != Some(false)).then(|| FoundModel {
        name: name.to_owned(),
        context_tokens,
        trained_context_tokens: shown.trained_context,
        abilities: Abilities {
            tools: tooling(&shown),
            images: shown.can("vision"),
            documents: Some(false),
            json: Some(true),
            reasoning: shown.can("thinking"),
        },
    })
}

/// How a model calls tools, by its capabilities. Ollama refuses tools to a model without them.
pub(super) fn tooling(shown: &Shown) -> Tooling {
    match shown.can("tools") {
        Some(true) => Tooling::Native,
        Some(false) => Tooling::Constrained,
        None => Tooling::Unknown,
    }
}

fn models(list: &Value) -> impl Iterator<Item = &Value> {
    list.get("models").and_then(Value::as_array).into_iter().flatten()
}

fn name(model: &Value) -> Option<&str> {
    model.get("name").and_then(Value::as_str)
}

/// A model whose entry names another host is run there: what is asked of it would leave this machine.
fn runs_here(model: &Value) -> bool {
    ["remote_host", "remote_model"]
        .iter()
        .all(|field| model.get(field).is_none_or(|value| value == "" || value.is_null()))
}

fn context_of(loaded: &Value, wanted: &str) -> Option<Tokens> {
    let model = models(loaded).find(|model| name(model) == Some(wanted))?;
    model.get("context_length").and_then(Value::as_u64).filter(|tokens| *tokens > 0).map(Tokens)
}
