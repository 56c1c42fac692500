//! Names of keys, which are names of files too.

use std::fmt;

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// The name of a key: letters, digits and `-_.`, beginning neither with a dot nor like a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyName(String);

/// How well-known keys begin. A name that begins so is a key that was given in the place of its name.
const BEGINNINGS_OF_KEYS: [&str; 4] = ["sk-", "gsk_", "AIza", "xai-"];

/// A text that names no key. It is not quoted: it may be a key that was given in the place of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key's name has 1 to {MAX_NAME_BYTES} letters, digits and -_. and begins neither with a dot nor like a key itself ({})",
    BEGINNINGS_OF_KEYS.join(", ")
)]
pub struct BadKeyName;

impl KeyName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<KeyName, BadKeyName> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let length = (1..=MAX_NAME_BYTES).contains(&name.len());
        let is_key = BEGINNINGS_OF_KEYS.iter().any(|beginning| name.starts_with(beginning));
        if length && name.chars().all(fits) && !name.starts_with('.') && !is_key {
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

    #[test]
    fn a_key_in_the_place_of_its_name_is_refused_and_not_shown() {
        for key in ["sk-ant-canary", "gsk_canary", "AIzaCanary", "xai-canary", &"canary".repeat(11)] {
            let error = KeyName::new(key).unwrap_err();
            assert!(!format!("{error} {error:?}").to_lowercase().contains("canary"), "{error}");
        }
        assert!(KeyName::new("skills").is_ok() && KeyName::new("xai").is_ok());
    }
}
