//! What well-behaved servers send in each dialect, event by event.

use serde_json::{Value, json};

/// The dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dialect {
    Chat,
    Anthropic,
    Responses,
    Gemini,
    Ollama,
}

/// A tool call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    /// A JSON object.
    pub(crate) arguments: String,
}

/// What a model says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) reasoning: Vec<String>,
    pub(crate) text: Vec<String>,
    pub(crate) calls: Vec<Call>,
    /// The reason for stopping in place of the dialect's own.
    pub(crate) finish: Option<String>,
}

impl Call {
    pub(crate) fn new(id: &str, name: &str, arguments: &Value) -> Call {
        Call { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_string() }
    }

    /// The arguments in two pieces.
    fn halves(&self) -> [&str; 2] {
        self.arguments.split_at(self.arguments.floor_char_boundary(self.arguments.len() / 2)).into()
    }
}

impl Dialect {
    pub(crate) const ALL: [Dialect; 5] =
        [Dialect::Chat, Dialect::Anthropic, Dialect::Responses, Dialect::Gemini, Dialect::Ollama];

    /// The provider of the configuration that speaks it; also a good name for a model.
    pub(crate) fn provider(self) -> &'static str {
        match self {
            Dialect::Chat => "openai",
            Dialect::Anthropic => "anthropic",
            Dialect::Responses => "openai-responses",
            Dialect::Gemini => "gemini",
            Dialect::Ollama => "ollama",
        }
    }

    /// The base URL at a server.
    pub(crate) fn base(self, address: &str) -> String {
        if self == Dialect::Ollama { address.to_owned() } else { format!("{address}/v1") }
    }

    /// A table of the configuration.
    pub(crate) fn table(self, address: &str, more: &str) -> String {
        let (name, base) = (self.provider(), self.base(address));
        format!(
            "[models.{name}]\nprovider = \"{name}\"\nmodel = \"m\"\nbase_url = \"{base}\"\ntools = \"native\"\n{more}\n"
        )
    }

    /// Everything that is said, as events.
    pub(crate) fn events(self, said: &Said) -> Vec<String> {
        match self {
            Dialect::Chat => chat(said),
            Dialect::Anthropic => anthropic(said),
            Dialect::Responses => responses(said),
            Dialect::Gemini => gemini(said),
            Dialect::Ollama => ollama(said),
        }
    }

    /// An error object, as it comes in a stream.
    pub(crate) fn error(self, message: &str) -> String {
        match self {
            Dialect::Chat => event(&json!({"error": {"message": message, "type": "server_error"}})),
            Dialect::Anthropic => {
                event(&json!({"type": "error", "error": {"type": "overloaded_error", "message": message}}))
            }
            Dialect::Responses => {
                event(&json!({"type": "error", "code": "server_error", "message": message, "param": null}))
            }
            Dialect::Gemini => event(&json!({"error": {"code": 503, "message": message, "status": "UNAVAILABLE"}})),
            Dialect::Ollama => format!("{}\n", json!({"error": message})),
        }
    }
}

/// An event, named by its type where the dialect names events.
fn event(value: &Value) -> String {
    match value["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {value}\n\n"),
        None => format!("data: {value}\n\n"),
    }
}

fn chat(said: &Said) -> Vec<String> {
    let choice = |delta: Value, finish: Value| {
        event(&json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
    };
    let delta = |delta: Value| choice(delta, Value::Null);
    let mut events: Vec<String> = said.reasoning.iter().map(|text| delta(json!({"reasoning_content": text}))).collect();
    events.extend(said.text.iter().map(|text| delta(json!({"content": text}))));
    for (index, call) in said.calls.iter().enumerate() {
        let [first, second] = call.halves();
        let function = json!({"name": call.name, "arguments": first});
        events.push(delta(
            json!({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]}),
        ));
        events.push(delta(json!({"tool_calls": [{"index": index, "function": {"arguments": second}}]})));
    }
    let usual = if said.calls.is_empty() { "stop" } else { "tool_calls" };
    events.push(choice(json!({}), json!(said.finish.as_deref().unwrap_or(usual))));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn anthropic(said: &Said) -> Vec<String> {
    let usage = json!({"input_tokens": 5, "output_tokens": 1});
    let mut all = vec![
        json!({"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "content": [], "usage": usage}}),
    ];
    let mut index = 0;
    let mut block = |all: &mut Vec<Value>, begun: Value, deltas: Vec<Value>| {
        all.push(json!({"type": "content_block_start", "index": index, "content_block": begun}));
        all.extend(
            deltas.into_iter().map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta})),
        );
        all.push(json!({"type": "content_block_stop", "index": index}));
        index += 1;
    };
    if !said.reasoning.is_empty() {
        let mut deltas: Vec<_> =
            said.reasoning.iter().map(|text| json!({"type": "thinking_delta", "thinking": text})).collect();
        deltas.push(json!({"type": "signature_delta", "signature": "SIGNED"}));
        block(&mut all, json!({"type": "thinking", "thinking": "", "signature": ""}), deltas);
    }
    if !said.text.is_empty() {
        let deltas = said.text.iter().map(|text| json!({"type": "text_delta", "text": text})).collect();
        block(&mut all, json!({"type": "text", "text": ""}), deltas);
    }
    for call in &said.calls {
        let deltas = call.halves().map(|half| json!({"type": "input_json_delta", "partial_json": half})).to_vec();
        block(&mut all, json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}}), deltas);
    }
    let usual = if said.calls.is_empty() { "end_turn" } else { "tool_use" };
    let reason = said.finish.as_deref().unwrap_or(usual);
    all.push(json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 7}}));
    all.push(json!({"type": "message_stop"}));
    all.iter().map(event).collect()
}

