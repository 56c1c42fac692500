//! Words of models, tools and files made harmless for a terminal.
//!
//! A model or a repository must not move the cursor, change colours, set the clipboard or hide text. There are two
//! ways: [`Stripper`] leaves escape sequences out, for text to be read; [`visible`] writes control characters so that
//! they can be seen, for diffs and files, where it matters that they are there.

use std::fmt::Write;

/// The longest escape sequence that is taken for one; what is longer is shown as text.
const MAX_SEQUENCE_CHARS: usize = 4096;

/// Leaves control characters and escape sequences out of a text that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Stripper {
    state: State,
    /// Characters of the present sequence.
    length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After `ESC [`: until a final byte.
    Control,
    /// After `ESC ]`, `ESC P` and their like: until BEL or ST.
    Command,
    /// Within such a one, after ESC.
    CommandEscape,
}

impl Stripper {
    /// Appends what may be shown of `text` to `out`.
    pub(crate) fn push(&mut self, text: &str, out: &mut String) {
        for character in text.chars() {
            self.take(character, out);
        }
    }

    fn take(&mut self, character: char, out: &mut String) {
        self.length += 1;
        // A sequence never spans lines here: else an unfinished one would swallow all that follows.
        if self.state != State::Text && (character == '\n' || self.length > MAX_SEQUENCE_CHARS) {
            self.state = State::Text;
        }
        self.state = match (self.state, character) {
            (State::Text, '\u{1b}') => self.begin(State::Escape),
            (State::Text, '\u{9b}') => self.begin(State::Control),
            (State::Text, '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}') => self.begin(State::Command),
            (State::Text, _) => {
                if !is_dangerous(character) {
                    out.push(character);
                }
                State::Text
            }
            (State::Escape, '[') => State::Control,
            (State::Escape, ']' | 'P' | 'X' | '^' | '_') => State::Command,
            (State::Escape, ' '..='/') => State::Escape,
            (State::Escape, _) => State::Text,
            (State::Control, '@'..='~') => State::Text,
            (State::Control, _) => State::Control,
            (State::Command, '\u{7}' | '\u{9c}') => State::Text,
            (State::Command, '\u{1b}') => State::CommandEscape,
            (State::Command, _) => State::Command,
            (State::CommandEscape, '\\') => State::Text,
            (State::CommandEscape, _) => State::Command,
        };
    }

    fn begin(&mut self, state: State) -> State {
        self.length = 0;
        state
    }
}

/// The whole of a text without control characters and escape sequences.
pub(crate) fn strip(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    Stripper::default().push(text, &mut out);
    out
}

/// The first line of a text, harmless and at most `max_chars` long.
pub(crate) fn first_line(text: &str, max_chars: usize) -> String {
    let line = strip(text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default());
    match line.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// A text with its control characters written out, such as `^[` for ESC and `<U+202E>` for a change of direction.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{7f}' => out.push_str("^?"),
            '\0'..='\u{1f}' if is_dangerous(character) => {
                out.push('^');
                out.push(char::from(character as u8 + b'@'));
            }
            _ if is_dangerous(character) => {
                write!(out, "<U+{:04X}>", u32::from(character)).expect("a string takes whatever is written");
            }
            _ => out.push(character),
        }
    }
    out
}

/// A name as one line: control characters are written out, line feeds too.
pub(crate) fn name(text: &str) -> String {
    visible(text).replace('\n', "^J").replace('\t', "^I")
}

/// Whether a character does something to a terminal or to the order in which text is read.
fn is_dangerous(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2Jb\u{1b}]52;c;aGk=\u{7}c\u{1b}]0;title\u{1b}\\d\u{1b}(Be\u{9b}31mf\u{1b}Pq\u{1b}\\g\rh\u{8}i\u{202e}j\tk\n";

    #[test]
    fn escape_sequences_are_left_out_wherever_the_text_is_cut() {
        let expected = "abcdefghij\tk\n";
        assert_eq!(strip(HOSTILE), expected);
        for (cut, _) in HOSTILE.char_indices() {
            let (mut stripper, mut out) = (Stripper::default(), String::new());
            stripper.push(&HOSTILE[..cut], &mut out);
            stripper.push(&HOSTILE[cut..], &mut out);
            assert_eq!(out, expected, "cut at {cut}");
        }
    }

    #[test]
    fn an_unfinished_sequence_swallows_no_more_than_its_line() {
        assert_eq!(strip("a\u{1b}]0;never ends\nnext line"), "a\nnext line");
        let long = format!("\u{1b}]{}end", "x".repeat(MAX_SEQUENCE_CHARS));
        assert!(strip(&long).ends_with("end"));
    }

    #[test]
    fn in_a_diff_they_can_be_seen() {
        assert_eq!(visible("+\u{1b}[31mred\r\n"), "+^[[31mred^M\n");
        assert_eq!(visible("a\u{202e}b\u{9b}c\u{7f}"), "a<U+202E>b<U+009B>c^?");
        assert_eq!(name("a\nb"), "a^Jb");
    }

    #[test]
    fn a_first_line_is_one_line_and_short() {
        assert_eq!(first_line("\n\nRead 3 lines\nmore", 80), "Read 3 lines");
        assert_eq!(first_line("äöü", 2), "äö…");
    }
}
