//! A request as bytes: the same request gives the same bytes, which is what the journal's hash vouches for.
//!
//! Fields are written in the order they stand here. A tool's schema is written in the order of its JSON value.

use super::config::OutputLimit;
use crate::backend::{Message, ReplyCall, Request};
use serde::Serialize;
use serde_json::Value;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Rendered<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    stream: bool,
    stream_options: StreamOptions,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum Rendered<'a> {
    System {
        content: &'a str,
    },
    User {
        content: &'a str,
    },
    Assistant {
        /// Null beside calls when nothing was said, which is how the dialect writes it.
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        content: &'a str,
    },
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: CalledFunction<'a>,
}

#[derive(Serialize)]
struct CalledFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: ToolFunction<'a>,
}

#[derive(Serialize)]
struct ToolFunction<'a> {
    name: &'a str,
    /// Never null: llama.cpp answers a null description with 500.
    description: &'a str,
    parameters: &'a Value,
}

/// The body of the HTTP request.
pub(crate) fn render(request: &Request, limit: OutputLimit) -> Vec<u8> {
    let system = (!request.system.is_empty()).then_some(Rendered::System { content: &request.system });
    let tokens = Some(request.max_output_tokens.0);
    let body = Body {
        model: &request.model,
        messages: system.into_iter().chain(request.messages.iter().map(message)).collect(),
        tools: request
            .tools
            .iter()
            .map(|tool| Tool {
                r#type: "function",
                function: ToolFunction {
                    name: &tool.name,
                    description: &tool.description,
                    parameters: &tool.parameters,
                },
            })
            .collect(),
        max_tokens: tokens.filter(|_| limit == OutputLimit::MaxTokens),
        max_completion_tokens: tokens.filter(|_| limit == OutputLimit::MaxCompletionTokens),
        stream: true,
        stream_options: StreamOptions { include_usage: true },
    };
    serde_json::to_vec(&body).expect("a request is strings, numbers and JSON values")
}

fn message(message: &Message) -> Rendered<'_> {
    match message {
        Message::User { text, .. } => Rendered::User { content: text },
        Message::Assistant { text, calls, .. } => Rendered::Assistant {
            content: if text.is_empty() && !calls.is_empty() { None } else { Some(text) },
            tool_calls: calls.iter().map(call).collect(),
        },
        Message::Tool { call_id, text, .. } => Rendered::Tool { tool_call_id: call_id, content: text },
    }
}

/// Arguments that are not a JSON object are sent as `{}`: templates of real servers parse them and answer 500 when they
/// cannot, which would make one bad call poison every later request. The tool's result says what was wrong.
fn call(call: &ReplyCall) -> Call<'_> {
    let arguments = if super::assemble::is_object(&call.arguments) { &call.arguments } else { "{}" };
    Call { id: &call.id, r#type: "function", function: CalledFunction { name: &call.name, arguments } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent::{Access, Tokens};
    use wire::{BlobHash, ToolSpec};

    fn request() -> Request {
        let call = |id: &str, arguments: &str| ReplyCall {
            id: id.into(),
            name: "read_file".into(),
            arguments: arguments.into(),
        };
        let tool = ToolSpec {
            name: "read_file".into(),
            description: String::new(),
            parameters: serde_json::json!({"type": "object"}),
            access: Access::Read,
        };
        Request {
            model: "m".into(),
            system: "be brief".into(),
            messages: vec![
                Message::User { text: "hi \"you\"\n".into(), attachments: vec![] },
                Message::Assistant {
                    text: String::new(),
                    calls: vec![call("c1", r#"{"path":"a"}"#), call("c2", "{\"pa")],
                    carry: None,
                },
                Message::Tool { call_id: "c1".into(), name: "read_file".into(), text: "a: lines 1-1 of 1".into(), attachments: vec![] },
                Message::Assistant { text: "done".into(), calls: vec![], carry: None },
            ],
            tools: [tool].into(),
            max_output_tokens: Tokens(99),
            schema: None,
        }
    }

    #[test]
    fn a_request_is_rendered_as_the_dialect_wants_it() {
        let text = String::from_utf8(render(&request(), OutputLimit::MaxTokens)).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"model":"m","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi \"you\"\n"},"#,
                r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"read_file","arguments":"{\"path\":\"a\"}"}},"#,
                r#"{"id":"c2","type":"function","function":{"name":"read_file","arguments":"{}"}}]},"#,
                r#"{"role":"tool","tool_call_id":"c1","content":"a: lines 1-1 of 1"},{"role":"assistant","content":"done"}],"#,
                r#""tools":[{"type":"function","function":{"name":"read_file","description":"","parameters":{"type":"object"}}}],"#,
                r#""max_tokens":99,"stream":true,"stream_options":{"include_usage":true}}"#
            )
        );
    }

    #[test]
    fn the_same_request_gives_the_same_hash_and_another_limit_another() {
        let hash = |limit| BlobHash::of(&render(&request(), limit));
        assert_eq!(hash(OutputLimit::MaxTokens), hash(OutputLimit::MaxTokens));
        assert_ne!(hash(OutputLimit::MaxTokens), hash(OutputLimit::MaxCompletionTokens));
    }
}
