//! The input of responses: a flat list of items. Results of calls have no room for pictures, which follow them.

use crate::backend::{Attachment, Message};
use crate::genai::carry::{Woven, weave};
use crate::http::{base64_of, is_object, read_by_tools};
use serde_json::{Value, json};

/// What stands before the pictures and documents that tools read, since they come in a message of their own.
const READ_BY_TOOLS: &str = "This is what the tools read:";

/// The conversation.
pub(crate) fn input(messages: &[Message], from: &str) -> Vec<Value> {
    let mut items = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        match message {
            Message::User { text, attachments } if attachments.is_empty() => {
                items.push(json!({"role": "user", "content": text}));
            }
            Message::User { text, attachments } => {
                let said = (!text.is_empty()).then(|| words(text));
                let content: Vec<Value> = attachments.iter().map(attached).chain(said).collect();
                items.push(json!({"role": "user", "content": content}));
            }
            Message::Assistant { text, calls, carry } => {
                items.extend(weave(text, calls, carry.as_ref(), from).into_iter().filter_map(said));
            }
            Message::Tool { call_id, text, .. } => {
                items.push(json!({"type": "function_call_output", "call_id": call_id, "output": text}));
            }
        }
        let read = read_by_tools(messages, at);
        if !read.is_empty() {
            let content: Vec<Value> =
                std::iter::once(words(READ_BY_TOOLS)).chain(read.into_iter().map(attached)).collect();
            items.push(json!({"role": "user", "content": content}));
        }
    }
    items
}

fn words(text: &str) -> Value {
    json!({"type": "input_text", "text": text})
}

fn said(woven: Woven<'_>) -> Option<Value> {
    match woven {
        Woven::Block(block) => Some(block),
        Woven::Text(text, _) => (!text.is_empty()).then(|| {
            // In full: llama.cpp does not know a message of the assistant whose content is a mere text.
            let content = json!([{"type": "output_text", "text": text}]);
            json!({"type": "message", "role": "assistant", "content": content})
        }),
        Woven::Call(call, _) => {
            let arguments = if is_object(&call.arguments) { call.arguments.as_str() } else { "{}" };
            Some(json!({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments}))
        }
    }
}

fn attached(attachment: &Attachment) -> Value {
    let url = format!("data:{};base64,{}", attachment.media_type.word(), base64_of(attachment));
    match attachment.media_type.is_image() {
        true => json!({"type": "input_image", "detail": "auto", "image_url": url}),
        false => json!({"type": "input_file", "filename": attachment.name, "file_data": url}),
    }
}
