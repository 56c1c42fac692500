//! Where lines stand in a text: exactly, or but for white space. Models copy words well and white space less so; what
//! is tolerated is only that, and only where every line agrees on how it differs.

use crate::hands::Hands;
use crate::indent::{Shift, Steps};
use crate::lines::Line;
use crate::refusal::Refusal;

/// How often lines are compared between two looks at whether to stop.
const LOOK_EVERY: u64 = 1 << 16;

/// What may differ between the lines of a text and those that are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tolerance {
    /// Nothing.
    Exact,
    /// White space at the ends of lines.
    TrailingSpace,
    /// That, and the indentation of all lines by the same.
    Indentation,
}

impl Tolerance {
    /// All, the strictest first.
    pub(crate) const ALL: [Tolerance; 3] = [Tolerance::Exact, Tolerance::TrailingSpace, Tolerance::Indentation];

    /// What differed, in words; `None` if nothing.
    pub(crate) fn words(self) -> Option<&'static str> {
        match self {
            Tolerance::Exact => None,
            Tolerance::TrailingSpace => Some("white space at the ends of lines"),
            Tolerance::Indentation => Some("the indentation, and what was put there is indented as the file is"),
        }
    }
}

/// Where lines stand, and what the lines that take their place need to be indented as the text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The first line, from 0.
    pub(crate) start: usize,
    /// How the text is indented against the wanted lines.
    pub(crate) shift: Shift,
}

/// Lines to look for, and those that shall take their place.
pub(crate) struct Block<'a> {
    /// Without their ends.
    pub(crate) wanted: &'a [&'a str],
    /// Without their ends.
    pub(crate) replacement: &'a [&'a str],
}

/// Finds lines, within a budget of comparisons: a hostile text against hostile lines would take for ever.
pub(crate) struct Finder<'a> {
    hands: &'a Hands<'a>,
    compared: u64,
}

impl<'a> Finder<'a> {
    /// A finder with a whole budget.
    pub(crate) fn new(hands: &'a Hands<'a>) -> Finder<'a> {
        Finder { hands, compared: 0 }
    }

    /// Every place at which the block stands with this tolerance. Lines that are all blank are found only exactly.
    pub(crate) fn places(
        &mut self,
        lines: &[Line<'_>],
        block: &Block<'_>,
        tolerance: Tolerance,
    ) -> Result<Vec<Place>, Refusal> {
        let blank = block.wanted.iter().all(|line| line.trim().is_empty());
        let Some(last) = lines.len().checked_sub(block.wanted.len()) else { return Ok(Vec::new()) };
        if blank && (tolerance != Tolerance::Exact || block.wanted.is_empty()) {
            return Ok(Vec::new());
        }
        let same = match tolerance {
            Tolerance::Exact => |line: &str, wanted: &str| line == wanted,
            Tolerance::TrailingSpace => |line: &str, wanted: &str| line.trim_end() == wanted.trim_end(),
            Tolerance::Indentation => |line: &str, wanted: &str| line.trim() == wanted.trim(),
        };
        let steps = (tolerance == Tolerance::Indentation).then(|| Steps::of(lines, block));
        let mut places = Vec::new();
        for start in 0..=last {
            let window = &lines[start..start + block.wanted.len()];
            if !self.agree(window, block.wanted, same)? {
                continue;
            }
            let shift = match &steps {
                Some(steps) => Shift::between(steps, window, block),
                None => Some(Shift::none()),
            };
            places.extend(shift.map(|shift| Place { start, shift }));
        }
        Ok(places)
    }

    /// Takes so many comparisons from the budget.
    pub(crate) fn spend(&mut self, comparisons: usize) -> Result<(), Refusal> {
        let before = self.compared;
        self.compared += comparisons as u64;
        if before == 0 || before / LOOK_EVERY != self.compared / LOOK_EVERY {
            self.hands.go_on()?;
            self.hands.limits.comparisons().admit("looking for the lines", self.compared)?;
        }
        Ok(())
    }

    /// Whether all lines of a window are the wanted ones.
    fn agree(
        &mut self,
        window: &[Line<'_>],
        wanted: &[&str],
        same: impl Fn(&str, &str) -> bool,
    ) -> Result<bool, Refusal> {
        for (line, wanted) in window.iter().zip(wanted) {
            self.spend(1)?;
            if !same(&line.text, wanted) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
