//! `list_directory`: what is in a directory, as paths that can be used as they stand.

use crate::hands::Hands;
use crate::output::{Body, Output};
use crate::refusal::Refusal;
use crate::text;
use crate::walk::{Visit, walk};
use std::ops::ControlFlow;
use wire::{EntryKind, Found, RelPath};

/// Lists a directory, or the workspace for `None`, down to `depth` levels.
pub(crate) fn list_directory(hands: &Hands<'_>, path: Option<&RelPath>, depth: u64) -> Result<Output, Refusal> {
    hands.limits.depth().admit("depth", depth)?;
    if let Some(path) = path {
        hands.directory(path)?;
    }
    let mut body = Body::new(hands.limits.output_bytes);
    let (mut listed, mut cut) = (0, false);
    let walked = walk(hands, path, depth, |visit| {
        let line = match visit {
            Visit::Unreachable(name) => {
                format!("{} (cannot be used: its name is not UTF-8 or too long)", text::name(name))
            }
            Visit::At(path, kind) => line(hands, path, kind),
        };
        if listed == hands.limits.entries_listed || !body.push(&line) {
            cut = true;
            return Ok(ControlFlow::Break(()));
        }
        listed += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    let mut notes = walked.notes(hands);
    if cut {
        notes.insert(0, format!("… more than {listed} entries; list a directory below, or use find_files"));
    }
    if walked.ignored > 0 {
        notes.push(format!("{} not shown", text::count(walked.ignored, "ignored entry is", "ignored entries are")));
    }
    let first = format!("{}: {}", text::directory(path), text::count(listed, "entry", "entries"));
    Ok(Output::done(body.finish(&first, &notes)))
}

/// One entry.
fn line(hands: &Hands<'_>, path: &RelPath, kind: EntryKind) -> String {
    let shown = text::path(path);
    match kind {
        EntryKind::Directory => format!("{shown}/"),
        EntryKind::File(bytes) => format!("{shown} ({})", text::count(bytes, "byte", "bytes")),
        EntryKind::Symlink => match hands.files.read(path) {
            Ok(Found::File(link)) => format!("{shown} -> {}", text::target(&link)),
            // It went away meanwhile, or cannot be read: it was there when it was listed.
            _ => format!("{shown} (a symbolic link)"),
        },
        EntryKind::Other => format!("{shown} (neither file nor directory)"),
    }
}
