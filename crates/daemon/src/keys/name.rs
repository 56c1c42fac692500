//! Names of keys, which are names of files too.

use std::fmt;

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// The name of a key: letters, digits and `-_.`, not beginning with a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyName(String);

/// A text that names no key. It is not quoted: it may be a key that was given in the place of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key's name has 1 to {MAX_NAME_BYTES} letters, digits and -_. and does not begin with a dot")]
pub struct BadKeyName;

impl KeyName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<KeyName, BadKeyName> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let length = (1..=MAX_NAME_BYTES).contains(&name.len());
        if length && name.chars().all(fits) && !name.starts_with('.') {
            Ok(KeyName(name.to_owned()))
        } else {
            Err(BadKeyName)
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_directory() {
        for good in ["anthropic", "openai-responses", "work.key_2"] {
            assert_eq!(KeyName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", ".hidden", "a/b", "../x", "a b", "a\0b", "ä", "a\n", &"k".repeat(65)] {
            assert_eq!(KeyName::new(bad), Err(BadKeyName), "{bad:?}");
        }
    }
}
