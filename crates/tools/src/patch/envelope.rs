//! The form that begins with `*** Begin Patch`: files by name, hunks by the lines around them.

use super::PatchError;
use super::cursor::Cursor;
use super::names::path;
use super::steps::{Hunk, Part, PartKind, Stated, Step};
use wire::Mode;

/// The first line.
pub(crate) const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const ADD: &str = "*** Add File:";
const UPDATE: &str = "*** Update File:";
const DELETE: &str = "*** Delete File:";
const MOVE: &str = "*** Move to:";
const END_OF_FILE: &str = "*** End of File";

/// Reads every patch of this form.
pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Vec<Step>, PatchError> {
    let mut steps = Vec::new();
    let mut inside = false;
    while let Some(line) = cursor.peek() {
        let line = line.trim_end();
        match line.trim() {
            BEGIN => inside = true,
            END => inside = false,
            "" => {}
            // Around a patch there may be prose, a fence, or the shell command that it was meant for.
            _ if !inside => {}
            _ => {
                steps.push(step(cursor, line)?);
                continue;
            }
        }
        cursor.next();
    }
    if inside { Err(PatchError::NoEnd) } else { Ok(steps) }
}

/// Reads what becomes of one file.
fn step(cursor: &mut Cursor<'_>, line: &str) -> Result<Step, PatchError> {
    let named = |cursor: &Cursor<'_>, name: &str| path(cursor, name.trim());
    if let Some(name) = line.strip_prefix(ADD) {
        let path = named(cursor, name)?;
        cursor.next();
        return Ok(Step::Add { path, lines: added(cursor)?, mode: Mode::Regular });
    }
    if let Some(name) = line.strip_prefix(DELETE) {
        let path = named(cursor, name)?;
        cursor.next();
        return Ok(Step::Delete { path, hunks: Vec::new() });
    }
    let Some(name) = line.strip_prefix(UPDATE) else {
        return Err(cursor.wrong(
            "must be *** Add File: path, *** Update File: path, *** Delete File: path or *** End Patch; lines of a file \
             begin with a blank, + or -",
        ));
    };
    let path = named(cursor, name)?;
    cursor.next();
    let mut to = None;
    if let Some(name) = cursor.peek().and_then(|line| line.strip_prefix(MOVE)) {
        to = Some(named(cursor, name)?).filter(|to| *to != path);
        cursor.next();
    }
    let hunks = hunks(cursor)?;
    if hunks.is_empty() && to.is_none() {
        return Err(cursor.wrong("comes where an update must say what changes: lines that begin with a blank, + or -"));
    }
    Ok(Step::Update { path, to, mode: None, hunks })
}

/// The lines of a new file.
fn added(cursor: &mut Cursor<'_>) -> Result<Vec<Part>, PatchError> {
    let mut lines = Vec::new();
    let mut blank = 0;
    while let Some(line) = cursor.peek().filter(|line| !line.starts_with("*** ")) {
        match line.strip_prefix('+') {
            Some(line) => {
                // An empty line may have lost its sign; those at the end are none.
                lines.extend((0..std::mem::take(&mut blank)).map(|_| Part::new(PartKind::Added, "")));
                lines.push(Part::new(PartKind::Added, line));
            }
            None if line.trim().is_empty() => blank += 1,
            None => return Err(cursor.wrong("must begin with +, as all lines of a new file")),
        }
        cursor.next();
    }
    Ok(lines)
}

/// The hunks of an update.
fn hunks(cursor: &mut Cursor<'_>) -> Result<Vec<Hunk>, PatchError> {
    let mut hunks = Vec::new();
    loop {
        while cursor.peek().is_some_and(|line| line.trim().is_empty()) && cursor.rest().len() > 1 {
            let next = cursor.rest()[1];
            if !next.starts_with("@@") && !next.starts_with("*** ") && !next.trim().is_empty() {
                break;
            }
            cursor.next();
        }
        match cursor.peek() {
            Some(line) if !line.starts_with("*** ") => hunks.push(hunk(cursor, hunks.len() + 1)?),
            _ => return Ok(hunks),
        }
    }
}

/// One hunk: perhaps lines that stand above it, then its own.
fn hunk(cursor: &mut Cursor<'_>, number: usize) -> Result<Hunk, PatchError> {
    let mut hunk = Hunk { number, stated: None, anchors: Vec::new(), ends_file: false, parts: Vec::new() };
    while let Some(anchor) = cursor.peek().and_then(|line| line.strip_prefix("@@")) {
        // Some models give line numbers here, as in the other form.
        match Stated::read(cursor.peek().unwrap_or_default()) {
            Some(stated) => hunk.stated = Some(stated),
            None => hunk.anchors.extend(Some(anchor.trim()).filter(|anchor| !anchor.is_empty()).map(str::to_owned)),
        }
        cursor.next();
    }
    let mut blank = 0;
    while let Some(line) = cursor.peek().filter(|line| !line.starts_with("@@")) {
        if line.trim_end() == END_OF_FILE {
            hunk.ends_file = true;
            cursor.next();
            break;
        }
        if line.starts_with("*** ") {
            break;
        }
        let part = Part::read(line).ok_or_else(|| cursor.wrong("must begin with a blank, + or -"))?;
        blank = if line.trim_end().is_empty() && !line.starts_with(' ') { blank + 1 } else { 0 };
        hunk.parts.push(part);
        cursor.next();
    }
    // Empty lines before what follows only part it from the hunk.
    hunk.parts.truncate(hunk.parts.len() - blank);
    if hunk.parts.is_empty() {
        return Err(cursor.wrong("comes where a hunk must have lines that begin with a blank, + or -"));
    }
    // What is only added, and nowhere in particular, comes to the end.
    hunk.ends_file |= hunk.anchors.is_empty() && hunk.stated.is_none() && hunk.old().is_empty();
    Ok(hunk)
}
