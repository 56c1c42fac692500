//! The place in a text that is most like lines that are not in it, so that a model sees what it got wrong.

use crate::lines::{self, Line};
use crate::text;
use std::collections::BTreeMap;

/// How many places of one line are looked at: `}` stands everywhere and says nothing.
const PLACES_OF_A_LINE: usize = 16;

/// How much of a line an error repeats.
const QUOTED_BYTES: usize = 200;

/// A line without the white space around it, as an error repeats it.
pub(crate) fn quoted(line: &str) -> String {
    text::quoted(&text::short(line.trim(), QUOTED_BYTES))
}

/// A place that is like the wanted lines, but is not them.
pub(crate) struct Nearest {
    /// The first line, from 0.
    pub(crate) start: usize,
    /// How many lines the place has.
    pub(crate) lines: usize,
    /// Which of the wanted lines is the first that is not there, white space aside.
    pub(crate) differs: Option<usize>,
}

impl Nearest {
    /// The place at which most wanted lines stand where they should; where none does, the line that has most words in
    /// common with one of them.
    pub(crate) fn find(lines: &[Line<'_>], wanted: &[&str]) -> Option<Nearest> {
        let start = by_lines(lines, wanted).or_else(|| by_words(lines, wanted))?;
        let window = &lines[start..lines.len().min(start + wanted.len())];
        let differs =
            (0..wanted.len()).find(|at| window.get(*at).is_none_or(|line| line.text.trim() != wanted[*at].trim()));
        Some(Nearest { start, lines: window.len(), differs })
    }

    /// The place with its numbers.
    pub(crate) fn show(&self, lines: &[Line<'_>]) -> String {
        let from = self.start + self.differs.unwrap_or(0).min(self.lines.saturating_sub(1));
        let to = self.start + self.lines;
        lines::snippet(lines.iter().map(|line| &*line.text), std::slice::from_ref(&(from..to)))
    }
}

/// Each wanted line that is in the text speaks for the start that it would have.
fn by_lines(lines: &[Line<'_>], wanted: &[&str]) -> Option<usize> {
    let mut offsets: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, line) in wanted.iter().enumerate().filter(|(_, line)| line.trim().len() > 1) {
        offsets.entry(line.trim()).or_default().push(at);
    }
    let mut votes: BTreeMap<usize, usize> = BTreeMap::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((line, offsets)) = offsets.get_key_value(line.text.trim()) else { continue };
        let times = places.entry(line).or_default();
        *times += 1;
        if *times <= PLACES_OF_A_LINE {
            for start in offsets.iter().take(PLACES_OF_A_LINE).filter_map(|offset| at.checked_sub(*offset)) {
                *votes.entry(start).or_default() += 1;
            }
        }
    }
    // The first of those with most votes.
    votes.into_iter().rev().max_by_key(|(_, votes)| *votes).map(|(start, _)| start)
}

/// The line that has most words of the first wanted line which has words, and at least half of them.
fn by_words(lines: &[Line<'_>], wanted: &[&str]) -> Option<usize> {
    let words = |line: &str| {
        let words = line.split(|letter: char| !letter.is_alphanumeric()).filter(|word| word.len() > 1);
        words.map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    let (offset, wanted) = wanted.iter().map(|line| words(line)).enumerate().find(|(_, words)| !words.is_empty())?;
    let alike = |line: &Line<'_>| words(&line.text).intersection(&wanted).count();
    let best = lines.iter().enumerate().map(|(at, line)| (at, alike(line))).rev().max_by_key(|(_, alike)| *alike);
    best.filter(|(_, alike)| *alike * 2 >= wanted.len()).map(|(at, _)| at.saturating_sub(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likest_place_is_found() {
        let text = "fn one() {\n    call(1);\n}\n\nfn two() {\n    call(2);\n    end();\n}\n";
        let lines = lines::split(text);
        for (wanted, expected) in [
            (vec!["fn two() {", "    call(3);", "    end();"], Some((4, Some(1)))),
            (vec!["call(2);", "finish();"], Some((5, Some(1)))),
            (vec!["let x = call(2) + end;"], None),
            (vec!["fn two(argument) {"], Some((4, Some(0)))),
            (vec!["nothing like it"], None),
            (vec!["", "}"], None),
        ] {
            let found = Nearest::find(&lines, &wanted).map(|nearest| (nearest.start, nearest.differs));
            assert_eq!(found, expected, "{wanted:?}");
        }
    }
}
