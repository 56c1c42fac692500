//! Performs a patch: every step on what the steps before made, and then all of it as one result, or nothing.

use super::place::{Placer, Spot};
use super::steps::{Hunk, Part, PartKind, Patch, Step};
use crate::hands::Hands;
use crate::lines::{self, Line};
use crate::matching::Finder;
use crate::output::{Body, Output};
use crate::refusal::Refusal;
use crate::text;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use wire::{Contents, Mode, RelPath};

/// How many notes on single hunks are told.
const NOTES_TOLD: usize = 20;

/// Applies all steps of a patch.
pub(crate) fn apply_patch(hands: &Hands<'_>, patch: &Patch) -> Result<Output, Refusal> {
    hands.limits.patch().admit("patch", patch.bytes)?;
    hands.limits.patched_files().admit("patch", patch.steps.len() as u64)?;
    let whole = |refusal| match refusal {
        Refusal::Cancelled => Refusal::Cancelled,
        refusal => Refusal::Patch(Box::new(refusal)),
    };
    let mut desk = Desk::new(hands, patch.literal_ends);
    for step in &patch.steps {
        desk.step(step).map_err(whole)?;
    }
    desk.check_directories().map_err(whole)?;
    desk.finish()
}

/// The files of a patch while it is applied.
struct Desk<'a> {
    hands: &'a Hands<'a>,
    finder: Finder<'a>,
    literal_ends: bool,
    /// What was found at each path, and what is there now.
    files: BTreeMap<RelPath, (Option<Contents>, Option<Contents>)>,
    /// The paths in the order in which they were touched.
    order: Vec<RelPath>,
    /// What was done, line by line.
    report: Vec<String>,
    notes: Vec<String>,
    lines_added: usize,
    lines_removed: usize,
    /// From where to where.
    moves: Vec<(RelPath, RelPath)>,
}

