//! `search_text`: the lines that a regular expression matches, as `path:line: text`, and the lines around them as
//! `path-line- text`. Lines that do not follow on each other are parted by `--`.
//!
//! A hostile expression of the permitted size takes about half a second for [`PIECE_BYTES`] (measured: `a[ab ]{5000}y`
//! over a, b and blanks), so that is how much is searched between two looks at whether to stop. A longer line is
//! searched in overlapping pieces: in it a match may be missed that is longer than the overlap, and `$` holds at the
//! end of a piece too.

use crate::hands::Hands;
use crate::output::{Body, Output};
use crate::refusal::Refusal;
use crate::text;
use crate::walk::{Visit, walk};
use regex::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::ops::ControlFlow;
use wire::{Contents, EntryKind, Found, Mode, RelPath};

/// How deep groups of an expression may stand in each other.
const NESTED_GROUPS: u32 = 50;
/// How much is searched between two looks at whether to stop.
const PIECE_BYTES: usize = 16 << 10;
/// How much of a piece the next one searches again.
const OVERLAP_BYTES: usize = 1 << 10;

/// Searches a directory, a file, or the workspace for `None`.
pub(crate) fn search_text(
    hands: &Hands<'_>,
    pattern: &str,
    path: Option<&RelPath>,
    context: u64,
) -> Result<Output, Refusal> {
    hands.limits.context().admit("context", context)?;
    let mut search = Search::new(hands, compile(hands, pattern)?, context as usize);
    let mut notes = Vec::new();
    match path.map(|path| hands.locate(path).map(|found| (path, found))).transpose()? {
        Some((path, Found::Absent)) => return Err(Refusal::Absent(text::path(path).into_owned())),
        Some((path, Found::File(_) | Found::Other(_))) => search.named(path)?,
        Some((_, Found::Directory)) | None => {
            let walked = walk(hands, path, u64::MAX, |visit| match visit {
                Visit::At(path, EntryKind::File(bytes)) => search.listed(path, bytes),
                _ => Ok(ControlFlow::Continue(())),
            })?;
            notes.extend(walked.notes(hands));
            if search.counts.matches == 0 && walked.ignored > 0 {
                notes.push("ignored files were not searched".to_owned());
            }
        }
    }
    Ok(search.finish(pattern, notes))
}

/// Compiles a pattern within bounds. The engine takes time in proportion to pattern times text, whatever they are.
fn compile(hands: &Hands<'_>, pattern: &str) -> Result<Regex, Refusal> {
    hands.limits.pattern().admit("pattern", pattern.len() as u64)?;
    let built = RegexBuilder::new(pattern)
        .size_limit(hands.limits.regex_bytes)
        .dfa_size_limit(hands.limits.regex_bytes)
        .nest_limit(NESTED_GROUPS)
        .build();
    built.map_err(|error| Refusal::Regex {
        pattern: text::quoted(pattern),
        reason: match error {
            regex::Error::CompiledTooBig(limit) => format!("compiled it is larger than {limit} bytes (regex_bytes)"),
            other => other.to_string(),
        },
    })
}

/// A search on its way.
struct Search<'a> {
    hands: &'a Hands<'a>,
    regex: Regex,
    context: usize,
    body: Body,
    counts: Counts,
    /// Why it ended before everything was searched.
    ended: Option<String>,
}

/// What a search did.
#[derive(Default)]
struct Counts {
    /// Matching lines that are shown.
    matches: u64,
    files_matching: u64,
    files_searched: u64,
    /// Bytes of the files that were searched or are binary.
    bytes: u64,
    binary: u64,
    too_large: u64,
    unreadable: u64,
}

