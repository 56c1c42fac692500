//! How the text that is being typed stands on the screen.
//!
//! It is drawn in one write, over what was drawn before, without clearing first: so nothing flickers.

use crate::plain;
use crate::screen::FAINT;
use std::fmt::Write;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// What is to be seen.
#[derive(Debug, Default)]
pub(super) struct Picture<'a> {
    /// Stands before the first line.
    pub(super) prompt: &'a str,
    pub(super) text: &'a str,
    /// Where the cursor is in the text, in bytes.
    pub(super) cursor: usize,
    /// Shown behind the text.
    pub(super) hint: &'a str,
    /// Lines below it.
    pub(super) below: &'a [String],
    pub(super) colour: bool,
}

/// What stands on the screen.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    /// The row of the cursor, from the first that was drawn.
    cursor_row: usize,
    /// How many cells each row up to there takes.
    cells: Vec<usize>,
    is_there: bool,
}

/// Rows with the place of the cursor in them.
struct Rows {
    rows: Vec<String>,
    row: usize,
    column: usize,
}

impl Drawn {
    /// What to write so that the picture stands there instead.
    pub(super) fn draw(&mut self, picture: &Picture<'_>, columns: usize, height: usize) -> String {
        let Rows { rows, row, column } = window(rows(picture, columns), height);
        let mut out = self.to_first_row();
        for (at, text) in rows.iter().enumerate() {
            if at > 0 {
                out.push_str("\r\n");
            }
            out.push_str(text);
            out.push_str("\x1b[K");
        }
        // Rows that were there before and are not any more.
        out.push_str("\x1b[J");
        up(&mut out, rows.len() - 1 - row);
        out.push('\r');
        right(&mut out, column);
        let cells = rows[..=row].iter().map(|row| plain::strip(row).width()).collect();
        *self = Drawn { cursor_row: row, cells, is_there: true };
        out
    }

    /// What to write so that nothing is left of it, with the cursor where it began.
    pub(super) fn erase(&mut self) -> String {
        if !self.is_there {
            return String::new();
        }
        let mut out = self.to_first_row();
        out.push_str("\x1b[J");
        *self = Drawn::default();
        out
    }

    /// The terminal has another width and has set what stands there anew: the same rows may be more by now.
    pub(super) fn resized(&mut self, columns: usize) {
        let rows: usize = self.cells.iter().map(|cells| cells.div_ceil(columns.max(1)).max(1)).sum();
        self.cursor_row = rows.saturating_sub(1);
    }

    fn to_first_row(&self) -> String {
        let mut out = String::from("\r");
        up(&mut out, self.cursor_row);
        out
    }
}

fn up(out: &mut String, rows: usize) {
    if rows > 0 {
        write!(out, "\x1b[{rows}A").expect("a string takes whatever is written");
    }
}

fn right(out: &mut String, cells: usize) {
    if cells > 0 {
        write!(out, "\x1b[{cells}C").expect("a string takes whatever is written");
    }
}

/// Sets the text into rows.
fn rows(picture: &Picture<'_>, columns: usize) -> Rows {
    // The last cell stays free: a terminal that is to write behind it does so in its own way.
    let columns = columns.saturating_sub(1).max(picture.prompt.width() + 2);
    let indent = " ".repeat(picture.prompt.width());
    let mut set = Rows { rows: vec![picture.prompt.to_owned()], row: 0, column: picture.prompt.width() };
    let mut column = set.column;
    let begin_row = |rows: &mut Vec<String>, column: &mut usize| {
        rows.push(indent.clone());
        *column = indent.len();
    };
    for (at, grapheme) in picture.text.grapheme_indices(true) {
        let shown = if grapheme == "\n" { String::new() } else { shown(grapheme) };
        if column + shown.width() > columns {
            begin_row(&mut set.rows, &mut column);
        }
        if at == picture.cursor {
            (set.row, set.column) = (set.rows.len() - 1, column);
        }
        if grapheme == "\n" {
            begin_row(&mut set.rows, &mut column);
        }
        set.rows.last_mut().expect("there is always a row").push_str(&shown);
        column += shown.width();
    }
    if picture.cursor == picture.text.len() {
        if column >= columns {
            begin_row(&mut set.rows, &mut column);
        }
        (set.row, set.column) = (set.rows.len() - 1, column);
    }
    let last = set.rows.last_mut().expect("there is always a row");
    let hint: String = fitting(picture.hint, columns.saturating_sub(column));
    push_faint(last, &hint, picture.colour);
    for line in picture.below {
        let mut row = String::new();
        push_faint(&mut row, &fitting(line, columns), picture.colour);
        set.rows.push(row);
    }
    set
}

