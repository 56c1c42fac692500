//! Accept, as the owner sees it: plan, start, wait, and settle what cannot be settled now.

use super::command::{Chosen, Once, Reply};
use super::easel::{no_plan, work_tree_at};
use super::fact::{Fact, Gathered};
use super::owner::{Owner, answer};
use super::perform::{Ended, Running};
use crate::secrets::Secrets;
use agent::{AcceptOutcome, EffectId, Event, Seq};
use canvas::{Accepted as Executed, Blobs, Choice, ChoiceError, CommitError, CommitOptions, Draft, Selection};
use std::collections::BTreeMap;
use std::path::Path;
use store::JournalId;
use tokio::time::{Duration, Instant};
use wire::body::{self, AcceptPlan};
use wire::rest::{Accepted, CommitView, FileRow, HunkChoice};
use wire::{Changeset, Code, Problem, RelPath};

/// The first pause before an accept that is stuck is looked after again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How long a commit waits, after a kill, for the git that the daemon before had started and that may still be at it.
const ORPHAN_WAIT: Duration = Duration::from_secs(10);
/// How often it looks.
const ORPHAN_LOOK: Duration = Duration::from_millis(50);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// An accept that is under way, and who waits for it.
pub(super) struct Accepting {
    effect: EffectId,
    /// The event that holds the plan.
    plan: Seq,
    files: u32,
    /// The accept that is taken back.
    undoes: Option<Seq>,
    /// What will be shown of it.
    rows: Vec<FileRow>,
    waiter: Option<(Reply<Accepted>, Option<Once>)>,
}

/// An accept that could be neither finished nor taken back: its files are each whole, but not alike. It stays open and
/// is looked after again and again, until the cause is gone or somebody gives it up.
pub(super) struct Stuck {
    effect: EffectId,
    plan: Seq,
    detail: String,
    pause: Duration,
    pub(super) again_at: Instant,
}

/// How an accept's thread ended; the error says why it is not settled.
pub(super) type AcceptEnded = Result<Executed, String>;

impl Owner {
    /// Plans an accept of what was chosen, after a look at what the user changed.
    pub(super) async fn plan_accept(
        &mut self,
        chosen: Chosen,
        commit: Option<String>,
    ) -> Result<Draft<AcceptPlan>, Problem> {
        let facts = self.rebase().await?;
        if !facts.is_empty() {
            self.happen(facts, None).await?;
        }
        if let Some(path) = self.conflicts.iter().find(|path| chosen.holds(path)) {
            let detail = format!("you changed {path} in ways that do not merge with the canvas");
            return Err(Problem::new(Code::Conflict, detail).remedy(format!(
                "look at `tinkerbell diff {path}`; `tinkerbell reject {path}` keeps your version, and `tinkerbell accept \
                 --overwrite {path}` takes that of the canvas"
            )));
        }
        let selection = match chosen {
            Chosen::All => Selection::All,
            Chosen::Paths(paths) => Selection::Paths(paths),
            Chosen::Hunks(choice) => {
                let (fold, blobs) = (self.canvas.clone(), self.blobs());
                self.on_thread(move || {
                    canvas::choose(&fold, &choices(choice), &blobs).map_err(|error| not_chosen(&error))
                })
                .await?
            }
        };
        let mut plan = canvas::plan(&self.canvas, &selection).map_err(|error| no_plan(&error))?;
        if let Some(message) = &commit {
            let (workspace, message) = (self.workspace(), message.clone());
            let paths: Vec<RelPath> = plan.body.files.iter().map(|file| file.change.path.clone()).collect();
            self.on_thread(move || {
                let options = CommitOptions::of_environment(std::env::vars_os());
                canvas::check_commit(&workspace, &paths, &message, &options).map_err(|error| no_commit(&error))
            })
            .await?;
        }
        plan.body.commit = commit;
        Ok(plan)
    }

