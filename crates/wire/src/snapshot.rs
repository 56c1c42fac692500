//! The manifest of a snapshot, and the names of what stands in its file. See `docs/decisions/0014`.
//!
//! A snapshot is one file: a tar archive that any `tar` unpacks. Its first member is the manifest, then come the
//! manifest's files in its order, and last the hash of all bytes before it. One with a passphrase has the manifest in
//! clear and one member more, which is a whole snapshot, encrypted.

use crate::chain::{BlobHash, ChainHash};
use agent::{Generation, Micros, SnapshotId};
use serde::{Deserialize, Serialize};

/// The version of the format. A reader refuses a later one.
pub const FORMAT: u32 = 1;
/// The first member: the manifest, as JSON.
pub const MANIFEST: &str = "manifest.json";
/// The last member: the SHA-256 of all bytes before its header, in hexadecimal, and a line feed.
pub const SUM: &str = "SHA256";
/// The only other member of a snapshot with a passphrase: the snapshot itself, encrypted by age (version 1, scrypt).
pub const SEALED: &str = "snapshot.tar.age";
/// The journal, as SQLite has it.
pub const JOURNAL: &str = "journal.db";
/// The configuration file, for reference: it is not put back. Keys that stand in it are masked.
pub const CONFIG: &str = "config.toml";
/// Before the names of kept keys. They stand in snapshots with a passphrase alone.
pub const KEYS: &str = "keys/";
/// Before the names of archived sessions' files.
pub const ARCHIVE: &str = "archive/";
/// How the name of a snapshot's file ends.
pub const SUFFIX: &str = ".tar";

/// What a snapshot is and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The version of tinkerbell that made it.
    pub tinkerbell: String,
    /// Its name.
    pub id: SnapshotId,
    /// Why it was made.
    pub reason: SnapshotReason,
    /// When.
    #[serde(with = "crate::time::text")]
    pub created_at: Micros,
    /// What somebody wanted to say about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whose state it is: the first link of the chain of heads. No two states have the same.
    pub state: ChainHash,
    /// The last link, which vouches for all events of all journals.
    pub head: ChainHash,
    /// How many links there are.
    pub links: u64,
    /// The version of the journal's tables.
    pub schema: u32,
    /// How often a daemon had begun.
    pub generation: Generation,
    /// How many sessions it holds.
    pub sessions: u64,
    /// How many removed sessions still had words in it, because they were being swept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unswept: u64,
    /// Its files, in the order in which they stand.
    pub files: Vec<StoredFile>,
    /// What belongs to the state and is not in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Set where it is to carry the agent to another machine: then no secret is in it, whether it is encrypted or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portable: Option<Portable>,
    /// Set where the files stand in [`SEALED`]: how many bytes that has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_bytes: Option<u64>,
}

/// One file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its name. That of its member has `.gz` at its end where it is compressed.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its bytes.
    pub sha256: BlobHash,
    /// How its bytes stand in the snapshot.
    pub coding: Coding,
    /// How many bytes stand there.
    pub stored_bytes: u64,
}

impl StoredFile {
    /// The name of its member.
    pub fn member(&self) -> String {
        match self.coding {
            Coding::Plain => self.name.clone(),
            Coding::Gzip => format!("{}.gz", self.name),
        }
    }
}

/// How bytes stand in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coding {
    /// As they are.
    Plain,
    /// As one member of gzip (RFC 1952).
    Gzip,
}

/// Why a snapshot was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotReason {
    /// Somebody asked for it.
    Asked,
    /// It was time.
    Periodic,
    /// The daemon stopped.
    Stop,
}

/// What belongs to the state and is not in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// What it is: a file of the state directory, or a directory.
    pub name: String,
    /// Why it is not there.
    pub why: Why,
}

/// Why something is not in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It is made anew from the journal.
    Rebuilt,
    /// It is a secret, and this snapshot has no passphrase.
    Secret,
    /// It is damaged or gone, and could not be copied.
    Damaged,
}

/// What a portable snapshot says of the machine that it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portable {
    /// The user's home directory there, a real path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Where sessions work, the busiest first; at most [`MAX_WORKSPACES`].
    pub workspaces: Vec<Workspace>,
    /// How many more there are than are named.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_workspaces: u64,
    /// The secrets that were in use there, and are to be set again.
    pub secrets: Vec<Secret>,
}

/// The most workspaces that a portable snapshot names.
pub const MAX_WORKSPACES: u64 = 1_000;

/// A directory in which sessions work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Its real path.
    pub path: String,
    /// How many sessions work there.
    pub sessions: u64,
}

/// A secret that a portable snapshot names and does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Where it was.
    pub place: SecretPlace,
    /// Its name there: of the key, the variable, the file, or the key of the configuration.
    pub name: String,
}

/// Where a secret was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretPlace {
    /// tinkerbell kept it.
    Kept,
    /// In the desktop's keyring.
    Keyring,
    /// In a variable of the daemon's environment.
    Environment,
    /// In a file of the user's.
    File,
    /// In the configuration itself, where a mask stands now.
    Config,
}

impl Secret {
    /// What has to be done to set it again, in words with the exact command where there is one.
    pub fn how(&self) -> String {
        let name = &self.name;
        match self.place {
            SecretPlace::Kept => format!("tinkerbell keys set {name}"),
            SecretPlace::Keyring => format!("tinkerbell keys set {name} --keyring"),
            SecretPlace::Environment => format!("export {name}=… where the daemon is started from"),
            SecretPlace::File => format!("put the key into the file {name}, readable by you alone"),
            SecretPlace::Config => format!("tinkerbell config set {name} VALUE"),
        }
    }
}

/// Whether a name may stand in a snapshot: one part, or two with one slash, of small letters, digits, `-`, `_`, `.` and
/// capitals, none beginning with a dot. So nothing in one can lead out of the directory it is unpacked into.
pub fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain)
    };
    name.len() <= MAX_NAME_BYTES && name.split('/').count() <= 2 && name.split('/').all(part)
}

/// The longest name.
pub const MAX_NAME_BYTES: usize = 96;

fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out() {
        for good in [JOURNAL, CONFIG, SUM, SEALED, MANIFEST, "keys/openai", "keys/Work_2.x"] {
            assert!(is_name(good), "{good}");
        }
        let long = "a".repeat(MAX_NAME_BYTES + 1);
        for bad in
            ["", "/", "..", "../x", "a/../b", "/etc/passwd", "a//b", "a/b/c", "a\\b", ".x", "a/.b", "ü", "a b", &long]
        {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
