//! What a restore is about to do, written before it does anything: from then on it is done, by whoever comes next.

use super::RestoreError;
use super::disk::Disk;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// The version of the file.
const FORMAT: u32 = 1;

/// The intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Intent {
    format: u32,
    /// The directory, in the state directory, with what is to be moved in.
    pub(super) staged: String,
    /// The directory, in the state directory, to which goes what is there now.
    pub(super) aside: String,
    /// What is moved in, in this order; the journal is last.
    pub(super) entries: Vec<String>,
}

impl Intent {
    pub(super) fn new(staged: &str, aside: &str, entries: Vec<String>) -> Intent {
        Intent { format: FORMAT, staged: staged.to_owned(), aside: aside.to_owned(), entries }
    }

    /// Writes it down: the moment from which on the new state counts.
    pub(super) fn write(&self, state_dir: &Path, disk: Disk<'_>) -> Result<(), RestoreError> {
        disk.write(&path(state_dir), &serde_json::to_vec(self).expect("an intent is plain data"))?;
        disk.sync_directory(state_dir)
    }

    /// The intent of a restore that did not come to its end, if there is one.
    pub(super) fn read(state_dir: &Path) -> Result<Option<Intent>, RestoreError> {
        let path = path(state_dir);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RestoreError::Intent { path, detail: error.to_string() }),
        };
        let wrong = |detail: String| RestoreError::Intent { path: path.clone(), detail };
        let intent: Intent = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        let strange =
            intent.entries.iter().chain([&intent.staged, &intent.aside]).find(|name| !is_inner(name)).cloned();
        match strange {
            Some(name) => Err(wrong(format!("{name:?} is no name"))),
            None if intent.format != FORMAT => Err(wrong(format!("it has format {}", intent.format))),
            None => Ok(Some(intent)),
        }
    }

    /// All is done.
    pub(super) fn remove(state_dir: &Path, disk: Disk<'_>) -> Result<(), RestoreError> {
        disk.remove_file(&path(state_dir))?;
        disk.sync_directory(state_dir)
    }
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("restore.json")
}

/// Whether a name stays within the directory.
fn is_inner(name: &str) -> bool {
    let path = Path::new(name);
    !name.is_empty() && path.components().all(|part| matches!(part, std::path::Component::Normal(_)))
}