impl<'a> Search<'a> {
    fn new(hands: &'a Hands<'a>, regex: Regex, context: usize) -> Search<'a> {
        let body = Body::new(hands.limits.output_bytes);
        Search { hands, regex, context, body, counts: Counts::default(), ended: None }
    }

    /// Searches a file that the model named: what cannot be searched is an error.
    fn named(&mut self, path: &RelPath) -> Result<(), Refusal> {
        let shown = text::path(path).into_owned();
        let file = self.hands.file(path)?.ok_or(Refusal::Absent(shown.clone()))?;
        let bytes = file.bytes.len();
        let content = text::of(&file.bytes).ok_or(Refusal::Binary { path: shown, bytes, verb: "search" })?;
        self.content(path, content).map(|_| ())
    }

    /// Searches a file that the walk came by: what cannot be searched is counted.
    fn listed(&mut self, path: &RelPath, bytes: u64) -> Result<ControlFlow<()>, Refusal> {
        if bytes > self.hands.limits.file_bytes {
            self.counts.too_large += 1;
            return Ok(ControlFlow::Continue(()));
        }
        self.counts.bytes += bytes;
        if self.counts.bytes > self.hands.limits.bytes_searched {
            let limit = self.hands.limits.bytes_searched;
            self.ended = Some(format!("… stopped after {limit} bytes (limit bytes_searched); name a path"));
            return Ok(ControlFlow::Break(()));
        }
        match self.hands.files.read(path) {
            Ok(Found::File(Contents { bytes, mode })) if mode != Mode::Symlink => match text::of(&bytes) {
                Some(content) => return self.content(path, content),
                None => self.counts.binary += 1,
            },
            // It became something else since it was listed.
            Ok(_) => {}
            Err(_) => self.counts.unreadable += 1,
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Searches the lines of a file.
    fn content(&mut self, path: &RelPath, content: &str) -> Result<ControlFlow<()>, Refusal> {
        self.counts.files_searched += 1;
        let left = (self.hands.limits.matches - self.counts.matches) as usize;
        let mut found = Vec::new();
        let mut unlooked = PIECE_BYTES;
        for (number, line) in content.lines().enumerate() {
            unlooked += line.len();
            if unlooked >= PIECE_BYTES {
                self.hands.go_on()?;
                unlooked = 0;
            }
            if let Some(column) = self.find(line)? {
                if found.len() == left {
                    let limit = self.hands.limits.matches;
                    self.ended = Some(format!("… more than {limit} matching lines; narrow the pattern or the path"));
                    break;
                }
                found.push((number, column));
            }
        }
        if found.is_empty() {
            return Ok(self.flow());
        }
        self.counts.files_matching += 1;
        let lines: Vec<&str> = content.lines().collect();
        self.show(path, &lines, &found);
        Ok(self.flow())
    }

    /// Where in a line the expression first matches.
    fn find(&self, line: &str) -> Result<Option<usize>, Refusal> {
        let mut start = 0;
        loop {
            let end = line.floor_char_boundary(start + PIECE_BYTES);
            // What stands before the piece is known to the engine, so that `^` and `\b` mean what they say.
            if let Some(found) = self.regex.find_at(&line[..end], start) {
                return Ok(Some(found.start()));
            }
            if end == line.len() {
                return Ok(None);
            }
            self.hands.go_on()?;
            start = line.floor_char_boundary(end - OVERLAP_BYTES);
        }
    }

    fn flow(&self) -> ControlFlow<()> {
        if self.ended.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Writes matching lines, each with the lines around it, none twice.
    fn show(&mut self, path: &RelPath, lines: &[&str], found: &[(usize, usize)]) {
        let shown = text::path(path);
        let mut next = 0;
        let mut found = found.iter().peekable();
        while let Some((number, column)) = found.next() {
            let until = found.peek().map_or(lines.len(), |(following, _)| *following);
            let from = number.saturating_sub(self.context).max(next);
            let to = number.saturating_add(self.context).saturating_add(1).min(until);
            let gap = self.context > 0 && self.counts.matches > 0 && (next == 0 || from > next);
            let mut fits = !gap || self.body.push("--");
            for (at, line) in lines.iter().enumerate().take(to).skip(from) {
                let (mark, column) = if at == *number { (':', *column) } else { ('-', 0) };
                let line = excerpt(line, column, self.hands.limits.line_bytes);
                fits = fits && self.body.push(&format!("{shown}{mark}{}{mark} {line}", at + 1));
            }
            if !fits {
                let limit = self.hands.limits.output_bytes;
                self.ended = Some(format!("… more than {limit} bytes of results; narrow the pattern or the path"));
                return;
            }
            self.counts.matches += 1;
            next = to;
        }
    }

    /// The whole result.
    fn finish(self, pattern: &str, mut notes: Vec<String>) -> Output {
        if let Some(ended) = self.ended {
            notes.insert(0, ended);
        }
        for (number, why) in [
            (self.counts.binary, "binary".to_owned()),
            (self.counts.too_large, format!("over {} bytes", self.hands.limits.file_bytes)),
            (self.counts.unreadable, "unreadable".to_owned()),
        ] {
            if number > 0 {
                notes.push(format!("{} left out: {why}", text::count(number, "file", "files")));
            }
        }
        let first = format!(
            "{}: {} in {} ({} searched)",
            text::quoted(pattern),
            text::count(self.counts.matches, "matching line", "matching lines"),
            text::count(self.counts.files_matching, "file", "files"),
            text::count(self.counts.files_searched, "file", "files"),
        );
        Output::done(self.body.finish(&first, &notes))
    }
}

/// A line as it is shown: at most so many bytes of it, those around `column`.
fn excerpt(line: &str, column: usize, bytes: usize) -> Cow<'_, str> {
    if line.len() <= bytes {
        return line.into();
    }
    // A quarter of what is shown stands before the match.
    let start = line.floor_char_boundary(column.saturating_sub(bytes / 4).min(line.len() - bytes));
    let end = line.floor_char_boundary(start + bytes);
    let (before, after) = (if start > 0 { "…" } else { "" }, if end < line.len() { "…" } else { "" });
    format!("{before}{}{after}", &line[start..end]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_around_its_match() {
        assert_eq!(excerpt("short", 2, 5), "short");
        assert_eq!(excerpt("0123456789abcdef", 0, 8), "01234567…");
        assert_eq!(excerpt("0123456789abcdef", 6, 8), "…456789ab…");
        assert_eq!(excerpt("0123456789abcdef", 15, 8), "…89abcdef");
        assert_eq!(excerpt("grüßgrüßgrüß", 6, 5), "…ßgr…");
    }
}
