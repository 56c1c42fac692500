//! The owner's side of the canvas: commands that look at it, change it, or write it into the work tree.
//!
//! Git and files block, so each look runs on a thread of its own while the owner waits; an accept runs as an effect,
//! and the owner goes on.

use super::command::{Change, Once, Reply};
use super::fact::{Fact, Gathered};
use super::owner::{Owner, answer};
use super::perform::{Ended, Running};
use agent::{AcceptOutcome, EffectId, Event, Seq};
use canvas::{
    AcceptError, Accepted as Executed, Binary, Blobs, Draft, FileDiff, Fold, MoveError, PlanError, Selection, StepKind,
    StepStatus, WorkTree, WorkTreeError,
};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use store::JournalId;
use tokio_util::sync::CancellationToken;
use wire::body::{self, AcceptPlan, Moved as MovedBody};
use wire::rest::{Accepted, CanvasLog, CanvasView, Diff, FileRow, FileStatus, Moved, StepRow};
use wire::{Changeset, Code, Contents, Found, Problem, RelPath};

/// An accept that is under way, and who waits for it.
pub(super) struct Accepting {
    effect: EffectId,
    files: u32,
    /// The accept that is taken back.
    undoes: Option<Seq>,
    /// What will be shown of it.
    rows: Vec<FileRow>,
    waiter: Option<(Reply<Accepted>, Option<Once>)>,
}

