//! A regular expression that is searched for in pieces, so that a search can be stopped.
//!
//! A hostile expression of the permitted size takes about half a second for [`PIECE_BYTES`] (measured: `a[ab ]{5000}y`
//! over a, b and blanks), so that is how much is searched between two looks at whether to stop. Pieces end where lines
//! do, so nothing is missed; only a line longer than a piece is searched in overlapping ones: in it a match may be
//! missed that is longer than the overlap, and `$` holds at the end of a piece too.

use crate::hands::Hands;
use crate::refusal::Refusal;
use crate::text;
use grep_matcher::{ByteSet, LineMatchKind, LineTerminator, Match, Matcher, NoCaptures, NoError};
use grep_regex::{ErrorKind, RegexMatcher, RegexMatcherBuilder};
use std::fmt;

/// How deep groups of an expression may stand in each other.
const NESTED_GROUPS: u32 = 50;
/// How much is searched between two looks at whether to stop.
const PIECE_BYTES: usize = 16 << 10;
/// How much of a piece the next one of the same line searches again.
const OVERLAP_BYTES: usize = 1 << 10;

/// A compiled expression. It matches within lines, and whether these end in LF or CRLF makes no difference.
pub(crate) struct Pieces<'a> {
    hands: &'a Hands<'a>,
    regex: RegexMatcher,
}

/// The search was told to stop.
pub(crate) struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the search was told to stop")
    }
}

impl<'a> Pieces<'a> {
    /// Compiles a pattern within bounds. The engine takes time in proportion to pattern times text, whatever they are.
    pub(crate) fn compile(hands: &'a Hands<'a>, pattern: &str, ignore_case: bool) -> Result<Pieces<'a>, Refusal> {
        hands.limits.pattern().admit("pattern", pattern.len() as u64)?;
        let built = RegexMatcherBuilder::new()
            .multi_line(true)
            .crlf(true)
            .case_insensitive(ignore_case)
            .size_limit(hands.limits.regex_bytes)
            .dfa_size_limit(hands.limits.regex_bytes)
            .nest_limit(NESTED_GROUPS)
            .build(pattern);
        let regex = built.map_err(|error| Refusal::Regex {
            pattern: text::quoted(pattern),
            reason: match error.kind() {
                ErrorKind::Regex(reason) if reason.contains("exceeds size limit") => {
                    format!("compiled it is larger than {} bytes (regex_bytes)", hands.limits.regex_bytes)
                }
                // The engine shows the pattern as it put it together from this one; what is wrong stands last.
                ErrorKind::Regex(reason) => reason.rsplit("error: ").next().unwrap_or(reason).to_owned(),
                ErrorKind::NotAllowed(_) => "it holds a line end, and lines are searched one by one".to_owned(),
                _ => error.to_string(),
            },
        })?;
        Ok(Pieces { hands, regex })
    }

    /// Where in a line, its end included, the expression first matches.
    pub(crate) fn column(&self, line: &[u8]) -> Result<usize, Stopped> {
        Ok(self.find_at(line, 0)?.map_or(0, |found| found.start()))
    }

    /// Goes through the pieces from `at` on until `look` finds something in one.
    fn each<T>(
        &self,
        haystack: &[u8],
        mut at: usize,
        mut look: impl FnMut(Piece) -> Result<Option<T>, NoError>,
    ) -> Result<Option<T>, Stopped> {
        let mut whole_lines = true;
        loop {
            self.hands.go_on().map_err(|_| Stopped)?;
            let piece = Piece::cut(haystack, at, whole_lines);
            // Not to fail is in the type of the engine's error.
            if let Ok(Some(found)) = look(piece) {
                return Ok(Some(found));
            }
            match piece.next {
                Some(next) => (at, whole_lines) = (next, piece.whole_lines),
                None => return Ok(None),
            }
        }
    }
}

/// A part of what is searched.
#[derive(Clone, Copy)]
struct Piece {
    start: usize,
    end: usize,
    /// It begins with a line and ends with one, whose end is left out: behind it an empty line would be found.
    whole_lines: bool,
    /// Where the next piece begins.
    next: Option<usize>,
}

impl Piece {
    /// The piece that begins at `start`, which is the beginning of a line where `whole_lines` says so.
    fn cut(haystack: &[u8], start: usize, whole_lines: bool) -> Piece {
        let rest = &haystack[start..];
        let line_end = |length: usize| start + length - usize::from(length > 0 && rest[length - 1] == b'\r');
        let window = &rest[..rest.len().min(PIECE_BYTES)];
        match window.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => {
                let next = start + last + 1;
                let next = (next < haystack.len()).then_some(next);
                // What begins in the middle of a line is searched to its end alone.
                let first = if whole_lines { Some(last) } else { window.iter().position(|byte| *byte == b'\n') };
                match first {
                    Some(first) if first < last => {
                        Piece { start, end: line_end(first), whole_lines: true, next: Some(start + first + 1) }
                    }
                    _ => Piece { start, end: line_end(last), whole_lines: true, next },
                }
            }
            None if window.len() == rest.len() => Piece { start, end: haystack.len(), whole_lines: true, next: None },
            None => {
                let end = boundary(haystack, start + PIECE_BYTES);
                Piece { start, end, whole_lines: false, next: Some(boundary(haystack, end - OVERLAP_BYTES)) }
            }
        }
    }
}

/// The beginning of the letter in which a byte stands, in UTF-8.
fn boundary(haystack: &[u8], mut at: usize) -> usize {
    while haystack.get(at).is_some_and(|byte| byte & 0xc0 == 0x80) {
        at -= 1;
    }
    at
}

impl Matcher for Pieces<'_> {
    type Captures = NoCaptures;
    type Error = Stopped;

    fn find_at(&self, haystack: &[u8], at: usize) -> Result<Option<Match>, Stopped> {
        // What stands before the piece is known to the engine, so that `^` and `\b` mean what they say.
        self.each(haystack, at, |piece| self.regex.find_at(&haystack[..piece.end], piece.start))
    }

    fn new_captures(&self) -> Result<NoCaptures, Stopped> {
        Ok(NoCaptures::new())
    }

    fn line_terminator(&self) -> Option<LineTerminator> {
        self.regex.line_terminator()
    }

    fn non_matching_bytes(&self) -> Option<&ByteSet> {
        self.regex.non_matching_bytes()
    }

    fn find_candidate_line(&self, haystack: &[u8]) -> Result<Option<LineMatchKind>, Stopped> {
        let mut at_line = true;
        self.each(haystack, 0, |piece| {
            let begins_line = std::mem::replace(&mut at_line, piece.whole_lines);
            if begins_line && piece.whole_lines {
                let found = self.regex.find_candidate_line(&haystack[piece.start..piece.end])?;
                return Ok(found.map(|found| match found {
                    LineMatchKind::Confirmed(at) => LineMatchKind::Confirmed(piece.start + at),
                    LineMatchKind::Candidate(at) => LineMatchKind::Candidate(piece.start + at),
                }));
            }
            let found = self.regex.shortest_match_at(&haystack[..piece.end], piece.start)?;
            Ok(found.map(LineMatchKind::Confirmed))
        })
    }
}
