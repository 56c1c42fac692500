//! A request as bytes: the same request gives the same bytes, which is what the journal's hash vouches for.
//!
//! Fields are written in the order they stand here. A schema is written in the order of its JSON value. What a request does
//! not have leaves no trace in its bytes.

use super::carry::reasoning_content;
use super::config::{Manner, OutputLimit};
use super::ids::call_id;
use crate::backend::{Attachment, Message, ReplyCall, Request};
use crate::http::{NOTHING_SAID, base64_of, is_object, left_out, read_by_tools};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use wire::ToolSpec;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<u8>,
    stream: bool,
    stream_options: StreamOptions,
}

/// The schema in the form of OpenAI, which llama.cpp and vLLM read too.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponseFormat<'a> {
    JsonSchema { json_schema: NamedSchema<'a> },
}

#[derive(Serialize)]
struct NamedSchema<'a> {
    name: &'static str,
    schema: &'a Value,
    strict: bool,
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
        content: Content<'a>,
    },
    Assistant {
        /// Null beside calls when nothing was said, which is how the dialect writes it.
        content: Option<&'a str>,
        /// What the same model thought before these calls, where it may want it back.
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_content: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        tool_call_id: Cow<'a, str>,
        content: &'a str,
    },
}

/// A text alone is a string, as every server takes it; with attachments it is a list of parts.
#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: ImageUrl },
    File { file: File<'a> },
}

#[derive(Serialize)]
struct ImageUrl {
    url: String,
}

#[derive(Serialize)]
struct File<'a> {
    filename: &'a str,
    file_data: String,
}

#[derive(Serialize)]
struct Call<'a> {
    id: Cow<'a, str>,
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
pub(crate) fn render(request: &Request, manner: Manner) -> Vec<u8> {
    let tokens = Some(request.max_output_tokens.0);
    let named =
        |schema| ResponseFormat::JsonSchema { json_schema: NamedSchema { name: "answer", schema, strict: true } };
    let body = Body {
        model: &request.model,
        messages: messages(request, manner),
        tools: request.tools.iter().map(tool).collect(),
        max_tokens: tokens.filter(|_| manner.output_limit == OutputLimit::MaxTokens),
        max_completion_tokens: tokens.filter(|_| manner.output_limit == OutputLimit::MaxCompletionTokens),
        response_format: request.schema.as_deref().map(named),
        // Where a form is asked for, the likeliest answer is the wanted one.
        temperature: request.schema.as_ref().filter(|_| !manner.openai).map(|_| 0),
        stream: true,
        stream_options: StreamOptions { include_usage: true },
    };
    serde_json::to_vec(&body).expect("a request is strings, numbers and JSON values")
}

fn tool(tool: &ToolSpec) -> Tool<'_> {
    let function = ToolFunction { name: &tool.name, description: &tool.description, parameters: &tool.parameters };
    Tool { r#type: "function", function }
}

fn messages(request: &Request, manner: Manner) -> Vec<Rendered<'_>> {
    let mut rendered = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.is_empty() {
        rendered.push(Rendered::System { content: &request.system });
    }
    for (at, message) in request.messages.iter().enumerate() {
        if manner.mistral && follows_results(message, rendered.last()) {
            rendered.push(silence());
        }
        rendered.push(self::message(message, &request.model, manner));
        let read = read_by_tools(&request.messages, at);
        if !read.is_empty() {
            rendered.extend(manner.mistral.then(silence));
            rendered.push(Rendered::User { content: with_parts("This is what the tools read.", read, manner) });
        }
    }
    rendered
}

/// Whether a user speaks right after results of tools.
fn follows_results(message: &Message, before: Option<&Rendered<'_>>) -> bool {
    matches!(message, Message::User { .. }) && matches!(before, Some(Rendered::Tool { .. }))
}

/// An assistant that says nothing, where it must be its turn.
fn silence() -> Rendered<'static> {
    Rendered::Assistant { content: Some(NOTHING_SAID), reasoning_content: None, tool_calls: Vec::new() }
}

