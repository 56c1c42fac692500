//! What well-behaved servers send in each dialect, event by event, and a backend that is pointed at a server.

use crate::server::{Server, Step, end, head, piece};
use models::{GenAi, GenAiConfig, GenAiProvider, Key, Timeouts};
use serde_json::{Value, json};
use std::time::Duration;

/// A time within which nothing happens on a server that does nothing.
pub(crate) const SHORT: Duration = Duration::from_millis(500);

/// The dialects under test.
pub(crate) const ALL: [GenAiProvider; 3] =
    [GenAiProvider::Anthropic, GenAiProvider::Gemini, GenAiProvider::OpenAiResponses];

/// A backend at a server.
pub(crate) fn backend(provider: GenAiProvider, base: &str) -> GenAi {
    with(provider, base, |_| {})
}

/// A backend at a server with other settings.
pub(crate) fn with(provider: GenAiProvider, base: &str, change: impl FnOnce(&mut GenAiConfig)) -> GenAi {
    let mut config = GenAiConfig { base_url: Some(base.to_owned()), ..GenAiConfig::new(provider) };
    change(&mut config);
    GenAi::new(config).unwrap()
}

/// A backend with a key.
pub(crate) fn keyed(provider: GenAiProvider, base: &str) -> GenAi {
    with(provider, base, |config| config.key = Some(key()))
}

/// The same that waits for nothing long, for what is to time out.
pub(crate) fn hurried(provider: GenAiProvider, base: &str) -> GenAi {
    with(provider, base, |config| {
        config.key = Some(key());
        config.timeouts = Timeouts { first_token: SHORT, between_tokens: SHORT, ..config.timeouts };
    })
}

fn key() -> Key {
    Key::new("sk-canary-0123456789").unwrap()
}

/// An event, named by its type where the dialect names events.
pub(crate) fn event(value: &Value) -> String {
    match value["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {value}\n\n"),
        None => format!("data: {value}\n\n"),
    }
}

/// A whole answer out of its events.
pub(crate) fn answer(events: &[String]) -> Vec<Step> {
    let mut steps = vec![head()];
    steps.extend(events.iter().map(|event| piece(event)));
    steps.push(end());
    steps
}

fn events(values: &[Value]) -> Vec<String> {
    values.iter().map(event).collect()
}

/// A server with one answer.
pub(crate) async fn serving(events: &[String]) -> Server {
    Server::start([answer(events)]).await
}

/// Anthropic's block at an index.
pub(crate) fn block(index: u64, block: Value, deltas: &[Value]) -> Vec<String> {
    let mut all = vec![json!({"type": "content_block_start", "index": index, "content_block": block})];
    all.extend(deltas.iter().map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta})));
    all.push(json!({"type": "content_block_stop", "index": index}));
    events(&all)
}

/// Anthropic's first event.
pub(crate) fn message_start() -> String {
    let usage =
        json!({"input_tokens": 5, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2, "output_tokens": 1});
    event(
        &json!({"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "content": [], "usage": usage}}),
    )
}

/// Anthropic's last events.
pub(crate) fn message_end(reason: &str) -> Vec<String> {
    events(&[
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 7}}),
        json!({"type": "message_stop"}),
    ])
}

/// Gemini's event with parts.
pub(crate) fn parts(parts: Value, reason: Option<&str>) -> String {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
    if let Some(reason) = reason {
        candidate["finishReason"] = json!(reason);
    }
    let usage = json!({"promptTokenCount": 11, "candidatesTokenCount": 4, "thoughtsTokenCount": 3, "cachedContentTokenCount": 4, "totalTokenCount": 18});
    event(&json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "r1"}))
}

/// The last event of responses.
pub(crate) fn completed(output: Value) -> String {
    let usage = json!({"input_tokens": 11, "output_tokens": 7, "total_tokens": 18, "input_tokens_details": {"cached_tokens": 4}});
    let response = json!({"id": "resp_1", "status": "completed", "model": "m", "output": output, "usage": usage});
    event(&json!({"type": "response.completed", "response": response}))
}

/// A call as an item of responses.
pub(crate) fn function(id: &str, name: &str, arguments: &str) -> Value {
    json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name, "arguments": arguments, "status": "completed"})
}

fn text_delta(text: &str) -> Value {
    json!({"type": "text_delta", "text": text})
}

