//! Doing what a plan says, and taking it back when it cannot be done wholly.

use super::judge::{AtPath, AtTemporary, Standing, judge};
use super::spot::{Renaming, Spot, Swap, blob_failed, limit_of};
use crate::blobs::Blobs;
use crate::worktree::{WorkTree, WorkTreeError};
use agent::AcceptOutcome;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode as Permissions};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use wire::body::{AcceptEnd, AcceptPlan, PlannedFile};
use wire::{FileState, RelPath};

/// How an accept ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The outcome, for the event.
    pub outcome: AcceptOutcome,
    /// The event's body.
    pub end: AcceptEnd,
}

/// A plan could be neither carried out nor taken back: files are in different states, each whole. The accept stays
/// open; [`verify`] settles it once the cause is gone.
#[derive(Debug, thiserror::Error)]
#[error("the accept stopped at {path} and cannot be taken back now ({source}); when that is mended, it is settled at the next start")]
pub struct AcceptError {
    /// The file.
    pub path: RelPath,
    /// Why.
    pub source: io::Error,
}

/// What was just done. For progress, and for tests that stop the world here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage<'a> {
    /// A directory was made.
    Directory(&'a RelPath),
    /// The temporary name of this file exists.
    Begun(&'a RelPath),
    /// The new bytes are at the temporary name, synced.
    Written(&'a RelPath),
    /// The names were exchanged.
    Exchanged(&'a RelPath),
    /// What came out is what the plan said.
    Checked(&'a RelPath),
    /// The directories are synced: from here on the accept is done.
    Synced,
    /// The temporary name is gone.
    Cleared(&'a RelPath),
    /// The file is as it was.
    TakenBack(&'a RelPath),
}

/// Carries a plan out, for the first time. A file that is as planned already was made so by somebody else, and is not
/// touched, whatever the outcome is.
pub fn execute(
    tree: &WorkTree,
    plan: &AcceptPlan,
    blobs: &Blobs,
    stage: &mut dyn FnMut(Stage<'_>),
) -> Result<Accepted, AcceptError> {
    Run::new(tree, plan, blobs, stage).settle()
}

/// Settles a plan whose execution was killed: carries it out to its end or, where the work tree no longer allows it,
/// takes it back. What was done already is not done again, so it may be called, and killed, any number of times.
pub fn verify(tree: &WorkTree, plan: &AcceptPlan, blobs: &Blobs) -> Result<Accepted, AcceptError> {
    Run { resumed: true, ..Run::new(tree, plan, blobs, &mut |_| {}) }.settle()
}

struct Run<'a> {
    tree: &'a WorkTree,
    plan: &'a AcceptPlan,
    blobs: &'a Blobs,
    stage: &'a mut dyn FnMut(Stage<'_>),
    renaming: Renaming,
    /// Whether an earlier attempt may have done something.
    resumed: bool,
    /// Files that somebody else had brought to where the plan wants them.
    by_others: BTreeSet<RelPath>,
    /// Directories that this run made.
    made: BTreeSet<RelPath>,
    /// What people should know whatever the outcome is.
    notes: Vec<String>,
}

/// Why a plan is not carried out.
struct Stop {
    outcome: AcceptOutcome,
    path: RelPath,
    message: String,
}

impl<'a> Run<'a> {
    fn new(tree: &'a WorkTree, plan: &'a AcceptPlan, blobs: &'a Blobs, stage: &'a mut dyn FnMut(Stage<'_>)) -> Run<'a> {
        let (by_others, made, notes) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        Run { tree, plan, blobs, stage, renaming: Renaming::Atomic, resumed: false, by_others, made, notes }
    }

    fn settle(mut self) -> Result<Accepted, AcceptError> {
        match self.forward() {
            Ok(()) => {
                self.clean_up();
                let bases = self.plan.files.iter().map(|file| file.change.clone()).collect();
                let end = AcceptEnd { bases, message: self.message(None), path: None };
                Ok(Accepted { outcome: AcceptOutcome::Done, end })
            }
            Err(stop) => {
                self.back()?;
                let (message, path) = (self.message(Some(stop.message)), Some(stop.path));
                Ok(Accepted { outcome: stop.outcome, end: AcceptEnd { bases: Vec::new(), message, path } })
            }
        }
    }

    /// Brings every file to where the plan wants it, durably.
    fn forward(&mut self) -> Result<(), Stop> {
        let plan = self.plan;
        let mut waiting = Vec::new();
        for file in &plan.files {
            check_name(file)?;
            match self.standing(file)? {
                Standing::Exchanged if self.resumed => {}
                Standing::Exchanged => drop(self.by_others.insert(file.change.path.clone())),
                Standing::Waiting => waiting.push(file),
                Standing::InTheWay | Standing::BroughtOut => return Err(changed(file)),
            }
        }
        let (deleted, written): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|file| file.change.after.is_none());
        // What needs the place of a file that goes has to wait until it is gone; all else is written first, so that a
        // full disk is met before anything was exchanged.
        let (late, early): (Vec<_>, Vec<_>) = written.iter().partition(|file| self.in_place_of_deleted(&file.change.path));
        for file in early {
            self.prepare(file, file.change.after)?;
        }
        for file in deleted {
            self.exchange(file)?;
        }
        for file in late {
            self.prepare(file, file.change.after)?;
        }
        for file in written {
            self.exchange(file)?;
        }
        self.sync().map_err(|(path, error)| stop(AcceptOutcome::Failed, &path, format!("syncing failed: {error}")))?;
        (self.stage)(Stage::Synced);
        Ok(())
    }

    fn prepare(&mut self, file: &PlannedFile, wanted: Option<FileState>) -> Result<(), Stop> {
        let Some(wanted) = wanted else { return Ok(()) };
        let path = &file.change.path;
        let directory = self.make_directory(path.parent().as_ref()).map_err(|error| match error {
            WorkTreeError::NotADirectory(above) => {
                stop(AcceptOutcome::Conflict, path, format!("{above} is not a directory in the work tree"))
            }
            error => stop(AcceptOutcome::Failed, path, error.to_string()),
        })?;
        self.write(file, &directory, wanted).map_err(|error| failed(file, "writing a temporary file for", &error))?;
        (self.stage)(Stage::Written(path));
        Ok(())
    }

    fn write(&mut self, file: &PlannedFile, directory: &OwnedFd, wanted: FileState) -> io::Result<()> {
        let spot = spot(file, directory);
        if let AtTemporary::Known { .. } = spot.at_temporary(&file.change, self.blobs)? {
            spot.clear()?;
        }
        let contents = self.blobs.contents(&wanted).map_err(blob_failed)?;
        let stage = &mut self.stage;
        spot.prepare(&contents, &mut || stage(Stage::Begun(&file.change.path)))
    }

    fn exchange(&mut self, file: &PlannedFile) -> Result<(), Stop> {
        let change = &file.change;
        let directory = self.tree.directory_to_write(change.path.parent().as_ref());
        let Some(directory) = directory.map_err(|error| stop(AcceptOutcome::Failed, &change.path, error.to_string()))?
        else {
            return Err(changed(file));
        };
        let spot = spot(file, &directory);
        if change.before.is_none() {
            self.make_room(&change.path);
        } else if change.after.is_none() {
            self.clear(file, &spot).map_err(|error| failed(file, "clearing the temporary name of", &error))?;
        }
        let stage = &mut self.stage;
        let mut between = || stage(Stage::Exchanged(&change.path));
        match spot.swap(change.before, change.after, &mut self.renaming, &mut between) {
            Ok(Swap::Done) => {
                (self.stage)(Stage::Checked(&change.path));
                Ok(())
            }
            Ok(Swap::Refused) => Err(changed(file)),
            Err(error) => Err(failed(file, "exchanging", &error)),
        }
    }

    /// Brings every file to where it was, durably.
    fn back(&mut self) -> Result<(), AcceptError> {
        let plan = self.plan;
        for file in plan.files.iter().rev().filter(|file| check_name(file).is_ok()) {
            let path = &file.change.path;
            if self.by_others.contains(path) {
                continue;
            }
            self.take_back(file).map_err(|source| AcceptError { path: path.clone(), source })?;
            self.remove_made_directories(path);
            (self.stage)(Stage::TakenBack(path));
        }
        self.sync().map_err(|(path, source)| AcceptError { path, source })
    }

    fn take_back(&mut self, file: &PlannedFile) -> io::Result<()> {
        let change = &file.change;
        let directory = match self.directory(file)? {
            Some(directory) => directory,
            // It went with the last file in it, or a file took its place.
            None if change.before.is_some() => match self.make_directory(change.path.parent().as_ref()) {
                Ok(directory) => directory,
                Err(WorkTreeError::NotADirectory(_) | WorkTreeError::BehindLink(_)) => {
                    self.note_left(file);
                    return Ok(());
                }
                Err(error) => return Err(io::Error::other(error)),
            },
            None => return Ok(()),
        };
        let spot = spot(file, &directory);
        let path = spot.at_path(limit_of(change))?;
        let temporary = spot.at_temporary(change, self.blobs)?;
        let swapped = match judge(change.before, change.after, path, temporary) {
            Standing::Waiting | Standing::InTheWay => Swap::Done,
            Standing::BroughtOut => spot.put_back(change.after.is_some(), &mut self.renaming)?,
            Standing::Exchanged if !path.is(change.after) => Swap::Refused,
            Standing::Exchanged => {
                match (change.before, temporary) {
                    (Some(_), AtTemporary::Known { old: true, .. }) => {}
                    (Some(before), _) => self.write(file, &directory, before)?,
                    (None, _) => self.clear(file, &spot)?,
                }
                spot.swap(change.after, change.before, &mut self.renaming, &mut || {})?
            }
        };
        if swapped == Swap::Refused {
            self.note_left(file);
        }
        self.clear(file, &spot)
    }

    fn note_left(&mut self, file: &PlannedFile) {
        self.notes.push(format!("{} was changed while it was being accepted and is left as it is", file.change.path));
    }

    /// After the plan is done. What fails here leaves a temporary file behind and changes nothing of the outcome.
    fn clean_up(&mut self) {
        let plan = self.plan;
        for file in &plan.files {
            let path = &file.change.path;
            let cleared = match self.directory(file) {
                Ok(Some(directory)) => self.clear(file, &spot(file, &directory)),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = cleared {
                self.notes.push(format!("a temporary file {} was left beside {path}: {error}", file.temporary));
            }
            if file.change.after.is_none() {
                self.remove_empty_directories(path);
            }
            (self.stage)(Stage::Cleared(path));
        }
        if let Err((path, error)) = self.sync() {
            self.notes.push(format!("temporary files beside {path} may come back after a power cut: {error}"));
        }
    }

    /// Removes the temporary name if the journal knows what is there.
    fn clear(&mut self, file: &PlannedFile, spot: &Spot<'_>) -> io::Result<()> {
        match spot.at_temporary(&file.change, self.blobs)? {
            AtTemporary::Nothing => Ok(()),
            AtTemporary::Known { .. } => spot.clear(),
            AtTemporary::Alien => {
                let (path, name) = (&file.change.path, &file.temporary);
                self.notes.push(format!("what was saved at {path} in between is kept beside it as {name}"));
                Ok(())
            }
        }
    }

    fn standing(&self, file: &PlannedFile) -> Result<Standing, Stop> {
        let change = &file.change;
        let look = |directory: OwnedFd| {
            let spot = spot(file, &directory);
            Ok((spot.at_path(limit_of(change))?, spot.at_temporary(change, self.blobs)?))
        };
        let (path, temporary) = match self.tree.directory_to_write(change.path.parent().as_ref()) {
            Ok(Some(directory)) => look(directory).map_err(|error| failed(file, "looking at", &error))?,
            Ok(None) | Err(WorkTreeError::NotADirectory(_)) => (AtPath::Nothing, AtTemporary::Nothing),
            Err(error) => return Err(stop(AcceptOutcome::Failed, &change.path, error.to_string())),
        };
        // A directory of which the plan deletes files makes room for the file, if nothing else is in it.
        let makes_room = path == AtPath::Directory && self.deleted_below(&change.path).next().is_some();
        let path = if makes_room && change.before.is_none() { AtPath::Nothing } else { path };
        Ok(judge(change.before, change.after, path, temporary))
    }

    /// Files that the plan deletes below `path`.
    fn deleted_below(&self, path: &RelPath) -> impl Iterator<Item = &'a PlannedFile> {
        let below = move |file: &&PlannedFile| file.change.path != *path && file.change.path.is_at_or_below(path);
        self.plan.files.iter().filter(|file| file.change.after.is_none()).filter(below)
    }

    /// Where a file takes the place of a directory: removes what was deleted in it and the directories that are empty
    /// then. The journal has the bytes, so that all of it can come back.
    fn make_room(&mut self, path: &RelPath) {
        let deleted: Vec<_> = self.deleted_below(path).collect();
        for file in deleted {
            if let Ok(Some(directory)) = self.directory(file)
                && self.clear(file, &spot(file, &directory)).is_ok()
            {
                self.remove_while_empty(&file.change.path, &|above| above.is_at_or_below(path));
            }
        }
    }

    /// The directory of a file; `None` when there is none into which we could have written.
    fn directory(&self, file: &PlannedFile) -> io::Result<Option<OwnedFd>> {
        match self.tree.directory_to_write(file.change.path.parent().as_ref()) {
            Err(WorkTreeError::NotADirectory(_) | WorkTreeError::BehindLink(_)) => Ok(None),
            opened => opened.map_err(io::Error::other),
        }
    }

    fn make_directory(&mut self, directory: Option<&RelPath>) -> Result<OwnedFd, WorkTreeError> {
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

    fn in_place_of_deleted(&self, path: &RelPath) -> bool {
        let deleted = |file: &PlannedFile| file.change.after.is_none() && file.change.path != *path;
        self.plan.files.iter().any(|file| deleted(file) && path.is_at_or_below(&file.change.path))
    }

    /// Removes the directories above `path` that can only be ours: made in this run, or standing in the place of a
    /// file that the plan deletes.
    fn remove_made_directories(&mut self, path: &RelPath) {
        let is_deleted = |above: &RelPath| {
            self.plan.files.iter().any(|f| f.change.after.is_none() && above.is_at_or_below(&f.change.path))
        };
        let ours = |above: &RelPath| self.made.contains(above) || is_deleted(above);
        self.remove_while_empty(path, &ours);
    }

    fn remove_empty_directories(&self, path: &RelPath) {
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
    fn sync(&self) -> Result<(), (RelPath, io::Error)> {
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

    fn message(&mut self, first: Option<String>) -> Option<String> {
        let all: Vec<String> = first.into_iter().chain(std::mem::take(&mut self.notes)).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

fn spot<'a>(file: &'a PlannedFile, directory: &'a OwnedFd) -> Spot<'a> {
    Spot { directory, name: file.change.path.name(), temporary: &file.temporary }
}

/// A plan is read from the journal: its temporary names must be such as [`plan`](super::plan()) gives.
fn check_name(file: &PlannedFile) -> Result<(), Stop> {
    let inner = file.temporary.strip_prefix(".tinkerbell-").and_then(|rest| rest.strip_suffix(".tmp"));
    if inner.is_some_and(|inner| !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Ok(());
    }
    let message = format!("the plan names {:?} as a temporary file, which is none of ours", file.temporary);
    Err(stop(AcceptOutcome::Failed, &file.change.path, message))
}

fn changed(file: &PlannedFile) -> Stop {
    let message = format!("{} is not what the canvas is based on; look at the diff again, then accept", file.change.path);
    stop(AcceptOutcome::Conflict, &file.change.path, message)
}

fn failed(file: &PlannedFile, doing: &str, error: &io::Error) -> Stop {
    let path = &file.change.path;
    stop(AcceptOutcome::Failed, path, format!("{doing} {path} failed: {error}"))
}

fn stop(outcome: AcceptOutcome, path: &RelPath, message: String) -> Stop {
    Stop { outcome, path: path.clone(), message }
}
