//! What a disk would hold: for each file the bytes that are durable, and the changes that are not yet.

use super::Crash;
use crate::Rng;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A power cut keeps or loses whole sectors.
const SECTOR_BYTES: usize = 512;

/// All files that went through the VFS.
#[derive(Default)]
pub(super) struct Disk {
    files: BTreeMap<PathBuf, File>,
    /// Whether files are read and written here, and the real ones only follow.
    in_memory: bool,
}

#[derive(Default)]
struct File {
    /// What a power cut cannot take; `None` if not even the name is durable.
    durable: Option<Vec<u8>>,
    /// What was durable when the file was deleted without a sync of its directory: it may come back.
    ghost: Option<Vec<u8>>,
    /// Changes since the last sync, in order.
    pending: Vec<Change>,
    /// Whether the file exists for whoever looks now.
    exists: bool,
    /// Whether the next sync makes the directory durable too, as the unix VFS does for a new journal or log.
    syncs_directory: bool,
    /// What whoever looks now sees, where files are in memory.
    now: Vec<u8>,
    /// Which of its bytes the real file does not have yet.
    behind: Range<usize>,
}

enum Change {
    Write {
        offset: usize,
        bytes: Vec<u8>,
        /// Lost by a failed sync: no later sync makes it durable.
        lost: bool,
    },
    Cut(usize),
}

impl Disk {
    /// An empty disk whose files are in memory.
    pub(super) fn in_memory() -> Disk {
        Disk { in_memory: true, ..Disk::default() }
    }

    /// A file that was durable before.
    pub(super) fn adopt(&mut self, path: PathBuf, bytes: Vec<u8>) {
        let now = if self.in_memory { bytes.clone() } else { Vec::new() };
        self.files.insert(path, File { durable: Some(bytes), exists: true, now, ..File::default() });
    }

    /// What a file holds, where files are in memory.
    pub(super) fn now(&self, path: &Path) -> Option<&[u8]> {
        self.files.get(path).filter(|_| self.in_memory).map(|file| &file.now[..])
    }

    /// What the real file does not have yet, and where it goes: from now on it has it.
    pub(super) fn catch_up(&mut self, path: &Path) -> Option<(usize, &[u8])> {
        let file = self.files.get_mut(path).filter(|file| !file.behind.is_empty())?;
        let behind = std::mem::take(&mut file.behind);
        Some((behind.start, &file.now[behind]))
    }

