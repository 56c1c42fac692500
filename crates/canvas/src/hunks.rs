//! The hunks of one file's change: to be looked at, and to be chosen from.
//!
//! How fine they are is the caller's choice: a hunk that is asked for with fewer lines of context falls into the parts
//! that `git add -p` splits it into. A choice is therefore made of numbers *and* the context that they were counted
//! with. What has no lines to choose from (a file that comes or goes, binary bytes, a symbolic link) is one hunk, and a
//! change of mode is a hunk of its own behind those of the lines.

use crate::blobs::{BlobError, Blobs};
use crate::diff::{DiffError, MAX_DIFFED_BYTES, options};
use crate::git;
use git2::Patch;
use std::collections::BTreeSet;
use wire::{Change, Contents, FileState, Mode};

/// The context that hunks have in a [`diff`](crate::diff()).
pub const CONTEXT_LINES: u32 = 3;

/// A part of a file's change that can be accepted without the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// Its number, from 0, by which it is chosen.
    pub index: usize,
    /// What it is a change of.
    pub kind: HunkKind,
    /// Its first line: `@@ -1,7 +1,8 @@ fn main`, or in words what happens where there are no lines to show.
    pub header: String,
    /// Its first line before, from 1; the line above it where it has none.
    pub old_start: u32,
    /// How many lines it has before.
    pub old_lines: u32,
    /// Its first line after, from 1; the line above it where it has none.
    pub new_start: u32,
    /// How many lines it has after.
    pub new_lines: u32,
    /// Its lines as they stand in a patch below the header, in the encoding of the file; empty where there are none.
    pub patch: Vec<u8>,
}

/// What a hunk is a change of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HunkKind {
    /// Some lines.
    Lines,
    /// The mode, and no bytes.
    Mode,
    /// All of the file.
    Whole,
}

/// The hunks of a change, in order; none when it changes nothing.
pub fn hunks(change: &Change, blobs: &Blobs, context_lines: u32) -> Result<Vec<Hunk>, DiffError> {
    Ok(Divided::of(change, blobs, context_lines)?.hunks()?)
}

/// What the file becomes when only the hunks with these numbers are taken; `None` is "no such file".
pub fn take_hunks(
    change: &Change,
    blobs: &Blobs,
    context_lines: u32,
    chosen: &BTreeSet<usize>,
) -> Result<Option<Contents>, DiffError> {
    let divided = Divided::of(change, blobs, context_lines)?;
    let hunks = divided.count()?;
    if let Some(index) = chosen.iter().copied().find(|index| *index >= hunks) {
        return Err(DiffError::NoSuchHunk { path: change.path.clone(), index, hunks });
    }
    Ok(divided.take(chosen)?)
}

/// A change, divided as finely as it can be.
enum Divided {
    Nothing(Option<Contents>),
    Whole { before: Option<Contents>, after: Option<Contents> },
    Parts { before: Contents, after: Contents, context_lines: u32 },
}

impl Divided {
    fn of(change: &Change, blobs: &Blobs, context_lines: u32) -> Result<Divided, DiffError> {
        git::prepare();
        let read = |state: &FileState| -> Result<Contents, BlobError> { blobs.contents(state) };
        let before = change.before.as_ref().map(read).transpose()?;
        if change.before == change.after {
            return Ok(Divided::Nothing(before));
        }
        let after = change.after.as_ref().map(read).transpose()?;
        let (before, after) = match (before, after) {
            (Some(before), Some(after)) => (before, after),
            (before, after) => return Ok(Divided::Whole { before, after }),
        };
        let has_lines = has_lines(&before) && has_lines(&after);
        if has_lines && (before.bytes == after.bytes || lines(&before, &after, context_lines)?.num_hunks() > 0) {
            return Ok(Divided::Parts { before, after, context_lines });
        }
        Ok(Divided::Whole { before: Some(before), after: Some(after) })
    }

    fn count(&self) -> Result<usize, git2::Error> {
        Ok(match self {
            Divided::Nothing(_) => 0,
            Divided::Whole { .. } => 1,
            Divided::Parts { before, after, context_lines } => {
                lines(before, after, *context_lines)?.num_hunks() + usize::from(before.mode != after.mode)
            }
        })
    }

    fn hunks(&self) -> Result<Vec<Hunk>, git2::Error> {
        match self {
            Divided::Nothing(_) => Ok(Vec::new()),
            Divided::Whole { before, after } => Ok(vec![whole(before.as_ref(), after.as_ref())?]),
            Divided::Parts { before, after, context_lines } => {
                let patch = lines(before, after, *context_lines)?;
                let mut hunks: Vec<Hunk> =
                    (0..patch.num_hunks()).map(|index| of_lines(&patch, index)).collect::<Result<_, _>>()?;
                if before.mode != after.mode {
                    let header = format!("mode {:o} becomes {:o}", before.mode.git(), after.mode.git());
                    hunks.push(without_lines(hunks.len(), HunkKind::Mode, header));
                }
                Ok(hunks)
            }
        }
    }

