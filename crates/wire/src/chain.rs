//! The hash chain of a journal: `hash = SHA-256(previous ‖ header ‖ SHA-256(salt ‖ body))`, over the stored bytes.
//!
//! Forgetting deletes salt and body and keeps `SHA-256(salt ‖ body)`: the chain still verifies, the words are gone,
//! and without the salt nobody can guess them from the hash.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

macro_rules! hash_type {
    ($(#[$m:meta])* $name:ident) => {
        $(#[$m])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = agent::ParseIdError;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                let wrong = agent::ParseIdError { expected: "64 lower-case hexadecimal digits" };
                let bytes = s.as_bytes();
                if bytes.len() != 64 { return Err(wrong); }
                let digit = |b: u8| match b { b'0'..=b'9' => Some(b - b'0'), b'a'..=b'f' => Some(b - b'a' + 10), _ => None };
                let mut hash = [0; 32];
                for (out, pair) in hash.iter_mut().zip(bytes.chunks_exact(2)) {
                    let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else { return Err(wrong) };
                    *out = high << 4 | low;
                }
                Ok(Self(hash))
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'_, str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hash_type!(
    /// The hash of an event, which vouches for all events before it.
    ChainHash
);
hash_type!(
    /// The plain SHA-256 of a blob's bytes.
    BlobHash
);

/// Random bytes beside each body, so that a body cannot be guessed from its hash.
pub type Salt = [u8; 16];

impl ChainHash {
    /// What stands before the first event.
    pub const START: ChainHash = ChainHash([0; 32]);

    /// The hash of the event that follows `self`.
    pub fn next(self, header: &[u8], sealed: &[u8; 32]) -> ChainHash {
        ChainHash(Sha256::new().chain_update(self.0).chain_update(header).chain_update(sealed).finalize().into())
    }
}

/// `SHA-256(salt ‖ body)`: what stays of a body that was forgotten.
pub fn seal(salt: &Salt, body: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(body).finalize().into()
}

impl BlobHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> BlobHash {
        BlobHash(Sha256::digest(bytes).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_from_its_text() {
        let hash = BlobHash::of(b"tinkerbell");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert!("AB".repeat(32).parse::<BlobHash>().is_err());
    }

    #[test]
    fn the_chain_is_what_an_outsider_would_compute() {
        // printf of 32 zero bytes, `h`, sha256(sixteen zero bytes + `b`), through sha256sum.
        let hash = ChainHash::START.next(b"h", &seal(&[0; 16], b"b"));
        assert_eq!(hash.to_string(), "c3ca42ce0d9ef659a8aeafc5bad187194150588b569c4132f70ad08d2c7aa78e");
    }
}
