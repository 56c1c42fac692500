//! Snapshots: copies of the whole state, each in one file.

use crate::chain::BlobHash;
use crate::snapshot::{Manifest, SnapshotReason};
use agent::{Micros, SnapshotId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// `snapshots.create`.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateSnapshot {
    /// What is to be said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Encrypts it. Where there is none, the one of the configuration does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<String>,
    /// Where it goes, an absolute path; else it goes to the others, and retention looks after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Whether it is to carry the agent to another machine: all secrets are left out and named, also where it is encrypted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub portable: bool,
}

impl fmt::Debug for CreateSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passphrase = self.passphrase.as_ref().map(|_| "[passphrase]");
        f.debug_struct("CreateSnapshot")
            .field("note", &self.note)
            .field("passphrase", &passphrase)
            .field("file", &self.file)
            .field("portable", &self.portable)
            .finish()
    }
}

/// `snapshots.verify`.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifySnapshot {
    /// Opens it. Where there is none, the one of the configuration does; without any, only the outside is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<String>,
}

impl fmt::Debug for VerifySnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifySnapshot").field("passphrase", &self.passphrase.as_ref().map(|_| "[passphrase]")).finish()
    }
}

/// `snapshots.list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotList {
    /// Where they lie.
    pub directory: PathBuf,
    /// All that are there, newest first.
    pub snapshots: Vec<SnapshotRow>,
}

/// A snapshot as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRow {
    /// Its name.
    pub id: SnapshotId,
    /// Its file.
    pub file: PathBuf,
    /// Size of the file.
    pub bytes: u64,
    /// When it was made.
    #[serde(with = "crate::time::text")]
    pub created_at: Micros,
    /// Why it was made.
    pub reason: SnapshotReason,
    /// What somebody said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether it takes a passphrase.
    pub sealed: bool,
    /// How many sessions it holds.
    pub sessions: u64,
    /// Whether the journal says that it was made, and with which hash. It does not for those of before a restore.
    pub noted: bool,
}

/// `snapshots.get`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotView {
    /// What lists show.
    #[serde(flatten)]
    pub row: SnapshotRow,
    /// Its manifest.
    pub manifest: Manifest,
}

/// What `snapshots.verify` found; a snapshot that is not good is a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotVerified {
    /// The snapshot.
    pub id: SnapshotId,
    /// Its file.
    pub file: PathBuf,
    /// Size of the file.
    pub bytes: u64,
    /// The hash of the file's content, which the journal has too.
    pub sha256: BlobHash,
    /// Whether the files inside were looked at: not in one whose passphrase nobody gave.
    pub opened: bool,
    /// Whether the hash is the one that the journal has.
    pub noted: bool,
    /// Whether it was not opened because the configured passphrase is not the one that it was made with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub other_passphrase: bool,
}

/// How snapshots fare, as `daemon.status` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SnapshotStatus {
    /// How many there are.
    pub count: u64,
    /// What they hold together, in bytes.
    pub bytes: u64,
    /// When the newest was made.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::time::optional")]
    pub newest_at: Option<Micros>,
    /// When the last attempt failed; gone after one that did not.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::time::optional")]
    pub failed_at: Option<Micros>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}
