//! Words and lines: what is text, how it is counted, how it is shown.

use std::borrow::Cow;
use wire::{Contents, Mode, RelPath};

/// The text of a file, unless it is binary: not UTF-8, or with a NUL in it.
pub(crate) fn of(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

/// How many lines a text has; a last one without an end counts.
pub(crate) fn lines(text: &str) -> usize {
    text.split_inclusive('\n').count()
}

/// The number of the line, from 1, in which a byte stands.
pub(crate) fn line_of(text: &str, byte: usize) -> usize {
    text.as_bytes()[..byte].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: impl TryInto<u64>, one: &str, many: &str) -> String {
    // Every count here is a `u64` or a `usize`, and neither is wider than 64 bits.
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{number} {}", if number == 1 { one } else { many })
}

/// How large some contents are: `12 lines, 340 bytes`, or bytes only where they are no lines.
pub(crate) fn size(contents: &Contents) -> String {
    let bytes = count(contents.bytes.len(), "byte", "bytes");
    match of(&contents.bytes) {
        _ if contents.mode == Mode::Symlink => format!("a symbolic link to {}", target(contents)),
        Some(text) => format!("{}, {bytes}", count(lines(text), "line", "lines")),
        None => format!("binary, {bytes}"),
    }
}

/// A path on a line of its own: as it is, or as a JSON string where it holds control characters.
pub(crate) fn path(path: &RelPath) -> Cow<'_, str> {
    name(path.as_str())
}

/// A directory, where `None` is the workspace.
pub(crate) fn directory(directory: Option<&RelPath>) -> Cow<'_, str> {
    directory.map_or(Cow::Borrowed("."), path)
}

/// Where a symbolic link leads, as it can be shown.
pub(crate) fn target(link: &Contents) -> String {
    name(&short(&String::from_utf8_lossy(&link.bytes), 200)).into_owned()
}

/// A name or a path from the world, so that it cannot break a line or move a cursor.
pub(crate) fn name(name: &str) -> Cow<'_, str> {
    if name.chars().any(char::is_control) {
        Cow::Owned(serde_json::Value::from(name).to_string())
    } else {
        Cow::Borrowed(name)
    }
}

/// A pattern as somebody wrote it, in quotes and on one line.
pub(crate) fn quoted(pattern: &str) -> String {
    if pattern.chars().any(char::is_control) { name(pattern).into_owned() } else { format!("\"{pattern}\"") }
}

/// The beginning of a text, with a mark where it was cut.
pub(crate) fn short(text: &str, bytes: usize) -> Cow<'_, str> {
    if text.len() <= bytes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}…", &text[..text.floor_char_boundary(bytes)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_with_or_without_a_last_end() {
        for (text, expected) in [("", 0), ("a", 1), ("a\n", 1), ("a\nb", 2), ("\n\n", 2), ("a\r\nb\r\n", 2)] {
            assert_eq!(lines(text), expected, "{text:?}");
        }
        assert_eq!((line_of("a\nb\n", 0), line_of("a\nb\n", 2), line_of("a\nb\n", 4)), (1, 2, 3));
    }

    #[test]
    fn a_name_cannot_pretend_to_be_a_line() {
        assert_eq!(name("a b.txt"), "a b.txt");
        assert_eq!(name("a\nb: lines 1-1"), "\"a\\nb: lines 1-1\"");
    }

    #[test]
    fn text_is_utf8_without_nul() {
        assert_eq!(of("grüß".as_bytes()), Some("grüß"));
        assert_eq!(of(b"a\0b"), None);
        assert_eq!(of(b"\xff\xfe"), None);
        assert_eq!(short("grüß", 3), "gr…");
    }
}