impl<'a> Desk<'a> {
    fn new(hands: &'a Hands<'a>, literal_ends: bool) -> Desk<'a> {
        Desk {
            hands,
            finder: Finder::new(hands),
            literal_ends,
            files: BTreeMap::new(),
            order: Vec::new(),
            report: Vec::new(),
            notes: Vec::new(),
            lines_added: 0,
            lines_removed: 0,
            moves: Vec::new(),
        }
    }

    /// What is at a path now. What the session saw there must still be there when it is first looked at.
    fn now(&mut self, path: &RelPath) -> Result<Option<&Contents>, Refusal> {
        if !self.files.contains_key(path) {
            let found = self.hands.file_or_link(path)?;
            self.hands.unchanged(path, found.as_ref())?;
            self.files.insert(path.clone(), (found.clone(), found));
            self.order.push(path.clone());
        }
        Ok(self.files.get(path).and_then(|(_, now)| now.as_ref()))
    }

    /// The file or link at a path, which must be there.
    fn there(&mut self, path: &RelPath) -> Result<Contents, Refusal> {
        self.now(path)?.cloned().ok_or_else(|| Refusal::Absent(text::path(path).into_owned()))
    }

    /// The file at a path, which must be there and be none of the links that the tools refuse.
    fn file(&mut self, path: &RelPath) -> Result<Contents, Refusal> {
        let contents = self.there(path)?;
        if contents.mode == Mode::Symlink {
            self.hands.file(path)?;
            // A link that the patch itself moved here.
            return Err(Refusal::Other { path: text::path(path).into_owned(), what: "symbolic link" });
        }
        Ok(contents)
    }

    /// Puts contents at a path that was looked at.
    fn put(&mut self, path: &RelPath, contents: Option<Contents>) -> Result<(), Refusal> {
        if let Some(contents) = &contents {
            let what = format!("{}: after the patch a file", text::path(path));
            self.hands.limits.file().admit(what, contents.bytes.len() as u64)?;
        }
        if let Some((_, now)) = self.files.get_mut(path) {
            *now = contents;
        }
        Ok(())
    }

    /// Makes sure that nothing is at a path.
    fn free(&mut self, path: &RelPath) -> Result<(), Refusal> {
        match self.now(path)? {
            Some(_) => Err(Refusal::Exists(text::path(path).into_owned())),
            None => Ok(()),
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), Refusal> {
        self.hands.go_on()?;
        match step {
            Step::Add { path, lines, mode } => {
                self.free(path)?;
                let added: Vec<Line<'_>> =
                    lines.iter().map(|part| self.new_line(part, (&*part.text).into(), "\n")).collect();
                self.lines_added += added.len();
                let contents = Contents { bytes: lines::join(&closed(added, "\n")).into_bytes(), mode: *mode };
                self.report.push(format!("added {}: {}", text::path(path), text::size(&contents)));
                self.put(path, Some(contents))
            }
            Step::Delete { path, hunks } => {
                let contents = self.there(path)?;
                if !hunks.is_empty() {
                    let rest = self.edited(path, hunks)?.text;
                    if !rest.is_empty() {
                        let lines = text::count(text::lines(&rest), "line", "lines");
                        return Err(Refusal::NotEmptied { path: text::path(path).into_owned(), lines });
                    }
                }
                self.report.push(format!("deleted {}: {}", text::path(path), text::size(&contents)));
                self.put(path, None)
            }
            Step::Update { path, to, mode, hunks } => self.update(path, to.as_ref(), *mode, hunks),
        }
    }

    fn update(
        &mut self,
        path: &RelPath,
        to: Option<&RelPath>,
        mode: Option<Mode>,
        hunks: &[Hunk],
    ) -> Result<(), Refusal> {
        let mut contents = if hunks.is_empty() && mode.is_none() { self.there(path)? } else { self.file(path)? };
        let mut done = String::new();
        let mut snippet = String::new();
        if !hunks.is_empty() {
            let edited = self.edited(path, hunks)?;
            let at = lines::numbers(edited.changed.iter().map(|lines| lines.start + 1));
            let hunks = text::count(hunks.len(), "hunk", "hunks");
            if edited.tolerant {
                snippet = lines::snippet(edited.text.lines(), &edited.changed);
            }
            contents.bytes = edited.text.into_bytes();
            done = format!(": {hunks} at {at}; it now has {}", text::size(&contents));
        }
        if let Some(mode) = mode {
            contents.mode = mode;
            done += if mode == Mode::Executable { "; executable" } else { "; not executable" };
        }
        let shown = text::path(path);
        self.report.push(match to {
            Some(to) => format!("moved {shown} to {}{done}", text::path(to)),
            None => format!("edited {shown}{done}"),
        });
        self.report.extend(snippet.lines().map(str::to_owned));
        let Some(to) = to else { return self.put(path, Some(contents)) };
        self.put(path, None)?;
        self.free(to)?;
        self.moves.push((path.clone(), to.clone()));
        self.put(to, Some(contents))
    }

    /// The text of a file after its hunks.
    fn edited(&mut self, path: &RelPath, hunks: &[Hunk]) -> Result<Edited, Refusal> {
        let contents = self.file(path)?;
        let shown = text::path(path);
        let Some(content) = text::of(&contents.bytes) else {
            return Err(Refusal::Binary { path: shown.into_owned(), bytes: contents.bytes.len(), verb: "patch" });
        };
        let old = lines::split(content);
        let (mut new, mut changed, mut from, mut tolerant) = (Vec::new(), Vec::new(), 0, false);
        let mut spots = Vec::new();
        let mut placer = Placer::new(&mut self.finder, &shown, &old);
        for hunk in hunks {
            spots.push(placer.place(hunk)?);
        }
        for (hunk, spot) in hunks.iter().zip(&spots) {
            if let Some(words) = spot.tolerance.words() {
                tolerant = true;
                self.notes.push(format!("hunk {} of {shown} was found but for {words}", hunk.number));
            }
            new.extend_from_slice(&old[from..spot.start]);
            from = self.hunk(hunk, spot, &old, &mut new, &mut changed);
        }
        new.extend_from_slice(&old[from..]);
        let lacks_end = old.last().is_some_and(|line| line.end.is_empty());
        // Where the patch does not say whether the file ends with a line end, it stays as it was.
        let says = hunks.iter().flat_map(|hunk| &hunk.parts).any(|part| part.open);
        if lacks_end
            && !says
            && let Some(last) = new.last_mut()
            && from == old.len()
            && hunks.last().and_then(|hunk| hunk.parts.last()).is_some_and(|part| part.kind == PartKind::Added)
        {
            last.end = "";
        }
        let text = lines::join(&closed(new, lines::end_at(&old, old.len())));
        Ok(Edited { text, changed, tolerant })
    }

    /// Adds what becomes of a hunk's lines; gives the line of the old text behind it.
    fn hunk<'t>(
        &mut self,
        hunk: &'t Hunk,
        spot: &Spot,
        old: &[Line<'t>],
        new: &mut Vec<Line<'t>>,
        changed: &mut Vec<Range<usize>>,
    ) -> usize {
        let mut at = spot.start;
        let (mut first, mut last) = (None, 0);
        for part in &hunk.parts {
            match part.kind {
                PartKind::Kept => {
                    new.push(old[at].clone());
                    at += 1;
                    continue;
                }
                PartKind::Removed => {
                    at += 1;
                    self.lines_removed += 1;
                }
                PartKind::Added => {
                    let text = spot.shift.apply(&part.text).expect("a place is found only where new lines can follow");
                    new.push(self.new_line(part, text, lines::end_at(old, at)));
                    self.lines_added += 1;
                }
            }
            first = first.or(Some(new.len() - usize::from(part.kind == PartKind::Added)));
            last = new.len();
        }
        changed.extend(first.map(|first| first..last));
        at
    }

    /// A line that the patch adds with this text, where lines end like `local`.
    fn new_line<'t>(&self, part: &Part, text: Cow<'t, str>, local: &'static str) -> Line<'t> {
        let end = match (part.open, part.carriage_return, self.literal_ends) {
            (true, _, _) => "",
            (false, true, _) => "\r\n",
            (false, false, true) => "\n",
            (false, false, false) => local,
        };
        Line { text, end }
    }

    /// Makes sure that no file of the patch lies below another.
    fn check_directories(&self) -> Result<(), Refusal> {
        let is_file = |path: &RelPath| self.files.get(path).is_some_and(|(_, now)| now.is_some());
        for below in self.files.keys().filter(|path| is_file(path)) {
            let mut above = std::iter::successors(below.parent(), RelPath::parent);
            if let Some(file) = above.find(is_file) {
                let (below, file) = (text::path(below).into_owned(), text::path(&file).into_owned());
                return Err(Refusal::BelowNewFile { below, file });
            }
        }
        Ok(())
    }

    /// All changes as one result.
    fn finish(mut self) -> Result<Output, Refusal> {
        // A file that was moved and is still where it was moved to is one file, though two paths change.
        let is = |path: &RelPath| self.files.get(path).is_some_and(|(_, now)| now.is_some());
        let moved = self.moves.iter().filter(|(from, to)| !is(from) && is(to)).count();
        let mut output = Output::done(String::new());
        for path in &self.order {
            match self.files.remove(path) {
                Some((before, after)) if before != after => output = output.change(path, before, after),
                _ => {}
            }
        }
        if output.changes.is_empty() {
            return Err(Refusal::NothingToPatch);
        }
        let first = format!(
            "applied the patch: {} changed, {} added, {} removed",
            text::count(output.changes.len().saturating_sub(moved).max(1), "file", "files"),
            text::count(self.lines_added, "line", "lines"),
            self.lines_removed
        );
        let mut body = Body::new(self.hands.limits.output_bytes);
        if !self.report.iter().all(|line| body.push(line)) {
            self.notes.insert(0, "… and more, which is done but not told here".to_owned());
        }
        self.notes.truncate(NOTES_TOLD);
        output.text = body.finish(&first, &self.notes);
        Ok(output)
    }
}

/// A file after its hunks.
struct Edited {
    text: String,
    /// The lines that are new, from 0; empty where lines only went.
    changed: Vec<Range<usize>>,
    /// A hunk was found only but for white space.
    tolerant: bool,
}

/// Gives an end to every line that another follows.
fn closed<'a>(mut lines: Vec<Line<'a>>, end: &'static str) -> Vec<Line<'a>> {
    if let Some((_, followed)) = lines.split_last_mut() {
        for line in followed.iter_mut().filter(|line| line.end.is_empty()) {
            line.end = end;
        }
    }
    lines
}
