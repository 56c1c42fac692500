//! The owner's side of the canvas: commands that look at it and change it.
//!
//! Git and files block, so each look runs on a thread of its own while the owner waits.

use super::command::{Change, Once, Reply};
use super::fact::{Fact, Gathered};
use super::owner::{Owner, answer};
use super::perform::unreadable;
use agent::{Event, Seq};
use canvas::{Binary, Blobs, Compared, Draft, FileDiff, Fold, MoveError, PlanError, StepKind, StepStatus, WorkTree};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use wire::body::{AcceptPlan, Moved as MovedBody};
use wire::rest::{
    Accepted, CanvasLog, CanvasView, Diff, FileHunks, FileRow, FileStatus, HunkList, HunkRow, Moved, StepRow,
};
use wire::{BlobHash, Changeset, Code, Contents, Found, Problem, RelPath};

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

    /// The same, with bytes that the journal does not have yet.
    pub(super) fn blobs_and(&self, new: &[Vec<u8>]) -> Blobs {
        let (stored, new) = (self.blobs(), new.iter().map(|bytes| (BlobHash::of(bytes), bytes.clone())));
        let new: BTreeMap<BlobHash, Vec<u8>> = new.collect();
        Blobs::new(move |hash| match new.get(&hash) {
            Some(bytes) => Ok(bytes.clone()),
            None => stored.get(hash).map_err(io::Error::other),
        })
    }

    /// Looks at what the user changed beneath the session's changes, as facts to append. Costs nothing while the
    /// canvas is empty.
    pub(super) async fn rebase(&mut self) -> Result<Vec<Fact>, Problem> {
        if self.canvas.pending().is_empty() || !self.state.canvas_free() {
            return Ok(Vec::new());
        }
        let compared = self.compare().await?;
        self.compared(compared)
    }

    /// The same before a prompt, which may be taken though the canvas cannot be brought in line: accept will say why.
    pub(super) async fn rebase_if_possible(&mut self) -> Result<Vec<Fact>, Problem> {
        match self.rebase().await {
            Err(problem) if problem.code == Code::Conflict => {
                tracing::warn!(session = %self.id, %problem, "the canvas stays behind the files");
                Ok(Vec::new())
            }
            other => other,
        }
    }

    /// Settles conflicts for the canvas: what the user has there becomes the base that the next accept replaces.
    async fn keep(&mut self, paths: &[RelPath]) -> Result<Moved, Problem> {
        let compared = self.compare().await?;
        let kept = compared.keep(paths).map_err(|error| Problem::new(Code::Conflict, error.to_string()))?;
        let facts = self.compared(kept)?;
        let seq = if facts.is_empty() { self.state.head } else { self.seq_of(0) };
        self.happen(facts, None).await?;
        Ok(Moved { seq, canvas: self.canvas_view().await? })
    }

    async fn compare(&self) -> Result<Compared, Problem> {
        let (fold, blobs, workspace) = (self.canvas.clone(), self.blobs(), self.workspace());
        let cache = self.stat_cache.clone();
        self.on_thread(move || {
            let tree = work_tree_at(&workspace)?;
            let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
            canvas::compare(&fold, &tree, &blobs, &mut cache).map_err(|error| from_canvas(&error))
        })
        .await
    }

    /// What a comparison means for the journal, which keeps no bytes that hold a key.
    fn compared(&mut self, compared: Compared) -> Result<Vec<Fact>, Problem> {
        let secrets = self.house.catalog.current().secrets.clone();
        if let Some(key) = compared.blobs.iter().find_map(|bytes| secrets.holds(bytes)) {
            let detail = format!("you wrote the key {key} into a file that the canvas changes; it keeps no keys");
            return Err(Problem::new(Code::Conflict, detail)
                .remedy("take the key out of the file; `tinkerbell diff --stat` lists the files on the canvas"));
        }
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
            Change::Accept { chosen, commit, once, reply } => match self.known(once.as_ref()).await {
                Ok(None) => {
                    let secrets = self.house.catalog.current().secrets.clone();
                    let commit = commit.map(|message| secrets.masked(message));
                    let planned = self.plan_accept(chosen, commit).await;
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
            Change::Keep { paths, reply } => answer(reply, self.keep(&paths).await),
            Change::Reject { paths, reply } => {
                let moved = self.canvas.reject(&paths).map(|body| Draft { body, blobs: Vec::new() });
                let rejected = |changed| Event::CanvasRejected { changed };
                let outcome = self.moved(moved.map_err(|error| no_move(&error)), rejected).await;
                answer(reply, outcome);
            }
            Change::Rewind { to, reply } => {
                let outcome = self.rewind(to).await;
                answer(reply, outcome);
            }
            Change::Redo { reply } => {
                let outcome = self.redo().await;
                answer(reply, outcome);
            }
        }
    }

    async fn undo(&mut self, once: Option<Once>, reply: Reply<Accepted>) {
        match self.plan_undo().await {
            Ok((accept, body)) => {
                let planned = Ok(Draft { body, blobs: Vec::new() });
                self.start_accept(planned, Some(accept), once, reply).await;
            }
            Err(problem) => answer(reply, Err(problem)),
        }
    }

    async fn plan_undo(&self) -> Result<(Seq, AcceptPlan), Problem> {
        let fold = self.canvas_for(|fold| fold.last_accept().is_err()).await?;
        let accept = fold.last_accept().ok().flatten().map(|step| step.seq);
        let accept =
            accept.ok_or_else(|| Problem::new(Code::Conflict, "no accept of this session can be taken back"))?;
        let plan = canvas::plan_undo(&fold, accept).map_err(|error| no_plan(&error))?;
        Ok((accept, plan))
    }

    async fn rewind(&mut self, to: Option<Seq>) -> Result<Moved, Problem> {
        let fold = self.canvas_for(|fold| to.is_none() && fold.previous().is_err()).await?;
        let to = to.or_else(|| fold.previous().ok().flatten()).unwrap_or(Seq(0));
        self.move_to(to, Fold::rewind).await
    }

    async fn redo(&mut self) -> Result<Moved, Problem> {
        let fold = self.canvas_for(|fold| fold.next_redo().is_err()).await?;
        match fold.next_redo().ok().flatten() {
            Some(to) => self.move_to(to, Fold::redo).await,
            None => Err(Problem::new(Code::Conflict, "there is nothing to redo")),
        }
    }

    /// The canvas at hand, unless it has let the steps go that are asked for: then all of it, read from the journal.
    async fn canvas_for(&self, lacks: impl Fn(&Fold) -> bool) -> Result<Arc<Fold>, Problem> {
        if !lacks(&self.canvas) {
            return Ok(self.canvas.clone());
        }
        super::load::whole_canvas(&self.house, self.id).await.map(Arc::new).map_err(unreadable)
    }

    async fn move_to(
        &mut self,
        to: Seq,
        how: fn(&Fold, Seq, &Blobs) -> Result<Draft<MovedBody>, MoveError>,
    ) -> Result<Moved, Problem> {
        let run = async |fold: Arc<Fold>| {
            let blobs = self.blobs();
            self.on_thread(move || Ok(how(&fold, to, &blobs))).await
        };
        let moved = match run(self.canvas.clone()).await? {
            Err(MoveError::Older(_)) => run(self.canvas_for(|_| true).await?).await?,
            moved => moved,
        };
        self.moved(moved.map_err(|error| no_move(&error)), |changed| Event::CanvasRewound { to, changed }).await
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
            undoable: self.canvas.is_undoable(),
            redoable: self.canvas.is_redoable(),
        })
    }

    pub(super) async fn rows(&self, changes: Changeset) -> Result<Vec<FileRow>, Problem> {
        Ok(self.patch(changes, self.blobs()).await?.files)
    }

    pub(super) async fn diff(&self, paths: Vec<RelPath>) -> Result<Diff, Problem> {
        let mut changes = self.canvas.pending();
        changes.retain(|change| paths.is_empty() || paths.iter().any(|path| change.path.is_at_or_below(path)));
        self.patch(changes, self.blobs()).await
    }

    pub(super) async fn hunks(&self, paths: Vec<RelPath>, context: u32) -> Result<HunkList, Problem> {
        let mut changes = self.canvas.pending();
        changes.retain(|change| paths.is_empty() || paths.iter().any(|path| change.path.is_at_or_below(path)));
        let blobs = self.blobs();
        self.on_thread(move || {
            let diffs = canvas::diff(&changes, &blobs, Binary::Whole).map_err(|error| from_canvas(&error))?;
            let mut files = Vec::with_capacity(changes.len());
            for change in &changes {
                let Some(diff) = diffs.iter().find(|diff| diff.path == change.path) else { continue };
                let hunks = canvas::hunks(change, &blobs, context).map_err(|error| from_canvas(&error))?;
                let (before, after) = (change.before.map(|state| state.blob), change.after.map(|state| state.blob));
                let hunks = hunks.into_iter().map(|hunk| HunkRow {
                    index: hunk.index as u32,
                    header: hunk.header,
                    patch: String::from_utf8_lossy(&hunk.patch).into_owned(),
                });
                files.push(FileHunks { file: row(change, diff), before, after, hunks: hunks.collect() });
            }
            Ok(HunkList { context_lines: context, files })
        })
        .await
    }

    pub(super) async fn show(&self, step: Seq) -> Result<Diff, Problem> {
        let fold = self.canvas_for(|fold| fold.step(step).is_err()).await?;
        let found = fold.step(step).ok().flatten().ok_or_else(|| {
            Problem::new(Code::NotFound, format!("{step} is no step of this canvas"))
                .remedy("`tinkerbell log` lists them")
        })?;
        let changes = match found.kind {
            StepKind::Accept | StepKind::AcceptUndone => found.bases.clone(),
            _ => found.changes.clone(),
        };
        self.patch(changes, self.blobs()).await
    }

    pub(super) async fn patch(&self, changes: Changeset, blobs: Blobs) -> Result<Diff, Problem> {
        if changes.is_empty() {
            return Ok(Diff { files: Vec::new(), patch: String::new() });
        }
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
        let (fold, blobs) = (self.canvas_for(|fold| fold.older_steps() > 0).await?, self.blobs());
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

    /// A file as the session sees it, which is without keys.
    pub(super) async fn file(&self, path: RelPath) -> Result<Contents, Problem> {
        let (fold, blobs, workspace) = (self.canvas.clone(), self.blobs(), self.workspace());
        let secrets = self.house.catalog.current().secrets.clone();
        self.on_thread(move || {
            let tree = work_tree_at(&workspace)?;
            let view = canvas::View::new(fold, Arc::new(tree), blobs);
            match view.read(&path, u64::MAX).map_err(|error| from_canvas(&error))? {
                Found::File(contents) => Ok(secrets.masked_file(contents)),
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

    pub(super) async fn on_thread<T: Send + 'static>(
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

pub(super) fn from_canvas(error: &(dyn std::error::Error + 'static)) -> Problem {
    crate::disk::problem(error, Code::Internal)
}