/// How an accept's thread ended; `None` when it broke down.
pub(super) type AcceptEnded = Option<Result<Executed, AcceptError>>;

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
                let tree = WorkTree::open(&workspace).map_err(work_tree)?;
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
            facts.push(Fact::new(Event::CanvasConflict { changed }, &conflict, gathered));
        } else {
            self.conflicts.clear();
        }
        Ok(facts)
    }

    /// Does a command that waited for the canvas to be free.
    pub(super) async fn change(&mut self, change: Change) {
        match change {
            Change::Accept { paths, once, reply } => {
                let planned = self.plan_accept(paths).await;
                self.start_accept(planned, None, once, reply).await;
            }
            Change::Undo { once, reply } => {
                let accept = self.canvas.last_accept().map(|step| step.seq);
                let planned = match accept {
                    Some(seq) => canvas::plan_undo(&self.canvas, seq).map_err(|error| no_plan(&error)),
                    None => Err(Problem::new(Code::Conflict, "no accept of this session can be taken back")),
                };
                let planned = planned.map(|body| Draft { body, blobs: Vec::new() });
                self.start_accept(planned, accept, once, reply).await;
            }
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

    async fn plan_accept(&mut self, paths: Vec<RelPath>) -> Result<Draft<AcceptPlan>, Problem> {
        let facts = self.rebase().await?;
        if !facts.is_empty() {
            self.happen(facts, None).await?;
        }
        let chosen = |path: &&RelPath| paths.is_empty() || paths.iter().any(|below| path.is_at_or_below(below));
        if let Some(path) = self.conflicts.iter().find(chosen) {
            let detail = format!("you changed {path} in ways that do not merge with the canvas");
            return Err(Problem::new(Code::Conflict, detail)
                .remedy(format!("look at `tinkerbell diff {path}`; `tinkerbell reject {path}` keeps your version")));
        }
        let selection = if paths.is_empty() { Selection::All } else { Selection::Paths(paths) };
        canvas::plan(&self.canvas, &selection).map_err(|error| no_plan(&error))
    }

    async fn start_accept(
        &mut self,
        planned: Result<Draft<AcceptPlan>, Problem>,
        undoes: Option<Seq>,
        once: Option<Once>,
        reply: Reply<Accepted>,
    ) {
        match self.started(planned, undoes).await {
            Ok((effect, plan, rows)) => {
                let files = plan.files.len() as u32;
                self.accepting = Some(Accepting { effect, files, undoes, rows, waiter: Some((reply, once)) });
                self.exchange(effect, plan);
            }
            Err(problem) => answer(reply, Err(problem)),
        }
    }

    async fn started(
        &mut self,
        planned: Result<Draft<AcceptPlan>, Problem>,
        undoes: Option<Seq>,
    ) -> Result<(EffectId, AcceptPlan, Vec<FileRow>), Problem> {
        let Draft { body: plan, blobs } = planned?;
        let changes: Changeset = plan.files.iter().map(|file| file.change.clone()).collect();
        let rows = self.rows(changes.clone()).await?;
        let effect = self.state.next_accept();
        let mut gathered = Gathered::default();
        for bytes in &blobs {
            gathered.bytes(bytes);
        }
        gathered.stored(&changes);
        let event = Event::AcceptStarted { effect, files: plan.files.len() as u32, plan: None, undoes };
        self.happen(vec![Fact::new(event, &plan, gathered)], None).await?;
        Ok((effect, plan, rows))
    }

    /// Looks after an accept whose daemon died.
    pub(super) fn begin_verify(&mut self, effect: EffectId, plan: Seq) {
        let open = self.state.open.get(&effect).and_then(|open| open.accept);
        let (files, undoes) = open.map_or((0, None), |accept| (accept.files, accept.undoes));
        self.accepting = Some(Accepting { effect, files, undoes, rows: Vec::new(), waiter: None });
        self.running.insert(effect, Running { stop: CancellationToken::new(), model: None });
        let (store, id, sender) = (self.house.store.clone(), self.id, self.ended_sender.clone());
        let (blobs, workspace, tasks) = (self.blobs(), self.workspace(), self.house.tasks.clone());
        self.house.tasks.spawn("accept", async move {
            let records = store.events_at(JournalId::Session(id), &[plan]).await;
            let body = records.ok().and_then(|records| records.into_iter().next()?.body);
            let plan = body.and_then(|body| body::read::<AcceptPlan>(&body).ok());
            // Without plan or work tree nothing can be said of what was done: the accept stays open.
            let end = match plan {
                Some(plan) => tasks.blocking(move || verify(&workspace, &plan, &blobs)).await.flatten(),
                None => None,
            };
            let _ = sender.send(Ended::Accept(effect, Box::new(end))).await;
        });
    }

    fn exchange(&mut self, effect: EffectId, plan: AcceptPlan) {
        self.running.insert(effect, Running { stop: CancellationToken::new(), model: None });
        let (blobs, workspace, sender) = (self.blobs(), self.workspace(), self.ended_sender.clone());
        let tasks = self.house.tasks.clone();
        self.house.tasks.spawn("accept", async move {
            let end = tasks.blocking(move || exchange(&workspace, &plan, &blobs)).await;
            let _ = sender.send(Ended::Accept(effect, Box::new(end))).await;
        });
    }

    pub(super) async fn accept_ended(&mut self, effect: EffectId, end: AcceptEnded) {
        let Some(accepting) = self.accepting.take_if(|accepting| accepting.effect == effect) else { return };
        let Accepting { files, undoes, rows, waiter, .. } = accepting;
        let executed = match end {
            Some(Ok(executed)) => executed,
            Some(Err(error)) => return self.accept_stuck(error.to_string(), waiter),
            None => return self.accept_stuck("the accept could not be looked after".to_owned(), waiter),
        };
        let Executed { outcome, end } = executed;
        let event = match undoes {
            Some(undoes) if outcome == AcceptOutcome::Done => Event::AcceptUndone { effect, undoes, files },
            _ => Event::AcceptFinished { effect, outcome, files },
        };
        let mut gathered = Gathered::default();
        gathered.stored(&end.bases);
        let seq = self.seq_of(0);
        let (message, path) = (end.message.clone(), end.path.clone());
        let accepted = Accepted { outcome, seq, files: rows, message, path };
        let fact = Fact::new(event, &end, gathered);
        let (reply, once) = match waiter {
            Some((reply, once)) => (Some(reply), once),
            None => (None, None),
        };
        let kept = once.map(|once| once.keep(&accepted));
        self.unwritten.push(fact);
        let outcome = self.happen(Vec::new(), kept).await;
        if let Some(reply) = reply {
            answer(reply, outcome.map(|()| accepted));
        }
    }

    /// Files are in different states, each whole, and stay so until the cause is gone: the effect is left open, and
    /// this owner leaves, so that the next one settles it.
    fn accept_stuck(&mut self, detail: String, waiter: Option<(Reply<Accepted>, Option<Once>)>) {
        tracing::error!(session = %self.id, detail, "an accept could be neither finished nor taken back");
        if let Some((reply, _)) = waiter {
            let problem = Problem::new(Code::Conflict, detail).remedy("mend the cause; then any command settles it");
            answer(reply, Err(problem));
        }
        self.gone = true;
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

    async fn rows(&self, changes: Changeset) -> Result<Vec<FileRow>, Problem> {
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
            let tree = WorkTree::open(&workspace).map_err(work_tree)?;
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

    fn workspace(&self) -> PathBuf {
        PathBuf::from(&self.profile.workspace)
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let broken = || Problem::new(Code::Internal, "a thread of the canvas broke down; see `tinkerbell daemon logs`");
        self.house.tasks.blocking(job).await.unwrap_or_else(|| Err(broken()))
    }
}

fn exchange(workspace: &Path, plan: &AcceptPlan, blobs: &Blobs) -> Result<Executed, AcceptError> {
    match WorkTree::open(workspace) {
        Ok(tree) => canvas::execute(&tree, plan, blobs, &mut |_| {}),
        Err(error) => {
            let message = Some(error.to_string());
            let end = body::AcceptEnd { bases: Vec::new(), message, path: None };
            Ok(Executed { outcome: AcceptOutcome::Failed, end })
        }
    }
}

fn verify(workspace: &Path, plan: &AcceptPlan, blobs: &Blobs) -> AcceptEnded {
    let tree = WorkTree::open(workspace).ok()?;
    Some(canvas::verify(&tree, plan, blobs))
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

fn no_plan(error: &PlanError) -> Problem {
    Problem::new(Code::Conflict, error.to_string()).remedy("`tinkerbell diff` shows what is on the canvas")
}

fn no_move(error: &MoveError) -> Problem {
    Problem::new(Code::Conflict, error.to_string())
}

fn work_tree(error: WorkTreeError) -> Problem {
    Problem::new(Code::BadWorkspace, error.to_string())
}

fn from_canvas(error: &dyn std::error::Error) -> Problem {
    Problem::new(Code::Internal, error.to_string())
}
