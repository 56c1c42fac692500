//! Accept, as the owner sees it: plan, start, wait, and settle what cannot be settled now.

use super::command::{Once, Reply};
use super::easel::{no_plan, work_tree_at};
use super::fact::{Fact, Gathered};
use super::owner::{Owner, answer};
use super::perform::{Ended, Running};
use agent::{AcceptOutcome, EffectId, Event, Seq};
use canvas::{Accepted as Executed, Blobs, Draft, Selection};
use std::path::Path;
use store::JournalId;
use tokio::time::{Duration, Instant};
use wire::body::{self, AcceptPlan};
use wire::rest::{Accepted, FileRow};
use wire::{Changeset, Code, Problem, RelPath};

/// The first pause before an accept that is stuck is looked after again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
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
    /// Plans an accept of everything, or of what is at and below `paths`, after a look at what the user changed.
    pub(super) async fn plan_accept(&mut self, paths: Vec<RelPath>) -> Result<Draft<AcceptPlan>, Problem> {
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
                self.run_accept(effect, move || exchange(&workspace, &plan, &blobs));
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
        let rows = self.rows(changes.clone()).await?;
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
                    let verified = tasks.look(move || verify(&workspace, &plan, &blobs)).await;
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
            let end = tasks.look(job).await.unwrap_or_else(|| Err(BROKE_DOWN.to_owned()));
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
                let again_at = Instant::now() + pause;
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
            message: end.message.clone(),
            path: end.path.clone(),
        };
        let (reply, once) = waiter.map_or((None, None), |(reply, once)| (Some(reply), once));
        self.kept = once.map(|once| once.keep(&accepted));
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
            stuck.again_at = Instant::now() + LONGEST_PAUSE * 60;
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
        let end = body::AcceptEnd { bases: Vec::new(), message, path: None };
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

fn exchange(workspace: &Path, plan: &AcceptPlan, blobs: &Blobs) -> AcceptEnded {
    match work_tree_at(workspace) {
        Ok(tree) => canvas::execute(&tree, plan, blobs, &mut |_| {}).map_err(|error| error.to_string()),
        // Nothing has been touched yet.
        Err(problem) => {
            let end = body::AcceptEnd { bases: Vec::new(), message: Some(problem.detail), path: None };
            Ok(Executed { outcome: AcceptOutcome::Failed, end })
        }
    }
}

/// Without the work tree nothing can be said of what was done, so the accept stays open.
fn verify(workspace: &Path, plan: &AcceptPlan, blobs: &Blobs) -> AcceptEnded {
    let tree = work_tree_at(workspace).map_err(|problem| problem.detail)?;
    canvas::verify(&tree, plan, blobs).map_err(|error| error.to_string())
}
