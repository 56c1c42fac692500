//! What a patch says, whichever form it has.

use super::cursor::Cursor;
use super::{PatchError, envelope, unified};
use crate::text;
use std::collections::BTreeSet;
use wire::{Mode, RelPath};

/// Changes of files, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) steps: Vec<Step>,
    /// The size of its text.
    pub(crate) bytes: u64,
    /// Some of its lines end in CRLF and some in LF, so what it adds has the ends that it says. Else what it adds gets
    /// the ends of the file.
    pub(crate) literal_ends: bool,
}

/// What becomes of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A new file.
    Add { path: RelPath, lines: Vec<Part>, mode: Mode },
    /// A file that goes; where there are hunks they hold all of it.
    Delete { path: RelPath, hunks: Vec<Hunk> },
    /// A file that changes, is moved, or both.
    Update { path: RelPath, to: Option<RelPath>, mode: Option<Mode>, hunks: Vec<Hunk> },
}

/// Lines that stand together, and what becomes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hunk {
    /// Which hunk of its file it is, from 1.
    pub(crate) number: usize,
    /// Where the patch says that it stands.
    pub(crate) stated: Option<Stated>,
    /// Lines that stand above it, in this order.
    pub(crate) anchors: Vec<String>,
    /// Its last line is the last of the file.
    pub(crate) ends_file: bool,
    pub(crate) parts: Vec<Part>,
}

/// The place of a hunk as the patch states it, which is often wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stated {
    /// The first of its old lines, from 1; without old lines the one before.
    pub(crate) start: usize,
    pub(crate) old_lines: usize,
    pub(crate) new_lines: usize,
}

/// A line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) kind: PartKind,
    /// Without its end.
    pub(crate) text: String,
    /// It ends in CRLF in the patch.
    pub(crate) carriage_return: bool,
    /// It says to have no end.
    pub(crate) open: bool,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartKind {
    Kept,
    Removed,
    Added,
}

impl Patch {
    /// Reads a patch in either form, whatever prose or fence stands around it.
    pub(crate) fn read(text: &str) -> Result<Patch, PatchError> {
        let mut cursor = Cursor::new(text);
        let steps =
            if cursor.holds(envelope::BEGIN) { envelope::read(&mut cursor)? } else { unified::read(&mut cursor)? };
        if steps.is_empty() {
            return Err(PatchError::NoFile);
        }
        let literal_ends = steps.iter().flat_map(Step::parts).any(|part| part.carriage_return);
        Ok(Patch { steps, bytes: text.len() as u64, literal_ends })
    }

    /// Every path that it names, once, in its order.
    pub(crate) fn paths(&self) -> Vec<&RelPath> {
        let mut known = BTreeSet::new();
        let paths = self.steps.iter().flat_map(|step| match step {
            Step::Add { path, .. } | Step::Delete { path, .. } => [Some(path), None],
            Step::Update { path, to, .. } => [Some(path), to.as_ref()],
        });
        paths.flatten().filter(|path| known.insert(*path)).collect()
    }

    /// The first path, and how many more there are.
    pub(crate) fn about(&self) -> String {
        let paths = self.paths();
        let first = paths.first().map_or_else(Default::default, |path| text::path(path));
        match paths.len() {
            0 | 1 => first.into_owned(),
            more => format!("{first} and {} more", more - 1),
        }
    }
}

impl Step {
    fn parts(&self) -> Box<dyn Iterator<Item = &Part> + '_> {
        match self {
            Step::Add { lines, .. } => Box::new(lines.iter()),
            Step::Delete { hunks, .. } | Step::Update { hunks, .. } => {
                Box::new(hunks.iter().flat_map(|hunk| &hunk.parts))
            }
        }
    }
}

impl Hunk {
    /// The lines that must be in the file.
    pub(crate) fn old(&self) -> Vec<&str> {
        self.parts.iter().filter(|part| part.kind != PartKind::Added).map(|part| &*part.text).collect()
    }

    /// The lines that come to the file.
    pub(crate) fn added(&self) -> Vec<&str> {
        self.parts.iter().filter(|part| part.kind == PartKind::Added).map(|part| &*part.text).collect()
    }
}

impl Part {
    /// A line without what marks its kind.
    pub(crate) fn new(kind: PartKind, line: &str) -> Part {
        let text = line.strip_suffix('\r');
        Part { kind, text: text.unwrap_or(line).to_owned(), carriage_return: text.is_some(), open: false }
    }

    /// A line of a hunk, kept, removed or added by its first letter; `None` if it is none. An empty line is an empty
    /// one that is kept, since blanks at the ends of lines get lost.
    pub(crate) fn read(line: &str) -> Option<Part> {
        let kind = match line.as_bytes().first() {
            None | Some(b'\r') => return Some(Part::new(PartKind::Kept, line)),
            Some(b' ') => PartKind::Kept,
            Some(b'-') => PartKind::Removed,
            Some(b'+') => PartKind::Added,
            Some(_) => return None,
        };
        Some(Part::new(kind, &line[1..]))
    }
}

impl Stated {
    /// Reads `@@ -1,2 +3,4 @@`, whatever follows.
    pub(crate) fn read(line: &str) -> Option<Stated> {
        let mut words = line.strip_prefix("@@")?.split_whitespace();
        let mut range = |sign: char| -> Option<(usize, usize)> {
            let numbers = words.next()?.strip_prefix(sign)?;
            let (start, lines) = numbers.split_once(',').unwrap_or((numbers, "1"));
            Some((start.parse().ok()?, lines.parse().ok()?))
        };
        let ((start, old_lines), (_, new_lines)) = (range('-')?, range('+')?);
        Some(Stated { start, old_lines, new_lines })
    }
}
