//! Keys from the bytes of a terminal, wherever these are cut.

/// The most text of one paste that is taken as one; a longer one comes in several.
const MAX_PASTE_BYTES: usize = 1024 * 1024;
/// The longest sequence of a key, in bytes; what is longer is none.
const MAX_SEQUENCE_BYTES: usize = 32;
/// What ends a paste (xterm's bracketed paste).
const PASTE_END: &[u8] = b"\x1b[201~";

/// A key, by what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    /// Text that was pasted as a whole.
    Paste(String),
    Enter,
    /// Alt-Enter: a line feed in the text.
    NewLine,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    WordLeft,
    WordRight,
    KillWordBack,
    KillWordForward,
    KillToEnd,
    KillToStart,
    Yank,
    /// Ctrl-L: the screen is to be drawn anew.
    Redraw,
    /// Ctrl-R: search among what was typed earlier.
    Search,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D.
    EndOfInput,
    /// Ctrl-Z.
    Suspend,
    Escape,
}

/// Reads keys from bytes.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    pending: Vec<u8>,
    in_paste: bool,
}

/// What the beginning of the bytes is.
enum Found {
    /// A key of so many bytes.
    Key(Key, usize),
    /// So many bytes that mean nothing here.
    Nothing(usize),
    /// The beginning of a paste, of so many bytes.
    PasteBegins(usize),
    /// More must come.
    Unfinished,
}

impl Decoder {
    /// Takes bytes and gives the keys that are whole.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.pending.extend_from_slice(bytes);
        let mut keys = Vec::new();
        let mut at = 0;
        loop {
            let rest = &self.pending[at..];
            let found = if self.in_paste { pasted(rest) } else { key(rest) };
            match found {
                Found::Unfinished => break,
                Found::Nothing(taken) => at += taken,
                Found::PasteBegins(taken) => {
                    self.in_paste = true;
                    at += taken;
                }
                Found::Key(key, taken) => {
                    self.in_paste = self.in_paste && !self.pending[..at + taken].ends_with(PASTE_END);
                    keys.push(key);
                    at += taken;
                }
            }
        }
        self.pending.drain(..at);
        keys
    }

    /// Whether an escape has come and nothing after it yet: it may be a key of its own.
    pub(super) fn waits(&self) -> bool {
        !self.in_paste && self.pending.first() == Some(&0x1b)
    }

    /// Nothing more came: what waits stands for itself.
    pub(super) fn give_up(&mut self) -> Vec<Key> {
        if !self.waits() {
            return Vec::new();
        }
        let rest = self.pending.split_off(1);
        self.pending.clear();
        let mut keys = vec![Key::Escape];
        // An unfinished sequence is no text.
        if !matches!(rest.first(), Some(b'[' | b'O')) {
            keys.extend(self.feed(&rest));
        }
        keys
    }
}

fn key(bytes: &[u8]) -> Found {
    let Some(first) = bytes.first() else { return Found::Unfinished };
    match first {
        0x1b => escaped(bytes),
        0x20..=0x7e => Found::Key(Key::Char(char::from(*first)), 1),
        0x80.. => character(bytes),
        _ => match control(*first) {
            Some(key) => Found::Key(key, 1),
            None => Found::Nothing(1),
        },
    }
}

fn control(byte: u8) -> Option<Key> {
    Some(match byte {
        0x01 => Key::Home,
        0x02 => Key::Left,
        0x03 => Key::Interrupt,
        0x04 => Key::EndOfInput,
        0x05 => Key::End,
        0x06 => Key::Right,
        0x08 | 0x7f => Key::Backspace,
        0x09 => Key::Tab,
        // What was typed before the terminal was ours has its Enter as a line feed.
        0x0a | 0x0d => Key::Enter,
        0x0b => Key::KillToEnd,
        0x0c => Key::Redraw,
        0x0e => Key::Down,
        0x10 => Key::Up,
        0x12 => Key::Search,
        0x15 => Key::KillToStart,
        0x17 => Key::KillWordBack,
        0x19 => Key::Yank,
        0x1a => Key::Suspend,
        _ => return None,
    })
}

