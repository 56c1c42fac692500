//! Markdown set for a terminal while it streams.
//!
//! It reads character by character, and what it writes depends on the text alone, never on the pieces in which it came.
//! Nothing that was written is taken back: a word is written once it is whole, a mark once what closes it has come, a
//! line of code once it has ended, a table after its last row. Lines break where the model broke them, and at words
//! where the terminal ends.
//!
//! Deliberately absent: HTML, references, footnotes, headings that are underlined. They stand as they were written.
//! Harmless the text must be already (see `plain`).

mod inline;
mod lead;
mod table;
mod wrap;

use crate::highlight::{Highlighter, highlighter};
use crate::screen::{FAINT, NAME};
use anstyle::Style;
use inline::Inline;
use lead::{Lead, Mark, lead};
use wrap::{Span, Wrap, paint};

/// The most text of a table that is held back.
const MAX_TABLE_BYTES: usize = 64 * 1024;
/// The longest line of code or of a table that is held back.
const MAX_LINE_BYTES: usize = 16 * 1024;
/// How much of a line is held back until it is known what it is; what is not known by then is text.
const MAX_LEAD_BYTES: usize = 1024;
/// How deep quotations are shown in each other.
const MAX_QUOTES: usize = 8;
/// What stands before quoted lines.
const BAR: &str = "│ ";
/// How far code is set in.
const CODE_INDENT: &str = "  ";

/// One text that is being set.
#[derive(Debug)]
pub(crate) struct Markdown {
    wrap: Wrap,
    width: usize,
    colour: bool,
    /// What has come of the present line and is not decided, or a line that is read as a whole.
    head: String,
    state: State,
    inline: Inline,
    /// Quotation marks before the present line.
    quotes: usize,
    /// What the words of this line look like.
    style: Style,
    /// Empty lines that are written when something follows.
    blanks: usize,
    began: bool,
    rows: Vec<String>,
}

#[derive(Debug)]
enum State {
    /// It is not known what the line is.
    Begin,
    /// Behind an item's mark: a box may come.
    Item { indent: usize, mark: Mark },
    /// Words until the line ends.
    Words,
    /// A row of a table until the line ends.
    Row,
    /// Code until a fence ends it.
    Code(Code),
}

#[derive(Debug)]
struct Code {
    indent: usize,
    mark: char,
    length: usize,
    quotes: usize,
    colours: Option<Highlighter>,
}

impl Markdown {
    /// A text at its beginning, for lines of so many cells.
    pub(crate) fn new(width: usize, colour: bool) -> Markdown {
        Markdown {
            wrap: Wrap::new(width, colour),
            width,
            colour,
            head: String::new(),
            state: State::Begin,
            inline: Inline::default(),
            quotes: 0,
            style: Style::new(),
            blanks: 0,
            began: false,
            rows: Vec::new(),
        }
    }

    /// The terminal has another width from here on.
    pub(crate) fn set_width(&mut self, width: usize) {
        self.width = width;
        self.wrap.set_width(width);
    }

    /// The cell where the cursor stands after what was written.
    pub(crate) fn column(&self) -> usize {
        self.wrap.column()
    }

    /// Something else was written below the line that was open: the text goes on in a line of its own.
    pub(crate) fn resume(&mut self) {
        if self.wrap.column() > 0 {
            self.wrap.resume();
        }
    }

    /// Takes the next piece of the text and writes what is decided by it.
    pub(crate) fn push(&mut self, text: &str, out: &mut String) {
        for character in text.chars() {
            self.take(character, out);
        }
    }

    /// The text has ended: what was held back is written, and the last line is ended.
    pub(crate) fn finish(&mut self, out: &mut String) {
        let is_open = !matches!(self.state, State::Begin | State::Code(_)) || !self.head.is_empty();
        if is_open {
            self.take('\n', out);
        }
        self.end_table(out);
        self.state = State::Begin;
        self.head.clear();
    }

    fn take(&mut self, character: char, out: &mut String) {
        match self.state {
            State::Begin if character == '\n' => self.decide(true, out),
            State::Begin => {
                self.head.push(character);
                self.decide(false, out);
            }
            State::Item { .. } => self.item(character, out),
            State::Words => self.words(character, out),
            State::Row if character == '\n' => self.end_row(out),
            State::Code(_) if character == '\n' => self.end_code_line(out),
            State::Row | State::Code(_) => {
                self.head.push(character);
                if self.head.len() > MAX_LINE_BYTES {
                    self.give_up_line(out);
                }
            }
        }
    }