    /// Whether the file is known here.
    pub(super) fn knows(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// A file was opened, and made if it was not there; `before` is what it held when it was first seen.
    pub(super) fn opened(&mut self, path: &Path, before: Option<Vec<u8>>, new_log: bool) {
        let now = before.clone().filter(|_| self.in_memory).unwrap_or_default();
        let fresh = || File { durable: before, now, ..File::default() };
        let file = self.files.entry(path.to_owned()).or_insert_with(fresh);
        (file.exists, file.syncs_directory) = (true, new_log);
    }

    /// A file was deleted; `synced` says that its directory was synced afterwards.
    pub(super) fn deleted(&mut self, path: &Path, synced: bool) {
        if let Some(file) = self.files.get_mut(path) {
            file.exists = false;
            file.pending.clear();
            (file.now, file.behind) = (Vec::new(), 0..0);
            let durable = file.durable.take();
            file.ghost = durable.filter(|_| !synced);
        }
    }

    /// Bytes were written.
    pub(super) fn wrote(&mut self, path: &Path, offset: usize, bytes: &[u8]) {
        self.change(path, Change::Write { offset, bytes: bytes.to_vec(), lost: false });
    }

    /// The file was shortened.
    pub(super) fn cut(&mut self, path: &Path, size: usize) {
        self.change(path, Change::Cut(size));
    }

    fn change(&mut self, path: &Path, change: Change) {
        let Some(file) = self.files.get_mut(path) else { return };
        if self.in_memory {
            change.apply_whole(&mut file.now);
            file.behind = match &change {
                Change::Cut(size) => file.behind.start.min(*size)..file.behind.end.min(*size),
                Change::Write { offset, bytes, .. } if file.behind.is_empty() => *offset..offset + bytes.len(),
                Change::Write { offset, bytes, .. } => {
                    file.behind.start.min(*offset)..file.behind.end.max(offset + bytes.len())
                }
            };
        }
        file.pending.push(change);
    }

    /// A sync failed in such a way that what it should have written never will be.
    pub(super) fn lose_unsynced(&mut self, path: &Path) {
        for change in self.files.get_mut(path).into_iter().flat_map(|file| &mut file.pending) {
            if let Change::Write { lost, .. } = change {
                *lost = true;
            }
        }
    }

    /// A sync made everything durable, apart from what an earlier one lost.
    pub(super) fn synced(&mut self, path: &Path) {
        let Some(file) = self.files.get_mut(path) else { return };
        let mut bytes = file.durable.take().unwrap_or_default();
        for change in file.pending.drain(..) {
            if !matches!(change, Change::Write { lost: true, .. }) {
                change.apply_whole(&mut bytes);
            }
        }
        (file.durable, file.ghost) = (Some(bytes), None);
        if std::mem::take(&mut file.syncs_directory) {
            self.files.values_mut().for_each(|file| file.ghost = None);
        }
    }

    /// What is left after a crash, by file name.
    pub(super) fn left(&self, crash: Crash, rng: &mut Rng) -> io::Result<Vec<(OsString, Vec<u8>)>> {
        let mut left = Vec::new();
        for (path, file) in &self.files {
            let bytes = match crash {
                Crash::Kill if self.in_memory => file.exists.then(|| file.now.clone()),
                Crash::Kill => file.exists.then(|| std::fs::read(path)).transpose()?,
                Crash::DropUnsynced => file.durable.clone(),
                Crash::KeepAll => file.exists.then(|| file.with_pending(|_| true)),
                Crash::Mixed(_) => file.mixed(rng),
            };
            left.extend(bytes.map(|bytes| (path.file_name().unwrap_or_default().to_owned(), bytes)));
        }
        Ok(left)
    }
}

impl File {
    fn with_pending(&self, mut kept: impl FnMut(usize) -> bool) -> Vec<u8> {
        let mut bytes = self.durable.clone().unwrap_or_default();
        self.pending.iter().for_each(|change| change.apply(&mut bytes, &mut kept));
        bytes
    }

    /// Some of everything: a deletion or a creation that did or did not reach the disk, and single sectors.
    fn mixed(&self, rng: &mut Rng) -> Option<Vec<u8>> {
        let mut coin = |percent: u64| rng.below(100) < percent;
        match (&self.durable, &self.ghost) {
            (None, Some(ghost)) if coin(50) => return Some(ghost.clone()),
            (None, _) if !self.exists || coin(50) => return None,
            _ => {}
        }
        let percent = [10, 50, 90][rng.below(3) as usize];
        Some(self.with_pending(|_| rng.below(100) < percent))
    }
}

impl Change {
    /// Applies all of the change to `bytes`.
    fn apply_whole(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Cut(size) => bytes.resize(*size, 0),
            Change::Write { offset, bytes: written, .. } => {
                let end = offset + written.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*offset..end].copy_from_slice(written);
            }
        }
    }

    /// Applies the change to `bytes`, each sector only if `kept` says so.
    fn apply(&self, bytes: &mut Vec<u8>, mut kept: impl FnMut(usize) -> bool) {
        match self {
            Change::Cut(size) => {
                if kept(*size) {
                    bytes.resize(*size, 0);
                }
            }
            Change::Write { offset, bytes: written, .. } => {
                let (mut at, end) = (*offset, offset + written.len());
                while at < end {
                    let stop = ((at / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
                    if kept(at) {
                        bytes.resize(bytes.len().max(stop), 0);
                        bytes[at..stop].copy_from_slice(&written[at - offset..stop - offset]);
                    }
                    at = stop;
                }
            }
        }
    }
}
