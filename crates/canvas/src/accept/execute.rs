//! Doing what a plan says, and taking it back when it cannot be done wholly.

use super::judge::{AtPath, AtTemporary, Standing, judge};
use super::spot::{Renaming, Spot, Swap, blob_failed, limit_of};
use crate::blobs::Blobs;
use crate::worktree::{WorkTree, WorkTreeError};
use agent::AcceptOutcome;
use rustix::fd::OwnedFd;
use std::collections::BTreeSet;
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
#[error(
    "the accept stopped at {path} and cannot be taken back now ({source}); when that is mended, it is settled at the next start"
)]
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

pub(super) struct Run<'a> {
    pub(super) tree: &'a WorkTree,
    pub(super) plan: &'a AcceptPlan,
    pub(super) blobs: &'a Blobs,
    pub(super) stage: &'a mut dyn FnMut(Stage<'_>),
    pub(super) renaming: Renaming,
    /// Whether an earlier attempt may have done something.
    pub(super) resumed: bool,
    /// Files that this run exchanged.
    pub(super) exchanged: BTreeSet<RelPath>,
    /// Directories that this run made.
    pub(super) made: BTreeSet<RelPath>,
    /// What people should know whatever the outcome is.
    pub(super) notes: Vec<String>,
}

/// Why a plan is not carried out.
struct Stop {
    outcome: AcceptOutcome,
    path: RelPath,
    message: String,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        tree: &'a WorkTree,
        plan: &'a AcceptPlan,
        blobs: &'a Blobs,
        stage: &'a mut dyn FnMut(Stage<'_>),
    ) -> Run<'a> {
        let (exchanged, made, notes) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        Run { tree, plan, blobs, stage, renaming: Renaming::Atomic, resumed: false, exchanged, made, notes }
    }

    pub(super) fn settle(mut self) -> Result<Accepted, AcceptError> {
        match self.forward() {
            Ok(()) => {
                self.clean_up();
                let bases = self.plan.files.iter().map(|file| file.change.clone()).collect();
                let end = AcceptEnd { bases, message: self.message(None), ..AcceptEnd::default() };
                Ok(Accepted { outcome: AcceptOutcome::Done, end })
            }
            Err(stop) => {
                self.back()?;
                let (message, path) = (self.message(Some(stop.message)), Some(stop.path));
                Ok(Accepted { outcome: stop.outcome, end: AcceptEnd { message, path, ..AcceptEnd::default() } })
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
                Standing::Exchanged => {}
                Standing::Waiting => waiting.push(file),
                Standing::InTheWay | Standing::BroughtOut => return Err(changed(file)),
            }
        }
        let (deleted, written): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|file| file.change.after.is_none());
        // What needs the place of a file that goes has to wait until it is gone; all else is written first, so that a
        // full disk is met before anything was exchanged.
        let (late, early): (Vec<_>, Vec<_>) =
            written.iter().partition(|file| self.in_place_of_deleted(&file.change.path));
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
        self.clear(file, &spot)?;
        let contents = self.blobs.contents(&wanted).map_err(blob_failed)?;
        let stage = &mut self.stage;
        spot.prepare(&contents, &mut || stage(Stage::Begun(&file.change.path)))
    }

    fn exchange(&mut self, file: &PlannedFile) -> Result<(), Stop> {
        let change = &file.change;
        let directory = self.tree.directory_to_write(change.path.parent().as_ref());
        let Some(directory) =
            directory.map_err(|error| stop(AcceptOutcome::Failed, &change.path, error.to_string()))?
        else {
            return Err(changed(file));
        };
        let spot = spot(file, &directory);
        if change.before.is_none() {
            self.make_room(&change.path);
        } else if change.after.is_none() {
            self.clear(file, &spot).map_err(|error| failed(file, "clearing the temporary name of", &error))?;
        }
        self.exchanged.insert(change.path.clone());
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
            self.take_back(file).map_err(|source| AcceptError { path: path.clone(), source })?;
            self.remove_made_directories(path);
            (self.stage)(Stage::TakenBack(path));
        }
        self.sync().map_err(|(path, source)| AcceptError { path, source })
    }

    fn take_back(&mut self, file: &PlannedFile) -> io::Result<()> {
        let change = &file.change;
        // In a first run, what is as planned and was not exchanged by it was made so by somebody else.
        let ours = self.resumed || self.exchanged.contains(&change.path);
        let directory = match self.directory(file)? {
            Some(directory) => directory,
            // It went with the last file that was deleted in it, and comes back with it.
            None if ours && change.after.is_none() => match self.make_directory(change.path.parent().as_ref()) {
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
        let temporary = spot.at_temporary(change)?;
        let swapped = match judge(change.before, change.after, path, temporary) {
            Standing::Waiting | Standing::InTheWay => Swap::Done,
            Standing::Exchanged if !ours => Swap::Done,
            Standing::BroughtOut => spot.put_back(change.after.is_some(), &mut self.renaming)?,
            Standing::Exchanged if !path.is(change.after) => Swap::Refused,
            Standing::Exchanged => {
                match (change.before, temporary) {
                    (Some(_), AtTemporary::Old) => {}
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
    pub(super) fn clear(&mut self, file: &PlannedFile, spot: &Spot<'_>) -> io::Result<()> {
        spot.clear_part()?;
        match spot.at_temporary(&file.change)? {
            AtTemporary::Nothing => Ok(()),
            AtTemporary::Old | AtTemporary::New => spot.clear(),
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
            Ok((spot.at_path(limit_of(change))?, spot.at_temporary(change)?))
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

    /// The directory of a file; `None` when there is none into which we could have written.
    pub(super) fn directory(&self, file: &PlannedFile) -> io::Result<Option<OwnedFd>> {
        match self.tree.directory_to_write(file.change.path.parent().as_ref()) {
            Err(WorkTreeError::NotADirectory(_) | WorkTreeError::BehindLink(_)) => Ok(None),
            opened => opened.map_err(io::Error::other),
        }
    }

    fn message(&mut self, first: Option<String>) -> Option<String> {
        let all: Vec<String> = first.into_iter().chain(std::mem::take(&mut self.notes)).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

pub(super) fn spot<'a>(file: &'a PlannedFile, directory: &'a OwnedFd) -> Spot<'a> {
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
    let message =
        format!("{} is not what the canvas is based on; look at the diff again, then accept", file.change.path);
    stop(AcceptOutcome::Conflict, &file.change.path, message)
}

fn failed(file: &PlannedFile, doing: &str, error: &io::Error) -> Stop {
    let path = &file.change.path;
    stop(AcceptOutcome::Failed, path, format!("{doing} {path} failed: {error}"))
}

fn stop(outcome: AcceptOutcome, path: &RelPath, message: String) -> Stop {
    Stop { outcome, path: path.clone(), message }
}