fn responses(said: &Said) -> Vec<String> {
    let mut all = vec![
        json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": [], "model": "m"}}),
    ];
    let mut output = Vec::new();
    if !said.reasoning.is_empty() {
        let index = output.len();
        all.push(json!({"type": "response.output_item.added", "output_index": index, "item": {"type": "reasoning", "id": "rs_1", "summary": []}}));
        all.extend(said.reasoning.iter().map(|text| json!({"type": "response.reasoning_summary_text.delta", "output_index": index, "summary_index": 0, "delta": text})));
        let summary = json!([{"type": "summary_text", "text": said.reasoning.concat()}]);
        let item = json!({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": said.reasoning.concat()});
        all.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
        output.push(item);
    }
    if !said.text.is_empty() {
        let index = output.len();
        all.push(json!({"type": "response.output_item.added", "output_index": index, "item": {"type": "message", "id": "msg_1", "role": "assistant", "content": []}}));
        all.extend(said.text.iter().map(|text| json!({"type": "response.output_text.delta", "output_index": index, "content_index": 0, "delta": text})));
        let content = json!([{"type": "output_text", "text": said.text.concat()}]);
        let item = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": content});
        all.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
        output.push(item);
    }
    for call in &said.calls {
        let index = output.len();
        let item = |arguments: &str| json!({"type": "function_call", "id": format!("fc_{}", call.id), "call_id": call.id, "name": call.name, "arguments": arguments, "status": "completed"});
        all.push(json!({"type": "response.output_item.added", "output_index": index, "item": item("")}));
        all.extend(call.halves().map(
            |half| json!({"type": "response.function_call_arguments.delta", "output_index": index, "delta": half}),
        ));
        all.push(json!({"type": "response.output_item.done", "output_index": index, "item": item(&call.arguments)}));
        output.push(item(&call.arguments));
    }
    let status = said.finish.as_deref().unwrap_or("completed");
    let usage = json!({"input_tokens": 11, "output_tokens": 7, "total_tokens": 18});
    all.push(json!({"type": "response.completed", "response": {"id": "resp_1", "status": status, "model": "m", "output": output, "usage": usage}}));
    all.iter().map(event).collect()
}

fn gemini(said: &Said) -> Vec<String> {
    let usage = json!({"promptTokenCount": 11, "candidatesTokenCount": 4, "totalTokenCount": 15});
    let parts = |parts: Value, finish: Option<&str>| {
        let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
        if let Some(reason) = finish {
            candidate["finishReason"] = json!(reason);
        }
        event(&json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "r1"}))
    };
    let mut events: Vec<String> =
        said.reasoning.iter().map(|text| parts(json!([{"text": text, "thought": true}]), None)).collect();
    events.extend(said.text.iter().map(|text| parts(json!([{"text": text}]), None)));
    for call in &said.calls {
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        events.push(parts(json!([{"functionCall": {"id": call.id, "name": call.name, "args": arguments}, "thoughtSignature": said.reasoning.concat()}]), None));
    }
    events.push(parts(json!([{"text": ""}]), Some(said.finish.as_deref().unwrap_or("STOP"))));
    events
}

fn ollama(said: &Said) -> Vec<String> {
    let line = |message: Value| format!("{}\n", json!({"model": "m", "message": message, "done": false}));
    let mut events: Vec<String> =
        said.reasoning.iter().map(|text| line(json!({"role": "assistant", "content": "", "thinking": text}))).collect();
    events.extend(said.text.iter().map(|text| line(json!({"role": "assistant", "content": text}))));
    for call in &said.calls {
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        let calls = json!([{"id": call.id, "function": {"name": call.name, "arguments": arguments}}]);
        events.push(line(json!({"role": "assistant", "content": "", "tool_calls": calls})));
    }
    let reason = said.finish.as_deref().unwrap_or("stop");
    events.push(format!("{}\n", json!({"model": "m", "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": reason, "prompt_eval_count": 5, "eval_count": 2})));
    events
}
