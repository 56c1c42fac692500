//! `search_text`: the lines that a regular expression matches, as `path:line: text`, and the lines around them as
//! `path-line- text`. Lines that do not follow on each other are parted by `--`. The engine is ripgrep's; the walk is
//! ours, since it goes over the session's view.

use crate::hands::Hands;
use crate::output::{Body, Output};
use crate::pieces::Pieces;
use crate::refusal::Refusal;
use crate::text;
use crate::walk::{Visit, walk};
use grep_matcher::LineTerminator;
use grep_searcher::{
    BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkContextKind, SinkError, SinkMatch,
};
use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow;
use wire::{Contents, EntryKind, Found, Mode, RelPath};

/// What to search for, and how.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The regular expression.
    pub(crate) pattern: String,
    /// Lines to show before and after each match.
    pub(crate) context: u64,
    /// Whether upper and lower case are the same.
    pub(crate) ignore_case: bool,
}

/// Searches a directory, a file, or the workspace for `None`.
pub(crate) fn search_text(hands: &Hands<'_>, wanted: &Wanted, path: Option<&RelPath>) -> Result<Output, Refusal> {
    hands.limits.context().admit("context", wanted.context)?;
    let mut search = Search::new(hands, Pieces::compile(hands, &wanted.pattern, wanted.ignore_case)?, wanted.context);
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
            if search.findings.matches == 0 && walked.ignored > 0 {
                notes.push("ignored files were not searched".to_owned());
            }
        }
    }
    Ok(search.finish(&wanted.pattern, notes))
}

/// A search on its way.
struct Search<'a> {
    hands: &'a Hands<'a>,
    pieces: Pieces<'a>,
    searcher: Searcher,
    findings: Findings,
    counts: Counts,
}

/// What a search went through.
#[derive(Default)]
struct Counts {
    searched: u64,
    /// Bytes of the files that were searched or are binary.
    bytes: u64,
    binary: u64,
    too_large: u64,
    unreadable: u64,
}

