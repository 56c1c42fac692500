//! A provider's key: usable in one header, never shown anywhere else.
//!
//! Deliberately absent: reading keys from the environment, files or a keyring, which is the configuration's business.

use std::fmt;

/// The longest key that is taken, in bytes.
const MAX_KEY_BYTES: usize = 16 * 1024;

/// Keys shorter than this are the dummies that local servers ask for. They are no secrets, and masking them would mask
/// ordinary words out of every message.
const SHORTEST_SECRET_BYTES: usize = 8;

/// Dummies that are written down in the documentation of servers and clients, in small letters.
const DUMMIES: [&str; 7] = ["lm-studio", "not-needed", "sk-no-key-required", "password", "ollama", "dummy", "none"];

/// What stands in a message where the key stood.
const MASK: &str = "[key]";

/// An API key. Neither `Debug` nor `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

/// Why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing is left after trimming.
    #[error("the key is empty; set it, or leave the key out for a server that asks for none")]
    Empty,
    /// It cannot stand in an HTTP header.
    #[error("the key holds a space, a control character or a letter outside ASCII; copy it again")]
    Malformed,
    /// It is longer than 16 KiB.
    #[error("the key is longer than {MAX_KEY_BYTES} bytes; this is probably the wrong file")]
    TooLong,
}

impl Key {
    /// Takes a key as it stands in a file or a variable; white space around it, such as a last newline, is dropped.
    pub fn new(text: &str) -> Result<Key, KeyError> {
        let text = text.trim();
        match text {
            "" => Err(KeyError::Empty),
            _ if text.len() > MAX_KEY_BYTES => Err(KeyError::TooLong),
            _ if !text.bytes().all(|byte| byte.is_ascii_graphic()) => Err(KeyError::Malformed),
            _ => Ok(Key(text.to_owned())),
        }
    }

    /// Whether it is a secret at all, and so must be masked wherever it would be shown. What local servers ask for because
    /// they must ask for something is none: a well-known dummy, or anything of less than eight bytes.
    pub fn is_secret(&self) -> bool {
        self.0.len() >= SHORTEST_SECRET_BYTES && !DUMMIES.iter().any(|dummy| self.0.eq_ignore_ascii_case(dummy))
    }

    /// The value of the `Authorization` header, for this room only.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// The key itself, for clients that build their headers themselves; for this room only.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// The same text without the key in it.
    pub(crate) fn mask(&self, text: &str) -> String {
        if self.is_secret() { text.replace(&self.0, MASK) } else { text.to_owned() }
    }

    /// How many bytes at a cut end of a text may be the beginning of the key.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([key])")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_shown() {
        let key = Key::new("sk-canary-0123456789\n").unwrap();
        assert_eq!(format!("{key} {key:?} {:#?}", Some(&key)).matches("canary").count(), 0);
        assert_eq!(key.mask("no sk-canary-0123456789 here"), "no [key] here");
        assert_eq!(key.bearer(), "Bearer sk-canary-0123456789");
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        assert_eq!(Key::new(" \n"), Err(KeyError::Empty));
        assert_eq!(Key::new("two words"), Err(KeyError::Malformed));
        assert_eq!(Key::new("sk-\u{e4}"), Err(KeyError::Malformed));
        assert_eq!(Key::new(&"k".repeat(MAX_KEY_BYTES + 1)), Err(KeyError::TooLong));
    }

    #[test]
    fn a_dummy_key_leaves_words_alone() {
        for dummy in DUMMIES.into_iter().chain(["x", "EMPTY", "Not-Needed"]) {
            let text = format!("{dummy} of it");
            assert_eq!(Key::new(dummy).unwrap().mask(&text), text);
        }
    }
}
