//! A request as the bytes of `/api/chat`: the same request gives the same bytes.
//!
//! `truncate` and `shift` are always off: a prompt that does not fit is refused and a reply that does not fit ends, in
//! place of a conversation that silently loses its beginning.

use super::answer::carrier;
use crate::backend::{Attachment, Message, ReplyCall, Request};
use crate::http::{base64_of, is_object, left_out, read_by_tools};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use wire::ToolSpec;

/// What is the same in every request to a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Constants {
    /// The size of the context.
    pub(super) num_ctx: Option<u64>,
    /// How long the model stays in memory: a number where it is one, since `"90"` is no duration to Ollama.
    pub(super) keep_alive: Option<Value>,
    /// Whether the model shall think; `None` for one that cannot.
    pub(super) think: Option<bool>,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Rendered<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_alive: Option<&'a Value>,
    options: Options,
    truncate: bool,
    shift: bool,
    stream: bool,
}

#[derive(Serialize)]
struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    num_ctx: Option<u64>,
    num_predict: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<u8>,
}

#[derive(Serialize, Default)]
struct Rendered<'a> {
    role: &'static str,
    content: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    function: CalledFunction<'a>,
}

#[derive(Serialize)]
struct CalledFunction<'a> {
    name: &'a str,
    /// An object: the text of one is refused with 400.
    arguments: Box<RawValue>,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: ToolFunction<'a>,
}

#[derive(Serialize)]
struct ToolFunction<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a Value,
}

/// The body of the HTTP request.
pub(super) fn render(request: &Request, constants: &Constants) -> Vec<u8> {
    let body = Body {
        model: &request.model,
        messages: messages(request),
        tools: request.tools.iter().map(tool).collect(),
        format: request.schema.as_deref(),
        think: constants.think,
        keep_alive: constants.keep_alive.as_ref(),
        options: Options {
            num_ctx: constants.num_ctx,
            num_predict: request.max_output_tokens.0,
            // Where a form is asked for, the likeliest answer is the wanted one.
            temperature: request.schema.as_ref().map(|_| 0),
        },
        truncate: false,
        shift: false,
        stream: true,
    };
    serde_json::to_vec(&body).expect("a request is strings, numbers and JSON values")
}

fn tool(tool: &ToolSpec) -> Tool<'_> {
    let function = ToolFunction { name: &tool.name, description: &tool.description, parameters: &tool.parameters };
    Tool { r#type: "function", function }
}

fn messages(request: &Request) -> Vec<Rendered<'_>> {
    let mut rendered = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.is_empty() {
        rendered.push(Rendered { role: "system", content: request.system.as_str().into(), ..Rendered::default() });
    }
    for (at, message) in request.messages.iter().enumerate() {
        rendered.push(self::message(message, &request.model));
        let read = read_by_tools(&request.messages, at);
        if !read.is_empty() {
            rendered.push(user("This is what the tools read.", read));
        }
    }
    rendered
}

fn message<'a>(message: &'a Message, model: &str) -> Rendered<'a> {
    match message {
        Message::User { text, attachments } => user(text, attachments.iter().collect()),
        Message::Assistant { text, calls, carry } => Rendered {
            role: "assistant",
            content: text.as_str().into(),
            thinking: carry.as_ref().filter(|carry| carry.from == carrier(model)).map(|carry| carry.data.as_str()),
            tool_calls: calls.iter().map(call).collect(),
            ..Rendered::default()
        },
        Message::Tool { call_id, name, text, .. } => Rendered {
            role: "tool",
            content: text.as_str().into(),
            tool_name: Some(name),
            tool_call_id: Some(call_id),
            ..Rendered::default()
        },
    }
}

/// The text with its images beside it, in the order of their names in the text.
fn user<'a>(text: &'a str, attachments: Vec<&'a Attachment>) -> Rendered<'a> {
    let mut content = Cow::Borrowed(text);
    let mut images = Vec::new();
    for attachment in attachments {
        let note = if attachment.media_type.is_image() {
            images.push(base64_of(attachment));
            format!("[image {}: {}]", images.len(), attachment.name)
        } else {
            left_out(attachment)
        };
        if !content.is_empty() {
            content.to_mut().push('\n');
        }
        content.to_mut().push_str(&note);
    }
    Rendered { role: "user", content, images, ..Rendered::default() }
}