    /// Decides what the line is, as far as that can be told.
    fn decide(&mut self, complete: bool, out: &mut String) {
        let lead = match lead(&self.head, complete) {
            Some(lead) => lead,
            // A model that has fallen into a loop of one mark: looking at all of it for each letter would take for ever.
            None if self.head.len() > MAX_LEAD_BYTES => Lead::Text { indent: 0, taken: 0 },
            None => return,
        };
        // Behind a quotation mark a row may follow.
        if !matches!(lead, Lead::Row | Lead::Quote { .. }) {
            self.end_table(out);
        }
        let head = std::mem::take(&mut self.head);
        match lead {
            Lead::Blank => self.blanks += 1,
            Lead::Quote { taken } if self.quotes < MAX_QUOTES => {
                self.quotes += 1;
                self.again(&head[taken..], complete, out);
                return;
            }
            Lead::Quote { .. } => self.begin_words(0, Style::new(), &head, out),
            Lead::Heading { level, taken } => {
                let style = if level < 3 { NAME.bold() } else { Style::new().bold() };
                let marks = if self.colour { "" } else { &head[..taken] };
                self.begin_words(0, style, marks, out);
                self.feed(&head[taken..], out);
            }
            Lead::Rule => {
                self.begin_line(Vec::new(), Vec::new(), out);
                let cells = self.width.saturating_sub(self.wrap.column()).min(40);
                self.wrap.text(FAINT, &"─".repeat(cells), out);
                self.end_line(out);
            }
            Lead::Item { indent, mark, taken } => {
                self.state = State::Item { indent, mark };
                self.feed(&head[taken..], out);
            }
            Lead::Fence { indent, mark, length, language } => self.begin_code(indent, mark, length, &language, out),
            Lead::Row => {
                self.head = head;
                self.state = State::Row;
            }
            Lead::Text { indent, taken } => {
                self.begin_words(indent, Style::new(), "", out);
                self.feed(&head[taken..], out);
            }
        }
        if complete {
            match self.state {
                State::Begin => self.quotes = 0,
                State::Code(_) => {}
                _ => self.take('\n', out),
            }
        }
    }

    /// Reads on behind a quotation mark, as a line of its own.
    fn again(&mut self, rest: &str, complete: bool, out: &mut String) {
        self.feed(rest, out);
        if complete {
            if rest.is_empty() {
                // An empty line of the quotation.
                self.begin_line(Vec::new(), Vec::new(), out);
                self.end_line(out);
            } else {
                self.take('\n', out);
            }
        }
    }

    fn feed(&mut self, text: &str, out: &mut String) {
        text.chars().for_each(|character| self.take(character, out));
    }

    /// Writes the lines that were empty, and what this line begins with.
    fn begin_line(&mut self, mut first: Vec<Span>, mut hanging: Vec<Span>, out: &mut String) {
        let blanks = std::mem::take(&mut self.blanks);
        if self.began {
            (0..blanks).for_each(|_| out.push('\n'));
        }
        self.began = true;
        if self.quotes > 0 {
            let bars = (FAINT, BAR.repeat(self.quotes));
            first.insert(0, bars.clone());
            hanging.insert(0, bars);
        }
        self.wrap.begin(&first, hanging, out);
    }

    fn begin_words(&mut self, indent: usize, style: Style, marks: &str, out: &mut String) {
        let space = (Style::new(), " ".repeat(indent.min(self.width / 2)));
        self.begin_line(vec![space.clone()], vec![space], out);
        self.style = style;
        self.state = State::Words;
        self.wrap.text(style, marks, out);
    }

    fn words(&mut self, character: char, out: &mut String) {
        if character == '\n' {
            let (wrap, style) = (&mut self.wrap, self.style);
            self.inline.end(self.colour, &mut |above, text| wrap.text(both(style, above), text, out));
            self.end_line(out);
            return;
        }
        let (wrap, style) = (&mut self.wrap, self.style);
        self.inline.push(character, self.colour, &mut |above, text| wrap.text(both(style, above), text, out));
    }

    fn end_line(&mut self, out: &mut String) {
        self.wrap.end(out);
        self.state = State::Begin;
        self.style = Style::new();
        self.quotes = 0;
    }

