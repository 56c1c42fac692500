//! Audits, and what becomes of words that are to be forgotten.

use super::SnapshotRow;
use crate::chain::ChainHash;
use agent::{Micros, PublicKey, Seq, SessionId};
use serde::{Deserialize, Serialize};

/// Answer of `audit.verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    /// Whether nothing is damaged.
    pub sound: bool,
    /// Journals whose chains were computed anew: those of the sessions and the daemon's own.
    pub journals: u64,
    /// How many of these are archived: their files were read.
    #[serde(default)]
    pub archived: u64,
    /// Events in them.
    pub events: u64,
    /// How many of these were forgotten; their hashes are there.
    pub forgotten: u64,
    /// Links of the chain of heads.
    pub links: u64,
    /// Sessions that were removed, as the chain says itself.
    pub removed: u64,
    /// Signatures over links.
    pub signatures: u64,
    /// Blobs, each compared with its name.
    pub blobs: u64,
    /// The last signature that is right; what came after its link rests on the chain alone. Absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
    /// The keys that signed, in the order in which the daemon's journal names them. More than one says that the key file
    /// was lost or replaced.
    pub keys: Vec<PublicKey>,
    /// What is damaged, the first damage of each journal, in the order in which it was found.
    pub damage: Vec<Damage>,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// In what.
    pub part: AuditPart,
    /// The journal, where it is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<String>,
    /// The event there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// The link, where it is in the chain of heads or in a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<u64>,
    /// What is wrong, in a sentence.
    pub what: String,
}

/// What an audit looks at, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditPart {
    /// The chain of heads.
    Heads,
    /// The signatures over it.
    Signatures,
    /// The chains of the journals.
    Journals,
    /// The blobs.
    Blobs,
}

impl AuditPart {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            AuditPart::Heads => "heads",
            AuditPart::Signatures => "signatures",
            AuditPart::Journals => "journals",
            AuditPart::Blobs => "blobs",
        }
    }
}

/// How far an audit has come; said now and then by the stream of `audit.verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditProgress {
    /// What is being looked at.
    pub part: AuditPart,
    /// How many of it were: links, signatures, events or blobs.
    pub done: u64,
}

/// Answer of `audit.sign`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The link that is signed; whoever writes it down with its hash elsewhere can show later that nothing before it was
    /// changed, whatever becomes of the key.
    pub link: u64,
    /// Its hash.
    pub hash: ChainHash,
    /// When it was signed.
    #[serde(with = "crate::time::text")]
    pub at: Micros,
    /// The name of the state: the hash of its first link.
    pub state: ChainHash,
    /// The public key.
    pub key: PublicKey,
}

/// `sessions.redact`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedactRequest {
    /// The events whose words are to go.
    pub seqs: Vec<Seq>,
    /// Why; it stays in the journal, so it should not repeat the words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the copies of these events in forks stay as they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_forks: bool,
}

/// Answer of `sessions.redact`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redacted {
    /// The session.
    pub session: SessionId,
    /// Its `event.forgotten`; absent when all had been forgotten before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// The events whose words went now: those that were asked for, and those that repeated a title taken from them.
    pub forgotten: Vec<Seq>,
    /// Paths that left the canvas, since their bytes went.
    pub paths_left: u32,
    /// Copies in forks, and what became of them.
    pub forks: Vec<ForkRedacted>,
    /// Other events that hold the same files or long texts: what of these bytes they hold is still there.
    pub still_held: Vec<EventPlace>,
    /// The same events in sessions that this one was forked from, which were left as they are.
    pub originals: Vec<EventPlace>,
    /// Snapshots that were made before and still hold the session as it was, and one that is being made.
    pub snapshots: Vec<String>,
    /// The same with their files. Where one is not `noted`, nobody knows how far it goes: it may hold the session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_in: Vec<SnapshotRow>,
    /// Where states lie that restores have replaced and kept: each may hold the session as it was then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_states: Vec<String>,
    /// Whether no byte is left in the journal's log, in the index of search, in the picture of the canvas and in files of the
    /// archive. If not (the disk is full, another program or a snapshot reads the file), they go with later writes or when
    /// the daemon is next started.
    pub cleared: bool,
}

/// What became of the copies in a fork.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkRedacted {
    /// The fork.
    pub session: SessionId,
    /// The events whose words went there.
    pub forgotten: Vec<Seq>,
    /// Why they did not go, if they did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// An event of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPlace {
    /// The session.
    pub session: SessionId,
    /// The event.
    pub seq: Seq,
}