/// Arguments that are not a JSON object are sent as `{}`, so that one bad call does not poison every later request.
fn call(call: &ReplyCall) -> Call<'_> {
    let arguments = if is_object(&call.arguments) { call.arguments.trim() } else { "{}" };
    let arguments = RawValue::from_string(arguments.to_owned()).expect("it was parsed just now");
    Call { id: &call.id, function: CalledFunction { name: &call.name, arguments } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Carry;
    use agent::{Access, Tokens};
    use serde_json::json;
    use wire::{BlobHash, MediaType};

    fn request() -> Request {
        let call = |id: &str, arguments: &str| ReplyCall {
            id: id.into(),
            name: "read_file".into(),
            arguments: arguments.into(),
        };
        let carry = |from: &str| Some(Carry { from: from.into(), data: "hm".into() });
        let image = Attachment { name: "a.png".into(), media_type: MediaType::Png, bytes: [1, 2].as_slice().into() };
        let tool = ToolSpec {
            name: "read_file".into(),
            description: "Reads.".into(),
            parameters: json!({"type": "object"}),
            access: Access::Read,
        };
        Request {
            model: "m".into(),
            system: "be brief".into(),
            messages: vec![
                Message::User { text: "hi".into(), attachments: vec![image.clone()] },
                Message::Assistant {
                    text: String::new(),
                    calls: vec![call("c1", "{\"path\":\n\"a\"}"), call("c2", "{\"pa")],
                    carry: carry("ollama m"),
                },
                Message::Tool {
                    call_id: "c1".into(),
                    name: "read_file".into(),
                    text: "an image".into(),
                    attachments: vec![image],
                },
                Message::Assistant { text: "done".into(), calls: vec![], carry: carry("anthropic m") },
            ],
            tools: [tool].into(),
            max_output_tokens: Tokens(99),
            schema: None,
        }
    }

    #[test]
    fn a_request_is_rendered_as_ollama_wants_it() {
        let constants = Constants { num_ctx: Some(8192), keep_alive: Some(json!(90)), think: Some(true) };
        let text = String::from_utf8(render(&request(), &constants)).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"model":"m","messages":[{"role":"system","content":"be brief"},"#,
                r#"{"role":"user","content":"hi\n[image 1: a.png]","images":["AQI="]},"#,
                r#"{"role":"assistant","content":"","thinking":"hm","tool_calls":[{"id":"c1","function":{"name":"read_file","arguments":{"path":"#,
                "\n",
                r#""a"}}},{"id":"c2","function":{"name":"read_file","arguments":{}}}]},"#,
                r#"{"role":"tool","content":"an image","tool_name":"read_file","tool_call_id":"c1"},"#,
                r#"{"role":"user","content":"This is what the tools read.\n[image 1: a.png]","images":["AQI="]},"#,
                r#"{"role":"assistant","content":"done"}],"#,
                r#""tools":[{"type":"function","function":{"name":"read_file","description":"Reads.","parameters":{"type":"object"}}}],"#,
                r#""think":true,"keep_alive":90,"options":{"num_ctx":8192,"num_predict":99},"truncate":false,"shift":false,"stream":true}"#
            )
        );
        assert!(serde_json::from_str::<Value>(&text).is_ok());
    }

    #[test]
    fn a_schema_is_the_format_and_the_same_request_has_the_same_hash() {
        let plain = Constants::default();
        let hash = |request: &Request| BlobHash::of(&render(request, &plain));
        assert_eq!(hash(&request()), hash(&request()));
        let formed = Request { schema: Some(json!({"type": "object"}).into()), ..request() };
        let text = String::from_utf8(render(&formed, &plain)).unwrap();
        assert!(
            text.contains(r#","format":{"type":"object"},"options":{"num_predict":99,"temperature":0},"#),
            "{text}"
        );
    }
}
