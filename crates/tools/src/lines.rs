//! A text as lines, which is how tolerant edits and patches look at it, and how a part of it is shown with numbers.

use crate::text;
use std::borrow::Cow;
use std::ops::Range;

/// How many line numbers are told where there are more of them.
const NUMBERS_TOLD: usize = 10;
/// How many lines a snippet shows, gaps not counted.
const SNIPPET_LINES: usize = 16;
/// How many lines stand around what a snippet is about.
const SNIPPET_CONTEXT: usize = 2;
/// How much of a line a snippet shows.
const SNIPPET_LINE_BYTES: usize = 200;

/// A line of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// The line without its end.
    pub(crate) text: Cow<'a, str>,
    /// Its end: LF, CRLF, or nothing where the text ends without one.
    pub(crate) end: &'static str,
}

/// The lines of a text, which joined are the text again.
pub(crate) fn split(text: &str) -> Vec<Line<'_>> {
    let line = |whole| {
        let (text, end) = without_end(whole);
        Line { text: Cow::Borrowed(text), end }
    };
    text.split_inclusive('\n').map(line).collect()
}

/// A line, and its end if it has one.
pub(crate) fn without_end(line: &str) -> (&str, &'static str) {
    match (line.strip_suffix("\r\n"), line.strip_suffix('\n')) {
        (Some(text), _) => (text, "\r\n"),
        (None, Some(text)) => (text, "\n"),
        (None, None) => (line, ""),
    }
}

/// The text that lines make.
pub(crate) fn join(lines: &[Line<'_>]) -> String {
    lines.iter().flat_map(|line| [&*line.text, line.end]).collect()
}

/// The end that a line gets which comes before line `at`: that of the line before it, else of the one there.
pub(crate) fn end_at(lines: &[Line<'_>], at: usize) -> &'static str {
    let before = at.checked_sub(1).and_then(|before| lines.get(before));
    let ends = [before, lines.get(at), lines.first()];
    ends.into_iter().flatten().map(|line| line.end).find(|end| !end.is_empty()).unwrap_or("\n")
}

/// The first few of some line numbers.
pub(crate) fn numbers(mut lines: impl Iterator<Item = usize>) -> String {
    let told: Vec<String> = lines.by_ref().take(NUMBERS_TOLD).map(|line| line.to_string()).collect();
    told.join(", ") + if lines.next().is_some() { ", …" } else { "" }
}

/// Some lines with their numbers and a few around them, as `12| text`. Ranges count from 0 and go upwards; an empty one
/// shows the place where lines are gone.
pub(crate) fn snippet<'a>(lines: impl Iterator<Item = &'a str>, ranges: &[Range<usize>]) -> String {
    let ranges = joined(ranges);
    let (mut shown, mut last, mut unshown) = (Vec::new(), None, 0);
    let mut left = SNIPPET_LINES;
    for (at, line) in lines.enumerate().take_while(|(at, _)| near(&ranges, *at, SNIPPET_CONTEXT) != Near::Past) {
        if left == 0 {
            unshown += usize::from(near(&ranges, at, 0) == Near::Here);
        } else if near(&ranges, at, SNIPPET_CONTEXT) == Near::Here {
            if last.is_some_and(|last| last + 1 < at) {
                shown.push("…".to_owned());
            }
            (left, last) = (left - 1, Some(at));
            shown.push(format!("{}| {}", at + 1, text::short(line.trim_end_matches(['\r', '\n']), SNIPPET_LINE_BYTES)));
        }
    }
    if unshown > 0 {
        shown.push(format!("[… {} not shown]", text::count(unshown, "changed line is", "changed lines are")));
    }
    shown.join("\n")
}

/// Where a line is, seen from ranges of lines.
#[derive(PartialEq, Eq)]
enum Near {
    Between,
    Here,
    Past,
}

/// Whether a line is in one of the ranges or at most so many lines away.
fn near(ranges: &[Range<usize>], at: usize, around: usize) -> Near {
    match ranges.get(ranges.partition_point(|range| range.end + around <= at)) {
        None => Near::Past,
        Some(range) if range.start <= at + around => Near::Here,
        Some(_) => Near::Between,
    }
}

/// The ranges, those that touch made one.
fn joined(ranges: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range.clone()),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_join_to_the_text() {
        for text in ["", "a", "a\n", "a\r\nb\n\nc", "\r", "\n\r\n"] {
            assert_eq!(join(&split(text)), text, "{text:?}");
        }
        let lines = split("a\r\nb\nc");
        assert_eq!([0, 1, 2, 3].map(|at| end_at(&lines, at)), ["\r\n", "\r\n", "\n", "\r\n"]);
        assert_eq!(end_at(&[], 0), "\n");
    }

    #[test]
    fn a_snippet_shows_what_is_around_and_stays_short() {
        let text: String = (1..=40).map(|line| format!("line {line}\n")).collect();
        let show = |ranges: &[Range<usize>]| snippet(text.lines(), ranges);
        let one = |range: Range<usize>| show(std::slice::from_ref(&range));
        assert_eq!(one(3..4), "2| line 2\n3| line 3\n4| line 4\n5| line 5\n6| line 6");
        assert_eq!(one(0..0), "1| line 1\n2| line 2");
        assert_eq!(show(&[0..1, 38..40]).lines().collect::<Vec<_>>()[3..5], ["…", "37| line 37"]);
        let long = one(0..30);
        assert_eq!(long.lines().count(), SNIPPET_LINES + 1);
        assert!(long.ends_with("16| line 16\n[… 14 changed lines are not shown]"), "{long}");
    }
}
