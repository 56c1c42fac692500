//! Gemini's contents: users and tools speak as one, and results of calls have no room for pictures.

use crate::backend::{Attachment, Message};
use crate::genai::carry::{Woven, weave};
use crate::genai::render::{NOTHING_SAID, arguments, is_own_id};
use crate::http::base64_of;
use serde_json::{Value, json};

/// The conversation. What belongs to a result of a call and is no text follows it as a part of its own.
pub(crate) fn contents(messages: &[Message], from: &str) -> Vec<Value> {
    let mut turns: Vec<(&'static str, Vec<Value>)> = Vec::new();
    for message in messages {
        let (role, parts) = match message {
            Message::User { text, attachments } => {
                let said = (!text.is_empty()).then(|| json!({ "text": text }));
                ("user", attachments.iter().map(attached).chain(said).collect::<Vec<_>>())
            }
            Message::Assistant { text, calls, carry } => {
                ("model", weave(text, calls, carry.as_ref(), from).into_iter().map(said).collect())
            }
            Message::Tool { call_id, name, text, attachments } => {
                let mut response = json!({"name": name, "response": {"result": text}});
                name_call(&mut response, call_id);
                let result = json!({ "functionResponse": response });
                ("user", std::iter::once(result).chain(attachments.iter().map(attached)).collect())
            }
        };
        match turns.last_mut() {
            Some((last, said)) if *last == role => said.extend(parts),
            _ => turns.push((role, parts)),
        }
    }
    let filled = |(role, mut parts): (&str, Vec<Value>)| {
        if parts.is_empty() {
            parts.push(json!({"text": NOTHING_SAID}));
        }
        json!({"role": role, "parts": parts})
    };
    turns.into_iter().map(filled).collect()
}

fn said(woven: Woven<'_>) -> Value {
    let (mut part, sign) = match woven {
        Woven::Block(block) => return block,
        Woven::Text(text, sign) => (json!({ "text": text }), sign),
        Woven::Call(call, sign) => {
            let mut function = json!({"name": call.name, "args": arguments(&call.arguments)});
            name_call(&mut function, &call.id);
            (json!({ "functionCall": function }), sign)
        }
    };
    if let Some(sign) = sign {
        part["thoughtSignature"] = sign.into();
    }
    part
}

/// Only an id that Gemini gave goes back to it; without one it goes by name and order.
fn name_call(function: &mut Value, id: &str) {
    if !is_own_id(id) {
        function["id"] = id.into();
    }
}

fn attached(attachment: &Attachment) -> Value {
    json!({"inlineData": {"mimeType": attachment.media_type.word(), "data": base64_of(attachment)}})
}
