//! A request as the library takes it: the conversation rendered by us, the rest by the library.
//!
//! The conversation goes in as a field of the body that is laid over the library's own, since the library moves what
//! was signed, loses pictures in results and leaves out ids. The model's name goes in the same way where the body
//! holds it: the library reads wishes out of names (`qwen3-max` becomes `qwen3` with the greatest effort).

use super::providers::Dialect;
use super::{anthropic, carry, gemini, responses};
use crate::backend::Request;
use crate::http::is_object;
use genai::chat::{CacheControl, ChatOptions, ChatRequest, JsonSpec, ReasoningEffort, Tool};
use serde::Serialize;
use serde_json::{Map, Value, json};
use wire::ToolSpec;

/// A name that the library can read no wish out of.
const NEUTRAL_MODEL: &str = "model";

/// What a schema is called, where the dialect wants a name for it.
const SCHEMA_NAME: &str = "reply";

/// A request that is ready to be sent, as often as need be.
pub(super) struct Rendered {
    /// The part that the library renders.
    pub(super) request: ChatRequest,
    /// How.
    pub(super) options: ChatOptions,
    /// The model's name for the library's own use.
    pub(super) model: String,
    /// What is sent, as bytes: dialect, model, system prompt, tools, limit, schema and the rendered conversation. The
    /// same request gives the same bytes, which is what the journal's hash vouches for. Not in it is what the library
    /// adds in every request of the dialect: that it streams, that nothing is to be stored, that thoughts are wanted.
    pub(super) bytes: Vec<u8>,
}

#[derive(Serialize)]
struct Canonical<'a> {
    dialect: &'static str,
    model: &'a str,
    system: &'a str,
    tools: &'a [ToolSpec],
    max_output_tokens: u64,
    schema: Option<&'a Value>,
    conversation: &'a Value,
}

/// Renders a request.
pub(super) fn render(dialect: Dialect, request: &Request) -> Rendered {
    let from = carry::from(dialect, &request.model);
    let (field, conversation) = match dialect {
        Dialect::Gemini => ("contents", gemini::contents(&request.messages, &from, &request.model)),
        Dialect::Responses => ("input", responses::input(&request.messages, &from)),
        Dialect::Anthropic | Dialect::Chat | Dialect::Ollama => {
            ("messages", anthropic::messages(&request.messages, &from))
        }
    };
    let conversation = Value::Array(conversation);
    let bytes = serde_json::to_vec(&Canonical {
        dialect: dialect.word(),
        model: &request.model,
        system: &request.system,
        tools: &request.tools,
        max_output_tokens: request.max_output_tokens.0,
        schema: request.schema.as_deref(),
        conversation: &conversation,
    })
    .expect("a request is strings, numbers and JSON values");
    let mut over = Map::from_iter([(field.to_owned(), conversation)]);
    let model = match dialect {
        // Here the name stands in the path. The library takes what looks like a namespace off it, twice.
        Dialect::Gemini => format!("gemini::gemini::{}", request.model),
        _ => {
            over.insert("model".into(), json!(request.model));
            NEUTRAL_MODEL.to_owned()
        }
    };
    let options = options(dialect, request).with_extra_body(Value::Object(over));
    Rendered { request: prompt(request), options, model, bytes }
}

/// System prompt and tools. A tool always has a description, since a null one makes llama.cpp answer 500.
fn prompt(request: &Request) -> ChatRequest {
    let mut prompt = ChatRequest::new(Vec::new());
    if !request.system.is_empty() {
        prompt = prompt.with_system(request.system.as_str());
    }
    let tool = |tool: &ToolSpec| {
        Tool::new(tool.name.as_str()).with_description(tool.description.as_str()).with_schema(tool.parameters.clone())
    };
    if request.tools.is_empty() { prompt } else { prompt.with_tools(request.tools.iter().map(tool)) }
}

fn options(dialect: Dialect, request: &Request) -> ChatOptions {
    let limit = u32::try_from(request.max_output_tokens.0).unwrap_or(u32::MAX);
    let mut options = ChatOptions::default().with_max_tokens(limit);
    if thinks(dialect, &request.model) {
        options = options.with_capture_reasoning_content(true);
    }
    match dialect {
        // Any effort keeps the library from reading one out of the name, and this one is sent as none at all.
        Dialect::Gemini => options = options.with_reasoning_effort(ReasoningEffort::Zero),
        // What comes before the conversation is the same in every request of a session.
        Dialect::Anthropic => options = options.with_cache_control(CacheControl::Ephemeral),
        Dialect::Responses | Dialect::Chat | Dialect::Ollama => {}
    }
    if let Some(schema) = &request.schema {
        options = options.with_response_format(JsonSpec::new(SCHEMA_NAME, (**schema).clone()));
    }
    options
}

/// Whether to ask for thoughts, which models that have none refuse. Anthropic's come by a setting of their own.
fn thinks(dialect: Dialect, model: &str) -> bool {
    match dialect {
        Dialect::Responses => {
            let numbered = |rest: &str| rest.starts_with(|letter: char| letter.is_ascii_digit());
            (model.starts_with("gpt-5") && !model.contains("chat"))
                || model.starts_with("codex")
                || model.strip_prefix('o').is_some_and(numbered)
        }
        Dialect::Gemini => model.starts_with("gemini-2.5") || model.starts_with("gemini-3"),
        Dialect::Anthropic | Dialect::Chat | Dialect::Ollama => false,
    }
}

/// A call's arguments as the object that the dialect wants. Those that are none are sent as `{}`: a bad call must not
/// poison every later request, and the tool's result says what was wrong.
pub(super) fn arguments(arguments: &str) -> Value {
    if is_object(arguments) { serde_json::from_str(arguments).unwrap_or_else(|_| json!({})) } else { json!({}) }
}

/// Whether an id is of our making.
pub(super) fn is_own_id(id: &str) -> bool {
    id.strip_prefix("call_").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}
