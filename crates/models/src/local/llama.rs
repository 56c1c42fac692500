//! What a server has that speaks the chat dialect: llama.cpp's, which says much about itself, or another.

use super::ollama::MAX_MODELS;
use super::probe::Probe;
use super::server::{Abilities, FoundModel, Server, ServerKind};
use super::tooling;
use agent::Tokens;
use serde_json::Value;

/// Looks whether there is such a server, and at its models.
pub(super) async fn find(probe: &Probe, root: &str) -> Option<Server> {
    let list = probe.get("/v1/models").await.ok()?;
    let entries = list.get("data")?.as_array()?;
    let is_llama = entries.iter().any(|entry| entry.get("owned_by").is_some_and(|owner| owner == "llamacpp"));
    let mut models: Vec<FoundModel> = entries.iter().take(MAX_MODELS).filter_map(model).collect();
    let mut version = None;
    // A server of several models loads one when it is asked about it; without a status there is one model, which is loaded.
    let is_loaded = |entry: &Value| entry.pointer("/status/value").is_none_or(|status| status == "loaded");
    if is_llama
        && entries.iter().all(is_loaded)
        && let Ok(props) = probe.get("/props").await
    {
        version = props.get("build_info").and_then(Value::as_str).map(str::to_owned);
        // These are the properties of the one model that is loaded.
        if let [model] = models.as_mut_slice() {
            describe(model, &props);
            model.abilities.tools = tooling::by_template(probe, &model.name).await.unwrap_or(model.abilities.tools);
        }
    }
    let kind = if is_llama { ServerKind::LlamaCpp } else { ServerKind::OpenAiCompatible };
    Some(Server { kind, base_url: format!("{root}/v1"), version, models })
}

fn model(entry: &Value) -> Option<FoundModel> {
    let tokens = |at: &str| entry.pointer(at).and_then(Value::as_u64).filter(|tokens| *tokens > 0).map(Tokens);
    Some(FoundModel {
        name: entry.get("id")?.as_str()?.to_owned(),
        // The first is llama.cpp's, the others are those of vLLM and of LM Studio.
        context_tokens: tokens("/meta/n_ctx").or(tokens("/max_model_len")).or(tokens("/loaded_context_length")),
        trained_context_tokens: tokens("/meta/n_ctx_train"),
        abilities: Abilities::UNKNOWN,
    })
}

fn describe(model: &mut FoundModel, props: &Value) {
    let context =
        props.pointer("/default_generation_settings/n_ctx").and_then(Value::as_u64).filter(|tokens| *tokens > 0);
    model.context_tokens = context.map(Tokens).or(model.context_tokens);
    model.abilities.images = props.pointer("/modalities/vision").and_then(Value::as_bool);
    model.abilities.documents = Some(false);
    model.abilities.json = Some(true);
}