    fn take(self, chosen: &BTreeSet<usize>) -> Result<Option<Contents>, git2::Error> {
        Ok(match self {
            Divided::Nothing(contents) => contents,
            Divided::Whole { before, after } => {
                if chosen.contains(&0) {
                    after
                } else {
                    before
                }
            }
            Divided::Parts { before, after, context_lines } => {
                let patch = lines(&before, &after, context_lines)?;
                let mode = if chosen.contains(&patch.num_hunks()) { after.mode } else { before.mode };
                let bytes = take_lines(&patch, &before.bytes, chosen)?;
                Some(Contents { bytes, mode })
            }
        })
    }
}

fn has_lines(contents: &Contents) -> bool {
    contents.mode != Mode::Symlink && contents.bytes.len() as i64 <= MAX_DIFFED_BYTES
}

fn lines<'a>(before: &'a Contents, after: &'a Contents, context_lines: u32) -> Result<Patch<'a>, git2::Error> {
    Patch::from_buffers(&before.bytes, None, &after.bytes, None, Some(&mut options(context_lines)))
}

fn of_lines(patch: &Patch<'_>, index: usize) -> Result<Hunk, git2::Error> {
    let (hunk, count) = patch.hunk(index)?;
    let header = String::from_utf8_lossy(hunk.header()).trim_end().to_owned();
    let (old_start, old_lines, new_start, new_lines) =
        (hunk.old_start(), hunk.old_lines(), hunk.new_start(), hunk.new_lines());
    let mut text = Vec::new();
    for line in 0..count {
        let line = patch.line_in_hunk(index, line)?;
        // What is said about a missing newline at the end is whole as it is.
        if let '+' | '-' | ' ' = line.origin() {
            text.push(line.origin() as u8);
        }
        text.extend_from_slice(line.content());
    }
    Ok(Hunk { index, kind: HunkKind::Lines, header, old_start, old_lines, new_start, new_lines, patch: text })
}

/// Its lines, where there are some to show, or else a word about it.
fn whole(before: Option<&Contents>, after: Option<&Contents>) -> Result<Hunk, git2::Error> {
    let nothing = Contents { bytes: Vec::new(), mode: Mode::Regular };
    let patch = lines(before.unwrap_or(&nothing), after.unwrap_or(&nothing), CONTEXT_LINES)?;
    // A link's target is one line, so its change is one hunk as well.
    if patch.num_hunks() == 1 {
        return Ok(Hunk { kind: HunkKind::Whole, ..of_lines(&patch, 0)? });
    }
    let header = match (before, after) {
        (None, Some(after)) if after.bytes.is_empty() => "an empty file comes",
        (None, _) => "a file without lines comes",
        (Some(before), None) if before.bytes.is_empty() => "an empty file goes",
        (_, None) => "a file without lines goes",
        (Some(_), Some(_)) => "the file changes as a whole",
    };
    Ok(without_lines(0, HunkKind::Whole, header.to_owned()))
}

fn without_lines(index: usize, kind: HunkKind, header: String) -> Hunk {
    let patch = Vec::new();
    Hunk { index, kind, header, old_start: 0, old_lines: 0, new_start: 0, new_lines: 0, patch }
}

fn take_lines(patch: &Patch<'_>, before: &[u8], chosen: &BTreeSet<usize>) -> Result<Vec<u8>, git2::Error> {
    let lines: Vec<&[u8]> = before.split_inclusive(|byte| *byte == b'\n').collect();
    let (mut result, mut copied) = (Vec::new(), 0);
    for index in 0..patch.num_hunks() {
        let (hunk, count) = patch.hunk(index)?;
        // An empty range names the line before it, any other its first line, both counted from 1.
        let start = hunk.old_start().saturating_sub(u32::from(hunk.old_lines() > 0)) as usize;
        lines[copied..start].iter().for_each(|line| result.extend_from_slice(line));
        copied = start + hunk.old_lines() as usize;
        let wanted = if chosen.contains(&index) { '+' } else { '-' };
        for line in 0..count {
            let line = patch.line_in_hunk(index, line)?;
            if line.origin() == ' ' || line.origin() == wanted {
                result.extend_from_slice(line.content());
            }
        }
    }
    lines[copied..].iter().for_each(|line| result.extend_from_slice(line));
    Ok(result)
}
