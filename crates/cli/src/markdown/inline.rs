//! What stands within a line: emphasis, code, links.
//!
//! A mark is held back until what closes it has come, or the line has ended without it: then it stands there as it was
//! written. So a lone star or an underscore in a name stays, and nothing has to be taken back. This is a part of
//! CommonMark 0.31 (section 6), with two limits: a span does not go over the end of a line, and not over
//! [`MAX_SPAN_BYTES`].

use crate::screen::{FAINT, NAME};
use anstyle::Style;

/// How much text is held back while what closes a mark has not come.
const MAX_SPAN_BYTES: usize = 600;
/// How deep spans may stand in each other.
const MAX_DEPTH: usize = 4;
/// Characters that may begin a span.
const MARKS: [char; 8] = ['\\', '`', '*', '_', '~', '[', '!', '<'];

/// The text of one line, as it comes.
#[derive(Debug, Default)]
pub(super) struct Inline {
    pending: String,
    /// What stood before that.
    before: Option<char>,
}

/// What the beginning of a text is.
enum Piece<'a> {
    /// It cannot be told yet.
    Undecided,
    /// Text, and how many bytes of it were taken.
    Plain(&'a str, usize),
    /// Code between marks of so many backticks.
    Code { content: &'a str, marks: usize, taken: usize },
    /// Emphasis by marks of this length.
    Emphasis { content: &'a str, marks: usize, taken: usize },
    /// A link or an image.
    Link { text: &'a str, target: &'a str, taken: usize },
}

impl Inline {
    /// Takes a character and gives the spans that are decided by it. Without `colour` marks stay where they are.
    pub(super) fn push(&mut self, character: char, colour: bool, take: &mut dyn FnMut(Style, &str)) {
        self.pending.push(character);
        self.run(false, colour, take);
    }

    /// The line has ended: all that was held back is given.
    pub(super) fn end(&mut self, colour: bool, take: &mut dyn FnMut(Style, &str)) {
        self.run(true, colour, take);
        self.before = None;
    }

    fn run(&mut self, complete: bool, colour: bool, take: &mut dyn FnMut(Style, &str)) {
        let pending = std::mem::take(&mut self.pending);
        let scan = Scan { colour, style: Style::new(), depth: 0 };
        let taken = scan.spans(&pending, &mut self.before, complete, take);
        self.pending = pending[taken..].to_owned();
    }
}

/// The spans of a text that is there as a whole.
pub(super) fn spans(text: &str, style: Style, colour: bool, take: &mut dyn FnMut(Style, &str)) {
    Scan { colour, style, depth: 0 }.spans(text, &mut None, true, take);
}

#[derive(Clone, Copy)]
struct Scan {
    colour: bool,
    style: Style,
    depth: usize,
}

impl Scan {
    /// Gives the spans at the beginning of `text` that are decided, and how many bytes they took.
    fn spans(self, text: &str, before: &mut Option<char>, complete: bool, take: &mut dyn FnMut(Style, &str)) -> usize {
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let gives_up = complete || rest.len() > MAX_SPAN_BYTES;
            let taken = match piece(rest, *before, gives_up) {
                Piece::Undecided => break,
                Piece::Plain(plain, taken) => {
                    take(self.style, plain);
                    taken
                }
                Piece::Code { content, marks, taken } => {
                    let marks = &rest[..marks];
                    self.marked(marks, marks, take, |scan, take| take(on(scan.style, NAME), content));
                    taken
                }
                Piece::Emphasis { content, marks, taken } => {
                    let (style, marks) = (emphasis(&rest[..marks]), &rest[..marks]);
                    self.marked(marks, marks, take, |scan, take| scan.within(style, content, take));
                    taken
                }
                Piece::Link { text, target, taken } => {
                    self.link(text, target, take);
                    taken
                }
            };
            *before = rest[..taken].chars().next_back();
            at += taken;
        }
        at
    }

    /// What stands between marks; the marks themselves are shown where there are no styles to say the same.
    fn marked(
        self,
        opens: &str,
        closes: &str,
        take: &mut dyn FnMut(Style, &str),
        content: impl FnOnce(Scan, &mut dyn FnMut(Style, &str)),
    ) {
        if !self.colour {
            take(self.style, opens);
        }
        content(self, take);
        if !self.colour {
            take(self.style, closes);
        }
    }

    fn within(self, style: Style, content: &str, take: &mut dyn FnMut(Style, &str)) {
        let inner = Scan { style: on(self.style, style), depth: self.depth + 1, ..self };
        if inner.depth >= MAX_DEPTH {
            take(inner.style, content);
        } else {
            inner.spans(content, &mut None, true, take);
        }
    }

    fn link(self, text: &str, target: &str, take: &mut dyn FnMut(Style, &str)) {
        self.within(Style::new().underline(), text, take);
        if !target.is_empty() && target != text {
            take(on(self.style, FAINT), &format!(" ({target})"));
        }
    }
}

/// A style with another one on top of it.
fn on(below: Style, above: Style) -> Style {
    let colour = above.get_fg_color().or(below.get_fg_color());
    below.effects(below.get_effects() | above.get_effects()).fg_color(colour)
}

fn emphasis(marks: &str) -> Style {
    match (marks.len(), marks.starts_with('~')) {
        (_, true) => Style::new().strikethrough(),
        (1, false) => Style::new().italic(),
        (2, false) => Style::new().bold(),
        _ => Style::new().bold().italic(),
    }
}

/// What `text`, which is not empty, begins with. What is undecided is text where nothing more comes.
fn piece(text: &str, before: Option<char>, complete: bool) -> Piece<'_> {
    let first = text.chars().next().expect("the text is not empty");
    let decided = match first {
        '\\' => escape(text),
        '`' => code(text, complete),
        '*' | '_' | '~' => emphasised(text, first, before, complete),
        '[' => link(text, 0),
        '!' => match text.as_bytes().get(1) {
            Some(b'[') => link(text, 1),
            Some(_) => Some(Piece::Plain("!", 1)),
            None => None,
        },
        '<' => address(text),
        _ => {
            let end = text.find(MARKS).unwrap_or(text.len());
            Some(Piece::Plain(&text[..end], end))
        }
    };
    match decided {
        Some(piece) => piece,
        None if complete => {
            let end = run_length(text, first).max(first.len_utf8());
            Piece::Plain(&text[..end], end)
        }
        None => Piece::Undecided,
    }
}