    /// Starts an accept, or says why there is none to start.
    pub(super) async fn start_accept(
        &mut self,
        planned: Result<Draft<AcceptPlan>, Problem>,
        undoes: Option<Seq>,
        once: Option<Once>,
        reply: Reply<Accepted>,
    ) {
        match self.started(planned, undoes).await {
            Ok((mut accepting, plan)) => {
                accepting.waiter = Some((reply, once));
                let effect = accepting.effect;
                self.accepting = Some(accepting);
                let (workspace, blobs) = (self.workspace(), self.blobs());
                let secrets = self.house.catalog.current().secrets.clone();
                self.run_accept(effect, move || exchange(&workspace, &plan, &blobs, &secrets));
            }
            Err(problem) => answer(reply, Err(problem)),
        }
    }

    async fn started(
        &mut self,
        planned: Result<Draft<AcceptPlan>, Problem>,
        undoes: Option<Seq>,
    ) -> Result<(Accepting, AcceptPlan), Problem> {
        let Draft { body: plan, blobs } = planned?;
        let changes: Changeset = plan.files.iter().map(|file| file.change.clone()).collect();
        let rows = self.patch(changes.clone(), self.blobs_and(&blobs)).await?.files;
        let (effect, files) = (self.state.next_accept(), plan.files.len() as u32);
        let mut gathered = Gathered::default();
        for bytes in &blobs {
            gathered.bytes(bytes);
        }
        gathered.stored(&changes);
        let seq = self.seq_of(0);
        let event = Event::AcceptStarted { effect, files, plan: None, undoes };
        self.happen(vec![Fact::new(event, &plan, gathered)], None).await?;
        Ok((Accepting { effect, plan: seq, files, undoes, rows, waiter: None }, plan))
    }

    /// Looks after an accept that was lost or is stuck.
    pub(super) fn begin_verify(&mut self, effect: EffectId, plan: Seq) {
        let open = self.state.open.get(&effect).and_then(|open| open.accept);
        let (files, undoes) = open.map_or((0, None), |accept| (accept.files, accept.undoes));
        self.accepting = Some(Accepting { effect, plan, files, undoes, rows: Vec::new(), waiter: None });
        let (store, id) = (self.house.store.clone(), JournalId::Session(self.id));
        let (workspace, blobs, sender) = (self.workspace(), self.blobs(), self.ended_sender.clone());
        let tasks = self.house.tasks.clone();
        let secrets = self.house.catalog.current().secrets.clone();
        self.running.insert(effect, Running::new(None));
        self.house.tasks.spawn("accept", async move {
            let read = async {
                let records = store.events_at(id, &[plan]).await.map_err(|error| error.to_string())?;
                let body = records.into_iter().next().and_then(|record| record.body);
                let body = body.ok_or("its plan was forgotten")?;
                body::read::<AcceptPlan>(&body).map_err(|error| error.to_string())
            };
            let end = match read.await {
                Ok(plan) => {
                    let verified = tasks.chore(move || verify(&workspace, &plan, &blobs, &secrets)).await;
                    verified.unwrap_or_else(|| Err(BROKE_DOWN.to_owned()))
                }
                Err(error) => Err(error),
            };
            let _ = sender.send(Ended::Accept(effect, Box::new(end))).await;
        });
    }

    fn run_accept(&mut self, effect: EffectId, job: impl FnOnce() -> AcceptEnded + Send + 'static) {
        self.running.insert(effect, Running::new(None));
        let (tasks, sender) = (self.house.tasks.clone(), self.ended_sender.clone());
        self.house.tasks.spawn("accept", async move {
            let end = tasks.chore(job).await.unwrap_or_else(|| Err(BROKE_DOWN.to_owned()));
            let _ = sender.send(Ended::Accept(effect, Box::new(end))).await;
        });
    }

