//! Elsewhere: a directory that a daemon can be run on with `TINKERBELL_HOME`.

use super::RestoreError;
use super::disk::{Disk, Point};
use super::held::Held;
use super::staging::{Source, Wanted, stage};
use crate::snapshots::container::Passphrase;
use crate::snapshots::restore::Chosen;
use std::path::{Path, PathBuf};
use wire::snapshot::{CONFIG, Manifest};

/// A state that lies elsewhere.
#[derive(Debug)]
pub struct Elsewhere {
    /// Of which snapshot.
    pub manifest: Manifest,
    /// The directory, for `TINKERBELL_HOME`.
    pub home: PathBuf,
    /// What is in it.
    pub held: Held,
}

/// Unpacks a snapshot into a directory that is not there or empty. It is there wholly or not at all.
pub fn restore_to(
    home: &Path,
    chosen: &Chosen,
    passphrase: Option<&str>,
    wanted: Wanted<'_>,
    point: Point<'_>,
) -> Result<Elsewhere, RestoreError> {
    let disk = Disk::new(point);
    let home = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
    let occupied = match std::fs::read_dir(&home) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => home.symlink_metadata().is_ok(),
    };
    let (Some(parent), Some(name)) = (home.parent(), home.file_name()) else {
        return Err(RestoreError::Occupied(home));
    };
    if occupied {
        return Err(RestoreError::Occupied(home));
    }
    let fresh = parent.join(format!(".{}.restore", name.to_string_lossy()));
    let restored = fill(&fresh, chosen, passphrase, wanted, disk).and_then(|filled| {
        disk.rename(&fresh, &home)?;
        disk.sync_directory(parent)?;
        Ok(filled)
    });
    match restored {
        Ok((manifest, held)) => Ok(Elsewhere { manifest, home, held }),
        Err(error) => {
            // The error counts; what cannot be taken away now is hidden, private and in nobody's way.
            let _ = std::fs::remove_dir_all(&fresh);
            Err(error)
        }
    }
}

fn fill(
    fresh: &Path,
    chosen: &Chosen,
    passphrase: Option<&str>,
    wanted: Wanted<'_>,
    disk: Disk<'_>,
) -> Result<(Manifest, Held), RestoreError> {
    disk.remove_tree(fresh)?;
    disk.make_directory(fresh)?;
    let passphrase = passphrase.map(Passphrase::new);
    let source = Source::of(chosen, passphrase.as_ref(), wanted);
    let state = fresh.join("state");
    let (unpacked, held) = stage(&source, &state, disk)?;
    let config = state.join(CONFIG);
    if config.exists() {
        disk.rename(&config, &fresh.join(CONFIG))?;
    }
    chosen.roots.leave(&state, disk)?;
    disk.sync_directory(&state)?;
    disk.sync_directory(fresh)?;
    Ok((unpacked.manifest, held))
}
