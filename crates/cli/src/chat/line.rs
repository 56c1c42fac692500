//! The text that is being typed, and the cursor in it. It may have several lines.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// The longest text that can be typed, in bytes; more is refused rather than cut.
const MAX_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// A text with a cursor.
#[derive(Debug, Default, Clone)]
pub(super) struct Line {
    text: String,
    /// Where the cursor is, in bytes; always between two graphemes.
    cursor: usize,
    /// What was cut last.
    cut: String,
}

impl Line {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// What stands before the cursor.
    pub(super) fn before(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Another text, with the cursor at its end.
    pub(super) fn set(&mut self, text: String) {
        self.cursor = text.len();
        self.text = text;
    }

    /// Takes the text and leaves nothing.
    pub(super) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Puts text where the cursor is; false when there would be too much.
    pub(super) fn insert(&mut self, text: &str) -> bool {
        if self.text.len() + text.len() > MAX_TEXT_BYTES {
            return false;
        }
        self.text.insert_str(self.cursor, text);
        // What was put in may have become one grapheme with what follows.
        self.cursor = self.boundary(self.cursor + text.len());
        true
    }

    /// Puts text in place of what stands from `from` up to the cursor.
    pub(super) fn replace(&mut self, from: usize, text: &str) {
        self.text.replace_range(from..self.cursor, text);
        self.cursor = from + text.len();
    }

    pub(super) fn backspace(&mut self) {
        let from = self.left_of(self.cursor);
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }

    pub(super) fn delete(&mut self) {
        let to = self.right_of(self.cursor);
        self.text.replace_range(self.cursor..to, "");
    }

    pub(super) fn left(&mut self) {
        self.cursor = self.left_of(self.cursor);
    }

    pub(super) fn right(&mut self) {
        self.cursor = self.right_of(self.cursor);
    }

    /// To the beginning of the line.
    pub(super) fn home(&mut self) {
        self.cursor = self.line_begin();
    }

    /// To the end of the line.
    pub(super) fn end(&mut self) {
        self.cursor = self.line_end();
    }

    pub(super) fn word_left(&mut self) {
        self.cursor = self.word_begin();
    }

    pub(super) fn word_right(&mut self) {
        self.cursor = self.word_end();
    }

    pub(super) fn kill_word_back(&mut self) {
        self.kill(self.word_begin(), self.cursor);
    }

    pub(super) fn kill_word_forward(&mut self) {
        self.kill(self.cursor, self.word_end());
    }

    /// Cuts the rest of the line, or the line feed where nothing is left of it.
    pub(super) fn kill_to_end(&mut self) {
        let end = self.line_end();
        self.kill(self.cursor, if end == self.cursor { self.right_of(end) } else { end });
    }

    pub(super) fn kill_to_start(&mut self) {
        self.kill(self.line_begin(), self.cursor);
    }

    pub(super) fn yank(&mut self) {
        let cut = self.cut.clone();
        self.insert(&cut);
    }

    /// To the line above; false where this is the first.
    pub(super) fn up(&mut self) -> bool {
        let begin = self.line_begin();
        let Some(above_end) = begin.checked_sub(1) else { return false };
        let above_begin = self.text[..above_end].rfind('\n').map_or(0, |feed| feed + 1);
        self.cursor = self.along(above_begin, above_end, begin);
        true
    }

    /// To the line below; false where this is the last.
    pub(super) fn down(&mut self) -> bool {
        let end = self.line_end();
        if end == self.text.len() {
            return false;
        }
        let below_end = self.text[end + 1..].find('\n').map_or(self.text.len(), |feed| end + 1 + feed);
        self.cursor = self.along(end + 1, below_end, self.line_begin());
        true
    }

    /// As far into another line as the cursor is in its own.
    fn along(&self, begin: usize, end: usize, own_begin: usize) -> usize {
        let graphemes = self.text[own_begin..self.cursor].graphemes(true).count();
        let line = &self.text[begin..end];
        line.grapheme_indices(true).nth(graphemes).map_or(end, |(at, _)| begin + at)
    }

    fn kill(&mut self, from: usize, to: usize) {
        if from < to {
            self.cut = self.text[from..to].to_owned();
            self.text.replace_range(from..to, "");
            self.cursor = from;
        }
    }

    fn line_begin(&self) -> usize {
        self.before().rfind('\n').map_or(0, |feed| feed + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.cursor..].find('\n').map_or(self.text.len(), |feed| self.cursor + feed)
    }

    fn word_begin(&self) -> usize {
        let before = self.before().trim_end_matches(|character: char| !character.is_alphanumeric());
        let word = before.trim_end_matches(char::is_alphanumeric);
        self.boundary(word.len())
    }

    fn word_end(&self) -> usize {
        let after = &self.text[self.cursor..];
        let rest = after.trim_start_matches(|character: char| !character.is_alphanumeric());
        let rest = rest.trim_start_matches(char::is_alphanumeric);
        self.boundary(self.text.len() - rest.len())
    }

    fn left_of(&self, at: usize) -> usize {
        let mut cursor = GraphemeCursor::new(at, self.text.len(), true);
        cursor.prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
    }

    fn right_of(&self, at: usize) -> usize {
        let mut cursor = GraphemeCursor::new(at, self.text.len(), true);
        cursor.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len())
    }

    /// The place itself, or the next one that is between two graphemes.
    fn boundary(&self, at: usize) -> usize {
        let is_one = GraphemeCursor::new(at, self.text.len(), true).is_boundary(&self.text, 0).unwrap_or(true);
        if is_one { at } else { self.right_of(at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        let mut line = Line::default();
        assert!(line.insert(text));
        line
    }

    #[test]
    fn what_is_one_letter_to_people_is_one_to_the_keys() {
        let mut family = line("a👩‍👩‍👧e\u{301}");
        family.backspace();
        assert_eq!(family.text(), "a👩‍👩‍👧");
        family.left();
        assert_eq!(family.before(), "a");
        family.delete();
        assert_eq!(family.text(), "a");
        let mut combining = line("e");
        combining.insert("\u{301}");
        combining.left();
        assert_eq!(combining.cursor(), 0);
    }

    #[test]
    fn words_and_lines_are_cut_and_put_back() {
        let mut text = line("git commit --amend");
        text.kill_word_back();
        assert_eq!(text.text(), "git commit --");
        text.word_left();
        text.word_left();
        text.kill_word_forward();
        assert_eq!((text.text(), text.cursor()), (" commit --", 0));
        text.end();
        text.kill_to_start();
        assert!(text.is_empty());
        text.yank();
        assert_eq!(text.text(), " commit --");
        text.home();
        text.kill_to_end();
        assert!(text.is_empty());
    }

    #[test]
    fn up_and_down_keep_the_column() {
        let mut text = line("first line\nab\nthird line");
        (0..5).for_each(|_| text.left());
        assert!(text.up());
        assert_eq!(text.before(), "first line\nab");
        assert!(text.up());
        assert_eq!(text.before(), "fi");
        assert!(!text.up());
        assert!(text.down() && text.down() && !text.down());
    }

    #[test]
    fn too_much_is_refused_as_a_whole() {
        let mut text = line("x");
        assert!(!text.insert(&"y".repeat(MAX_TEXT_BYTES)));
        assert_eq!(text.text(), "x");
    }
}