    pub(super) async fn accept_ended(&mut self, effect: EffectId, end: AcceptEnded) {
        let Some(mut accepting) = self.accepting.take_if(|accepting| accepting.effect == effect) else { return };
        let waiter = accepting.waiter.take();
        match end {
            Ok(executed) => self.settle_accept(accepting, executed, waiter).await,
            Err(detail) => {
                tracing::error!(session = %self.id, detail, "an accept can be neither finished nor taken back now");
                let pause = self.stuck.take().map_or(FIRST_PAUSE, |stuck| (stuck.pause * 2).min(LONGEST_PAUSE));
                let again_at = self.house.clock.instant() + pause;
                let stuck = Stuck { effect, plan: accepting.plan, detail, pause, again_at };
                if let Some((reply, _)) = waiter {
                    answer(reply, Err(stuck.problem()));
                }
                // Who waits for the canvas would wait for as long as this lasts.
                self.held.drain(..).for_each(|change| change.refuse(stuck.problem()));
                self.stuck = Some(stuck);
            }
        }
    }

    async fn settle_accept(
        &mut self,
        accepting: Accepting,
        executed: Executed,
        waiter: Option<(Reply<Accepted>, Option<Once>)>,
    ) {
        let Accepting { effect, files, undoes, rows, .. } = accepting;
        let Executed { outcome, end } = executed;
        self.stuck = None;
        let event = match undoes {
            Some(undoes) if outcome == AcceptOutcome::Done => Event::AcceptUndone { effect, undoes, files },
            _ => Event::AcceptFinished { effect, outcome, files },
        };
        let mut gathered = Gathered::default();
        gathered.stored(&end.bases);
        debug_assert!(self.claimed, "an accept runs under this owner's claim, so nothing comes between it and its end");
        let accepted = Accepted {
            outcome,
            seq: self.seq_of(0),
            files: rows,
            commit: end.commit.clone(),
            message: end.message.clone(),
            path: end.path.clone(),
        };
        let (reply, once) = waiter.map_or((None, None), |(reply, once)| (Some(reply), once));
        self.kept = once.map(|once| once.keep(&self.house, &accepted));
        self.unwritten.push(Fact::new(event, &end, gathered));
        let outcome = self.happen(Vec::new(), None).await;
        if let Some(reply) = reply {
            answer(reply, outcome.map(|()| accepted));
        }
    }

    /// Looks after a stuck accept again.
    pub(super) fn look_again(&mut self) {
        if let Some(stuck) = &mut self.stuck {
            // Not due again while it runs; a further failure sets the next time.
            stuck.again_at = self.house.clock.instant() + LONGEST_PAUSE * 60;
            let (effect, plan) = (stuck.effect, stuck.plan);
            if !self.running.contains_key(&effect) {
                self.begin_verify(effect, plan);
            }
        }
    }

    /// Gives a stuck accept up: its files stay as they are, and the canvas is free again. The event that says so.
    pub(super) async fn give_up_accept(&mut self) -> Option<Result<Seq, Problem>> {
        let stuck = self.stuck.take_if(|stuck| !self.running.contains_key(&stuck.effect))?;
        let files = self.state.open.get(&stuck.effect).and_then(|open| open.accept).map_or(0, |accept| accept.files);
        let message = Some(format!("given up: {}; some files may be as planned and others as they were", stuck.detail));
        let end = body::AcceptEnd { message, ..body::AcceptEnd::default() };
        let event = Event::AcceptFinished { effect: stuck.effect, outcome: AcceptOutcome::Failed, files };
        let seq = self.seq_of(0);
        let outcome = self.happen(vec![Fact::new(event, &end, Gathered::default())], None).await;
        if outcome.is_err() {
            self.stuck = Some(stuck);
        }
        Some(outcome.map(|()| seq))
    }
}

impl Stuck {
    /// What those hear who want the canvas.
    pub(super) fn problem(&self) -> Problem {
        let detail = format!("an accept can be neither finished nor taken back: {}", self.detail);
        Problem::new(Code::Conflict, detail)
            .remedy("mend the cause, it is tried again by itself; or give it up with `tinkerbell cancel`")
    }
}

const BROKE_DOWN: &str = "its thread broke down; this is a fault in tinkerbell";

