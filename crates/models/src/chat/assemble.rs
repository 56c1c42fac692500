//! Tool calls out of their pieces.
//!
//! The dialect says that each call has an index and that its id and name come once. Servers leave the index out, count
//! from 1, give every call the index 0, repeat the id or send an empty one. A piece belongs to the newest call that it
//! does not contradict; a piece that contradicts all begins a new one.

use super::chunk::FunctionPiece;
use super::extent::Extent;
use crate::backend::ReplyCall;
use crate::http::{Fault, Written, is_object, settled};

#[derive(Debug, Default)]
struct Open {
    index: Option<u64>,
    id: Option<String>,
    name: String,
    arguments: String,
    extent: Extent,
    /// Whether the arguments are a whole object, and so nothing more belongs to them.
    ended: bool,
}

/// The calls of one reply while they stream.
#[derive(Debug)]
pub(super) struct Assembler {
    calls: Vec<Open>,
    max_calls: usize,
}

impl Assembler {
    /// No calls yet.
    pub(super) fn new(max_calls: usize) -> Assembler {
        Assembler { calls: Vec::new(), max_calls }
    }

    /// Takes one piece; tells whether there was anything in it.
    pub(super) fn add(&mut self, index: Option<u64>, id: Option<String>, piece: &FunctionPiece) -> Result<bool, Fault> {
        let arguments = piece
            .arguments()
            .map_err(|error| Fault::NotTheDialect { reason: format!("arguments of a call: {error}") })?;
        let name = piece.name();
        if name.is_empty() && arguments.is_empty() && id.is_none() {
            return Ok(false);
        }
        let found = self.calls.iter().rposition(|call| call.continues(index, id.as_deref(), name, &arguments));
        let at = match found {
            Some(at) => at,
            None if self.calls.len() == self.max_calls => return Err(Fault::TooManyCalls { limit: self.max_calls }),
            None => {
                self.calls.push(Open { index, ..Open::default() });
                self.calls.len() - 1
            }
        };
        let call = &mut self.calls[at];
        call.id = call.id.take().or(id);
        if call.name.is_empty() {
            name.clone_into(&mut call.name);
        }
        call.write(&arguments);
        Ok(true)
    }

    /// Whether any call began.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Bytes written so far, for the estimate of what they cost.
    pub(super) fn bytes(&self) -> usize {
        self.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum()
    }

    /// The calls that ended, by the rule that holds for all dialects.
    pub(super) fn finish(self, cut: bool) -> Result<Vec<ReplyCall>, Fault> {
        let written = self.calls.into_iter().map(|Open { id, name, arguments, .. }| Written { id, name, arguments });
        Ok(settled(written, cut)?.into_iter().flatten().collect())
    }
}

impl Open {
    /// Takes a piece of the arguments. They are parsed once, when their last brace has come, and not with every piece.
    fn write(&mut self, piece: &str) {
        let closed_before = self.extent.is_closed();
        self.arguments.push_str(piece);
        self.extent.push(piece);
        self.ended = self.extent.is_closed() && (if closed_before { self.ended } else { is_object(&self.arguments) });
    }

    fn continues(&self, index: Option<u64>, id: Option<&str>, name: &str, arguments: &str) -> bool {
        let agrees = |ours: Option<&str>, theirs: Option<&str>| ours.is_none() || theirs.is_none() || ours == theirs;
        if self.index.is_some() && index.is_some() && self.index != index {
            return false;
        }
        if !agrees(self.id.as_deref(), id) {
            return false;
        }
        if name.is_empty() || self.name.is_empty() {
            return true;
        }
        // A name that comes again says nothing while the arguments are open; with an ended call it begins the next.
        let next_begins = !arguments.is_empty() && self.ended;
        self.name == name && !next_begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Piece<'a> = (Option<u64>, Option<&'a str>, &'a str, &'a str);