fn message<'a>(message: &'a Message, model: &str, manner: Manner) -> Rendered<'a> {
    match message {
        Message::User { text, attachments } => Rendered::User {
            content: if attachments.is_empty() {
                Content::Text(text)
            } else {
                with_parts(text, attachments.iter().collect(), manner)
            },
        },
        Message::Assistant { text, calls, .. } if text.is_empty() && calls.is_empty() && manner.mistral => silence(),
        Message::Assistant { text, calls, carry } => Rendered::Assistant {
            content: if text.is_empty() && !calls.is_empty() { None } else { Some(text) },
            reasoning_content: reasoning_content(carry.as_ref(), model)
                .filter(|_| manner.takes_reasoning() && !calls.is_empty()),
            tool_calls: calls.iter().map(|asked| call(asked, manner)).collect(),
        },
        Message::Tool { call_id: id, text, .. } => Rendered::Tool { tool_call_id: call_id(id, manner), content: text },
    }
}

/// The text and, each under its name, what came with it.
fn with_parts<'a>(text: &'a str, attachments: Vec<&'a Attachment>, manner: Manner) -> Content<'a> {
    let mut parts = Vec::with_capacity(2 * attachments.len() + 1);
    if !text.is_empty() {
        parts.push(Part::Text { text: text.into() });
    }
    for attachment in attachments {
        let url = || format!("data:{};base64,{}", attachment.media_type.word(), base64_of(attachment));
        if attachment.media_type.is_image() {
            parts.push(Part::Text { text: format!("{}:", attachment.name).into() });
            parts.push(Part::ImageUrl { image_url: ImageUrl { url: url() } });
        } else if manner.openai {
            parts.push(Part::File { file: File { filename: &attachment.name, file_data: url() } });
        } else {
            parts.push(Part::Text { text: left_out(attachment).into() });
        }
    }
    Content::Parts(parts)
}

