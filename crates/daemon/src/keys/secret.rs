//! A key that was read.

use models::{Key, KeyError};
use std::fmt;

/// A key as text, known to be usable as one. Neither `Debug` nor `Display` shows it, and it is not serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: String,
    key: Key,
}

impl Secret {
    /// Takes a key as it stands in a file or a variable; white space around it is dropped.
    pub fn new(text: &str) -> Result<Secret, KeyError> {
        Ok(Secret { text: text.trim().to_owned(), key: Key::new(text)? })
    }

    /// The key for a header.
    pub fn key(&self) -> Key {
        self.key.clone()
    }

    /// Whether it is a secret at all, and no dummy for a server that asks for any key.
    pub(crate) fn is_secret(&self) -> bool {
        self.key.is_secret()
    }

    /// The text, for what stores it and what masks it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([key])")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}