/// A character of several bytes.
fn character(bytes: &[u8]) -> Found {
    let length = match bytes[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Found::Key(Key::Char(char::REPLACEMENT_CHARACTER), 1),
    };
    let there = &bytes[..length.min(bytes.len())];
    match std::str::from_utf8(there) {
        Ok(text) => text.chars().next().map_or(Found::Unfinished, |character| Found::Key(Key::Char(character), length)),
        Err(error) if error.error_len().is_none() => Found::Unfinished,
        Err(_) => Found::Key(Key::Char(char::REPLACEMENT_CHARACTER), 1),
    }
}

fn escaped(bytes: &[u8]) -> Found {
    match bytes.get(1) {
        None => Found::Unfinished,
        Some(b'[') => sequence(bytes),
        Some(b'O') => match bytes.get(2) {
            None => Found::Unfinished,
            Some(letter) => arrow(*letter, false).map_or(Found::Nothing(3), |key| Found::Key(key, 3)),
        },
        Some(b'\r' | b'\n') => Found::Key(Key::NewLine, 2),
        Some(0x7f | 0x08) => Found::Key(Key::KillWordBack, 2),
        Some(b'b') => Found::Key(Key::WordLeft, 2),
        Some(b'f') => Found::Key(Key::WordRight, 2),
        Some(b'd') => Found::Key(Key::KillWordForward, 2),
        Some(0x1b) => Found::Key(Key::Escape, 1),
        Some(_) => Found::Nothing(2),
    }
}

/// `ESC [ parameters letter`.
fn sequence(bytes: &[u8]) -> Found {
    let Some(end) = bytes.iter().skip(2).position(|byte| (0x40..=0x7e).contains(byte)).map(|end| end + 2) else {
        return if bytes.len() > MAX_SEQUENCE_BYTES { Found::Nothing(bytes.len()) } else { Found::Unfinished };
    };
    let taken = end + 1;
    let parameters = std::str::from_utf8(&bytes[2..end]).unwrap_or_default();
    let mut numbers = parameters.split(';');
    let first = numbers.next().unwrap_or_default();
    // The second parameter is one more than the bits of shift (1), alt (2) and ctrl (4).
    let modifiers = numbers.next().and_then(|number| number.parse::<u8>().ok()).unwrap_or(1).saturating_sub(1);
    let by_words = modifiers & 6 != 0;
    let key = match (bytes[end], first) {
        (b'~', "200") => return Found::PasteBegins(taken),
        (b'~', "1" | "7") => Some(Key::Home),
        (b'~', "4" | "8") => Some(Key::End),
        (b'~', "3") if by_words => Some(Key::KillWordForward),
        (b'~', "3") => Some(Key::Delete),
        // Enter with modifiers, as terminals with the newer protocols say it.
        (b'u', "13") if modifiers != 0 => Some(Key::NewLine),
        (b'~', "27") if parameters.ends_with(";13") => Some(Key::NewLine),
        (letter, _) => arrow(letter, by_words),
    };
    key.map_or(Found::Nothing(taken), |key| Found::Key(key, taken))
}

fn arrow(letter: u8, by_words: bool) -> Option<Key> {
    Some(match (letter, by_words) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', true) => Key::WordRight,
        (b'C', false) => Key::Right,
        (b'D', true) => Key::WordLeft,
        (b'D', false) => Key::Left,
        (b'H', _) => Key::Home,
        (b'F', _) => Key::End,
        (b'M', _) => Key::Enter,
        _ => return None,
    })
}

/// Text up to the end of the paste. Terminals send its line ends as carriage returns.
fn pasted(bytes: &[u8]) -> Found {
    let end = bytes.windows(PASTE_END.len()).position(|window| window == PASTE_END);
    let (text, taken) = match end {
        Some(end) => (&bytes[..end], end + PASTE_END.len()),
        None if bytes.len() > MAX_PASTE_BYTES => {
            let cut = cut(bytes);
            (&bytes[..cut], cut)
        }
        None => return Found::Unfinished,
    };
    let text = String::from_utf8_lossy(text).replace("\r\n", "\n").replace('\r', "\n");
    Found::Key(Key::Paste(crate::plain::strip(&text)), taken)
}

