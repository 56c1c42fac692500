//! What a model thought before it called tools, for the next request of the same model: DeepSeek's and Kimi's thinking
//! models refuse to go on in a tool loop without it.
//!
//! Deliberately absent: reasoning that servers send under other names. Those servers do not want it back, and some
//! refuse every field that they do not know.

use crate::backend::{Carry, ReplyCall};

/// Who gives and who gets a carry.
fn from(model: &str) -> String {
    format!("chat {model}")
}

/// The carry of a reply: what came as `reasoning_content` together with calls of tools.
pub(super) fn carry(model: &str, reasoning_content: &str, calls: &[ReplyCall]) -> Option<Carry> {
    (!reasoning_content.is_empty() && !calls.is_empty()).then(|| {
        let data = serde_json::to_string(reasoning_content).expect("a text is always JSON");
        Carry { from: from(model), data }
    })
}

/// What goes back to a model with a message that has calls, where that model gave it.
pub(super) fn reasoning_content(carry: Option<&Carry>, model: &str) -> Option<String> {
    let carry = carry.filter(|carry| carry.from == from(model))?;
    serde_json::from_str(&carry.data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_goes_back_to_its_model_alone() {
        let calls = [ReplyCall { id: "a".into(), name: "f".into(), arguments: "{}".into() }];
        let given = carry("m", "think \"hard\"\n", &calls).unwrap();
        assert_eq!(reasoning_content(Some(&given), "m").as_deref(), Some("think \"hard\"\n"));
        assert_eq!(reasoning_content(Some(&given), "n"), None);
        let foreign = |from: &str, data: &str| Carry { from: from.into(), data: data.into() };
        assert_eq!(reasoning_content(Some(&foreign("anthropic m", &given.data)), "m"), None);
        assert_eq!(reasoning_content(Some(&foreign("chat m", "[1]")), "m"), None);
        assert_eq!((carry("m", "", &calls), carry("m", "think", &[])), (None, None));
    }
}
