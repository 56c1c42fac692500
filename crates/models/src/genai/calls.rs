//! The tool calls of a reply while they come.
//!
//! Which piece belongs to which call is the dialect's business; that a call leaves only whole is ours.

use crate::backend::ReplyCall;
use crate::http::{Fault, Written, settled};

/// The calls, in the order in which they began.
#[derive(Debug)]
pub(super) struct Calls {
    calls: Vec<Written>,
    max_calls: usize,
}

impl Calls {
    /// No calls yet.
    pub(super) fn new(max_calls: usize) -> Calls {
        Calls { calls: Vec::new(), max_calls }
    }

    /// A call begins; gives its place.
    pub(super) fn begin(&mut self, id: Option<&str>, name: &str) -> Result<usize, Fault> {
        if self.calls.len() == self.max_calls {
            return Err(Fault::TooManyCalls { limit: self.max_calls });
        }
        let id = id.filter(|id| !id.is_empty()).map(str::to_owned);
        self.calls.push(Written { id, name: name.to_owned(), arguments: String::new() });
        Ok(self.calls.len() - 1)
    }

    /// A piece of a call's arguments came.
    pub(super) fn add(&mut self, at: usize, piece: &str) {
        self.calls[at].arguments.push_str(piece);
    }

    /// A call's arguments came whole, whatever came of them in pieces.
    pub(super) fn set(&mut self, at: usize, arguments: &str) {
        arguments.clone_into(&mut self.calls[at].arguments);
    }

    /// Where the call of an id is.
    pub(super) fn find(&self, id: &str) -> Option<usize> {
        self.calls.iter().rposition(|call| call.id.as_deref() == Some(id))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Forgets all, for a list that is better.
    pub(super) fn clear(&mut self) {
        self.calls.clear();
    }

    /// Bytes written so far, for the estimate of what they cost.
    pub(super) fn bytes(&self) -> usize {
        self.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum()
    }

    /// The calls in their places, by the rule that holds for all dialects.
    pub(super) fn finish(self, cut: bool) -> Result<Vec<Option<ReplyCall>>, Fault> {
        settled(self.calls, cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_calls_leave_and_ids_are_their_own() {
        let calls = |cut: bool| {
            let mut calls = Calls::new(4);
            for (id, arguments) in [(Some("a"), r#"{"x":1}"#), (Some("a"), ""), (Some(""), "null"), (None, r#"{"x""#)] {
                let at = calls.begin(id, "f").unwrap();
                calls.add(at, arguments);
            }
            assert!(matches!(calls.begin(None, "g"), Err(Fault::TooManyCalls { limit: 4 })));
            calls.finish(cut)
        };
        assert_eq!(calls(false), Err(Fault::MalformedCall { name: "f".into() }));
        let ended = calls(true).unwrap();
        assert_eq!(ended.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, false]);
        let mut bare = Calls::new(4);
        for id in [Some("a"), Some("a"), None] {
            bare.begin(id, "f").unwrap();
        }
        let ids: Vec<String> = bare.finish(false).unwrap().into_iter().map(|call| call.unwrap().id).collect();
        assert_eq!(ids, ["a", "call_1", "call_2"]);
    }
}
