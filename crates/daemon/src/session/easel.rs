//! The owner's side of the canvas: commands that look at it and change it.
//!
//! Git and files block, so each look runs on a thread of its own while the owner waits.

use super::command::{Change, Once, Reply};
use super::fact::{Fact, Gathered};
use super::owner::{Owner, answer};
use agent::{Event, Seq};
use canvas::{Binary, Blobs, Draft, FileDiff, Fold, MoveError, PlanError, StepKind, StepStatus, WorkTree};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use wire::body::Moved as MovedBody;
use wire::rest::{Accepted, CanvasLog, CanvasView, Diff, FileRow, FileStatus, Moved, StepRow};
use wire::{Changeset, Code, Contents, Found, Problem, RelPath};

impl Owner {
    /// The journal's blobs, for threads that may block.
    pub(super) fn blobs(&self) -> Blobs {
        let store = self.house.store.clone();
        Blobs::new(move |hash| match store.blob_blocking(hash) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(io::ErrorKind::NotFound.into()),
            Err(error) => Err(io::Error::other(error)),
        })
    }

    /// Looks at what the user changed beneath the session's changes, as facts to append. Costs nothing while the
    /// canvas is empty.
    pub(super) async fn rebase(&mut self) -> Result<Vec<Fact>, Problem> {
        if self.canvas.pending().is_empty() || !self.state.canvas_free() {
            return Ok(Vec::new());
        }
        let (fold, blobs, workspace) = (self.canvas.clone(), self.blobs(), self.workspace());
        let cache = self.stat_cache.clone();
        let compared = self
            .on_thread(move || {
                let tree = work_tree_at(&workspace)?;
                let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
                canvas::compare(&fold, &tree, &blobs, &mut cache).map_err(|error| from_canvas(&error))
            })
            .await?;
        let mut facts = Vec::new();
        let mut gathered = Gathered::default();
        for bytes in &compared.blobs {
            gathered.bytes(bytes);
        }
        if let Some(rebased) = compared.rebased {
            gathered.stored(&rebased.bases);
            gathered.stored(&rebased.changes);
            let changed = rebased.bases.len() as u32;
            facts.push(Fact::new(Event::CanvasRebased { changed }, &rebased, std::mem::take(&mut gathered)));
        }
        if let Some(conflict) = compared.conflict {
            gathered.stored(&conflict.paths);
            self.conflicts = conflict.paths.iter().map(|change| change.path.clone()).collect();
            let changed = conflict.paths.len() as u32;
            facts.push(Fact::new(Event::CanvasConflicted { changed }, &conflict, gathered));
        } else {
            self.conflicts.clear();
        }
        Ok(facts)
    }

    /// Does a command that waited for the canvas to be free.
    pub(super) async fn change(&mut self, change: Change) {
        match change {
            Change::Accept { paths, once, reply } => match self.known(once.as_ref()).await {
                Ok(None) => {
                    let planned = self.plan_accept(paths).await;
                    self.start_accept(planned, None, once, reply).await;
                }
                Ok(Some(known)) => answer(reply, Ok(known)),
                Err(problem) => answer(reply, Err(problem)),
            },
            Change::Undo { once, reply } => match self.known(once.as_ref()).await {
                Ok(None) => self.undo(once, reply).await,
                Ok(Some(known)) => answer(reply, Ok(known)),
                Err(problem) => answer(reply, Err(problem)),
            },
            Change::Reject { paths, reply } => {
                let moved = self.canvas.reject(&paths).map(|body| Draft { body, blobs: Vec::new() });
                let rejected = |changed| Event::CanvasRejected { changed };
                let outcome = self.moved(moved.map_err(|error| no_move(&error)), rejected).await;
                answer(reply, outcome);
            }
            Change::Rewind { to, reply } => {
                let to = to.or_else(|| self.canvas.previous()).unwrap_or(Seq(0));
                let outcome = self.move_to(to, Fold::rewind).await;
                answer(reply, outcome);
            }
            Change::Redo { reply } => {
                let outcome = match self.canvas.next_redo() {
                    Some(to) => self.move_to(to, Fold::redo).await,
                    None => Err(Problem::new(Code::Conflict, "there is nothing to redo")),
                };
                answer(reply, outcome);
            }
        }
    }

    async fn undo(&mut self, once: Option<Once>, reply: Reply<Accepted>) {
        let accept = self.canvas.last_accept().map(|step| step.seq);
        let planned = match accept {
            Some(seq) => canvas::plan_undo(&self.canvas, seq).map_err(|error| no_plan(&error)),
            None => Err(Problem::new(Code::Conflict, "no accept of this session can be taken back")),
        };
        let planned = planned.map(|body| Draft { body, blobs: Vec::new() });
        self.start_accept(planned, accept, once, reply).await;
    }

    async fn move_to(
        &mut self,
        to: Seq,
        how: fn(&Fold, Seq, &Blobs) -> Result<Draft<MovedBody>, MoveError>,
    ) -> Result<Moved, Problem> {
        let (fold, blobs) = (self.canvas.clone(), self.blobs());
        let moved = self.on_thread(move || how(&fold, to, &blobs).map_err(|error| no_move(&error))).await;
        self.moved(moved, |changed| Event::CanvasRewound { to, changed }).await
    }

    async fn moved(
        &mut self,
        moved: Result<Draft<MovedBody>, Problem>,
        event: impl FnOnce(u32) -> Event,
    ) -> Result<Moved, Problem> {
        let moved = moved?;
        let mut gathered = Gathered::default();
        for bytes in &moved.blobs {
            gathered.bytes(bytes);
        }
        gathered.stored(&moved.body.changes);
        let seq = self.seq_of(0);
        let event = event(moved.body.changes.len() as u32);
        self.happen(vec![Fact::new(event, &moved.body, gathered)], None).await?;
        self.conflicts.retain(|path| self.canvas.pending_at(path).is_some());
        Ok(Moved { seq, canvas: self.canvas_view().await? })
    }

    /// What the canvas holds.
    pub(super) async fn canvas_view(&self) -> Result<CanvasView, Problem> {
        Ok(CanvasView {
            files: self.rows(self.canvas.pending()).await?,
            conflicts: self.conflicts.clone(),
            step: self.canvas.position(),
            undoable: self.canvas.last_accept().is_some(),
            redoable: self.canvas.next_redo().is_some(),
        })
    }

    pub(super) async fn rows(&self, changes: Changeset) -> Result<Vec<FileRow>, Problem> {
        Ok(self.patch(changes).await?.files)
    }

    pub(super) async fn diff(&self, paths: Vec<RelPath>) -> Result<Diff, Problem> {
        let mut changes = self.canvas.pending();
        changes.retain(|change| paths.is_empty() || paths.iter().any(|path| change.path.is_at_or_below(path)));
        self.patch(changes).await
    }

    pub(super) async fn show(&self, step: Seq) -> Result<Diff, Problem> {
        let found = self.canvas.steps().iter().find(|candidate| candidate.seq == step);
        let found = found.ok_or_else(|| {
            Problem::new(Code::NotFound, format!("{step} is no step of this canvas"))
                .remedy("`tinkerbell log` lists them")
        })?;
        let changes = match found.kind {
            StepKind::Accept | StepKind::AcceptUndone => found.bases.clone(),
            _ => found.changes.clone(),
        };
        self.patch(changes).await
    }

    async fn patch(&self, changes: Changeset) -> Result<Diff, Problem> {
        if changes.is_empty() {
            return Ok(Diff { files: Vec::new(), patch: String::new() });
        }
        let blobs = self.blobs();
        self.on_thread(move || {
            let diffs = canvas::diff(&changes, &blobs, Binary::Whole).map_err(|error| from_canvas(&error))?;
            let patch = diffs.iter().map(|diff| String::from_utf8_lossy(&diff.patch)).collect();
            let rows = diffs.into_iter().filter_map(|diff| {
                let change = changes.iter().find(|change| change.path == diff.path)?;
                Some(row(change, &diff))
            });
            Ok(Diff { files: rows.collect(), patch })
        })
        .await
    }

    pub(super) async fn log(&self) -> Result<CanvasLog, Problem> {
        let (fold, blobs) = (self.canvas.clone(), self.blobs());
        let (house, workspace, id) = (self.house.clone(), self.profile.workspace.clone(), self.id);
        self.on_thread(move || {
            let picture = house.pictures.of(&workspace).map_err(|error| from_canvas(&error))?;
            let commits = picture.log(id, &fold, &blobs).map_err(|error| from_canvas(&error))?;
            // A base commit bears the number of the event that it stands before; the event's own comes after it.
            let commit_of = |seq| commits.iter().rev().find(|commit| commit.seq == seq).map(|commit| commit.id.clone());
            let steps = fold.steps().iter().rev().map(|step| StepRow {
                seq: step.seq,
                commit: commit_of(step.seq),
                title: step.title.clone(),
                at: step.at,
                undone: step.status != StepStatus::InForce,
                files: step.changes.len().max(step.bases.len()) as u32,
            });
            Ok(CanvasLog {
                repository: picture.directory().to_owned(),
                reference: canvas::Picture::branch(id),
                steps: steps.collect(),
            })
        })
        .await
    }

    pub(super) async fn file(&self, path: RelPath) -> Result<Contents, Problem> {
        let (fold, blobs, workspace) = (self.canvas.clone(), self.blobs(), self.workspace());
        self.on_thread(move || {
            let tree = work_tree_at(&workspace)?;
            let view = canvas::View::new(fold, Arc::new(tree), blobs);
            match view.read(&path, u64::MAX).map_err(|error| from_canvas(&error))? {
                Found::File(contents) => Ok(contents),
                Found::Directory => Err(Problem::new(Code::InvalidRequest, format!("{path} is a directory"))),
                Found::Other(what) => Err(Problem::new(Code::InvalidRequest, format!("{path} is a {what}"))),
                Found::Absent => {
                    Err(Problem::new(Code::NotFound, format!("there is no {path} on the canvas or below it")))
                }
            }
        })
        .await
    }

    pub(super) fn workspace(&self) -> PathBuf {
        PathBuf::from(&self.profile.workspace)
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let broken = || Problem::new(Code::Internal, "a thread of the canvas broke down; see `tinkerbell daemon logs`");
        self.house.tasks.look(job).await.unwrap_or_else(|| Err(broken()))
    }
}

fn row(change: &wire::Change, diff: &FileDiff) -> FileRow {
    let status = match (change.before, change.after) {
        (None, _) => FileStatus::Added,
        (_, None) => FileStatus::Deleted,
        _ => FileStatus::Modified,
    };
    FileRow {
        path: diff.path.clone(),
        status,
        added: diff.added as u32,
        removed: diff.removed as u32,
        binary: diff.binary,
        mode: change.after.map(|after| after.mode),
    }
}

pub(super) fn no_plan(error: &PlanError) -> Problem {
    Problem::new(Code::Conflict, error.to_string()).remedy("`tinkerbell diff` shows what is on the canvas")
}

fn no_move(error: &MoveError) -> Problem {
    Problem::new(Code::Conflict, error.to_string())
}

pub(super) fn work_tree_at(workspace: &Path) -> Result<WorkTree, Problem> {
    WorkTree::open(workspace).map_err(|error| Problem::new(Code::BadWorkspace, error.to_string()))
}

fn from_canvas(error: &dyn std::error::Error) -> Problem {
    Problem::new(Code::Internal, error.to_string())
}
