//! `read_file`: the lines of a text file, in pages, or an image or a document as it is. The form of its result is
//! written down in the crate's docs.

use crate::hands::Hands;
use crate::output::{Attached, Output};
use crate::picture;
use crate::refusal::Refusal;
use crate::text;
use wire::{Contents, MediaType, RelPath};

/// Shows up to `limit` lines from line `offset` on, which counts from 1. The file counts as seen even where a page does not show
/// all of it, since the result says so; what matters is that later bytes are told from these.
pub(crate) fn read_file(
    hands: &Hands<'_>,
    path: &RelPath,
    offset: Option<u64>,
    limit: Option<u64>,
) -> Result<Output, Refusal> {
    let shown = text::path(path);
    let Some(contents) = hands.file(path)? else {
        return Ok(Output::failed(Refusal::Absent(shown.into_owned()).to_string()).saw(path, None));
    };
    let state = contents.state();
    if let Some(media) = attachable(&contents) {
        return attach(hands, path, media, contents, offset.or(limit).is_some());
    }
    let Some(content) = text::of(&contents.bytes) else {
        return Ok(Output::done(format!("{shown}: binary, {} bytes", state.bytes)).saw(path, Some(state)));
    };
    let page = Page::cut(content, offset.unwrap_or(1), hands.limits.lines_per_read.min(limit.unwrap_or(u64::MAX)))
        .ok_or_else(|| Refusal::PastEnd {
            path: shown.to_string(),
            lines: text::count(text::lines(content), "line", "lines"),
            offset: offset.unwrap_or(1),
        })?
        .within(hands.limits.output_bytes);
    let header = format!("{shown}: lines {}-{} of {}, {} bytes", page.first, page.last(), page.total, state.bytes);
    let note = page.note().unwrap_or_default();
    let gap = if note.is_empty() || page.text.ends_with('\n') { "" } else { "\n" };
    Ok(Output::done(format!("{header}\n{}{gap}{note}", page.text)).saw(path, Some(state)))
}

/// What a file is to be shown as, if not as text. A document may be written in letters alone; an image is not.
fn attachable(contents: &Contents) -> Option<MediaType> {
    MediaType::of(&contents.bytes).filter(|media| !media.is_image() || text::of(&contents.bytes).is_none())
}

/// Gives an image or a document to be shown as it is.
fn attach(
    hands: &Hands<'_>,
    path: &RelPath,
    media: MediaType,
    contents: Contents,
    paged: bool,
) -> Result<Output, Refusal> {
    let (shown, state) = (text::path(path), contents.state());
    hands.limits.attachment().admit(format!("{shown}: an attachment ({})", media.word()), state.bytes)?;
    let size = picture::dimensions(media, &contents.bytes);
    let size = size.map_or(String::new(), |(width, height)| format!(", {width}x{height}"));
    let note = if paged { "\n[offset and limit are for text; it is shown whole]" } else { "" };
    let output = Output::done(format!("{shown}: {}, {} bytes{size}{note}", media.word(), state.bytes));
    Ok(output.saw(path, Some(state)).attach(Attached { path: path.clone(), media, bytes: contents.bytes }))
}

/// Consecutive lines of a text.
struct Page<'a> {
    /// The number of the first line, from 1; 0 in an empty text.
    first: u64,
    /// How many lines are shown.
    lines: u64,
    /// How many lines the whole text has.
    total: u64,
    /// The lines, with their ends.
    text: &'a str,
    /// The full length of the only line, where it had to be cut.
    cut_line_bytes: Option<usize>,
}

impl<'a> Page<'a> {
    /// The lines from `offset` on, at most `limit`; `None` if the text ends before.
    fn cut(text: &'a str, offset: u64, limit: u64) -> Option<Page<'a>> {
        let total = text::lines(text) as u64;
        if total == 0 && offset <= 1 {
            return Some(Page { first: 0, lines: 0, total, text, cut_line_bytes: None });
        }
        if offset > total {
            return None;
        }
        let lines = limit.min(total - offset + 1);
        let start = after_lines(text, offset - 1);
        let end = start + after_lines(&text[start..], lines);
        Some(Page { first: offset, lines, total, text: &text[start..end], cut_line_bytes: None })
    }

    /// As many whole lines as fit, or the beginning of the first if it alone does not.
    fn within(mut self, bytes: usize) -> Page<'a> {
        if self.text.len() <= bytes {
            return self;
        }
        let fitting = self.text[..self.text.floor_char_boundary(bytes)].rfind('\n').map(|end| &self.text[..=end]);
        match fitting {
            Some(whole) => (self.lines, self.text) = (text::lines(whole) as u64, whole),
            None => {
                self.cut_line_bytes = self.text.split_inclusive('\n').next().map(str::len);
                (self.lines, self.text) = (1, &self.text[..self.text.floor_char_boundary(bytes)]);
            }
        }
        self
    }

    /// The number of the last line shown.
    fn last(&self) -> u64 {
        (self.first + self.lines).saturating_sub(1)
    }

    /// The line that says what is left out.
    fn note(&self) -> Option<String> {
        let (last, more) = (self.last(), self.total - self.last());
        let on = format!("{more} more lines; read on with offset {}", last + 1);
        match (self.cut_line_bytes, more) {
            (None, 0) => None,
            (None, _) => Some(format!("[… {on}]")),
            (Some(whole), more) => {
                let cut = format!("line {last} is cut after {} of {whole} bytes", self.text.len());
                let rest = if more == 0 { "search_text shows parts of it".to_owned() } else { on };
                Some(format!("[… {cut}; {rest}]"))
            }
        }
    }
}

/// The place in a text after so many lines.
fn after_lines(text: &str, lines: u64) -> usize {
    let Some(last) = lines.checked_sub(1) else { return 0 };
    let last = usize::try_from(last).unwrap_or(usize::MAX);
    text.match_indices('\n').nth(last).map_or(text.len(), |(at, end)| at + end.len())
}
