//! Walks the session's files from top to bottom in the order of names: the one loop behind list, find and search.

use crate::hands::Hands;
use crate::ignored::Rules;
use crate::refusal::Refusal;
use crate::text;
use std::ops::ControlFlow;
use wire::{Entry, EntryKind, RelPath};

/// What a walk comes by.
pub(crate) enum Visit<'a> {
    /// A path, and what is there.
    At(&'a RelPath, EntryKind),
    /// A name that cannot be written in UTF-8, or makes too long a path; as near as it can be shown.
    Unreachable(&'a str),
}

/// What a walk did not show.
#[derive(Default)]
pub(crate) struct Walked {
    entries: u64,
    /// Names that ignore files exclude.
    pub(crate) ignored: u64,
    unreadable: u64,
    over_limit: bool,
    rules_over_limit: bool,
}

impl Walked {
    /// What to say about it.
    pub(crate) fn notes(&self, hands: &Hands<'_>) -> Vec<String> {
        let mut notes = Vec::new();
        if self.over_limit {
            let limit = hands.limits.entries_walked;
            notes.push(format!("… stopped after {limit} names (limit entries_walked); name a path to see the rest"));
        }
        if self.rules_over_limit {
            let limit = hands.limits.ignore_bytes;
            notes.push(format!("ignore files over {limit} bytes in all (limit ignore_bytes) were not honoured"));
        }
        if self.unreadable > 0 {
            notes.push(format!("{} could not be read", text::count(self.unreadable, "directory", "directories")));
        }
        notes
    }
}

/// A directory that is being walked.
struct Frame {
    directory: Option<RelPath>,
    entries: std::vec::IntoIter<Entry>,
}

/// Walks everything below `top` down to `depth` levels, and lets `visit` end it. `top` itself must be a directory that
/// was located; it is walked even where a rule excludes it, since it was named.
pub(crate) fn walk(
    hands: &Hands<'_>,
    top: Option<&RelPath>,
    depth: u64,
    mut visit: impl FnMut(Visit<'_>) -> Result<ControlFlow<()>, Refusal>,
) -> Result<Walked, Refusal> {
    let mut walked = Walked::default();
    let mut rules = Rules::new(hands.limits.ignore_bytes);
    if let Some(top) = top {
        let mut above: Vec<Option<RelPath>> = std::iter::successors(top.parent(), RelPath::parent).map(Some).collect();
        above.push(None);
        for directory in above.iter().rev() {
            rules.enter(hands, directory.as_ref(), None)?;
        }
    }
    let mut frames = vec![open(hands, top.cloned(), &mut rules)?];
    while let Some(frame) = frames.last_mut() {
        let Some(entry) = frame.entries.next() else {
            frames.pop();
            rules.leave();
            continue;
        };
        hands.go_on()?;
        if entry.name.eq_ignore_ascii_case(".git") {
            continue;
        }
        if walked.entries == hands.limits.entries_walked {
            walked.over_limit = true;
            break;
        }
        walked.entries += 1;
        let Some(path) = path_of(frame.directory.as_ref(), &entry) else {
            if visit(Visit::Unreachable(&entry.name))?.is_break() {
                break;
            }
            continue;
        };
        let is_directory = entry.kind == EntryKind::Directory;
        if rules.exclude(&path, is_directory) {
            walked.ignored += 1;
            continue;
        }
        if visit(Visit::At(&path, entry.kind))?.is_break() {
            break;
        }
        if is_directory && (frames.len() as u64) < depth {
            match open(hands, Some(path), &mut rules) {
                Ok(frame) => frames.push(frame),
                Err(Refusal::Files(_)) => walked.unreadable += 1,
                Err(refusal) => return Err(refusal),
            }
        }
    }
    walked.rules_over_limit = rules.over_limit();
    Ok(walked)
}

/// Lists a directory and takes in its rules.
fn open(hands: &Hands<'_>, directory: Option<RelPath>, rules: &mut Rules) -> Result<Frame, Refusal> {
    let mut entries = hands.files.list(directory.as_ref())?;
    entries.sort_unstable();
    rules.enter(hands, directory.as_ref(), Some(&entries))?;
    Ok(Frame { directory, entries: entries.into_iter() })
}

/// The path of an entry, if it can be touched at all.
fn path_of(directory: Option<&RelPath>, entry: &Entry) -> Option<RelPath> {
    let path = match directory {
        Some(directory) => directory.join(&entry.name),
        None => RelPath::new(&entry.name),
    };
    path.ok().filter(|_| entry.reachable)
}