impl<'a> Search<'a> {
    fn new(hands: &'a Hands<'a>, pieces: Pieces<'a>, context: u64) -> Search<'a> {
        let lines = usize::try_from(context).unwrap_or(usize::MAX);
        let searcher = SearcherBuilder::new()
            .line_terminator(LineTerminator::crlf())
            .before_context(lines)
            .after_context(lines)
            // What is binary is told once for all tools, before a searcher sees it; nor is a mark of UTF-16 obeyed.
            .binary_detection(BinaryDetection::none())
            .bom_sniffing(false)
            .build();
        let findings = Findings {
            body: Body::new(hands.limits.output_bytes),
            parted: context > 0,
            matches: 0,
            files: 0,
            ended: None,
        };
        Search { hands, pieces, searcher, findings, counts: Counts::default() }
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
            self.findings.ended = Some(format!("… stopped after {limit} bytes (limit bytes_searched); name a path"));
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

    /// Searches the lines of a text.
    fn content(&mut self, path: &RelPath, content: &str) -> Result<ControlFlow<()>, Refusal> {
        self.hands.go_on()?;
        self.counts.searched += 1;
        let sink = FileSink {
            hands: self.hands,
            pieces: &self.pieces,
            path: text::path(path),
            findings: &mut self.findings,
            before: Vec::new(),
            matching: false,
        };
        self.searcher.search_slice(&self.pieces, content.as_bytes(), sink).map_err(|Broken(what)| {
            // A searcher breaks off when it is told to stop, which is then said as everywhere.
            self.hands.go_on().err().unwrap_or_else(|| Refusal::Search { path: text::path(path).into_owned(), what })
        })?;
        Ok(if self.findings.ended.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// The whole result.
    fn finish(self, pattern: &str, mut notes: Vec<String>) -> Output {
        let Search { findings, counts, hands, .. } = self;
        if let Some(ended) = findings.ended {
            notes.insert(0, ended);
        }
        for (number, why) in [
            (counts.binary, "binary".to_owned()),
            (counts.too_large, format!("over {} bytes", hands.limits.file_bytes)),
            (counts.unreadable, "unreadable".to_owned()),
        ] {
            if number > 0 {
                notes.push(format!("{} left out: {why}", text::count(number, "file", "files")));
            }
        }
        let first = format!(
            "{}: {} in {} ({} searched)",
            text::quoted(pattern),
            text::count(findings.matches, "matching line", "matching lines"),
            text::count(findings.files, "file", "files"),
            text::count(counts.searched, "file", "files"),
        );
        Output::done(findings.body.finish(&first, &notes))
    }
}

/// What was found in all files so far.
struct Findings {
    body: Body,
    /// Whether lines that do not follow on each other are parted.
    parted: bool,
    /// Matching lines that are shown.
    matches: u64,
    /// Files with a matching line.
    files: u64,
    /// Why the search ended before everything was searched.
    ended: Option<String>,
}

/// Takes in what the searcher finds in one file.
struct FileSink<'a> {
    hands: &'a Hands<'a>,
    pieces: &'a Pieces<'a>,
    path: Cow<'a, str>,
    findings: &'a mut Findings,
    /// Lines that are shown if the match that they stand before is.
    before: Vec<String>,
    /// Whether a line of this file matched.
    matching: bool,
}

/// Why a searcher broke off.
struct Broken(String);

impl SinkError for Broken {
    fn error_message<T: fmt::Display>(message: T) -> Broken {
        Broken(message.to_string())
    }
}

impl FileSink<'_> {
    /// A line as it is shown, with `mark` for what it is.
    fn line(&self, bytes: &[u8], number: Option<u64>, mark: char, column: usize) -> String {
        let line = String::from_utf8_lossy(bytes);
        let line = line.strip_suffix('\n').map_or(&*line, |line| line.strip_suffix('\r').unwrap_or(line));
        let number = number.expect("the searcher counts lines unless told not to");
        format!("{}{mark}{number}{mark} {}", self.path, excerpt(line, column, self.hands.limits.line_bytes))
    }

    /// Adds a line, or ends the search where it does not fit.
    fn push(&mut self, line: &str) -> bool {
        let fits = self.findings.body.push(line);
        if !fits {
            let limit = self.hands.limits.output_bytes;
            self.findings.ended = Some(format!("… more than {limit} bytes of results; narrow the pattern or the path"));
        }
        fits
    }
}

impl Sink for FileSink<'_> {
    type Error = Broken;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, Broken> {
        if self.findings.matches == self.hands.limits.matches {
            let limit = self.hands.limits.matches;
            let why = format!("… more than {limit} matching lines; narrow the pattern or the path");
            self.findings.ended = Some(why);
            return Ok(false);
        }
        if !self.matching && self.findings.parted && self.findings.matches > 0 {
            self.before.insert(0, "--".to_owned());
        }
        self.findings.files += u64::from(!std::mem::replace(&mut self.matching, true));
        let column = self.pieces.column(found.bytes()).map_err(Broken::error_message)?;
        let line = self.line(found.bytes(), found.line_number(), ':', column);
        for line in std::mem::take(&mut self.before).iter().chain([&line]) {
            if !self.push(line) {
                return Ok(false);
            }
        }
        self.findings.matches += 1;
        Ok(true)
    }

    fn context(&mut self, _: &Searcher, around: &SinkContext<'_>) -> Result<bool, Broken> {
        let line = self.line(around.bytes(), around.line_number(), '-', 0);
        match around.kind() {
            SinkContextKind::Before => self.before.push(line),
            SinkContextKind::After | SinkContextKind::Other => return Ok(self.push(&line)),
        }
        Ok(true)
    }

    fn context_break(&mut self, _: &Searcher) -> Result<bool, Broken> {
        self.before.push("--".to_owned());
        Ok(true)
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
