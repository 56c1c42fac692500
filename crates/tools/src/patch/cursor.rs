//! The lines of a patch, one after the other.

use super::PatchError;
use crate::text;

/// How much of a line an error repeats.
const QUOTED_BYTES: usize = 80;

/// A place in the lines of a patch.
pub(crate) struct Cursor<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The beginning of a patch. Where all lines end in CRLF that is how the patch was written down, and no part of it.
    pub(crate) fn new(text: &'a str) -> Cursor<'a> {
        let mut lines: Vec<&str> = text.split('\n').collect();
        if lines.last().is_some_and(|line| line.is_empty()) {
            lines.pop();
        }
        if lines.iter().all(|line| line.ends_with('\r')) {
            lines = lines.iter().map(|line| &line[..line.len() - 1]).collect();
        }
        Cursor { lines, at: 0 }
    }

    /// Whether a line is this one, blanks around it aside.
    pub(crate) fn holds(&self, line: &str) -> bool {
        self.lines.iter().any(|other| other.trim() == line)
    }

    /// The lines from here on.
    pub(crate) fn rest(&self) -> &[&'a str] {
        &self.lines[self.at..]
    }

    /// The line here.
    pub(crate) fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.at).copied()
    }

    /// Goes to the next line if there is one here.
    pub(crate) fn next(&mut self) -> Option<&'a str> {
        let line = self.peek()?;
        self.at += 1;
        Some(line)
    }

    /// The number of the line here, from 1.
    pub(crate) fn number(&self) -> usize {
        self.at + 1
    }

    /// Where it is, to come back to.
    pub(crate) fn mark(&self) -> usize {
        self.at
    }

    /// Back to where it was.
    pub(crate) fn back(&mut self, mark: usize) {
        self.at = mark;
    }

    /// An error about the line here.
    pub(crate) fn wrong(&self, problem: &'static str) -> PatchError {
        let line = self.peek().unwrap_or_default().trim_end();
        PatchError::Line { line: self.number(), text: text::short(line, QUOTED_BYTES).into_owned(), problem }
    }
}
