//! The form that `diff -u` and git write.

use super::PatchError;
use super::cursor::Cursor;
use super::names::{self, NOTHING, path};
use super::steps::{Hunk, Part, PartKind, Stated, Step};
use wire::{Mode, RelPath};

const GIT: &str = "diff --git ";

/// Reads all files of a diff; what stands between them and is no part of one is passed over.
pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Vec<Step>, PatchError> {
    let mut steps = Vec::new();
    while let Some(line) = cursor.peek() {
        if line.starts_with(GIT) || begins_file(cursor.rest()) {
            let file = File::read(cursor)?;
            steps.push(file.step(cursor)?);
            continue;
        }
        if line.starts_with("@@") {
            return Err(cursor.wrong("begins a hunk, but no --- and +++ right above say of which file"));
        }
        if is_binary(line) {
            return Err(
                cursor.wrong("is binary, which no patch changes here; use write_file, move_file or delete_file")
            );
        }
        if !steps.is_empty() && line.starts_with(['+', '-']) && !ends_mail(cursor.rest()) {
            return Err(cursor.wrong("belongs to no hunk"));
        }
        cursor.next();
    }
    Ok(steps)
}

/// Whether these lines begin with the two that name a file.
fn begins_file(lines: &[&str]) -> bool {
    matches!(lines, [old, new, ..] if old.starts_with("--- ") && new.starts_with("+++ "))
}

/// Whether these lines are the last of a mail from git: two dashes and its version.
fn ends_mail(lines: &[&str]) -> bool {
    let mut filled = lines.iter().map(|line| line.trim_end()).filter(|line| !line.is_empty());
    filled.next() == Some("--") && filled.count() <= 1
}

fn is_binary(line: &str) -> bool {
    line.starts_with("GIT binary patch") || line.starts_with("Binary files ") && line.trim_end().ends_with(" differ")
}

/// What a diff says of one file. Names are without prefixes; [`NOTHING`] stands for no file.
#[derive(Default)]
struct File {
    old: Option<String>,
    new: Option<String>,
    /// Git said so, in so many words.
    moved: bool,
    created: bool,
    deleted: bool,
    mode: Option<Mode>,
    hunks: Vec<Hunk>,
}

impl File {
    fn read(cursor: &mut Cursor<'_>) -> Result<File, PatchError> {
        let mut file = File::default();
        if let Some(names) = cursor.peek().and_then(|line| line.strip_prefix(GIT)) {
            if let Some((old, new)) = names::pair(names) {
                let (old, new) = names::without_prefixes(&old, &new);
                (file.moved, file.old, file.new) = (old != new, Some(old), Some(new));
            }
            cursor.next();
            while file.header(cursor)? {
                cursor.next();
            }
        }
        if begins_file(cursor.rest()) && file.is_named_by(cursor.rest()) {
            file.names(cursor)?;
            file.hunks = hunks(cursor)?;
        }
        Ok(file)
    }

    /// Whether the lines `---` and `+++` are of this file, and not of one that follows on a file without hunks.
    fn is_named_by(&self, lines: &[&str]) -> bool {
        let [old, new] = [0, 1].map(|at| names::name(lines[at].get(4..).unwrap_or_default()));
        let (old, new) = names::without_prefixes(&old, &new);
        let fits =
            |known: &Option<String>, said: &str| said == NOTHING || known.as_deref().is_none_or(|known| known == said);
        fits(&self.old, &old) && fits(&self.new, &new)
    }

    /// Takes in one of git's lines about a file; false if the line at the cursor is none.
    fn header(&mut self, cursor: &Cursor<'_>) -> Result<bool, PatchError> {
        let Some(line) = cursor.peek().map(str::trim_end) else { return Ok(false) };
        if let Some(mode) = line.strip_prefix("new file mode ") {
            (self.created, self.mode) = (true, Some(mode_of(cursor, mode)?));
        } else if let Some(mode) = line.strip_prefix("new mode ") {
            self.mode = Some(mode_of(cursor, mode)?);
        } else if line.starts_with("deleted file mode ") {
            self.deleted = true;
        } else if let Some(name) = line.strip_prefix("rename from ") {
            (self.moved, self.old) = (true, Some(names::name(name)));
        } else if let Some(name) = line.strip_prefix("rename to ") {
            (self.moved, self.new) = (true, Some(names::name(name)));
        } else if line.starts_with("copy from ") || line.starts_with("copy to ") {
            return Err(cursor.wrong("copies a file, which patches do not do here; add the whole new file instead"));
        } else if is_binary(line) {
            return Err(
                cursor.wrong("is binary, which no patch changes here; use write_file, move_file or delete_file")
            );
        } else {
            let known = ["index ", "old mode ", "similarity index ", "dissimilarity index "];
            return Ok(known.iter().any(|word| line.starts_with(word)));
        }
        Ok(true)
    }

    /// Takes in the lines `---` and `+++`, which go before what git's first line says, renames aside.
    fn names(&mut self, cursor: &mut Cursor<'_>) -> Result<(), PatchError> {
        let name = |line: Option<&str>| names::name(line.and_then(|line| line.get(4..)).unwrap_or_default());
        let old = name(cursor.next());
        let line = cursor.number();
        let (old, new) = names::without_prefixes(&old, &name(cursor.next()));
        self.created |= old == NOTHING;
        self.deleted |= new == NOTHING;
        if !self.created && !self.deleted && !self.moved && old != new {
            return Err(PatchError::NamesDiffer { line, old, new });
        }
        (self.old, self.new) = (Some(old), Some(new));
        Ok(())
    }

