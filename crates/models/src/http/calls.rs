//! What is true of a tool call in every dialect: its arguments are a whole JSON object, and its id is its own.

use serde_json::Value;
use std::collections::BTreeSet;

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
