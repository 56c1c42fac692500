//! The conversation as a model without tools can read it: what it called is what it wrote, and what came of it is what
//! it was told.

use super::form::{self, ARGUMENTS, REPLY, TOOL};
use crate::backend::{Attachment, Message, ReplyCall, Request};
use agent::Access;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use wire::ToolSpec;

/// What follows the result of a tool that changed something. Models so small that they know no tools wander about after
/// it until the turn's limit of steps; asked like this, and in no milder way that was tried, they say what they did.
const AFTER_WRITING: &str = "Say in words what was done: {\"reply\":\"...\"}";

/// Exchanges that stand before the first prompt, for those of these tools that there are. Models so small sway with every
/// word that they read, the path of the workspace included; shown twice what is wanted, they do it. With the system
/// prompt of the daemon and nothing before the first prompt, 1 of 24 plain requests for a file became the right call.
const EXAMPLES: [Example; 2] = [
    Example {
        prompt: "Create a file a.txt that contains the word one.",
        tool: "write_file",
        arguments: r#"{"path":"a.txt","content":"one"}"#,
        end: Some(("wrote a.txt: 1 line, 3 bytes (new file)", "I created a.txt, which contains the word one.")),
    },
    Example { prompt: "Read the file b.md.", tool: "read_file", arguments: r#"{"path":"b.md"}"#, end: None },
];

/// A prompt, the call that answers it, and perhaps its result with what is said then.
struct Example {
    prompt: &'static str,
    tool: &'static str,
    arguments: &'static str,
    end: Option<(&'static str, &'static str)>,
}

/// The same request without tools.
pub(super) fn without_tools(request: &Request) -> Request {
    let tools = &request.tools;
    let mut messages = examples(tools);
    for (at, message) in request.messages.iter().enumerate() {
        match message {
            Message::User { text, attachments } => tell(&mut messages, text, attachments),
            Message::Tool { name, text, attachments, .. } => {
                tell(&mut messages, &format!("Result of {name}:\n{text}"), attachments);
                let is_last = !matches!(request.messages.get(at + 1), Some(Message::Tool { .. }));
                if is_last && tools.iter().any(|tool| tool.name == *name && tool.access == Access::Write) {
                    tell(&mut messages, AFTER_WRITING, &[]);
                }
            }
            Message::Assistant { text, calls, .. } => {
                let text =
                    if tools.is_empty() && calls.is_empty() { text.clone() } else { written(text, calls, tools) };
                messages.push(Message::Assistant { text, calls: Vec::new(), carry: None });
            }
        }
    }
    let schema = match tools.is_empty() {
        true => request.schema.clone(),
        false => Some(Arc::new(form::schema(tools, request.schema.as_deref()))),
    };
    Request {
        model: request.model.clone(),
        system: system(&request.system, tools),
        messages,
        tools: [].into(),
        max_output_tokens: request.max_output_tokens,
        schema,
    }
}

fn examples(tools: &[ToolSpec]) -> Vec<Message> {
    let mut messages = Vec::new();
    let says = |text: String| Message::Assistant { text, calls: Vec::new(), carry: None };
    for Example { prompt, tool, arguments, end } in EXAMPLES {
        if tools.iter().any(|known| known.name == tool) {
            tell(&mut messages, prompt, &[]);
            let call = ReplyCall { id: String::new(), name: tool.to_owned(), arguments: arguments.to_owned() };
            messages.push(says(written_call(&call, tools)));
            if let Some((result, reply)) = end {
                tell(&mut messages, &format!("Result of {tool}:\n{result}"), &[]);
                tell(&mut messages, AFTER_WRITING, &[]);
                messages.push(says(written(reply, &[], tools)));
            }
        }
    }
    messages
}

fn system(system: &str, tools: &[ToolSpec]) -> String {
    match (system.is_empty(), tools.is_empty()) {
        (_, true) => system.to_owned(),
        (true, false) => form::instructions(tools),
        (false, false) => format!("{system}\n\n{}", form::instructions(tools)),
    }
}

/// Tells the model something. Templates of such models want the two sides to take turns, so what follows on the same side
/// is one message.
fn tell(messages: &mut Vec<Message>, more: &str, with: &[Attachment]) {
    if let Some(Message::User { text, attachments }) = messages.last_mut() {
        text.push_str("\n\n");
        text.push_str(more);
        attachments.extend_from_slice(with);
    } else {
        messages.push(Message::User { text: more.to_owned(), attachments: with.to_vec() });
    }
}

/// What the model wrote, in the form that it is held to.
fn written(text: &str, calls: &[ReplyCall], tools: &[ToolSpec]) -> String {
    let words = (!text.is_empty() || calls.is_empty()).then(|| json!({ REPLY: text }).to_string());
    words.into_iter().chain(calls.iter().map(|call| written_call(call, tools))).collect::<Vec<_>>().join("\n")
}

fn written_call(call: &ReplyCall, tools: &[ToolSpec]) -> String {
    let arguments: Map<String, Value> = serde_json::from_str(&call.arguments).unwrap_or_default();
    let mut object = Map::from_iter([(TOOL.to_owned(), json!(call.name))]);
    if tools.iter().any(|tool| tool.name == call.name && form::is_nested(tool)) {
        object.insert(ARGUMENTS.to_owned(), Value::Object(arguments));
    } else {
        object.extend(arguments.into_iter().filter(|(name, _)| name != TOOL));
    }
    Value::Object(object).to_string()
}
