//! In place: the state that is there goes aside, and another one comes in.

use super::RestoreError;
use super::disk::{Disk, Point};
use super::held::Held;
use super::intent::Intent;
use super::roots;
use super::staging::{Source, Wanted, stage};
use crate::clock;
use crate::snapshots::container::Passphrase;
use crate::snapshots::restore::Chosen;
use agent::Micros;
use std::io;
use std::path::{Path, PathBuf};
use wire::snapshot::{ARCHIVE, CONFIG, JOURNAL, KEYS, Manifest};

/// Where a snapshot is unpacked, in the state directory.
const STAGED: &str = "restore.new";
/// Before the time, in the name of what was replaced.
const ASIDE: &str = "before-restore-";
/// How many replaced states are kept.
const KEPT: usize = 3;
/// What makes up a state in its directory, kept keys apart: the journal first, then all that belongs to it or is made
/// from it.
const STATE: [&str; 11] = [
    JOURNAL,
    roots::FILE,
    "journal.db-wal",
    "journal.db-shm",
    "journal.db-journal",
    "search.db",
    "search.db-wal",
    "search.db-shm",
    "search.db-journal",
    "canvas",
    ARCHIVED,
];
/// The directory of archived sessions.
const ARCHIVED: &str = "archive";

/// A state that is in place.
#[derive(Debug)]
pub struct Restored {
    /// Of which snapshot; `None` where a replaced state was put back.
    pub manifest: Option<Manifest>,
    /// What is in it, where that is a snapshot's state.
    pub held: Option<Held>,
    /// Where that lies which was there before; `None` if there was nothing.
    pub aside: Option<PathBuf>,
    /// Older ones of its kind that were taken away, because only some are kept.
    pub dropped: Vec<PathBuf>,
}

/// What a kill had left of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// Nothing.
    Nothing,
    /// One that did not count yet; it is gone.
    Undone,
    /// One that counted; it is done.
    Done,
}

/// Brings a restore that was killed to its end. Every start and every restore begins with this.
pub fn finish(state_dir: &Path) -> Result<Finished, RestoreError> {
    finish_at(state_dir, Disk::new(&|_| {}))
}

/// The same, with points.
#[cfg(test)]
pub(in crate::snapshots) fn finish_with(state_dir: &Path, point: Point<'_>) -> Result<Finished, RestoreError> {
    finish_at(state_dir, Disk::new(point))
}

fn finish_at(state_dir: &Path, disk: Disk<'_>) -> Result<Finished, RestoreError> {
    if let Some(intent) = Intent::read(state_dir)? {
        carry_out(state_dir, &intent, disk)?;
        return Ok(Finished::Done);
    }
    let staged = state_dir.join(STAGED);
    if staged.symlink_metadata().is_err() {
        return Ok(Finished::Nothing);
    }
    disk.remove_tree(&staged)?;
    Ok(Finished::Undone)
}

/// Puts a snapshot in the place of the state. The caller holds the daemon's lock on it. Once it counts it is done to its
/// end, wanted or not.
pub fn restore(
    state_dir: &Path,
    chosen: &Chosen,
    passphrase: Option<&str>,
    wanted: Wanted<'_>,
    point: Point<'_>,
) -> Result<Restored, RestoreError> {
    let disk = Disk::new(point);
    finish_at(state_dir, disk)?;
    let passphrase = passphrase.map(Passphrase::new);
    let source = Source::of(chosen, passphrase.as_ref(), wanted);
    let staged = state_dir.join(STAGED);
    let (unpacked, held) = match stage(&source, &staged, disk) {
        Ok(staged) => staged,
        Err(error) => {
            // The error counts; what cannot be taken away now goes at the next start.
            let _ = std::fs::remove_dir_all(&staged);
            return Err(error);
        }
    };
    // The configuration is in it for reference; the one that is there stays.
    let files = unpacked.manifest.files.iter().map(|file| file.name.clone());
    let mut entries: Vec<String> =
        files.filter(|name| name != CONFIG && name != JOURNAL && !name.starts_with(ARCHIVE)).collect();
    // Archived sessions belong to their journal, all of them.
    if unpacked.manifest.files.iter().any(|file| file.name.starts_with(ARCHIVE)) {
        entries.push(ARCHIVED.to_owned());
    }
    if chosen.roots.leave(&staged, disk)? {
        disk.sync_directory(&staged)?;
        entries.push(roots::FILE.to_owned());
    }
    entries.push(JOURNAL.to_owned());
    let restored = exchange(state_dir, STAGED, entries, disk)?;
    Ok(Restored { manifest: Some(unpacked.manifest), held: Some(held), ..restored })
}

/// Puts a state back that is kept under this name; what is there now goes aside in turn.
pub fn undo(state_dir: &Path, name: &str, point: Point<'_>) -> Result<Restored, RestoreError> {
    let disk = Disk::new(point);
    finish_at(state_dir, disk)?;
    if !kept(state_dir)?.iter().any(|kept| kept == name) {
        return Err(RestoreError::NothingKept(state_dir.join(name)));
    }
    let directory = state_dir.join(name);
    let mut entries = Vec::new();
    for name in names(&directory)? {
        match name.as_str() {
            JOURNAL => {}
            "keys" => entries.extend(names(&directory.join("keys"))?.into_iter().map(|key| format!("{KEYS}{key}"))),
            _ => entries.push(name),
        }
    }
    entries.push(JOURNAL.to_owned());
    exchange(state_dir, name, entries, disk)
}