fn escape(text: &str) -> Option<Piece<'_>> {
    let next = text[1..].chars().next()?;
    if next.is_ascii_punctuation() { Some(Piece::Plain(&text[1..2], 2)) } else { Some(Piece::Plain("\\", 1)) }
}

fn code(text: &str, complete: bool) -> Option<Piece<'_>> {
    let marks = run_length(text, '`');
    if marks == text.len() {
        return None;
    }
    let close = closing_run(text, marks, '`', marks)?;
    if close + marks == text.len() && !complete {
        return None;
    }
    let content = &text[marks..close];
    let inner = content.strip_prefix(' ').and_then(|inner| inner.strip_suffix(' '));
    let content = inner.filter(|inner| !inner.trim().is_empty()).unwrap_or(content);
    Some(Piece::Code { content, marks, taken: close + marks })
}

/// Where from `from` on a run of exactly `length` marks begins.
fn closing_run(text: &str, from: usize, mark: char, length: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = text[at..].find(mark) {
        let begin = at + found;
        let run = run_length(&text[begin..], mark);
        if run == length {
            return Some(begin);
        }
        at = begin + run;
    }
    None
}

fn emphasised(text: &str, mark: char, before: Option<char>, complete: bool) -> Option<Piece<'_>> {
    let marks = run_length(text, mark);
    let plain = || Some(Piece::Plain(&text[..marks], marks));
    let next = text[marks..].chars().next()?;
    let most = if mark == '~' { 2..=2 } else { 1..=3 };
    if !most.contains(&marks) || !opens(mark, before, next) {
        return plain();
    }
    let mut at = marks;
    loop {
        let rest = &text[at..];
        let found = rest.find([mark, '`', '\\'])?;
        let here = at + found;
        let run = run_length(&text[here..], mark);
        if run == 0 {
            at = here + skipped(&text[here..])?;
            continue;
        }
        // Whether the run ends here, and what follows it, must be known.
        let after = text[here + run..].chars().next();
        if after.is_none() && !complete {
            return None;
        }
        let closes = text[..here].chars().next_back().is_some_and(|last| !last.is_whitespace());
        if run == marks && closes && (mark != '_' || !after.is_some_and(char::is_alphanumeric)) {
            return Some(Piece::Emphasis { content: &text[marks..here], marks, taken: here + run });
        }
        at = here + run;
    }
}

/// How many bytes of a text that begins with a backtick or a backslash cannot hold marks.
fn skipped(text: &str) -> Option<usize> {
    if let Some(rest) = text.strip_prefix('\\') {
        return rest.chars().next().map(|next| 1 + next.len_utf8());
    }
    let run = run_length(text, '`');
    Some(closing_run(text, run, '`', run).map_or(run, |close| close + run))
}

/// Whether a run of marks may open emphasis (CommonMark's left-flanking run).
fn opens(mark: char, before: Option<char>, next: char) -> bool {
    let is_edge = |character: Option<char>| {
        character.is_none_or(|character| character.is_whitespace() || is_punctuation(character))
    };
    let inside_word = mark == '_' && before.is_some_and(char::is_alphanumeric);
    !next.is_whitespace() && !inside_word && (!is_punctuation(next) || is_edge(before))
}

fn is_punctuation(character: char) -> bool {
    !character.is_alphanumeric() && !character.is_whitespace()
}

/// `[text](target)`, after `skip` bytes of another mark.
fn link(text: &str, skip: usize) -> Option<Piece<'_>> {
    let bracket = &text[skip..];
    let plain = || Some(Piece::Plain(&text[..skip + 1], skip + 1));
    let close = balanced(bracket, '[', ']')?;
    let rest = &bracket[close + 1..];
    match rest.chars().next() {
        None => None,
        Some('(') => {
            let end = balanced(rest, '(', ')')?;
            let target = rest[1..end].trim();
            // A title after the address is for a mouse that hovers.
            let target = target.split_once(char::is_whitespace).map_or(target, |(target, _)| target);
            let text = if close > 1 { &bracket[1..close] } else { target };
            Some(Piece::Link { text, target, taken: skip + close + 1 + end + 1 })
        }
        Some(_) => plain(),
    }
}

/// Where the bracket that `text` begins with is closed.
fn balanced(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if character == open {
            depth += 1;
        } else if character == close {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

/// `<https://…>`.
fn address(text: &str) -> Option<Piece<'_>> {
    let inner = &text[1..];
    let schemes = ["https://", "http://", "mailto:"];
    if !schemes.iter().any(|scheme| inner.starts_with(scheme) || scheme.starts_with(inner)) {
        return Some(Piece::Plain("<", 1));
    }
    let end = inner.find(['>', ' '])?;
    if !inner[end..].starts_with('>') {
        return Some(Piece::Plain("<", 1));
    }
    let target = &inner[..end];
    Some(Piece::Link { text: target, target, taken: end + 2 })
}

fn run_length(text: &str, mark: char) -> usize {
    text.bytes().take_while(|byte| *byte == mark as u8).count()
}
