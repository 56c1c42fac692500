//! Snapshots: a new one, those that there are, what a look at one found.

use super::words;
use crate::sample::others::manifest;
use crate::sample::shapes::{MORNING, snapshot};
use crate::sample::written::{Written, written};
use agent::Micros;
use std::path::PathBuf;
use wire::BlobHash;
use wire::rest::*;
use wire::snapshot::SnapshotReason;

pub(super) fn samples() -> Vec<Written> {
    let file = || PathBuf::from("/home/ada/.local/state/tinkerbell/snapshots/snp_x.tar");
    let create = CreateSnapshot {
        note: words("before the move"),
        passphrase: words("not a passphrase"),
        file: Some(PathBuf::from("/mnt/usb/bell.tar")),
        portable: true,
    };
    let list = |snapshots| SnapshotList { directory: PathBuf::from("/srv/snapshots"), snapshots };
    let verified = |opened| SnapshotVerified {
        id: snapshot(),
        file: file(),
        bytes: 65_536,
        sha256: sum(),
        opened,
        noted: true,
        other_passphrase: !opened,
    };
    written![
        CreateSnapshot: [CreateSnapshot::default(), create],
        VerifySnapshot: [
            VerifySnapshot::default(),
            VerifySnapshot { passphrase: words("not a passphrase") },
        ],
        SnapshotRow: [row(None), row(words("before the move"))],
        SnapshotList: [list(vec![]), list(vec![row(None)])],
        SnapshotView: [SnapshotView { row: row(None), manifest: manifest(false) }],
        SnapshotVerified: [verified(true), verified(false)],
        SnapshotStatus: [SnapshotStatus::default(), status()],
    ]
}

fn sum() -> BlobHash {
    BlobHash::of(b"a snapshot")
}

pub(super) fn row(note: Option<String>) -> SnapshotRow {
    SnapshotRow {
        id: snapshot(),
        file: PathBuf::from("/home/ada/.local/state/tinkerbell/snapshots/snp_x.tar"),
        bytes: 65_536,
        created_at: MORNING,
        reason: SnapshotReason::Asked,
        note,
        sealed: false,
        sessions: 3,
        noted: true,
    }
}

pub(super) fn status() -> SnapshotStatus {
    SnapshotStatus {
        count: 7,
        bytes: 458_752,
        newest_at: Some(MORNING),
        failed_at: Some(Micros(MORNING.0 + 60_000_000)),
        failure: words("there is no room on the disk"),
    }
}