fn exchange(workspace: &Path, plan: &AcceptPlan, blobs: &Blobs, secrets: &Secrets) -> AcceptEnded {
    match work_tree_at(workspace) {
        Ok(tree) => {
            let executed = canvas::execute(&tree, plan, blobs, &mut |_| {}).map_err(|error| error.to_string())?;
            Ok(committed(workspace, plan, executed, secrets, false))
        }
        // Nothing has been touched yet.
        Err(problem) => {
            let end = body::AcceptEnd { message: Some(problem.detail), ..body::AcceptEnd::default() };
            Ok(Executed { outcome: AcceptOutcome::Failed, end })
        }
    }
}

/// Without the work tree nothing can be said of what was done, so the accept stays open.
fn verify(workspace: &Path, plan: &AcceptPlan, blobs: &Blobs, secrets: &Secrets) -> AcceptEnded {
    let tree = work_tree_at(workspace).map_err(|problem| problem.detail)?;
    let executed = canvas::verify(&tree, plan, blobs).map_err(|error| error.to_string())?;
    Ok(committed(workspace, plan, executed, secrets, true))
}

/// Makes the commit that belongs to an accept, once its files are as planned. One that fails takes nothing back: the
/// files are accepted, and why there is no commit is said. After a kill the commit may be there already. What
/// git and its hooks say is masked.
fn committed(workspace: &Path, plan: &AcceptPlan, mut executed: Executed, secrets: &Secrets, killed: bool) -> Executed {
    let Some(message) = plan.commit.as_ref().filter(|_| executed.outcome == AcceptOutcome::Done) else {
        return executed;
    };
    let paths: Vec<RelPath> = plan.files.iter().map(|file| file.change.path.clone()).collect();
    let options = CommitOptions::of_environment(std::env::vars_os());
    // A git that was started before the kill lives on by itself, and holds the index until its hooks are done.
    let lock = || if killed { canvas::index_lock(workspace, &options).ok().flatten() } else { None };
    let began = Instant::now();
    while lock().is_some() && began.elapsed() < ORPHAN_WAIT {
        std::thread::sleep(ORPHAN_LOOK);
    }
    let made = match killed.then(|| canvas::committed_already(workspace, &paths, message, &options)) {
        Some(Ok(Some(id))) => {
            // It was made, and what holds the index was killed with it.
            let left = lock().map(|at| CommitError::Locked { at }.to_string());
            Ok((CommitView { id, branch: None }, left.into_iter().collect()))
        }
        Some(Err(error)) => Err(error),
        Some(Ok(None)) | None => canvas::commit(workspace, &paths, message, &options)
            .map(|made| (CommitView { id: made.id, branch: made.branch }, made.notes)),
    };
    // What the accept itself had to say stays: it may name a file of the user's that was saved beside.
    let mut said: Vec<String> = executed.end.message.take().into_iter().collect();
    match made {
        Ok((made, notes)) => {
            executed.end.commit = Some(made);
            said.extend(notes);
        }
        Err(error) => said.push(format!("the files are accepted, but not committed: {error}")),
    }
    executed.end.message = (!said.is_empty()).then(|| secrets.masked(said.join("; ")));
    executed
}

fn choices(choice: HunkChoice) -> BTreeMap<RelPath, Choice> {
    let context_lines = choice.context_lines;
    let files = choice.files.into_iter().map(|file| {
        let hunks = file.take.into_iter().map(|index| index as usize).collect();
        (file.path, Choice { before: file.before, after: file.after, context_lines, hunks })
    });
    files.collect()
}

fn not_chosen(error: &ChoiceError) -> Problem {
    Problem::new(Code::Conflict, error.to_string())
        .remedy("`tinkerbell accept --patch` shows the hunks as they are now")
}

fn no_commit(error: &CommitError) -> Problem {
    Problem::new(Code::Conflict, error.to_string())
        .remedy("nothing was accepted; accept without --commit, or mend this")
}

impl Chosen {
    fn holds(&self, path: &RelPath) -> bool {
        match self {
            Chosen::All => true,
            Chosen::Paths(paths) => paths.iter().any(|below| path.is_at_or_below(below)),
            Chosen::Hunks(choice) => choice.files.iter().any(|file| file.path == *path),
        }
    }
}
