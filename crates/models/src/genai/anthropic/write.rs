//! Anthropic's messages: users and tools speak as one, and every message has something in it.

use crate::backend::{Attachment, Message};
use crate::genai::carry::{Woven, weave};
use crate::genai::render::{NOTHING_SAID, arguments};
use crate::http::base64_of;
use serde_json::{Value, json};

/// The conversation. All results of one reply's calls stand in one message, which the dialect insists on, and so does
/// what a person says after them.
///
/// The last block is marked, so that the provider keeps what it read up to there and reads it again for a tenth of the
/// price; each request of a session begins with the one before.
pub(crate) fn messages(messages: &[Message], from: &str) -> Vec<Value> {
    let mut turns: Vec<(&'static str, Vec<Value>)> = Vec::new();
    for message in messages {
        let (role, blocks) = match message {
            Message::User { text, attachments } => ("user", user(text, attachments)),
            Message::Assistant { text, calls, carry } => {
                ("assistant", weave(text, calls, carry.as_ref(), from).into_iter().filter_map(said).collect())
            }
            Message::Tool { call_id, text, attachments, .. } => ("user", vec![result(call_id, text, attachments)]),
        };
        match turns.last_mut() {
            Some((last, said)) if *last == role => said.extend(blocks),
            _ => turns.push((role, blocks)),
        }
    }
    for (_, blocks) in &mut turns {
        if blocks.is_empty() {
            blocks.push(words(NOTHING_SAID));
        }
    }
    if let Some(last) = turns.last_mut().and_then(|(_, blocks)| blocks.last_mut()) {
        last["cache_control"] = json!({"type": "ephemeral"});
    }
    turns.into_iter().map(|(role, content)| json!({"role": role, "content": content})).collect()
}

/// The dialect refuses an empty text.
fn words(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn user(text: &str, attachments: &[Attachment]) -> Vec<Value> {
    let said = (!text.trim().is_empty()).then(|| words(text));
    attachments.iter().map(attached).chain(said).collect()
}

fn said(woven: Woven<'_>) -> Option<Value> {
    match woven {
        Woven::Block(block) => Some(block),
        Woven::Text(text, _) => (!text.trim().is_empty()).then(|| words(text)),
        Woven::Call(call, _) => {
            Some(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments(&call.arguments)}))
        }
    }
}

fn result(call_id: &str, text: &str, attachments: &[Attachment]) -> Value {
    let content = user(text, attachments);
    if content.is_empty() {
        return json!({"type": "tool_result", "tool_use_id": call_id});
    }
    json!({"type": "tool_result", "tool_use_id": call_id, "content": content})
}

fn attached(attachment: &Attachment) -> Value {
    let source = json!({"type": "base64", "media_type": attachment.media_type.word(), "data": base64_of(attachment)});
    match attachment.media_type.is_image() {
        true => json!({"type": "image", "source": source}),
        false => json!({"type": "document", "source": source, "title": attachment.name}),
    }
}
