//! Gemini's contents: users and tools speak as one, and results of calls have no room for pictures.

use crate::backend::{Attachment, Message};
use crate::genai::carry::{Woven, weave};
use crate::genai::render::{arguments, is_own_id};
use crate::http::{NOTHING_SAID, base64_of};
use serde_json::{Value, json};

/// What stands in place of a signature that there is none of, word for word as Google documents it for calls that another
/// model made: <https://ai.google.dev/gemini-api/docs/thought-signatures>.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// The beginning of the names of models that refuse a step whose first call bears no signature.
const WANTS_SIGNATURES: &str = "gemini-3";

/// The conversation, for a model. What belongs to a result of a call and is no text follows it as a part of its own.
pub(crate) fn contents(messages: &[Message], from: &str, model: &str) -> Vec<Value> {
    let mut turns: Vec<(&'static str, Vec<Value>)> = Vec::new();
    for message in messages {
        let (role, parts) = match message {
            Message::User { text, attachments } => {
                let said = (!text.is_empty()).then(|| json!({ "text": text }));
                ("user", attachments.iter().map(attached).chain(said).collect::<Vec<_>>())
            }
            Message::Assistant { text, calls, carry } => {
                let mut woven = weave(text, calls, carry.as_ref(), from);
                if model.starts_with(WANTS_SIGNATURES) {
                    sign(&mut woven);
                }
                ("model", woven.into_iter().map(said).collect())
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

/// Signs the first call of a step that another model made.
fn sign(step: &mut [Woven<'_>]) {
    let mut signs = step.iter_mut().filter_map(|piece| match piece {
        Woven::Call(_, sign) => Some(sign),
        Woven::Block(_) | Woven::Text(..) => None,
    });
    if let Some(first) = signs.next()
        && first.is_none()
        && signs.all(|sign| sign.is_none())
    {
        *first = Some(NO_SIGNATURE.to_owned());
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Carry, ReplyCall};

    #[test]
    fn a_step_of_another_model_is_signed_for_the_third_generation_alone() {
        let call = |id: &str| ReplyCall { id: id.into(), name: "f".into(), arguments: "{}".into() };
        let step = |carry| [Message::Assistant { text: String::new(), calls: vec![call("a"), call("b")], carry }];
        let signs = |messages: &[Message], model: &str| {
            let turns = contents(messages, &format!("gemini {model}"), model);
            let parts = turns[0]["parts"].as_array().unwrap().clone();
            parts.iter().map(|part| part["thoughtSignature"].as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        assert_eq!(signs(&step(None), "gemini-3-pro"), [Some(NO_SIGNATURE.to_owned()), None]);
        assert_eq!(signs(&step(None), "gemini-2.5-pro"), [None, None]);
        let own = Carry { from: "gemini gemini-3-pro".into(), data: r#"[{"call":{"id":"a","sign":"S"}}]"#.into() };
        assert_eq!(signs(&step(Some(own)), "gemini-3-pro"), [Some("S".to_owned()), None]);
    }
}
