//! Directories around the files of a plan: made for files that come, removed behind files that go, synced.

use super::execute::{Run, Stage, spot};
use crate::worktree::WorkTreeError;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode as Permissions};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::io;
use wire::RelPath;
use wire::body::PlannedFile;

impl<'a> Run<'a> {
    pub(super) fn make_directory(&mut self, directory: Option<&RelPath>) -> Result<OwnedFd, WorkTreeError> {
        if let Some(opened) = self.tree.directory_to_write(directory)? {
            return Ok(opened);
        }
        let path = directory.expect("the workspace itself is open, so it is there");
        let above = self.make_directory(path.parent().as_ref())?;
        match rustix::fs::mkdirat(&above, path.name(), Permissions::from_raw_mode(0o777)) {
            Ok(()) => {
                self.made.insert(path.clone());
                (self.stage)(Stage::Directory(path));
            }
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(WorkTreeError::io("making the directory", path, errno.into())),
        }
        self.tree.directory_to_write(directory)?.ok_or_else(|| WorkTreeError::NotADirectory(path.clone()))
    }

    pub(super) fn in_place_of_deleted(&self, path: &RelPath) -> bool {
        let deleted = |file: &PlannedFile| file.change.after.is_none() && file.change.path != *path;
        self.plan.files.iter().any(|file| deleted(file) && path.is_at_or_below(&file.change.path))
    }

    /// Removes the directories above `path` that can only be ours: made in this run, or standing in the place of a
    /// file that the plan deletes.
    pub(super) fn remove_made_directories(&mut self, path: &RelPath) {
        let is_deleted = |above: &RelPath| {
            self.plan.files.iter().any(|f| f.change.after.is_none() && above.is_at_or_below(&f.change.path))
        };
        let ours = |above: &RelPath| self.made.contains(above) || is_deleted(above);
        self.remove_while_empty(path, &ours);
    }

    pub(super) fn remove_empty_directories(&self, path: &RelPath) {
        self.remove_while_empty(path, &|_| true);
    }

    /// A directory that is not empty stays: that is what the kernel says, and no error.
    fn remove_while_empty(&self, path: &RelPath, may: &dyn Fn(&RelPath) -> bool) {
        for above in std::iter::successors(path.parent(), RelPath::parent) {
            if !may(&above) {
                return;
            }
            let Ok(Some(directory)) = self.tree.directory_to_write(above.parent().as_ref()) else { return };
            if rustix::fs::unlinkat(&directory, above.name(), AtFlags::REMOVEDIR).is_err() {
                return;
            }
        }
    }

    /// Syncs every directory in which a name may have changed: those of the files, and all above files that were
    /// created or deleted, since directories may have been made or removed with them, by us or by a killed attempt.
    pub(super) fn sync(&self) -> Result<(), (RelPath, io::Error)> {
        let mut directories = BTreeMap::new();
        for PlannedFile { change, .. } in &self.plan.files {
            let path = &change.path;
            let replaced = change.before.is_some() && change.after.is_some();
            let above = std::iter::successors(path.parent(), RelPath::parent).map(Some).chain([None]);
            directories.extend(above.take(if replaced { 1 } else { usize::MAX }).map(|directory| (directory, path)));
        }
        for (directory, path) in directories {
            let failed = |error: io::Error| (path.clone(), error);
            match self.tree.directory_to_write(directory.as_ref()) {
                Ok(Some(opened)) => rustix::fs::fsync(&opened).map_err(|errno| failed(errno.into()))?,
                Ok(None) | Err(WorkTreeError::NotADirectory(_) | WorkTreeError::BehindLink(_)) => {}
                Err(error) => return Err(failed(io::Error::other(error))),
            }
        }
        Ok(())
    }

    /// Files that the plan deletes below `path`.
    pub(super) fn deleted_below(&self, path: &RelPath) -> impl Iterator<Item = &'a PlannedFile> {
        let below = move |file: &&PlannedFile| file.change.path != *path && file.change.path.is_at_or_below(path);
        self.plan.files.iter().filter(|file| file.change.after.is_none()).filter(below)
    }

    /// Where a file takes the place of a directory: removes what was deleted in it and the directories that are empty
    /// then. The journal has the bytes, so that all of it can come back.
    pub(super) fn make_room(&mut self, path: &RelPath) {
        let deleted: Vec<_> = self.deleted_below(path).collect();
        for file in deleted {
            if let Ok(Some(directory)) = self.directory(file)
                && self.clear(file, &spot(file, &directory)).is_ok()
            {
                self.remove_while_empty(&file.change.path, &|above| above.is_at_or_below(path));
            }
        }
    }
}
