//! `edit_file`: one text in a file in place of another. Where the old text does not stand exactly it is looked for as
//! lines, white space aside.

use crate::hands::Hands;
use crate::lines::{self, Line};
use crate::matching::{Block, Finder, Place, Tolerance};
use crate::nearest::{Nearest, quoted};
use crate::output::Output;
use crate::refusal::Refusal;
use crate::text;
use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;
use wire::{Contents, RelPath};

/// Replaces `old` by `new`, once, or everywhere if `all`.
pub(crate) fn edit_file(hands: &Hands<'_>, path: &RelPath, old: &str, new: &str, all: bool) -> Result<Output, Refusal> {
    hands.limits.content().admit("new text", new.len() as u64)?;
    let shown = text::path(path);
    let Some(before) = hands.file(path)? else { return Err(Refusal::Absent(shown.into_owned())) };
    hands.unchanged(path, Some(&before))?;
    let Some(content) = text::of(&before.bytes) else {
        return Err(Refusal::Binary { path: shown.into_owned(), bytes: before.bytes.len(), verb: "edit" });
    };
    let found = match Replacements::exact(content, old, new) {
        found if found.places.is_empty() => Replacements::tolerant(hands, content, old, new)?,
        found => found,
    };
    let (times, at) = (found.places.len(), lines::numbers(found.line_numbers(content).into_iter()));
    match times {
        0 => return Err(Refusal::NoMatch { path: shown.into_owned(), near: near(content, old) }),
        2.. if !all => {
            let but = found.tolerance.words().map_or("", |_| ", white space aside");
            return Err(Refusal::ManyMatches { path: shown.into_owned(), times, lines: at, but });
        }
        _ => {}
    }
    hands.limits.file().admit(format!("{shown}: after the edit a file"), found.size_of_result(content))?;
    let result = found.apply(content);
    if result == content {
        return Err(Refusal::NoChange(shown.into_owned()));
    }
    let lines = found.changed_lines(content, &result);
    let note = found.tolerance.words().map(|words| format!("\n[old was found but for {words}]")).unwrap_or_default();
    let after = Contents { bytes: result.into_bytes(), mode: before.mode };
    let done = text::count(times, "replacement", "replacements");
    let place = if times == 1 { "at line" } else { "at lines" };
    let first = format!("edited {shown}: {done} {place} {at}; it now has {}", text::size(&after));
    let snippet = lines::snippet(text::of(&after.bytes).unwrap_or_default().lines(), &lines);
    let gap = if snippet.is_empty() { "" } else { "\n" };
    Ok(Output::done(format!("{first}{gap}{snippet}{note}")).change(path, Some(before), Some(after)))
}

/// What is replaced by what. The places go upwards and do not overlap.
struct Replacements {
    /// The new text is one for all places unless they are indented each in its own way.
    places: Vec<(Range<usize>, Rc<str>)>,
    tolerance: Tolerance,
}

impl Replacements {
    /// Every place at which the old text stands to the letter.
    fn exact(content: &str, old: &str, new: &str) -> Replacements {
        let edit = Edit::fit(content, old, new);
        let new: Rc<str> = edit.new.into();
        let places = content.match_indices(&*edit.old).map(|(at, _)| (at..at + edit.old.len(), new.clone()));
        Replacements { places: places.collect(), tolerance: Tolerance::Exact }
    }

    /// Every place at which the lines of the old text stand but for white space.
    fn tolerant(hands: &Hands<'_>, content: &str, old: &str, new: &str) -> Result<Replacements, Refusal> {
        let (lines, old_lines, new_lines) = (lines::split(content), lines::split(old), lines::split(new));
        let [wanted, replacement] =
            [&old_lines, &new_lines].map(|lines| lines.iter().map(|line| &*line.text).collect());
        let (wanted, replacement): (Vec<&str>, Vec<&str>) = (wanted, replacement);
        let block = Block { wanted: &wanted, replacement: &replacement };
        let mut finder = Finder::new(hands);
        for tolerance in [Tolerance::TrailingSpace, Tolerance::Indentation] {
            let found = finder.places(&lines, &block, tolerance)?;
            if found.is_empty() {
                continue;
            }
            let (mut places, mut bytes) = (Vec::new(), 0);
            for (span, place) in spans(&lines, &found, wanted.len(), old.ends_with('\n')) {
                let new = in_place(&lines, place, &new_lines, old.ends_with('\n'), wanted.len());
                bytes += new.len() as u64;
                hands.limits.file().admit("all new text together", bytes)?;
                places.push((span, new.into()));
            }
            return Ok(Replacements { places, tolerance });
        }
        Ok(Replacements { places: Vec::new(), tolerance: Tolerance::Exact })
    }

