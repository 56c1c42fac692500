//! Lines of JSON out of bytes that were cut anywhere, and the shape of one line, read as generously as is safe: what is
//! not known is ignored, what is known may be absent or null.

use crate::http::{Fault, PLAUSIBLE_TOKENS};
use agent::{Tokens, Usage};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Takes bytes in, gives lines out.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// Where the unread part begins.
    start: usize,
    /// Up to where the unread part was searched, so that a long line is searched once.
    searched: usize,
    max_bytes: usize,
}

impl Lines {
    /// No bytes yet; `max_bytes` bounds a line.
    pub(super) fn new(max_bytes: usize) -> Lines {
        Lines { buffer: Vec::new(), start: 0, searched: 0, max_bytes }
    }

    /// Takes bytes as they came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line that ended.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, Fault> {
        let found = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
        let end = found.map_or(self.buffer.len(), |at| self.searched + at);
        if end - self.start > self.max_bytes {
            return Err(Fault::EventTooLong { limit: self.max_bytes });
        }
        let begin = self.start;
        self.searched = end + usize::from(found.is_some());
        if found.is_none() {
            return Ok(None);
        }
        self.start = self.searched;
        Ok(Some(&self.buffer[begin..end]))
    }

    /// What came after the last end of a line.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        let rest = self.buffer.split_off(self.start);
        *self = Lines::new(self.max_bytes);
        rest
    }
}

/// One line.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub(super) message: Option<Piece>,
    pub(super) done: Option<bool>,
    pub(super) done_reason: Option<String>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
    pub(super) error: Option<Value>,
}

/// What the model said in one line.
#[derive(Debug, Deserialize)]
pub(super) struct Piece {
    pub(super) content: Option<String>,
    pub(super) thinking: Option<String>,
    pub(super) tool_calls: Option<Vec<CallPiece>>,
}

/// A call, which always comes whole.
#[derive(Debug, Deserialize)]
pub(super) struct CallPiece {
    pub(super) id: Option<String>,
    function: Option<Function>,
}

#[derive(Debug, Deserialize)]
struct Function {
    name: Option<String>,
    arguments: Option<Box<RawValue>>,
}

impl Line {
    /// The counts of the last line, where zero is left out and a model that was not run has none at all.
    pub(super) fn usage(&self) -> Option<Usage> {
        let plausible = |count: Option<u64>| count.unwrap_or(0) <= PLAUSIBLE_TOKENS;
        let counted = self.prompt_eval_count.is_some() || self.eval_count.is_some();
        (counted && plausible(self.prompt_eval_count) && plausible(self.eval_count)).then(|| Usage {
            input_tokens: Tokens(self.prompt_eval_count.unwrap_or(0)),
            output_tokens: Tokens(self.eval_count.unwrap_or(0)),
            // A cached prompt is reported as one that was read.
            cached_tokens: Tokens(0),
            estimated: false,
        })
    }
}

impl CallPiece {
    /// The tool.
    pub(super) fn name(&self) -> &str {
        self.function.as_ref().and_then(|function| function.name.as_deref()).unwrap_or_default()
    }

    /// The arguments as they were written: an object, or the text of one as other servers write it.
    pub(super) fn arguments(&self) -> String {
        let raw = self.function.as_ref().and_then(|function| function.arguments.as_deref()).map(RawValue::get);
        match raw {
            None | Some("null") => "{}".to_owned(),
            Some(text) => serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_in_any_cutting() {
        let text = b"one\n\ntwo\r\nthree";
        for size in 1..=text.len() {
            let mut lines = Lines::new(5);
            let mut found: Vec<Vec<u8>> = Vec::new();
            for piece in text.chunks(size) {
                lines.push(piece);
                while let Some(line) = lines.next().unwrap() {
                    found.push(line.to_vec());
                }
            }
            assert_eq!(found, [b"one".as_slice(), b"", b"two\r"], "pieces of {size}");
            assert_eq!(lines.rest(), b"three");
        }
    }

    #[test]
    fn a_line_is_bounded_whether_it_ends_or_not() {
        for text in ["123456\n", "123456"] {
            let mut lines = Lines::new(5);
            lines.push(text.as_bytes());
            assert_eq!(lines.next().unwrap_err(), Fault::EventTooLong { limit: 5 });
        }
    }
}
