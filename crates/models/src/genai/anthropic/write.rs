//! Anthropic's messages: users and tools speak as one, and every message has something in it.

use crate::backend::{Attachment, Message};
use crate::genai::carry::{Woven, weave};
use crate::genai::render::arguments;
use crate::http::{NOTHING_SAID, base64_of, own_id};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The conversation. All results of one reply's calls stand in one message, which the dialect insists on, and so does
/// what a person says after them.
///
/// The last block is marked, so that the provider keeps what it read up to there and reads it again for a tenth of the
/// price; each request of a session begins with the one before.
pub(crate) fn messages(messages: &[Message], from: &str) -> Vec<Value> {
    let mut turns: Vec<(&'static str, Vec<Value>)> = Vec::new();
    let mut ids = Ids::default();
    for message in messages {
        let (role, blocks) = match message {
            Message::User { text, attachments } => ("user", user(text, attachments)),
            Message::Assistant { text, calls, carry } => {
                let woven = weave(text, calls, carry.as_ref(), from).into_iter();
                ("assistant", woven.filter_map(|woven| said(woven, &mut ids)).collect())
            }
            Message::Tool { call_id, text, attachments, .. } => {
                ("user", vec![result(ids.shown(call_id), text, attachments)])
            }
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

/// Ids of calls as the dialect takes them: of few letters, and none twice in a conversation. Others come from other
/// providers, and from those that number the calls of each reply anew.
#[derive(Default)]
struct Ids {
    taken: BTreeSet<String>,
    /// What each id is shown as, in the newest reply that has it.
    shown: BTreeMap<String, String>,
}

impl Ids {
    /// A call begins; gives its id. What comes later in the conversation makes no difference to it.
    fn begin(&mut self, id: &str) -> String {
        let fits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        let shown = match fits && !self.taken.contains(id) {
            true => id.to_owned(),
            false => own_id(&self.taken, self.taken.len()),
        };
        self.taken.insert(shown.clone());
        self.shown.insert(id.to_owned(), shown.clone());
        shown
    }

    fn shown<'i>(&'i self, id: &'i str) -> &'i str {
        self.shown.get(id).map_or(id, String::as_str)
    }
}

/// The dialect refuses an empty text.
fn words(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn user(text: &str, attachments: &[Attachment]) -> Vec<Value> {
    let said = (!text.trim().is_empty()).then(|| words(text));
    attachments.iter().map(attached).chain(said).collect()
}

fn said(woven: Woven<'_>, ids: &mut Ids) -> Option<Value> {
    match woven {
        Woven::Block(block) => Some(block),
        Woven::Text(text, _) => (!text.trim().is_empty()).then(|| words(text)),
        Woven::Call(call, _) => Some(
            json!({"type": "tool_use", "id": ids.begin(&call.id), "name": call.name, "input": arguments(&call.arguments)}),
        ),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::ReplyCall;

    #[test]
    fn no_id_stands_twice_in_a_conversation() {
        let reply = |ids: &[&str]| {
            let call = |id: &&str| ReplyCall { id: (*id).into(), name: "f".into(), arguments: "{}".into() };
            Message::Assistant { text: String::new(), calls: ids.iter().map(call).collect(), carry: None }
        };
        let result = |id: &str| Message::Tool {
            call_id: id.into(),
            name: "f".into(),
            text: "done".into(),
            attachments: Vec::new(),
        };
        let conversation = [
            reply(&["call_0", "functions.f:0"]),
            result("call_0"),
            result("functions.f:0"),
            reply(&["call_0", "toolu_1"]),
            result("call_0"),
            result("toolu_1"),
        ];
        let rendered = Value::Array(messages(&conversation, "anthropic m"));
        let ids = |turn: usize, field: &str| -> Vec<String> {
            let blocks = rendered[turn]["content"].as_array().unwrap();
            blocks.iter().map(|block| block[field].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(ids(0, "id"), ["call_0", "call_1"]);
        assert_eq!(ids(1, "tool_use_id"), ids(0, "id"));
        assert_eq!(ids(2, "id"), ["call_2", "toolu_1"]);
        assert_eq!(ids(3, "tool_use_id"), ids(2, "id"));
    }
}
