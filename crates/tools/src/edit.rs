//! `edit_file`: one text in a file in place of another.

use crate::hands::Hands;
use crate::output::Output;
use crate::refusal::Refusal;
use crate::text;
use std::borrow::Cow;
use wire::{Contents, RelPath};

/// How many line numbers are told where a text occurs more than once.
const LINES_TOLD: usize = 10;

/// Replaces `old` by `new`, once, or everywhere if `all`.
pub(crate) fn edit_file(hands: &Hands<'_>, path: &RelPath, old: &str, new: &str, all: bool) -> Result<Output, Refusal> {
    hands.limits.content().admit("new text", new.len() as u64)?;
    let shown = text::path(path);
    let Some(before) = hands.file(path)? else { return Err(Refusal::Absent(shown.into_owned())) };
    hands.unchanged(path, Some(&before))?;
    let Some(content) = text::of(&before.bytes) else {
        return Err(Refusal::Binary { path: shown.into_owned(), bytes: before.bytes.len(), verb: "edit" });
    };
    let edit = Edit::fit(content, old, new);
    let places: Vec<usize> = content.match_indices(&*edit.old).map(|(at, _)| at).collect();
    match places.len() {
        0 => return Err(Refusal::NoMatch { path: shown.into_owned(), hint: nearest(content, old) }),
        times if times > 1 && !all => {
            let lines = numbers(content, &places);
            return Err(Refusal::ManyMatches { path: shown.into_owned(), times, lines });
        }
        _ => {}
    }
    let size =
        (content.len() - places.len() * edit.old.len()).saturating_add(places.len().saturating_mul(edit.new.len()));
    hands.limits.file().admit(format!("{shown}: after the edit a file"), size as u64)?;
    let after = Contents { bytes: content.replace(&*edit.old, &edit.new).into_bytes(), mode: before.mode };
    let done = text::count(places.len(), "replacement", "replacements");
    let at = if places.len() == 1 { "at line" } else { "at lines" };
    let text = format!("edited {shown}: {done} {at} {}; it now has {}", numbers(content, &places), text::size(&after));
    Ok(Output::done(text).change(path, Some(before), Some(after)))
}

/// What to look for and what to put there, with the line ends of the file.
struct Edit<'a> {
    old: Cow<'a, str>,
    new: Cow<'a, str>,
}

impl<'a> Edit<'a> {
    /// Models write LF. In a file whose every line ends in CRLF both texts are meant so; in one that has both kinds
    /// they are taken as they are, and only where that finds nothing as CRLF.
    fn fit(content: &str, old: &'a str, new: &'a str) -> Edit<'a> {
        let crlf_lines = content.matches("\r\n").count();
        let only_crlf = crlf_lines > 0 && crlf_lines == content.matches('\n').count();
        if only_crlf || crlf_lines > 0 && !content.contains(old) {
            Edit { old: with_crlf(old), new: with_crlf(new) }
        } else {
            Edit { old: old.into(), new: new.into() }
        }
    }
}

/// The text with CRLF at the end of every line.
fn with_crlf(text: &str) -> Cow<'_, str> {
    if !text.contains('\n') {
        return text.into();
    }
    text.replace("\r\n", "\n").replace('\n', "\r\n").into()
}

/// The lines, from 1, of some places in a text.
fn numbers(content: &str, places: &[usize]) -> String {
    let (mut line, mut from) = (1, 0);
    let mut numbers = Vec::new();
    for place in places.iter().take(LINES_TOLD) {
        line += text::line_of(&content[from..], place - from) - 1;
        from = *place;
        numbers.push(line.to_string());
    }
    let more = if places.len() > LINES_TOLD { ", …" } else { "" };
    numbers.join(", ") + more
}

/// Where the first line of `old` stands but for white space: mostly a matter of indentation.
fn nearest(content: &str, old: &str) -> String {
    let Some(first) = old.lines().map(str::trim).find(|line| !line.is_empty()) else { return String::new() };
    match content.lines().position(|line| line.trim() == first) {
        Some(line) => format!(" (its first line is like line {}; the white space or what follows differs)", line + 1),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_follow_the_file() {
        for (content, old, new, expected) in [
            ("a\nb\n", "a\nb", "c\nd", "c\nd\n"),
            ("a\r\nb\r\n", "a\nb", "c\nd", "c\r\nd\r\n"),
            ("a\r\nb\r\n", "a", "c\nd", "c\r\nd\r\nb\r\n"),
            ("a\r\nb\r\n", "a\r\nb", "c\r\nd", "c\r\nd\r\n"),
            // Without translation this would match in the middle of a line end.
            ("a\r\nb\r\n", "\nb", "\nc", "a\r\nc\r\n"),
            ("a\nb\r\nc\r\n", "b\nc", "d\ne", "a\nd\r\ne\r\n"),
            ("a\nb\r\nc\n", "a\nb", "d\ne", "d\ne\r\nc\n"),
        ] {
            let edit = Edit::fit(content, old, new);
            assert_eq!(content.replacen(&*edit.old, &edit.new, 1), expected, "{content:?}: {old:?} by {new:?}");
        }
    }

    #[test]
    fn the_numbers_of_many_places_are_cut() {
        let content = "x\n".repeat(12);
        let places: Vec<usize> = content.match_indices('x').map(|(at, _)| at).collect();
        assert_eq!(numbers(&content, &places), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …");
        assert_eq!(numbers("a x\nx x", &[2, 4, 6]), "1, 2, 2");
    }
}