/// Reasoning that is signed, the words "Hello wörld", the call `f {"x":1}` and the call `g {"y":2}`.
pub(crate) fn rich(provider: GenAiProvider) -> Vec<String> {
    let input = |json: &str| json!({"type": "input_json_delta", "partial_json": json});
    match provider {
        GenAiProvider::Anthropic | GenAiProvider::MiniMax => [
            vec![message_start(), event(&json!({"type": "ping"}))],
            block(
                0,
                json!({"type": "thinking", "thinking": "", "signature": ""}),
                &[
                    json!({"type": "thinking_delta", "thinking": "think "}),
                    json!({"type": "signature_delta", "signature": "SIG1"}),
                ],
            ),
            block(1, json!({"type": "redacted_thinking", "data": "RED1"}), &[]),
            block(2, json!({"type": "text", "text": ""}), &[text_delta("Hello "), text_delta("wörld")]),
            block(
                3,
                json!({"type": "tool_use", "id": "call_a", "name": "f", "input": {}}),
                &[input("{\"x\""), input(":1}")],
            ),
            block(4, json!({"type": "tool_use", "id": "call_b", "name": "g", "input": {}}), &[input("{\"y\":2}")]),
            message_end("tool_use"),
        ]
        .concat(),
        GenAiProvider::Gemini => vec![
            parts(json!([{"text": "think ", "thought": true}]), None),
            parts(json!([{"text": "Hello "}]), None),
            parts(json!([{"text": "wörld"}]), None),
            parts(
                json!([
                    {"functionCall": {"id": "call_a", "name": "f", "args": {"x": 1}}, "thoughtSignature": "TS1"},
                    {"functionCall": {"id": "call_b", "name": "g", "args": {"y": 2}}},
                ]),
                None,
            ),
            parts(json!([{"text": ""}]), Some("STOP")),
        ],
        GenAiProvider::OpenAiResponses => responses(),
    }
}

fn responses() -> Vec<String> {
    let reasoning = json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "think "}], "encrypted_content": "ENC1"});
    let message = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "Hello wörld"}]});
    let (f, g) = (function("call_a", "f", "{\"x\":1}"), function("call_b", "g", "{\"y\":2}"));
    let added =
        |index: u64, item: Value| json!({"type": "response.output_item.added", "output_index": index, "item": item});
    let done =
        |index: u64, item: &Value| json!({"type": "response.output_item.done", "output_index": index, "item": item});
    let arguments = |index: u64, delta: &str| json!({"type": "response.function_call_arguments.delta", "output_index": index, "delta": delta});
    let words = |delta: &str| json!({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": delta});
    let mut all = events(&[
        json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": [], "model": "m"}}),
        added(0, json!({"type": "reasoning", "id": "rs_1", "summary": []})),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "think "}),
        done(0, &reasoning),
        added(1, json!({"type": "message", "id": "msg_1", "role": "assistant", "content": []})),
        words("Hello "),
        words("wörld"),
        done(1, &message),
        added(2, function("call_a", "f", "")),
        arguments(2, "{\"x\":"),
        added(3, function("call_b", "g", "")),
        arguments(3, "{\"y\":2}"),
        arguments(2, "1}"),
        done(2, &f),
        done(3, &g),
    ]);
    all.push(completed(json!([reasoning, message, f, g])));
    all
}

/// The words "Once upon a time" in pieces.
pub(crate) fn words(provider: GenAiProvider) -> Vec<String> {
    match provider {
        GenAiProvider::Anthropic | GenAiProvider::MiniMax => [
            vec![message_start()],
            block(0, json!({"type": "text", "text": ""}), &[text_delta("Once "), text_delta("upon a time")]),
            message_end("end_turn"),
        ]
        .concat(),
        GenAiProvider::Gemini => vec![
            parts(json!([{"text": "Once "}]), None),
            parts(json!([{"text": "upon a time"}]), None),
            parts(json!([]), Some("STOP")),
        ],
        GenAiProvider::OpenAiResponses => {
            let said =
                |delta: &str| event(&json!({"type": "response.output_text.delta", "item_id": "msg_1", "delta": delta}));
            vec![said("Once "), said("upon a time"), completed(json!([]))]
        }
    }
}

/// An error object in the dialect's own form, as it comes in mid stream.
pub(crate) fn error(provider: GenAiProvider) -> String {
    event(&match provider {
        GenAiProvider::Anthropic | GenAiProvider::MiniMax => {
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
        }
        GenAiProvider::Gemini => json!({"error": {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}}),
        GenAiProvider::OpenAiResponses => {
            json!({"type": "error", "code": "server_error", "message": "Overloaded", "param": null})
        }
    })
}
