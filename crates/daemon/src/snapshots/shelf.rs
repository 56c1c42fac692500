//! The directory of snapshots: what lies there, by what the files say of themselves.

use super::container::{self, UnpackError};
use agent::SnapshotId;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use wire::rest::SnapshotRow;
use wire::snapshot::{Manifest, SUFFIX};

/// A file of the shelf.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) manifest: Manifest,
}

impl Found {
    /// What lists show of it.
    pub(super) fn row(&self, noted: bool) -> SnapshotRow {
        SnapshotRow {
            id: self.manifest.id,
            file: self.path.clone(),
            bytes: self.bytes,
            created_at: self.manifest.created_at,
            reason: self.manifest.reason,
            note: self.manifest.note.clone(),
            sealed: self.manifest.sealed_bytes.is_some(),
            sessions: self.manifest.sessions,
            noted,
        }
    }
}

/// Where a snapshot of this name lies.
pub(super) fn path(directory: &Path, id: SnapshotId) -> PathBuf {
    directory.join(format!("{id}{SUFFIX}"))
}

/// The snapshot that a path names: one that lies on a shelf under its own name.
pub(super) fn named(path: &Path) -> Option<SnapshotId> {
    path.file_name()?.to_str()?.strip_suffix(SUFFIX)?.parse().ok()
}

/// All snapshots that can be read, newest first. One that cannot is told in the log and left alone.
pub(super) fn list(directory: &Path) -> io::Result<Vec<Found>> {
    let mut all = Vec::new();
    for id in names(directory)? {
        match look(&path(directory, id)) {
            Ok(found) if found.manifest.id == id => all.push(found),
            Ok(found) => tracing::warn!(%id, holds = %found.manifest.id, "a snapshot lies under another's name"),
            Err(error) => tracing::warn!(%id, %error, "a snapshot cannot be read"),
        }
    }
    all.sort_by(|one, other| {
        (other.manifest.created_at, other.manifest.id).cmp(&(one.manifest.created_at, one.manifest.id))
    });
    Ok(all)
}

/// The names of all that lie there, whole or not.
pub(super) fn names(directory: &Path) -> io::Result<Vec<SnapshotId>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut ids = Vec::new();
    for entry in entries {
        ids.extend(named(&entry?.path()));
    }
    ids.sort();
    Ok(ids)
}

/// What the file at a path says of itself; nothing of it is proved by that.
pub(super) fn look(path: &Path) -> Result<Found, UnpackError> {
    let (file, bytes) = open(path).map_err(UnpackError::Source)?;
    let manifest = container::manifest(BufReader::new(file))?;
    Ok(Found { path: path.to_owned(), bytes, manifest })
}

/// Opens a snapshot and gives its size. Whoever names a pipe or a device would wait for ever.
pub(super) fn open(path: &Path) -> io::Result<(File, u64)> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
    }
    Ok((file, metadata.len()))
}
