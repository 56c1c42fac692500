//! What is true of a tool call in every dialect: its arguments are a whole JSON object, and its id is its own. One piece
//! decides it, since nothing else keeps a call from running whose arguments did not end.

use super::Fault;
use crate::backend::ReplyCall;
use serde_json::Value;
use std::collections::BTreeSet;

/// Characters of a tool's name that go into a message.
const MAX_NAME_CHARS: usize = 64;

/// A call as it was written, whole or not.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// The provider's id, if it gave one.
    pub(crate) id: Option<String>,
    /// The tool.
    pub(crate) name: String,
    /// The arguments, as far as they came.
    pub(crate) arguments: String,
}

/// The calls in their places. `cut` says that the model was stopped in the middle: then a call that did not end is left
/// out, and no arguments at all do not count as ended. Otherwise such a call is a fault of the whole reply.
pub(crate) fn settled(written: impl IntoIterator<Item = Written>, cut: bool) -> Result<Vec<Option<ReplyCall>>, Fault> {
    let mut taken = BTreeSet::new();
    let mut ended = Vec::new();
    for call in written {
        let bare = matches!(call.arguments.trim(), "" | "null");
        let arguments = if bare && !cut { "{}".to_owned() } else { call.arguments };
        if call.name.is_empty() || !is_object(&arguments) {
            if !cut {
                return Err(malformed(&call.name));
            }
            ended.push(None);
            continue;
        }
        let id = call.id.filter(|id| !taken.contains(id)).unwrap_or_else(|| own_id(&taken, taken.len()));
        taken.insert(id.clone());
        ended.push(Some(ReplyCall { id, name: call.name, arguments }));
    }
    Ok(ended)
}

/// The fault of a call that is none.
pub(crate) fn malformed(name: &str) -> Fault {
    Fault::MalformedCall { name: name.chars().take(MAX_NAME_CHARS).collect() }
}

/// An id of our making that no call of the reply has.
pub(crate) fn own_id(taken: &BTreeSet<String>, from: usize) -> String {
    (from..).map(|n| format!("call_{n}")).find(|id| !taken.contains(id)).expect("the numbers do not run out")
}

/// Whether a text is one whole JSON object.
pub(crate) fn is_object(text: &str) -> bool {
    // The cheap test first: most that is no object does not look like one.
    text.trim_start().starts_with('{')
        && text.trim_end().ends_with('}')
        && serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object())
}