/// Arguments that are not a JSON object are sent as `{}`: templates of real servers parse them and answer 500 when they
/// cannot, which would make one bad call poison every later request. The tool's result says what was wrong.
fn call(call: &ReplyCall, manner: Manner) -> Call<'_> {
    let arguments = if is_object(&call.arguments) { &call.arguments } else { "{}" };
    Call { id: call_id(&call.id, manner), r#type: "function", function: CalledFunction { name: &call.name, arguments } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Carry;
    use agent::{Access, Tokens};
    use wire::{BlobHash, MediaType, ToolSpec};

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
                Message::Tool {
                    call_id: "c1".into(),
                    name: "read_file".into(),
                    text: "a: lines 1-1 of 1".into(),
                    attachments: vec![],
                },
                Message::Assistant { text: "done".into(), calls: vec![], carry: None },
            ],
            tools: [tool].into(),
            max_output_tokens: Tokens(99),
            schema: None,
        }
    }

    #[test]
    fn a_request_is_rendered_as_the_dialect_wants_it() {
        let text = String::from_utf8(render(&request(), Manner::PLAIN)).unwrap();
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
        let hash = |output_limit| BlobHash::of(&render(&request(), Manner { output_limit, ..Manner::PLAIN }));
        assert_eq!(hash(OutputLimit::MaxTokens), hash(OutputLimit::MaxTokens));
        assert_ne!(hash(OutputLimit::MaxTokens), hash(OutputLimit::MaxCompletionTokens));
    }

    fn attachment(name: &str, media: MediaType) -> Attachment {
        Attachment { name: name.into(), media_type: media, bytes: [0xff, 0xfe, 0xfd].as_slice().into() }
    }

    /// The bytes that stand where `before` ends, up to `after`.
    fn between(request: &Request, manner: Manner, before: &str, after: &str) -> String {
        let text = String::from_utf8(render(request, manner)).unwrap();
        let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
        rest.split_once(after).unwrap_or_else(|| panic!("no {after} in {rest}")).0.to_owned()
    }

    #[test]
    fn images_are_data_urls_and_documents_go_to_openai_alone() {
        let mut request = request();
        let attachments = vec![attachment("a.png", MediaType::Png), attachment("b.pdf", MediaType::Pdf)];
        request.messages = vec![Message::User { text: "look".into(), attachments }];
        let user = |manner| between(&request, manner, r#"{"role":"user","content":"#, "}],\"tools\"");
        let start = concat!(
            r#"[{"type":"text","text":"look"},{"type":"text","text":"a.png:"},"#,
            r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,//79"}},"#
        );
        let openai = Manner { output_limit: OutputLimit::MaxCompletionTokens, openai: true, ..Manner::PLAIN };
        let file = r#"{"type":"file","file":{"filename":"b.pdf","file_data":"data:application/pdf;base64,//79"}}]"#;
        assert_eq!(user(openai), format!("{start}{file}"));
        let words = r#"{"type":"text","text":"[b.pdf is application/pdf, which this server does not take: you do not see it]"}]"#;
        assert_eq!(user(Manner::PLAIN), format!("{start}{words}"));
    }

    #[test]
    fn what_tools_read_follows_their_results() {
        let mut request = request();
        let read = |id: &str, attachments| Message::Tool {
            call_id: id.into(),
            name: "read_file".into(),
            text: "an image".into(),
            attachments,
        };
        request.messages = vec![read("c1", vec![attachment("a.png", MediaType::Png)]), read("c2", vec![])];
        assert_eq!(
            between(&request, Manner::PLAIN, r#""content":"be brief"},"#, r#"],"tools""#),
            concat!(
                r#"{"role":"tool","tool_call_id":"c1","content":"an image"},{"role":"tool","tool_call_id":"c2","content":"an image"},"#,
                r#"{"role":"user","content":[{"type":"text","text":"This is what the tools read."},{"type":"text","text":"a.png:"},"#,
                r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,//79"}}]}"#
            )
        );
    }

    #[test]
    fn what_was_thought_before_calls_goes_back_where_it_is_taken() {
        let mut request = request();
        let carry = |from: &str| Some(Carry { from: from.into(), data: r#""so be it""#.into() });
        let calls = vec![ReplyCall { id: "c1".into(), name: "f".into(), arguments: "{}".into() }];
        let mut rendered = |from: &str, manner: Manner| {
            request.messages = vec![Message::Assistant { text: "Hm".into(), calls: calls.clone(), carry: carry(from) }];
            between(&request, manner, r#"{"role":"assistant","content":"Hm","#, r#""tool_calls""#)
        };
        assert_eq!(rendered("chat m", Manner::PLAIN), r#""reasoning_content":"so be it","#);
        assert_eq!(rendered("chat n", Manner::PLAIN), "");
        assert_eq!(rendered("chat m", Manner { openai: true, ..Manner::PLAIN }), "");
        assert_eq!(rendered("chat m", Manner { mistral: true, ..Manner::PLAIN }), "");
    }

    #[test]
    fn mistral_has_no_empty_message_and_a_word_between_results_and_the_user() {
        let mut request = request();
        let call = ReplyCall { id: "c1".into(), name: "f".into(), arguments: "{}".into() };
        let result = |attachments| Message::Tool {
            call_id: "c1".into(),
            name: "f".into(),
            text: "an image".into(),
            attachments,
        };
        let asked = || Message::Assistant { text: String::new(), calls: vec![call.clone()], carry: None };
        let user = || Message::User { text: "hi".into(), attachments: vec![] };
        request.messages = vec![
            user(),
            Message::Assistant { text: String::new(), calls: vec![], carry: None },
            user(),
            asked(),
            result(vec![attachment("a.png", MediaType::Png)]),
            asked(),
            result(vec![]),
            user(),
        ];
        let body: Value = serde_json::from_slice(&render(&request, Manner { mistral: true, ..Manner::PLAIN })).unwrap();
        let messages = &body["messages"].as_array().unwrap()[1..];
        let roles: Vec<_> = messages.iter().map(|one| one["role"].as_str().unwrap()).collect();
        let step = ["assistant", "tool", "assistant", "user"];
        assert_eq!(roles, [&["user", "assistant", "user"], &step[..], &step[..]].concat());
        for silent in [1, 5, 9] {
            assert_eq!(messages[silent]["content"], NOTHING_SAID);
        }
        let id = messages[3]["tool_calls"][0]["id"].as_str().unwrap();
        assert_eq!((id.len(), messages[4]["tool_call_id"].as_str()), (9, Some(id)));
    }

    #[test]
    fn a_schema_is_asked_for_at_temperature_nought_where_one_can_be_set() {
        let request = Request { schema: Some(serde_json::json!({"type": "object"}).into()), ..request() };
        let format = r#""response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"},"strict":true}},"#;
        let of = |manner, before| between(&request, manner, before, r#""stream":true"#);
        assert_eq!(of(Manner::PLAIN, r#""max_tokens":99,"#), format!(r#"{format}"temperature":0,"#));
        let openai = Manner { openai: true, ..Manner::PLAIN };
        assert_eq!(of(openai, r#""max_tokens":99,"#), format);
    }
}
