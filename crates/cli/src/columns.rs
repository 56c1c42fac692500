//! How wide text is on a terminal, and how it is made to fit.
//!
//! Letters of some scripts take two columns and marks none; what is measured in bytes or characters would not line up.
//! Deliberately absent: wrapping, which belongs to whoever knows what the text means.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Stands where something was left out.
const ELLIPSIS: char = '…';

/// How many columns a harmless one-line text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text in at most so many columns, with `…` for what does not fit.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(1);
    let mut taken = 0;
    let fits = |character: &char| {
        taken += character.width().unwrap_or(0);
        taken <= room
    };
    let mut out: String = text.chars().take_while(fits).collect();
    if columns > 0 {
        out.push(ELLIPSIS);
    }
    out
}

/// The end of the text in at most so many columns, with `…` for what does not fit: of a path the end tells most.
pub(crate) fn shorten_front(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let backwards: String = text.chars().rev().collect();
    shorten(&backwards, columns).chars().rev().collect()
}

/// The text with blanks behind it up to so many columns.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let blanks = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(blanks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_letters_and_marks_are_counted_as_they_are_seen() {
        assert_eq!((width("abc"), width("日本"), width("e\u{301}")), (3, 4, 1));
        assert_eq!(pad("日本", 5), "日本 ");
    }

    #[test]
    fn what_does_not_fit_ends_in_an_ellipsis_and_never_takes_more_room() {
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("abcdef", 4), "abc…");
        assert_eq!(shorten("日本語", 4), "日…", "half a letter cannot be shown");
        assert_eq!(shorten_front("crates/cli/src/lib.rs", 12), "…/src/lib.rs");
        for columns in 0..10 {
            assert!(width(&shorten("a日e\u{301}本語xyz", columns)) <= columns, "{columns}");
        }
    }
}