    /// The numbers of the lines, from 1, at which the places begin.
    fn line_numbers(&self, content: &str) -> Vec<usize> {
        line_numbers(content, self.places.iter().map(|(span, _)| span.start))
    }

    fn size_of_result(&self, content: &str) -> u64 {
        let (gone, come) = self
            .places
            .iter()
            .fold((0, 0), |(gone, come), (span, new)| (gone + span.len() as u64, come + new.len() as u64));
        content.len() as u64 - gone + come
    }

    fn apply(&self, content: &str) -> String {
        let (mut result, mut from) = (String::new(), 0);
        for (span, new) in &self.places {
            result.push_str(&content[from..span.start]);
            result.push_str(new);
            from = span.end;
        }
        result.push_str(&content[from..]);
        result
    }

    /// The lines of the result, from 0, that hold what is new.
    fn changed_lines(&self, content: &str, result: &str) -> Vec<Range<usize>> {
        let (mut from, mut at, mut bounds) = (0, 0, Vec::new());
        for (span, new) in &self.places {
            at += span.start - from;
            bounds.extend([at, at + new.trim_end_matches('\n').len()]);
            (from, at) = (span.end, at + new.len());
        }
        debug_assert_eq!(at + content.len() - from, result.len());
        let empty = self.places.iter().map(|(_, new)| new.is_empty());
        let numbers = line_numbers(result, bounds.into_iter());
        let ranges = numbers.chunks_exact(2).zip(empty);
        ranges.map(|(lines, empty)| lines[0] - 1..if empty { lines[0] - 1 } else { lines[1] }).collect()
    }
}

/// The bytes that places of `length` lines cover, without overlaps; the last line's end only if it is asked for.
fn spans<'a>(
    lines: &[Line<'_>],
    places: &'a [Place],
    length: usize,
    with_end: bool,
) -> impl Iterator<Item = (Range<usize>, &'a Place)> {
    let starts: Vec<usize> = std::iter::once(0)
        .chain(lines.iter().scan(0, |at, line| {
            *at += line.text.len() + line.end.len();
            Some(*at)
        }))
        .collect();
    let last_ends: Vec<usize> = lines.iter().map(|line| if with_end { 0 } else { line.end.len() }).collect();
    let mut free = 0;
    places.iter().filter_map(move |place| {
        let end = place.start + length;
        (place.start >= free).then(|| {
            free = end;
            (starts[place.start]..starts[end] - last_ends[end - 1], place)
        })
    })
}

/// The new lines as they stand at a place: indented as it is, with its line ends.
fn in_place(lines: &[Line<'_>], place: &Place, new: &[Line<'_>], with_end: bool, length: usize) -> String {
    let end = lines::end_at(lines, place.start + 1);
    // Where the text itself ends without a line end there is none to put back.
    let open = with_end && lines[place.start + length - 1].end.is_empty();
    let mut text = String::new();
    for (at, line) in new.iter().enumerate() {
        text.push_str(&place.shift.apply(&line.text).expect("a place is found only where all new lines can follow"));
        let last = at + 1 == new.len();
        if !line.end.is_empty() && (!open || !last) {
            text.push_str(end);
        }
    }
    text
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

/// The numbers of the lines, from 1, in which bytes stand that go upwards.
fn line_numbers(content: &str, bytes: impl Iterator<Item = usize>) -> Vec<usize> {
    let (mut line, mut from) = (1, 0);
    bytes
        .map(|byte| {
            line += text::line_of(&content[from..], byte - from) - 1;
            from = byte;
            line
        })
        .collect()
}

/// The place that is most like `old`, to be shown with the error.
fn near(content: &str, old: &str) -> String {
    let (lines, wanted): (_, Vec<&str>) = (lines::split(content), old.lines().collect());
    let Some(nearest) = Nearest::find(&lines, &wanted) else { return String::new() };
    let differs = match nearest.differs.and_then(|at| Some((nearest.start + at, wanted.get(at)?))) {
        Some((at, wanted)) if at < lines.len() => {
            format!("line {} is not {}", at + 1, quoted(wanted))
        }
        Some((_, wanted)) => format!("the file ends before {}", quoted(wanted)),
        None => "its lines are there, but indented in another way, or not as whole lines".to_owned(),
    };
    format!("\nThe nearest place is at line {}, where {differs}:\n{}", nearest.start + 1, nearest.show(&lines))
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
        let places = content.match_indices('x').map(|(at, _)| at);
        assert_eq!(lines::numbers(line_numbers(&content, places).into_iter()), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …");
        assert_eq!(line_numbers("a x\nx x", [2, 4, 6].into_iter()), [1, 2, 2]);
    }
}
