//! The file that carries a session elsewhere: a line of JSON for each piece, and at the end what vouches for all of them.
//! `docs/decisions/0015` says why it is so.
//!
//! The lines in order: the session; for each event first the blobs that it is the first to hold, each followed by its
//! parts, then the event; what open model calls had said; the end. Bytes of headers and bodies are carried as they are
//! stored, as text in text, so that the chain can be computed over them.

use crate::chain::{BlobHash, ChainHash, Salt};
use agent::{EffectId, Micros, ModelName, SessionId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;

/// The version of the format. A file of another one is refused.
pub const FORMAT: u32 = 1;

/// Bytes of a blob in one part, before they are written as text.
pub const PART_BYTES: usize = 192 * 1024;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The first: whose file it is.
    TinkerbellSession(ExportHead),
    /// Bytes that the next event holds; their parts follow.
    Blob(ExportBlob),
    /// Some of the bytes of the blob before, in base64.
    Part(String),
    /// An event.
    Event(ExportEvent),
    /// What an open model call had said.
    Partial(ExportPartial),
    /// The last.
    End(ExportEnd),
}

/// Which session, and what lists show of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportHead {
    /// The version of the format.
    pub format: u32,
    /// The version of tinkerbell that wrote the file.
    pub version: String,
    /// The session.
    pub session: SessionId,
    /// How many events it has.
    pub events: u64,
    /// The hash of the last one.
    pub head: ChainHash,
    /// Where it works.
    pub workspace: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The model last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
    /// When it was made.
    #[serde(with = "crate::time::text")]
    pub created_at: Micros,
    /// When something last happened in it.
    #[serde(with = "crate::time::text")]
    pub updated_at: Micros,
}

/// A blob as it is packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportBlob {
    /// The plain SHA-256 of the bytes that it stands for.
    pub blob: BlobHash,
    /// How many these are.
    pub bytes: u64,
    /// How they are packed: `plain` or `zlib`.
    pub coding: String,
    /// How many lines of parts follow.
    pub parts: u64,
}

/// An event as it is stored: with body and salt, or with the seal of a body that was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportEvent {
    /// The header's bytes.
    pub header: String,
    /// The body's bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The random bytes beside the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<SaltText>,
    /// Where the body was forgotten: `SHA-256(salt ‖ body)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<ChainHash>,
    /// The event's hash.
    pub hash: ChainHash,
    /// The blobs that it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<BlobHash>,
}

/// What a model call that was open had said, as far as it was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportPartial {
    /// The call.
    pub effect: EffectId,
    /// What was said.
    pub text: String,
}

/// What vouches for the lines before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportEnd {
    /// How many lines these are.
    pub lines: u64,
    /// SHA-256 of their bytes, line feeds included.
    pub sha256: ChainHash,
}

/// A salt as it is written: 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaltText(pub Salt);

impl fmt::Display for SaltText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for SaltText {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SaltText {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<SaltText, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(d)?;
        // Two digits more than a salt has make a number that is read as the digits are written, or not at all.
        let number = Some(&*text).filter(|text| text.len() == 2 * size_of::<Salt>());
        let number = number.and_then(|text| u128::from_str_radix(text, 16).ok());
        let salt = SaltText(number.unwrap_or_default().to_be_bytes());
        match number.is_some() && salt.to_string() == *text {
            true => Ok(salt),
            false => Err(serde::de::Error::custom("a salt is 32 lower-case hexadecimal digits")),
        }
    }
}

/// Counts and hashes lines while they are written or read, to say or to check what vouches for them.
#[derive(Debug, Clone, Default)]
pub struct Voucher {
    lines: u64,
    hash: Sha256,
}

impl Voucher {
    /// Takes a line, with its line feed.
    pub fn take(&mut self, line: &[u8]) {
        self.lines += 1;
        self.hash.update(line);
    }

    /// The last line, which vouches for those taken, without a line feed.
    pub fn end(&self) -> String {
        let sha256 = ChainHash(self.hash.clone().finalize().into());
        write(&Line::End(ExportEnd { lines: self.lines, sha256 }))
    }
}

/// Writes a line, without its line feed.
pub fn write(line: &Line) -> String {
    serde_json::to_string(line).expect("a line is plain data")
}

/// Reads a line.
pub fn read(line: &[u8]) -> Result<Line, serde_json::Error> {
    serde_json::from_slice(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salt_reads_back_and_nothing_else_does() {
        let salt = SaltText([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        let text = serde_json::to_string(&salt).unwrap();
        assert_eq!(text, "\"000102030405060708090a0b0c0d0eff\"");
        assert_eq!(serde_json::from_str::<SaltText>(&text).unwrap(), salt);
        for wrong in ["+00102030405060708090a0b0c0d0eff", "000102030405060708090A0b0c0d0eff", "00", ""] {
            assert!(serde_json::from_str::<SaltText>(&format!("{wrong:?}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_end_is_what_sha256sum_says() {
        let mut voucher = Voucher::default();
        voucher.take(b"a\n");
        voucher.take(b"b\n");
        // printf 'a\nb\n' | sha256sum
        let sha256 = "911169ddaaf146aff539f58c26c489af3b892dff0fe283c1c264c65ae5aa59a2";
        assert_eq!(voucher.end(), format!("{{\"end\":{{\"lines\":2,\"sha256\":\"{sha256}\"}}}}"));
    }
}