fn push_faint(row: &mut String, text: &str, colour: bool) {
    match (text.is_empty(), colour) {
        (true, _) => {}
        (false, true) => row.push_str(&format!("{FAINT}{text}{FAINT:#}")),
        (false, false) => row.push_str(text),
    }
}

/// A grapheme as it can be shown: what would act on the terminal is written out.
fn shown(grapheme: &str) -> String {
    if grapheme == "\t" { "  ".to_owned() } else { plain::visible(grapheme) }
}

fn fitting(text: &str, columns: usize) -> String {
    let mut taken = 0;
    text.graphemes(true)
        .take_while(|grapheme| {
            taken += grapheme.width();
            taken <= columns
        })
        .collect()
}

/// The rows around the cursor that the terminal has room for.
fn window(set: Rows, height: usize) -> Rows {
    let height = height.max(2) - 1;
    if set.rows.len() <= height {
        return set;
    }
    let first = (set.row + 1).saturating_sub(height);
    let rows = set.rows.into_iter().skip(first).take(height).collect();
    Rows { rows, row: set.row - first, column: set.column }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture<'a>(text: &'a str, cursor: usize) -> Picture<'a> {
        Picture { prompt: "› ", text, cursor, ..Picture::default() }
    }

    /// Draws one after the other on a terminal of twenty cells and six rows, and gives what is seen at the end.
    fn seen(pictures: &[Picture<'_>]) -> (String, (u16, u16)) {
        let mut terminal = vt100::Parser::new(6, 20, 0);
        terminal.process(b"above\r\n");
        let mut drawn = Drawn::default();
        for picture in pictures {
            terminal.process(drawn.draw(picture, 20, 6).as_bytes());
        }
        (terminal.screen().contents(), terminal.screen().cursor_position())
    }

    #[test]
    fn the_cursor_stands_where_the_next_letter_will() {
        for (text, cursor, expected, at) in [
            ("", 0, "above\n›", (1, 2)),
            ("abc", 3, "above\n› abc", (1, 5)),
            ("abc", 1, "above\n› abc", (1, 3)),
            ("日本", 3, "above\n› 日本", (1, 4)),
            ("a\nbc", 4, "above\n› a\n  bc", (2, 4)),
            ("a\nbc", 1, "above\n› a\n  bc", (1, 3)),
            ("12345678901234567", 17, "above\n› 12345678901234567", (2, 2)),
            ("123456789012345678", 18, "above\n› 12345678901234567\n  8", (2, 3)),
            ("a\u{1b}[2J", 1, "above\n› a^[[2J", (1, 3)),
        ] {
            let (contents, position) = seen(&[picture(text, cursor)]);
            assert_eq!((contents.trim_end(), position), (expected, at), "{text:?}");
        }
    }

    #[test]
    fn what_was_drawn_before_is_gone_and_what_stands_above_stays() {
        let below = ["one".to_owned(), "two".to_owned()];
        let listed = Picture { below: &below, hint: " more", ..picture("long enough for two rows", 3) };
        assert_eq!(seen(&[listed, picture("b", 1)]).0.trim_end(), "above\n› b");
        let mut terminal = vt100::Parser::new(6, 20, 0);
        terminal.process(b"above\r\n");
        let mut drawn = Drawn::default();
        terminal.process(drawn.draw(&picture("a\nb\nc", 1), 20, 6).as_bytes());
        terminal.process(drawn.erase().as_bytes());
        assert_eq!((terminal.screen().contents().trim_end(), terminal.screen().cursor_position()), ("above", (1, 0)));
    }

    #[test]
    fn of_a_text_higher_than_the_screen_the_part_with_the_cursor_is_seen() {
        let text = "1\n2\n3\n4\n5\n6\n7\n8";
        let (contents, _) = seen(&[picture(text, text.len())]);
        assert_eq!(contents.trim_end().lines().last(), Some("  8"));
        let (contents, position) = seen(&[picture(text, 0)]);
        assert!(contents.contains("› 1") && position.1 == 2, "{contents}");
    }
}
