//! Whether a model calls tools in its own way. Servers whose template has no place for tools leave them out and answer
//! as if none had been offered, so this looks into the prompt, or at least at its length.

use super::ollama;
use super::probe::Probe;
use super::server::Tooling;
use crate::http::Missed;
use crate::ollama::Shown;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// A name that no template contains by itself.
const MARK: &str = "tinkerbell_mark_q7x";

/// Finds out how a model of a server calls tools. `is_ollama` tells which dialect the server speaks. An error says that
/// nothing was found out this time; [`Tooling::Unknown`] that this server does not let it be found out.
pub(crate) async fn tooling(probe: &Probe, is_ollama: bool, model: &str) -> Result<Tooling, Missed> {
    if is_ollama {
        let shown = probe.post("/api/show", &json!({"model": model})).await?;
        return Ok(ollama::tooling(&Shown::read(&shown)));
    }
    match by_template(probe, model).await {
        Err(Missed::Refused(status)) if is_absent(status) => by_length(probe, model).await,
        found => found,
    }
}

/// Looks for a marked tool in the prompt that llama.cpp's server makes of a request.
pub(super) async fn by_template(probe: &Probe, model: &str) -> Result<Tooling, Missed> {
    let answer = probe.post("/apply-template", &question(model, true)).await?;
    Ok(match answer.get("prompt").and_then(Value::as_str) {
        Some(prompt) if prompt.contains(MARK) => Tooling::Native,
        Some(_) => Tooling::Constrained,
        None => Tooling::Unknown,
    })
}

/// Compares the lengths of two prompts, with a tool and without. Each costs one token of an answer.
async fn by_length(probe: &Probe, model: &str) -> Result<Tooling, Missed> {
    let mut lengths = [None; 2];
    for (length, with_tool) in lengths.iter_mut().zip([false, true]) {
        let mut question = question(model, with_tool);
        question["max_tokens"] = json!(1);
        let answer = match probe.post("/v1/chat/completions", &question).await {
            Ok(answer) => answer,
            // A server that refuses tools outright, or is no chat server at all; the call itself will tell.
            Err(Missed::Refused(_)) => return Ok(Tooling::Unknown),
            Err(missed) => return Err(missed),
        };
        *length = answer.pointer("/usage/prompt_tokens").and_then(Value::as_u64).filter(|tokens| *tokens > 0);
    }
    Ok(match lengths {
        [Some(without), Some(with)] if with > without => Tooling::Native,
        [Some(without), Some(with)] if with == without => Tooling::Constrained,
        _ => Tooling::Unknown,
    })
}

fn question(model: &str, with_tool: bool) -> Value {
    let mut question = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
    if with_tool {
        let parameters = json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]});
        let function = json!({"name": MARK, "description": "Marks the place of tools.", "parameters": parameters});
        question["tools"] = json!([{"type": "function", "function": function}]);
    }
    question
}

/// Statuses by which servers say that they do not have a path.
fn is_absent(status: StatusCode) -> bool {
    matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED)
}
