//! Words set into lines of a terminal's width.
//!
//! A word is written once it is whole, so that nothing that was written has to be taken back. Width is counted in cells
//! by grapheme clusters: a letter with its accents, or an emoji of several characters, is never parted.

use anstyle::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// A piece of text with its style.
pub(super) type Span = (Style, String);

/// The line that is being written, and the word that is not whole yet.
#[derive(Debug)]
pub(super) struct Wrap {
    width: usize,
    colour: bool,
    /// Cells that are taken on the present line.
    column: usize,
    /// What continued lines begin with.
    hanging: Vec<Span>,
    /// Whether something beside the beginning stands on the present line.
    has_words: bool,
    /// Whether the line that was open goes on below something else, once there are words to go on with.
    resumes: bool,
    spaces: usize,
    word: Vec<Span>,
}

impl Wrap {
    /// Lines of at most `width` cells.
    pub(super) fn new(width: usize, colour: bool) -> Wrap {
        Wrap {
            width,
            colour,
            column: 0,
            hanging: Vec::new(),
            has_words: false,
            resumes: false,
            spaces: 0,
            word: Vec::new(),
        }
    }

    /// From the next word on, lines are this wide.
    pub(super) fn set_width(&mut self, width: usize) {
        self.width = width;
    }

    /// Cells that are taken on the present line.
    pub(super) fn column(&self) -> usize {
        self.column
    }

    /// Writes what a line begins with, and remembers what its continuations begin with.
    pub(super) fn begin(&mut self, first: &[Span], hanging: Vec<Span>, out: &mut String) {
        self.hanging = hanging;
        self.has_words = false;
        for (style, text) in first {
            self.write(*style, text, out);
        }
    }

    /// Adds text to the line.
    pub(super) fn text(&mut self, style: Style, text: &str, out: &mut String) {
        for character in text.chars() {
            if matches!(character, ' ' | '\t') {
                self.end_word(out);
                self.spaces += 1;
            } else {
                if self.may_break_before(character) {
                    self.end_word(out);
                }
                self.push(style, character);
            }
        }
    }

    /// Something else was written meanwhile: the words that come, if any do, are a continued line.
    pub(super) fn resume(&mut self) {
        self.spaces = 0;
        self.column = 0;
        self.resumes = true;
    }

    /// Ends the line.
    pub(super) fn end(&mut self, out: &mut String) {
        self.end_word(out);
        self.spaces = 0;
        self.column = 0;
        self.hanging.clear();
        // One that no words came to any more has ended already.
        if !std::mem::take(&mut self.resumes) {
            out.push('\n');
        }
    }

    fn push(&mut self, style: Style, character: char) {
        match self.word.last_mut() {
            Some((last, text)) if *last == style => text.push(character),
            _ => self.word.push((style, character.to_string())),
        }
    }

    /// Scripts with wide characters have no spaces: there, a line may end after each of them.
    fn may_break_before(&self, character: char) -> bool {
        let Some((_, text)) = self.word.last() else { return false };
        if text.is_ascii() {
            return false;
        }
        let Some(last) = text.graphemes(true).next_back() else { return false };
        let mut longer = last.to_owned();
        longer.push(character);
        last.width() > 1 && longer.graphemes(true).count() > 1
    }

    fn end_word(&mut self, out: &mut String) {
        if self.word.is_empty() {
            return;
        }
        let word = std::mem::take(&mut self.word);
        let spaces = std::mem::take(&mut self.spaces);
        let cells: usize = word.iter().map(|(_, text)| text.width()).sum();
        if std::mem::take(&mut self.resumes) {
            self.begin_continued(out);
        }
        if self.has_words && self.column + spaces + cells > self.width {
            self.break_line(out);
        } else {
            self.write(Style::new(), &" ".repeat(spaces), out);
        }
        for (style, text) in word {
            self.write_breaking(style, &text, out);
        }
        self.has_words = true;
    }

    /// Writes a piece of a word, and parts it where it is longer than a line.
    fn write_breaking(&mut self, style: Style, text: &str, out: &mut String) {
        if self.column + text.width() <= self.width {
            return self.write(style, text, out);
        }
        let mut fits = String::new();
        for grapheme in text.graphemes(true) {
            if self.column + fits.width() + grapheme.width() > self.width {
                self.write(style, &std::mem::take(&mut fits), out);
                self.break_line(out);
            }
            fits.push_str(grapheme);
        }
        self.write(style, &fits, out);
    }

    fn break_line(&mut self, out: &mut String) {
        out.push('\n');
        self.begin_continued(out);
    }

    fn begin_continued(&mut self, out: &mut String) {
        self.column = 0;
        self.has_words = false;
        let hanging = std::mem::take(&mut self.hanging);
        // Where what lines begin with leaves no room for words, it is left out.
        if hanging.iter().map(|(_, text)| text.width()).sum::<usize>() * 2 < self.width {
            hanging.iter().for_each(|(style, text)| self.write(*style, text, out));
        }
        self.hanging = hanging;
    }

    fn write(&mut self, style: Style, text: &str, out: &mut String) {
        if text.is_empty() {
            return;
        }
        self.column += text.width();
        paint(self.colour, style, text, out);
    }
}

/// Writes text in a style, where there are colours.
pub(super) fn paint(colour: bool, style: Style, text: &str, out: &mut String) {
    if colour && !style.is_plain() && !text.is_empty() {
        out.push_str(&format!("{style}{text}{style:#}"));
    } else {
        out.push_str(text);
    }
}