    /// Reads the box that an item may have, then its words.
    fn item(&mut self, character: char, out: &mut String) {
        if character != '\n' {
            self.head.push(character);
        }
        const BOXES: [(&str, &str); 3] = [("[ ] ", "☐ "), ("[x] ", "☑ "), ("[X] ", "☑ ")];
        let undecided = BOXES.iter().any(|(written, _)| written.starts_with(&self.head) && *written != self.head);
        if undecided && character != '\n' {
            return;
        }
        let State::Item { indent, mark } = std::mem::replace(&mut self.state, State::Words) else { return };
        let head = std::mem::take(&mut self.head);
        let shown = BOXES.iter().find(|(written, _)| *written == head);
        let mark = match (shown, mark) {
            (Some((_, shown)), Mark::Bullet) => (*shown).to_owned(),
            (Some((_, shown)), Mark::Number(number)) => format!("{number} {shown}"),
            (None, Mark::Bullet) => "• ".to_owned(),
            (None, Mark::Number(number)) => format!("{number} "),
        };
        let space = " ".repeat(indent.min(self.width / 2));
        let hanging = (Style::new(), format!("{space}{}", " ".repeat(mark.chars().count())));
        self.begin_line(vec![(Style::new(), space), (FAINT, mark)], vec![hanging], out);
        self.style = Style::new();
        self.state = State::Words;
        if shown.is_none() {
            self.feed(&head, out);
        }
        if character == '\n' {
            self.take('\n', out);
        }
    }

    fn begin_code(&mut self, indent: usize, mark: char, length: usize, language: &str, out: &mut String) {
        let colours = if self.colour { highlighter(language) } else { None };
        if !self.colour {
            self.begin_line(Vec::new(), Vec::new(), out);
            let fence: String = std::iter::repeat_n(mark, length).collect();
            self.wrap.text(Style::new(), &format!("{fence}{language}"), out);
            self.wrap.end(out);
        }
        self.state = State::Code(Code { indent, mark, length, quotes: self.quotes, colours });
    }

    fn end_code_line(&mut self, out: &mut String) {
        let State::Code(code) = &mut self.state else { return };
        let head = std::mem::take(&mut self.head);
        let mut line = head.as_str();
        for _ in 0..code.quotes {
            match line.trim_start().strip_prefix('>') {
                Some(rest) => line = rest.strip_prefix(' ').unwrap_or(rest),
                None => {
                    // The quotation is over, and the code in it too.
                    self.state = State::Begin;
                    self.quotes = 0;
                    self.feed(&head, out);
                    self.take('\n', out);
                    return;
                }
            }
        }
        let trimmed = line.trim();
        let closes = trimmed.len() >= code.length && trimmed.chars().all(|character| character == code.mark);
        if closes && self.colour {
            self.state = State::Begin;
            self.quotes = 0;
            return;
        }
        let set_in = line.bytes().take_while(|byte| *byte == b' ').count().min(code.indent);
        let line = &line[set_in..];
        let pieces = match &mut code.colours {
            Some(colours) => colours.line(line),
            None => vec![(Style::new(), line)],
        };
        let (quotes, indent) = (code.quotes, if self.colour && !line.is_empty() { CODE_INDENT } else { "" });
        let blanks = std::mem::take(&mut self.blanks);
        if self.began {
            (0..blanks).for_each(|_| out.push('\n'));
        }
        self.began = true;
        paint(self.colour, FAINT, &BAR.repeat(quotes), out);
        out.push_str(indent);
        pieces.iter().for_each(|(style, text)| paint(self.colour, *style, text, out));
        out.push('\n');
        if closes {
            self.state = State::Begin;
            self.quotes = 0;
        }
    }

    fn end_row(&mut self, out: &mut String) {
        self.rows.push(std::mem::take(&mut self.head));
        self.state = State::Begin;
        self.quotes = 0;
        if self.rows.iter().map(String::len).sum::<usize>() > MAX_TABLE_BYTES {
            self.end_table(out);
        }
    }

    fn end_table(&mut self, out: &mut String) {
        if self.rows.is_empty() {
            return;
        }
        let rows = std::mem::take(&mut self.rows);
        // A table stands without the bars of a quotation: it needs all the room there is.
        let quotes = std::mem::take(&mut self.quotes);
        self.begin_line(Vec::new(), Vec::new(), out);
        table::write(&rows, self.width, self.colour, out);
        self.quotes = quotes;
    }

    /// A line is too long to be held back: what has come of it is written, and the rest as a line of its own.
    fn give_up_line(&mut self, out: &mut String) {
        self.take('\n', out);
    }
}

/// Plain lines broken at words where the terminal ends; what is continued stands below the line's first word.
pub(crate) fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut wrap = Wrap::new(width, false);
    for line in text.split('\n') {
        let words = line.trim_start_matches(' ');
        let indent = (Style::new(), line[..line.len() - words.len()].to_owned());
        wrap.begin(std::slice::from_ref(&indent), vec![indent.clone()], &mut out);
        wrap.text(Style::new(), words, &mut out);
        wrap.end(&mut out);
    }
    out.pop();
    out
}

/// The style of a span in a line of another style.
fn both(line: Style, span: Style) -> Style {
    line.effects(line.get_effects() | span.get_effects()).fg_color(span.get_fg_color().or(line.get_fg_color()))
}

#[cfg(test)]
mod tests;
