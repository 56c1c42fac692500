//! What the tools answered, read from their first lines, since a result in a conversation is text and nothing more.
//!
//! The forms are those that the tools document: `wrote …`, `edited …`, `moved …`, `deleted …`, counts, and for
//! `read_file` the line `PATH: lines A-B of N, M bytes`, then the content verbatim, then perhaps a line
//! `[… K more lines; read on with offset L]`. Whatever does not begin as a success does is reported as it stands.

/// What a tool answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard<'a> {
    /// The first line.
    pub(super) first: &'a str,
    /// All below it.
    pub(super) body: &'a str,
    /// Whether the tool did what was asked.
    pub(super) done: bool,
}

/// Lines of a file that a tool showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page<'a> {
    /// The lines, with their ends.
    pub(super) text: &'a str,
    /// The number of the last line shown, from 1.
    pub(super) last: u64,
    /// How many lines the file has.
    pub(super) total: u64,
    /// The text is the whole file to the byte.
    pub(super) whole: bool,
}

impl<'a> Heard<'a> {
    /// Reads the answer of the tool `name`.
    pub(super) fn read(name: &str, text: &'a str) -> Heard<'a> {
        let (first, body) = text.split_once('\n').unwrap_or((text, ""));
        let done = match name {
            "write_file" => first.starts_with("wrote ") || first.contains(" already holds exactly this"),
            "edit_file" => first.starts_with("edited "),
            "move_file" => first.starts_with("moved "),
            "delete_file" => first.starts_with("deleted "),
            "read_file" => {
                page(text).is_some()
                    || [": binary, ", ": image/", ": application/pdf"].iter().any(|word| first.contains(word))
            }
            _ => first.rsplit(": ").next().is_some_and(|count| count.starts_with(|c: char| c.is_ascii_digit())),
        };
        Heard { first, body, done }
    }

    /// Whether there is no such file.
    pub(super) fn is_absent(&self) -> bool {
        !self.done && self.first.starts_with("there is no ") && !self.first.starts_with("there is no tool")
    }

    /// Whether the tool wants the file read before it writes over it.
    pub(super) fn wants_reading(&self) -> bool {
        !self.done && ["not read it", "read it again", "read it first"].iter().any(|words| self.first.contains(words))
    }
}

/// Reads a result of `read_file`; `None` if it is none of a text file.
pub(super) fn page(text: &str) -> Option<Page<'_>> {
    let (first, body) = text.split_once('\n').unwrap_or((text, ""));
    // From the right, since a path may hold anything.
    let (_, numbers) = first.rsplit_once(": lines ")?;
    let (range, rest) = numbers.split_once(" of ")?;
    let (from, last) = range.split_once('-')?;
    let (total, bytes) = rest.strip_suffix(" bytes")?.split_once(", ")?;
    let (from, last, total): (u64, u64, u64) = (from.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    let bytes: usize = bytes.parse().ok()?;
    let whole = from <= 1 && last == total && body.len() == bytes;
    let text = if whole { body } else { without_note(body) };
    Some(Page { text, last, total, whole })
}

/// The lines without the line that says how to read on.
fn without_note(body: &str) -> &str {
    let lines = body.trim_end_matches('\n');
    let begin = lines.rfind('\n').map_or(0, |at| at + 1);
    let last = &lines[begin..];
    if last.starts_with("[… ") && last.ends_with(']') { &body[..begin] } else { body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_to_the_byte() {
        let whole = page("a: lines 1-9: lines 1-2 of 2, 6 bytes\nab\r\ncd").unwrap();
        assert_eq!(whole, Page { text: "ab\r\ncd", last: 2, total: 2, whole: true });
        let cut = page("a: lines 1-2 of 9, 60 bytes\nx\n[… y]\n[… 7 more lines; read on with offset 3]").unwrap();
        assert_eq!(cut, Page { text: "x\n[… y]\n", last: 2, total: 9, whole: false });
        let empty = page("a: lines 0-0 of 0, 0 bytes\n").unwrap();
        assert_eq!((empty.text, empty.whole), ("", true));
        // A file whose last line looks like the note, and one that was masked on the way.
        assert_eq!(page("a: lines 1-1 of 1, 7 bytes\n[… z]").unwrap().text, "[… z]");
        assert!(!page("a: lines 1-1 of 1, 40 bytes\n[masked]\n").unwrap().whole);
        for wrong in ["", "a: binary, 7 bytes", "there is no a", "a: lines x-1 of 1, 7 bytes"] {
            assert_eq!(page(wrong), None);
        }
    }

    #[test]
    fn success_is_known_by_its_first_line() {
        for (name, text, done) in [
            ("read_file", "a.png: image/png, 120 bytes, 3x4", true),
            ("write_file", "wrote a: 1 line, 3 bytes (new file)", true),
            ("write_file", "a already holds exactly this (1 line, 3 bytes); nothing to write", true),
            ("write_file", "a exists (1 line, 3 bytes) and you have not read it; read it with read_file first", false),
            ("edit_file", "old does not occur in a; read the file", false),
            ("list_directory", "src: 3 entries\nsrc/a", true),
            ("find_files", "\"*.rs\": 0 files", true),
            ("search_text", "\"a: b\": 1 matching line in 1 file (3 searched)\na:1: x", true),
            ("search_text", "there is no src; find_files shows what there is", false),
            ("delete_file", "This call was denied.", false),
        ] {
            assert_eq!(Heard::read(name, text).done, done, "{text}");
        }
        assert!(Heard::read("read_file", "there is no a; find_files shows").is_absent());
        assert!(Heard::read("write_file", "a exists (3 bytes) and you have not read it; read").wants_reading());
    }
}