fn exchange(state_dir: &Path, staged: &str, entries: Vec<String>, disk: Disk<'_>) -> Result<Restored, RestoreError> {
    let aside = fresh_aside(&set_aside(state_dir)?, clock::now());
    disk.sync_directory(state_dir)?;
    let intent = Intent::new(staged, &aside, entries);
    intent.write(state_dir, disk)?;
    carry_out(state_dir, &intent, disk)?;
    let mut kept = set_aside(state_dir)?;
    let mut dropped = Vec::new();
    while kept.len() > KEPT {
        let path = state_dir.join(kept.remove(0));
        disk.remove_tree(&path)?;
        dropped.push(path);
    }
    let aside = Some(state_dir.join(aside)).filter(|aside| aside.join(JOURNAL).exists());
    Ok(Restored { manifest: None, held: None, aside, dropped })
}

/// Does what an intent says, from wherever it was left. What is still staged was not moved in; as long as the journal is
/// staged, all that the state has is of the old one, apart from what was moved in already.
fn carry_out(state_dir: &Path, intent: &Intent, disk: Disk<'_>) -> Result<(), RestoreError> {
    let (staged, aside) = (state_dir.join(&intent.staged), state_dir.join(&intent.aside));
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    if is_there(&staged.join(JOURNAL)) {
        disk.make_directory(&aside)?;
        let is_new = |name: &str| intent.entries.iter().any(|entry| entry == name);
        let mut replaced: Vec<&str> = STATE.into_iter().filter(|name| !is_new(name)).collect();
        replaced.extend(intent.entries.iter().map(String::as_str).filter(|name| is_there(&staged.join(name))));
        for name in replaced {
            let old = state_dir.join(name);
            if is_there(&old) {
                if name.starts_with(KEYS) {
                    disk.make_directory(&aside.join("keys"))?;
                }
                disk.rename(&old, &aside.join(name))?;
            }
        }
        sync_all(&[&aside.join("keys"), &aside, &state_dir.join("keys"), state_dir], disk)?;
        for name in intent.entries.iter().filter(|name| is_there(&staged.join(name))) {
            if name == JOURNAL {
                // It comes last, and after all else is sure to be there.
                sync_all(&[&state_dir.join("keys"), state_dir, &staged], disk)?;
            } else if name.starts_with(KEYS) {
                disk.make_directory(&state_dir.join("keys"))?;
            }
            disk.rename(&staged.join(name), &state_dir.join(name))?;
        }
    }
    disk.sync_directory(state_dir)?;
    disk.remove_tree(&staged)?;
    Intent::remove(state_dir, disk)
}

fn sync_all(directories: &[&Path], disk: Disk<'_>) -> Result<(), RestoreError> {
    directories.iter().filter(|path| path.is_dir()).try_for_each(|path| disk.sync_directory(path))
}

/// A name for what is replaced at such a time, after all that are kept: what was replaced last is put back first, and goes
/// last, also where the clock was ahead when the others got their names.
fn fresh_aside(kept: &[String], at: Micros) -> String {
    let time: String = wire::time::write(at).chars().filter(char::is_ascii_alphanumeric).collect();
    let name = format!("{ASIDE}{time}");
    match kept.last().filter(|last| **last >= name) {
        Some(last) => format!("{last}-2"),
        None => name,
    }
}

/// The names of the replaced states that are kept and can be put back, oldest first.
pub fn kept(state_dir: &Path) -> Result<Vec<String>, RestoreError> {
    let mut kept = set_aside(state_dir)?;
    // A state that never was has no journal; then there is nothing that could be put back.
    kept.retain(|name| state_dir.join(name).join(JOURNAL).symlink_metadata().is_ok());
    Ok(kept)
}

/// All that restores have put aside, oldest first.
fn set_aside(state_dir: &Path) -> Result<Vec<String>, RestoreError> {
    let mut aside = names(state_dir)?;
    aside.retain(|name| is_aside(name));
    Ok(aside)
}

/// Whether a name is that of a replaced state.
pub(super) fn is_aside(name: &str) -> bool {
    name.starts_with(ASIDE)
}

fn names(directory: &Path) -> Result<Vec<String>, RestoreError> {
    let failed = |error: io::Error| RestoreError::Io { what: "list", path: directory.to_owned(), error };
    let mut names = Vec::new();
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_replaced_last_has_the_last_name_whatever_the_clock_says() {
        let mut names: Vec<String> = Vec::new();
        for days in [500, 500, 500, 3, 2, 600, 1, 1] {
            names.push(fresh_aside(&names, Micros(days * 24 * 3600 * 1_000_000)));
        }
        assert!(names.is_sorted() && names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
    }
}