/// Where a paste that is too long for one piece is cut: not within a character or a line end, nor within what may become
/// the mark of its end.
fn cut(bytes: &[u8]) -> usize {
    let tail = MAX_PASTE_BYTES + 1 - PASTE_END.len();
    if let Some(escape) = bytes[tail..MAX_PASTE_BYTES].iter().position(|byte| *byte == 0x1b) {
        return tail + escape;
    }
    let begins = |at: &usize| !matches!(bytes[*at], 0x80..=0xbf) && (bytes[*at - 1], bytes[*at]) != (b'\r', b'\n');
    (tail..=MAX_PASTE_BYTES).rev().find(begins).unwrap_or(MAX_PASTE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPED: &[u8] = "aü日👩\x1b[A\x1bOB\x1b[1;5C\x1b[1;3D\x1b[3~\r\x1b\r\x03\x1b[200~one\r\ntwo\x1b[31m\x1b[201~\x7f\x1bb\x1b[99;5~z\t\x04".as_bytes();

    fn expected() -> Vec<Key> {
        use Key::*;
        let paste = Paste("one\ntwo".into());
        let typed = [Char('a'), Char('ü'), Char('日'), Char('👩'), Up, Down, WordRight, WordLeft, Delete, Enter];
        let after = [NewLine, Interrupt, paste, Backspace, WordLeft, Char('z'), Tab, EndOfInput];
        typed.into_iter().chain(after).collect()
    }

    #[test]
    fn every_key_arrives_wherever_the_bytes_are_cut() {
        for cut in 0..=TYPED.len() {
            let mut decoder = Decoder::default();
            let mut keys = decoder.feed(&TYPED[..cut]);
            keys.extend(decoder.feed(&TYPED[cut..]));
            assert_eq!(keys, expected(), "cut at {cut}");
        }
        println!("{} keys, cut at each of {} bytes, 0 lost", expected().len(), TYPED.len());
    }

    #[test]
    fn a_long_paste_is_cut_beside_its_end_mark_and_its_characters() {
        for last in ["x", "日", "\r\n"] {
            for short in 0..=PASTE_END.len() + last.len() {
                let text = "y".repeat(MAX_PASTE_BYTES - short) + last;
                let mut decoder = Decoder::default();
                assert!(decoder.feed(b"\x1b[200~").is_empty());
                let bytes = [text.as_bytes(), PASTE_END].concat();
                // All but the last byte of the mark first, so that the piece is cut while it is unfinished.
                let mut keys = decoder.feed(&bytes[..bytes.len() - 1]);
                keys.extend(decoder.feed(&bytes[bytes.len() - 1..]));
                keys.extend(decoder.feed(b"z"));
                assert_eq!(keys.pop(), Some(Key::Char('z')), "{last:?}, {short} before the end");
                let pasted = keys.iter().map(|key| match key {
                    Key::Paste(text) => text.as_str(),
                    other => panic!("{other:?}"),
                });
                assert!(pasted.collect::<String>() == text.replace("\r\n", "\n"), "{last:?}, {short} before the end");
            }
        }
    }

    #[test]
    fn an_escape_alone_is_a_key_once_nothing_follows() {
        let mut decoder = Decoder::default();
        assert!(decoder.feed(b"\x1b").is_empty() && decoder.waits());
        assert_eq!(decoder.give_up(), [Key::Escape]);
        assert!(!decoder.waits());
        assert_eq!(decoder.feed(b"\x1b\x1b[A"), [Key::Escape, Key::Up]);
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        let mut decoder = Decoder::default();
        let no_text = Key::Char(char::REPLACEMENT_CHARACTER);
        assert_eq!(decoder.feed(b"\xff\xc3a"), [no_text.clone(), no_text, Key::Char('a')]);
        assert!(decoder.feed(&[b"\x1b[".as_slice(), &[b'1'; 99]].concat()).is_empty());
        assert_eq!(decoder.feed(b"b"), [Key::Char('b')]);
    }
}
