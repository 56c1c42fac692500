//! Whether a snapshot is the one that somebody means, and what is said when it is not.

use super::container::UnpackError;
use crate::config::Config;
use agent::SnapshotId;
use std::path::{Path, PathBuf};
use wire::snapshot::Manifest;
use wire::{BlobHash, Code, Problem};

/// Where snapshots lie.
pub(crate) fn directory(config: &Config, state_dir: &Path) -> PathBuf {
    config.snapshots.directory.clone().unwrap_or_else(|| state_dir.join("snapshots"))
}

/// A snapshot that lies under a name is the one of that name, and the one that the journal says was made under it.
pub(super) fn check_identity(
    id: SnapshotId,
    manifest: &Manifest,
    sha256: BlobHash,
    expected: Option<BlobHash>,
) -> Result<(), UnpackError> {
    if manifest.id != id {
        let what = format!("another snapshot, {}, lies under the name {id}", manifest.id);
        return Err(UnpackError::Refused(what));
    }
    match expected {
        Some(expected) if expected != sha256 => Err(UnpackError::Refused(
            "it is whole, and not the one that the journal says was made under this name".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// What stands in the way of a snapshot, with the way out.
pub(crate) fn problem(which: &str, error: &UnpackError) -> Problem {
    let detail = format!("the snapshot {which} is not taken: {error}");
    match error {
        UnpackError::Damaged { .. } | UnpackError::Refused(_) => {
            Problem::new(Code::Conflict, detail).remedy("`tinkerbell snapshot verify --all` finds those that are good")
        }
        UnpackError::Sealed | UnpackError::Passphrase => Problem::new(Code::InvalidRequest, detail),
        UnpackError::Foreign => Problem::new(Code::Conflict, format!("{which} is no snapshot")),
        UnpackError::Newer { .. } => Problem::new(Code::Conflict, detail),
        UnpackError::Source(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Problem::new(Code::NotFound, detail).remedy("`tinkerbell snapshot ls` lists those that there are")
        }
        UnpackError::Target(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            Problem::new(Code::StorageFull, detail)
        }
        UnpackError::Source(_) | UnpackError::Target(_) => Problem::new(Code::Conflict, detail),
    }
}
