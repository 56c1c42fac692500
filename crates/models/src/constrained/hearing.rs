//! The words of a reply while they come: the text of the JSON field `reply`, and nothing else of the JSON around it.

use super::form::REPLY;
use std::mem;

/// Reads the JSON of one answer, cut anywhere, and gives out the letters of its reply.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    place: Place,
    /// All that was given out.
    heard: String,
}

/// Where in the answer the reader stands.
#[derive(Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before the brace.
    #[default]
    Start,
    /// Before the first key.
    BeforeKey,
    /// In the first key; what of it has come.
    Key(String),
    /// Between the key `reply` and its text.
    BeforeText { colon: bool },
    /// In the text.
    Text,
    /// In an escape of the text; what of it has come after the backslash.
    Escape(String),
    /// There are no words here, or no more.
    Over,
}

impl Hearing {
    /// Takes a piece of the answer and gives the letters that became whole with it.
    pub(super) fn push(&mut self, piece: &str) -> String {
        let mut letters = String::new();
        for letter in piece.chars() {
            self.place = step(mem::take(&mut self.place), letter, &mut letters);
        }
        self.heard.push_str(&letters);
        letters
    }

    /// All letters so far.
    pub(super) fn heard(&self) -> &str {
        &self.heard
    }

    /// Whether the reader stands in the middle of the words, so that the answer was cut there.
    pub(super) fn is_in_words(&self) -> bool {
        matches!(self.place, Place::Text | Place::Escape(_))
    }
}

fn step(place: Place, letter: char, letters: &mut String) -> Place {
    let is_space = letter.is_ascii_whitespace();
    match (place, letter) {
        (place @ (Place::Start | Place::BeforeKey | Place::BeforeText { .. }), _) if is_space => place,
        (Place::Start, '{') => Place::BeforeKey,
        (Place::BeforeKey, '"') => Place::Key(String::new()),
        (Place::Key(key), '"') if key == REPLY => Place::BeforeText { colon: false },
        // Only a key that may still become `reply` is kept.
        (Place::Key(mut key), letter) if REPLY[key.len()..].starts_with(letter) => {
            key.push(letter);
            Place::Key(key)
        }
        (Place::BeforeText { colon: false }, ':') => Place::BeforeText { colon: true },
        (Place::BeforeText { colon: true }, '"') => Place::Text,
        (Place::Text, '\\') => Place::Escape(String::new()),
        (Place::Text, '"') => Place::Over,
        (Place::Text, letter) => {
            letters.push(letter);
            Place::Text
        }
        (Place::Escape(mut escape), letter) => {
            escape.push(letter);
            unescaped(escape, letters)
        }
        _ => Place::Over,
    }
}

/// The letter of an escape (RFC 8259, section 7), when all of it has come: a letter above U+FFFF is two escapes.
fn unescaped(escape: String, letters: &mut String) -> Place {
    let simple = match escape.as_str() {
        "n" => Some('\n'),
        "t" => Some('\t'),
        "r" => Some('\r'),
        "b" => Some('\u{8}'),
        "f" => Some('\u{c}'),
        "\"" | "\\" | "/" => escape.chars().next(),
        _ => None,
    };
    if let Some(letter) = simple {
        letters.push(letter);
        return Place::Text;
    }
    if !escape.starts_with('u') {
        return Place::Over;
    }
    let quoted = format!("\"\\{escape}\"");
    match serde_json::from_str::<String>(&quoted) {
        Ok(letter) => {
            letters.push_str(&letter);
            Place::Text
        }
        // `u` and four digits, a backslash, `u` and four digits is the longest there is.
        Err(_) if escape.len() < 11 => Place::Escape(escape),
        Err(_) => Place::Over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str) -> (String, bool) {
        let mut hearing = Hearing::default();
        let pieces: String = text.chars().map(|letter| hearing.push(&letter.to_string())).collect();
        let mut whole = Hearing::default();
        assert_eq!(whole.push(text), pieces, "{text}");
        assert_eq!(whole.heard(), pieces);
        (pieces, whole.is_in_words())
    }

    #[test]
    fn only_the_words_of_a_reply_are_heard() {
        for (text, words, cut) in [
            (r#"{"reply":"Hi."}"#, "Hi.", false),
            (" {\n  \"reply\" :\t\"a\\nb\\\"c\\\\d\\/e\" }", "a\nb\"c\\d/e", false),
            (r#"{"reply":"\u00e9\ud83d\ude00é😀"}"#, "é😀é😀", false),
            (r#"{"reply":"Hal"#, "Hal", true),
            (r#"{"reply":"Hal\ud83d"#, "Hal", true),
            (r#"{"reply":"Hal\ud83d\u0041x"#, "Hal", false),
            (r#"{"reply":"Hal\qx"#, "Hal", false),
            (r#"{"reply":["Hi"]}"#, "", false),
            (r#"{"tool":"reply","reply":"x"}"#, "", false),
            (r#"{"replys":"x"}"#, "", false),
            (r#"{"rep":"x"}"#, "", false),
            (r#"["reply","x"]"#, "", false),
            ("plain words", "", false),
            ("", "", false),
        ] {
            assert_eq!(heard(text), (words.to_owned(), cut), "{text}");
        }
    }

    #[test]
    fn every_text_comes_through_as_json_reads_it() {
        let all: String = (0..0x3000).chain(0x1_f5f0..0x1_f610).filter_map(char::from_u32).collect();
        let json = serde_json::json!({ "reply": all }).to_string();
        assert_eq!(heard(&json), (all.clone(), false));
        let escaped: String = all.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        assert_eq!(heard(&format!("{{\"reply\":\"{escaped}\"}}")), (all, false));
    }
}
