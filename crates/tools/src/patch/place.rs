//! Where a hunk stands in a file.

use super::steps::Hunk;
use crate::indent::Shift;
use crate::lines::{self, Line};
use crate::matching::{Block, Finder, Place, Tolerance};
use crate::nearest::{Nearest, quoted};
use crate::refusal::Refusal;
use crate::text;

/// The place of a hunk.
pub(crate) struct Spot {
    /// The first of its old lines, from 0; without old lines where the new ones come.
    pub(crate) start: usize,
    pub(crate) shift: Shift,
    pub(crate) tolerance: Tolerance,
}

/// Finds the hunks of a file, one after the other.
pub(crate) struct Placer<'a, 'h> {
    finder: &'a mut Finder<'h>,
    /// The file as it is shown.
    path: &'a str,
    lines: &'a [Line<'a>],
    /// The line behind the last hunk.
    floor: usize,
    /// How far the last hunk stood from where the patch said.
    drift: isize,
}

impl<'a, 'h> Placer<'a, 'h> {
    /// Nothing found yet.
    pub(crate) fn new(finder: &'a mut Finder<'h>, path: &'a str, lines: &'a [Line<'a>]) -> Placer<'a, 'h> {
        Placer { finder, path, lines, floor: 0, drift: 0 }
    }

    /// The place of the next hunk, which stands behind those before.
    pub(crate) fn place(&mut self, hunk: &Hunk) -> Result<Spot, Refusal> {
        let wanted = hunk.old();
        let spot = if wanted.is_empty() { self.insertion(hunk)? } else { self.lines_of(hunk, &wanted)? };
        if let Some(stated) = self.stated(hunk, 0) {
            self.drift = spot.start.checked_signed_diff(stated).unwrap_or(0);
        }
        self.floor = spot.start + wanted.len();
        Ok(spot)
    }

    fn refused(&self, hunk: &Hunk, why: String) -> Refusal {
        Refusal::Hunk { path: self.path.to_owned(), hunk: hunk.number, why }
    }

    /// The line, from 0, at which the patch says the hunk begins, if it says so.
    fn stated(&self, hunk: &Hunk, drift: isize) -> Option<usize> {
        let stated = hunk.stated?;
        // Where nothing is taken away the line before is told.
        let start = if hunk.old().is_empty() { stated.start } else { stated.start.saturating_sub(1) };
        start.checked_add_signed(drift)
    }

    /// Where lines come that stand beside no others.
    fn insertion(&mut self, hunk: &Hunk) -> Result<Spot, Refusal> {
        // A place that is stated with old lines is that of lines which are not here, so it says nothing.
        let counts = hunk.stated.is_some_and(|stated| stated.old_lines == 0);
        let stated = self.stated(hunk, self.drift).filter(|_| counts);
        let start = match (stated, hunk.anchors.is_empty()) {
            _ if hunk.ends_file => self.lines.len(),
            (_, false) => self.anchored(hunk)? + 1,
            (Some(stated), true) => stated,
            (None, true) if self.lines.is_empty() => 0,
            (None, true) => {
                let why = "only adds lines and does not say where; put lines of the file around them, with a blank before each";
                return Err(self.refused(hunk, why.to_owned()));
            }
        };
        if start < self.floor || start > self.lines.len() {
            let has = text::count(self.lines.len(), "line", "lines");
            let why =
                format!("adds lines after line {start}, which does not follow on the hunk before in a file of {has}");
            return Err(self.refused(hunk, why));
        }
        Ok(Spot { start, shift: Shift::none(), tolerance: Tolerance::Exact })
    }

    /// The last of the hunk's anchors, or the first line that it may begin at.
    fn anchored(&mut self, hunk: &Hunk) -> Result<usize, Refusal> {
        let mut from = self.floor;
        for (at, anchor) in hunk.anchors.iter().enumerate() {
            self.finder.spend(self.lines.len())?;
            let from_here = || self.lines.iter().enumerate().skip(from + usize::from(at > 0));
            let is = from_here().find(|(_, line)| line.text.trim() == anchor);
            let found = is.or_else(|| from_here().find(|(_, line)| line.text.contains(&**anchor)));
            from = found.map(|(at, _)| at).ok_or_else(|| {
                let why = format!(
                    "stands below a line {} (after @@), which is not in the file from line {} on",
                    quoted(anchor),
                    from + 1
                );
                self.refused(hunk, why)
            })?;
        }
        Ok(from)
    }

    /// Where the hunk's old lines stand: at the stated place, or where nothing else could be meant.
    fn lines_of(&mut self, hunk: &Hunk, wanted: &[&str]) -> Result<Spot, Refusal> {
        let (from, added) = (self.anchored(hunk)?, hunk.added());
        let block = Block { wanted, replacement: &added };
        let mut early = None;
        for tolerance in Tolerance::ALL {
            let places = self.finder.places(self.lines, &block, tolerance)?;
            let (places, passed): (Vec<Place>, Vec<Place>) = places.into_iter().partition(|place| {
                place.start >= from && (!hunk.ends_file || place.start + wanted.len() == self.lines.len())
            });
            early = early.or(passed.first().map(|place| place.start));
            let stated = [self.drift, 0].into_iter().filter_map(|drift| self.stated(hunk, drift));
            let mut at = stated.filter_map(|start| places.iter().find(|place| place.start == start));
            let chosen = match (at.next(), places.as_slice()) {
                (Some(place), _) => place,
                (None, []) => continue,
                (None, [place]) => place,
                (None, [first, ..]) if !hunk.anchors.is_empty() => first,
                (None, several) => return Err(self.ambiguous(hunk, several)),
            };
            return Ok(Spot { start: chosen.start, shift: chosen.shift.clone(), tolerance });
        }
        Err(self.absent(hunk, wanted, early))
    }

    fn ambiguous(&self, hunk: &Hunk, places: &[Place]) -> Refusal {
        let why = format!(
            "could stand at {} places (lines {}); give more lines around it, or a line above it after @@",
            places.len(),
            lines::numbers(places.iter().map(|place| place.start + 1))
        );
        self.refused(hunk, why)
    }

    /// Says what is there instead.
    fn absent(&self, hunk: &Hunk, wanted: &[&str], early: Option<usize>) -> Refusal {
        if let Some(early) = early {
            let must = if hunk.ends_file {
                "at the end of the file"
            } else {
                "behind the hunk or the line after @@ before it"
            };
            return self.refused(hunk, format!("stands at line {}, but must stand {must}", early + 1));
        }
        let Some(nearest) = Nearest::find(self.lines, wanted) else {
            let has = text::count(self.lines.len(), "line", "lines");
            let why = format!("is nowhere: no line of the file ({has}) is like {}; read the file", quoted(wanted[0]));
            return self.refused(hunk, why);
        };
        let differs = nearest.differs.map(|at| (nearest.start + at, wanted[at]));
        let what = match differs.map(|(at, wanted)| (self.lines.get(at), at, wanted)) {
            Some((Some(line), at, wanted)) => {
                format!("line {} is {}, where the patch has {}", at + 1, quoted(&line.text), quoted(wanted))
            }
            Some((None, _, wanted)) => format!("the file ends where the patch has {}", quoted(wanted)),
            None => "its lines are indented in ways that do not go together".to_owned(),
        };
        self.refused(hunk, format!("is not in the file: {what}. The nearest place:\n{}", nearest.show(self.lines)))
    }
}
