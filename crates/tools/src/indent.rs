//! How one text is indented against another, and new lines the same way.

use crate::lines::Line;
use crate::matching::Block;
use std::borrow::Cow;

/// How the indentation of given lines is read before it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// As it is.
    AsIs,
    /// So many blanks stand for a tab.
    Tabs(usize),
    /// A tab stands for so many blanks.
    Blanks(usize),
}

/// By how many blanks a text and a block go deeper, from which their spellings follow.
pub(crate) struct Steps {
    text: Option<usize>,
    block: Option<usize>,
    block_has_tabs: bool,
}

impl Steps {
    /// Of a block that is looked for in a text.
    pub(crate) fn of(lines: &[Line<'_>], block: &Block<'_>) -> Steps {
        let given = || block.wanted.iter().chain(block.replacement).copied();
        Steps {
            text: step(lines.iter().map(|line| &*line.text)),
            block: step(given()),
            block_has_tabs: given().any(|line| line.starts_with('\t')),
        }
    }

    /// How to read the block where it stands in a window of the text: where one is indented by tabs and the other by
    /// blanks in the other's way, and else as it is.
    fn spellings(&self, window: &[Line<'_>]) -> impl Iterator<Item = Spelling> {
        let begins = |indent: char| window.iter().any(|line| line.text.starts_with(indent));
        let other = match self.block_has_tabs {
            true if begins(' ') => self.text.map(Spelling::Blanks),
            false if begins('\t') => self.block.map(Spelling::Tabs),
            _ => None,
        };
        other.into_iter().chain([Spelling::AsIs])
    }
}

impl Spelling {
    /// The line, indented in this spelling.
    fn read(self, line: &str) -> Cow<'_, str> {
        let (indent, rest) = parts(line);
        match self {
            Spelling::AsIs => line.into(),
            Spelling::Tabs(blanks) => (indent.replace(&" ".repeat(blanks), "\t") + rest).into(),
            Spelling::Blanks(blanks) => (indent.replace('\t', &" ".repeat(blanks)) + rest).into(),
        }
    }
}

/// By how many blanks a text mostly goes deeper: the commonest step from one line to the next.
fn step<'a>(lines: impl Iterator<Item = &'a str>) -> Option<usize> {
    const DEEPEST: usize = 8;
    let (mut steps, mut before) = ([0; DEEPEST + 1], 0);
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let depth = line.len() - line.trim_start_matches(' ').len();
        let deeper = depth.saturating_sub(before);
        if (2..=DEEPEST).contains(&deeper) {
            steps[deeper] += 1;
        }
        before = depth;
    }
    let commonest = (2..=DEEPEST).rev().max_by_key(|step| steps[*step])?;
    (steps[commonest] > 0).then_some(commonest)
}

/// The indentation of a line, and the rest of it.
fn parts(line: &str) -> (&str, &str) {
    line.split_at(line.len() - line.trim_start().len())
}

/// What to take from the beginning of each new line, and what to put there instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shift {
    spelling: Spelling,
    take: String,
    put: String,
}

impl Shift {
    /// Leaves lines as they are.
    pub(crate) fn none() -> Shift {
        Shift { spelling: Spelling::AsIs, take: String::new(), put: String::new() }
    }

    /// How a window of a text is indented against the block that stands there; `None` where its lines do not agree on
    /// it, or a line of the replacement is not indented enough to follow.
    pub(crate) fn between(steps: &Steps, window: &[Line<'_>], block: &Block<'_>) -> Option<Shift> {
        steps.spellings(window).find_map(|spelling| Shift::spelled(spelling, window, block))
    }

    fn spelled(spelling: Spelling, window: &[Line<'_>], block: &Block<'_>) -> Option<Shift> {
        let mut found: Option<Shift> = None;
        for (line, wanted) in window.iter().zip(block.wanted).filter(|(line, _)| !line.text.trim().is_empty()) {
            let wanted = spelling.read(wanted);
            let (there, given) = (parts(&line.text).0, parts(&wanted).0);
            // What both have in common at their ends is how deep the line is within the block.
            let common = there.bytes().rev().zip(given.bytes().rev()).take_while(|(one, other)| one == other).count();
            let (put, take) = (there.get(..there.len() - common)?, given.get(..given.len() - common)?);
            match &found {
                Some(shift) if shift.put != put || shift.take != take => return None,
                Some(_) => {}
                None => found = Some(Shift { spelling, take: take.to_owned(), put: put.to_owned() }),
            }
        }
        found.filter(|shift| block.replacement.iter().all(|line| shift.apply(line).is_some()))
    }

    /// The line as it is indented in the text; `None` where it stands further out than can be said.
    pub(crate) fn apply<'a>(&self, line: &'a str) -> Option<Cow<'a, str>> {
        if line.trim().is_empty() || self.spelling == Spelling::AsIs && self.take == self.put {
            return Some(line.into());
        }
        let read = self.spelling.read(line);
        let (indent, rest) = parts(&read);
        if let Some(deeper) = indent.strip_prefix(&*self.take) {
            return Some(format!("{}{deeper}{rest}", self.put).into());
        }
        let further_out = self.take.strip_prefix(indent)?;
        Some(format!("{}{rest}", self.put.strip_suffix(further_out)?).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::split;

    fn shifted(text: &str, wanted: &str, replacement: &str) -> Option<String> {
        let (lines, wanted): (_, Vec<_>) = (split(text), wanted.lines().collect());
        let replacement: Vec<_> = replacement.lines().collect();
        let block = Block { wanted: &wanted, replacement: &replacement };
        let shift = Shift::between(&Steps::of(&lines, &block), &lines, &block)?;
        Some(replacement.iter().map(|line| shift.apply(line).unwrap() + "\n").collect())
    }

    #[test]
    fn new_lines_are_indented_as_the_text_is() {
        for (text, wanted, replacement, expected) in [
            ("    a\n      b\n", "a\n  b", "c\n  d\n\n    e", Some("    c\n      d\n\n        e\n")),
            ("a\n  b\n", "    a\n      b", "    c\n        d", Some("c\n    d\n")),
            ("\ta\n\t\tb\n", "a\n\tb", "x\n\ty", Some("\tx\n\t\ty\n")),
            // Tabs here and blanks there.
            ("\ta\n\t\tb\n", "    a\n        b", "    a\n        c\n            d", Some("\ta\n\t\tc\n\t\t\td\n")),
            ("\ta\n", "    a", "    b\n        c", Some("\tb\n\t\tc\n")),
            ("  a\n    b\n", "\ta\n\t\tb", "\ta\n\t\t\tc", Some("  a\n      c\n")),
            // A line further out than all that were wanted.
            ("      a\n", "    a", "  b\n    a", Some("    b\n      a\n")),
            ("a\n", "    a", "  b\n    a", None),
            // The lines differ, but not all in the same way.
            ("  a\n      b\n", "a\n  b", "c", None),
        ] {
            assert_eq!(shifted(text, wanted, replacement).as_deref(), expected, "{text:?} {wanted:?} {replacement:?}");
        }
    }
}