    fn assemble(pieces: &[Piece<'_>], cut: bool) -> Result<Vec<(String, String, String)>, Fault> {
        let mut assembler = Assembler::new(3);
        for (index, id, name, arguments) in pieces {
            let json = serde_json::json!({"name": name, "arguments": arguments}).to_string();
            assembler.add(*index, id.map(str::to_owned), &serde_json::from_str(&json).unwrap())?;
        }
        Ok(assembler.finish(cut)?.into_iter().map(|call| (call.id, call.name, call.arguments)).collect())
    }

    fn expect(pieces: &[Piece<'_>], expected: &[(&str, &str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(a, b, c)| ((*a).into(), (*b).into(), (*c).into())).collect();
        assert_eq!(assemble(pieces, false).unwrap(), expected, "{pieces:?}");
    }

    #[test]
    fn calls_are_told_apart_however_they_are_numbered() {
        let both = [("a", "f", r#"{"x":1}"#), ("b", "g", r#"{"y":2}"#)];
        // As the dialect says, with the pieces of two calls mixed.
        expect(
            &[
                (Some(0), Some("a"), "f", ""),
                (Some(1), Some("b"), "g", r#"{"y""#),
                (Some(0), None, "", r#"{"x":1}"#),
                (Some(1), None, "", ":2}"),
            ],
            &both,
        );
        // From 1, all at 0, without any, and with the id in every piece.
        expect(&[(Some(1), Some("a"), "f", both[0].2), (Some(2), Some("b"), "g", both[1].2)], &both);
        expect(&[(Some(0), Some("a"), "f", both[0].2), (Some(0), Some("b"), "g", both[1].2)], &both);
        expect(&[(None, Some("a"), "f", r#"{"x""#), (None, None, "", ":1}"), (None, Some("b"), "g", both[1].2)], &both);
        expect(
            &[(None, Some("a"), "f", r#"{"x""#), (None, Some("b"), "g", both[1].2), (None, Some("a"), "f", ":1}")],
            &both,
        );
    }

    #[test]
    fn ids_are_made_where_there_are_none_or_twice_the_same() {
        let made = [("call_0", "f", "{}"), ("call_1", "f", "{}")];
        expect(&[(None, None, "f", "{}"), (None, None, "f", "{}")], &made);
        expect(&[(Some(0), None, "f", "{}"), (Some(0), None, "f", "{}")], &made);
        expect(
            &[(Some(0), Some("x"), "f", "{}"), (Some(1), Some("x"), "f", "{}")],
            &[("x", "f", "{}"), ("call_1", "f", "{}")],
        );
        expect(
            &[(Some(0), Some("call_1"), "f", "{}"), (Some(1), None, "f", "{}")],
            &[("call_1", "f", "{}"), ("call_2", "f", "{}")],
        );
    }

    #[test]
    fn a_name_that_comes_again_does_not_double_the_call() {
        expect(
            &[(Some(0), Some("a"), "f", r#"{"x""#), (Some(0), Some("a"), "f", ":1}"), (Some(0), Some("a"), "f", "")],
            &[("a", "f", r#"{"x":1}"#)],
        );
    }

    #[test]
    fn no_arguments_are_an_empty_object_only_of_a_model_that_was_done() {
        expect(&[(Some(0), Some("a"), "f", "")], &[("a", "f", "{}")]);
        assert_eq!(assemble(&[(Some(0), Some("a"), "f", "")], true).unwrap(), []);
    }

    #[test]
    fn arguments_that_are_no_object_never_leave() {
        for wrong in ["{\"x\":", "[1]", "\"{}\"", "1", "{}{}", "{} x"] {
            assert!(
                matches!(assemble(&[(None, None, "f", wrong)], false), Err(Fault::MalformedCall { .. })),
                "{wrong}"
            );
            assert_eq!(
                assemble(&[(None, Some("b"), "g", "{}"), (None, Some("c"), "f", wrong)], true).unwrap().len(),
                1
            );
        }
        assert!(matches!(assemble(&[(None, Some("a"), "", "{}")], false), Err(Fault::MalformedCall { .. })));
    }

    #[test]
    fn calls_without_number_are_refused() {
        let pieces: Vec<Piece<'_>> = (0..4).map(|n| (Some(n), None, "f", "{}")).collect();
        assert_eq!(assemble(&pieces, false), Err(Fault::TooManyCalls { limit: 3 }));
    }
}