    /// What becomes of the file.
    fn step(self, cursor: &Cursor<'_>) -> Result<Step, PatchError> {
        let wrong = || cursor.wrong("comes after a file whose name the patch does not say");
        let named = |name: Option<String>| -> Result<RelPath, PatchError> {
            path(cursor, &name.filter(|name| name != NOTHING).ok_or_else(wrong)?)
        };
        if self.created {
            let only_added = self.hunks.iter().flat_map(|hunk| &hunk.parts).all(|part| part.kind == PartKind::Added);
            if !only_added || self.deleted {
                return Err(cursor.wrong("comes after a new file of which not all lines begin with +"));
            }
            let lines = self.hunks.into_iter().flat_map(|hunk| hunk.parts).collect();
            return Ok(Step::Add { path: named(self.new)?, lines, mode: self.mode.unwrap_or(Mode::Regular) });
        }
        let path = named(self.old)?;
        if self.deleted {
            return Ok(Step::Delete { path, hunks: self.hunks });
        }
        let to = Some(named(self.new)?).filter(|to| *to != path);
        if self.hunks.is_empty() && to.is_none() && self.mode.is_none() {
            return Err(cursor
                .wrong("comes where a hunk must stand: @@ -1,2 +1,2 @@ and lines that begin with a blank, + or -"));
        }
        Ok(Step::Update { path, to, mode: self.mode, hunks: self.hunks })
    }
}

/// A mode in git's numbers.
fn mode_of(cursor: &Cursor<'_>, mode: &str) -> Result<Mode, PatchError> {
    match mode.trim() {
        "100644" | "100664" => Ok(Mode::Regular),
        "100755" | "100775" => Ok(Mode::Executable),
        _ => Err(cursor.wrong("is no mode of a file; patches make no symbolic links and no submodules")),
    }
}

/// The hunks of one file.
fn hunks(cursor: &mut Cursor<'_>) -> Result<Vec<Hunk>, PatchError> {
    let mut hunks = Vec::new();
    loop {
        let blank = cursor.rest().iter().take_while(|line| line.trim().is_empty()).count();
        if !cursor.rest().get(blank).is_some_and(|line| line.starts_with("@@")) {
            return Ok(hunks);
        }
        for _ in 0..blank {
            cursor.next();
        }
        if cursor.peek().is_some_and(|line| line.starts_with("@@@")) {
            return Err(cursor.wrong("is of a merge of several files; give a diff against the file as it is"));
        }
        let stated = cursor.next().and_then(Stated::read);
        let parts = match stated.and_then(|stated| counted(cursor, stated)) {
            Some(parts) => parts,
            None => uncounted(cursor)?,
        };
        if parts.is_empty() {
            return Err(cursor.wrong("comes where a hunk must have lines that begin with a blank, + or -"));
        }
        hunks.push(Hunk { number: hunks.len() + 1, stated, anchors: Vec::new(), ends_file: false, parts });
    }
}

/// The lines of a hunk by the numbers in its header. `None`, with the cursor where it was, if they are wrong.
fn counted(cursor: &mut Cursor<'_>, stated: Stated) -> Option<Vec<Part>> {
    let mark = cursor.mark();
    let (mut old, mut new, mut parts) = (stated.old_lines, stated.new_lines, Vec::new());
    let read = loop {
        if open(cursor, &mut parts) {
            continue;
        }
        if (old, new) == (0, 0) {
            break true;
        }
        let Some(part) = cursor.next().and_then(Part::read) else { break false };
        let (takes_old, takes_new) = (part.kind != PartKind::Added, part.kind != PartKind::Removed);
        if takes_old && old == 0 || takes_new && new == 0 {
            break false;
        }
        (old, new) = (old - usize::from(takes_old), new - usize::from(takes_new));
        parts.push(part);
    };
    // More lines of a hunk right behind it show that the numbers are too low.
    let follows = cursor.rest().iter().position(|line| !line.trim_end().is_empty()).map(|at| &cursor.rest()[at..]);
    let more =
        follows.is_some_and(|lines| lines[0].starts_with([' ', '+', '-']) && !begins_file(lines) && !ends_mail(lines));
    if read && !more {
        return Some(parts);
    }
    cursor.back(mark);
    None
}

/// The lines of a hunk up to what cannot be one of it.
fn uncounted(cursor: &mut Cursor<'_>) -> Result<Vec<Part>, PatchError> {
    let (mut parts, mut blank) = (Vec::new(), 0);
    while let Some(line) = cursor.peek() {
        if line.starts_with("@@") || line.starts_with(GIT) || line.starts_with("```") {
            break;
        }
        if begins_file(cursor.rest()) || ends_mail(cursor.rest()) {
            break;
        }
        if open(cursor, &mut parts) {
            continue;
        }
        parts.push(Part::read(line).ok_or_else(|| cursor.wrong("must begin with a blank, + or -"))?);
        blank = if line.trim_end_matches('\r').is_empty() { blank + 1 } else { 0 };
        cursor.next();
    }
    // Empty lines before what follows only part it from the hunk.
    parts.truncate(parts.len() - blank);
    Ok(parts)
}

/// Takes in the line that says that the one before has no end; false if the line at the cursor is another.
fn open(cursor: &mut Cursor<'_>, parts: &mut [Part]) -> bool {
    let says = cursor.peek().is_some_and(|line| line.starts_with('\\'));
    if says {
        if let Some(part) = parts.last_mut() {
            part.open = true;
        }
        cursor.next();
    }
    says
}
