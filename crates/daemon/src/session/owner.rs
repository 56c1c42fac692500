//! The owner: one task, one session, one thing at a time.

use super::accepting::{Accepting, Stuck};
use super::alike::Alike;
use super::command::{Change, Command, Reply};
use super::fact::Fact;
use super::instructions::Instruction;
use super::live::Live;
use super::perform::{Ended, PreparedCall, Running, ToBegin};
use super::view;
use super::words::Words;
use crate::cache::Seat;
use crate::house::House;
use crate::registry::Registry;
use agent::{EffectId, Epoch, Event, Micros, ModelName, Seq, SessionId, State, Timer};
use canvas::{Fold, StatCache};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use store::NewAnswer;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant};
use wire::rest::{ApprovalView, SessionRow, SessionView};
use wire::{Code, Problem, RelPath};

/// Canvas commands that may wait for a border between steps.
const HELD_CHANGES: usize = 16;
/// The first pause before an append that failed is tried again; each further one is twice as long.
pub(super) const FIRST_RETRY: Duration = Duration::from_millis(250);
/// The longest such pause.
pub(super) const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// How long effects may take to end at a stop once the grace is over and they are asked to. What ends later is settled by
/// the next start.
pub(super) const LETTING_GO: Duration = Duration::from_secs(1);
/// How often what a running model says is saved. Never for each token, and not at all for a reply that is shorter.
pub(super) const SAVE_EVERY: Duration = Duration::from_secs(2);

/// What a session is called and where it works.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) workspace: String,
    pub(super) title: Option<String>,
    pub(super) created: Micros,
    pub(super) updated: Micros,
    pub(super) model: Option<ModelName>,
}

/// The owner of a session.
pub(crate) struct Owner {
    pub(super) house: Arc<House>,
    pub(super) id: SessionId,
    pub(super) profile: Profile,
    pub(super) state: State,
    /// The epoch that the first append claims.
    pub(super) epoch: Epoch,
    pub(super) claimed: bool,
    pub(super) canvas: Arc<Fold>,
    /// The last event in the folds on disk.
    pub(super) folded: Seq,
    pub(super) live: Arc<Live>,
    /// The notes of the workspace, as they were read at the border of the turn.
    pub(super) instructions: Arc<[Instruction]>,
    /// The last tool call that a model asked for, and how often in a row.
    pub(super) alike: Alike,
    /// The words of the conversation, as far as they are in memory.
    pub(super) spoken: Words,
    /// The tool calls of the present step.
    pub(super) jobs: Vec<PreparedCall>,
    pub(super) running: BTreeMap<EffectId, Running>,
    pub(super) timers: BTreeMap<EffectId, (Timer, Instant)>,
    /// Outcomes that are not on disk yet.
    pub(super) unwritten: Vec<Fact>,
    /// Events whose words go with the next append.
    pub(super) forgetting: Vec<Seq>,
    /// The answer that belongs to what is not written yet.
    pub(super) kept: Option<NewAnswer>,
    /// The last append failed, so what follows from the state may not be on disk: when it is tried again, and how long
    /// the pause before that is.
    pub(super) behind: Option<(Instant, Duration)>,
    /// Whether a new owner would have something to go on with, or only somebody's answer to wait for.
    pub(super) waking: bool,
    /// Effects whose start is on disk; they begin when what is being done now has been answered.
    pub(super) to_begin: Vec<ToBegin>,
    pub(super) held: VecDeque<Change>,
    pub(super) accepting: Option<Accepting>,
    pub(super) stuck: Option<Stuck>,
    /// Paths that the last look found changed in ways that do not merge.
    pub(super) conflicts: Vec<RelPath>,
    /// Which files of the work tree need not be read again; shared with the threads that look.
    pub(super) stat_cache: Arc<Mutex<StatCache>>,
    pub(super) last_failure: Option<String>,
    /// What model calls of an earlier owner had said, as far as it was saved.
    pub(super) lost: Vec<(EffectId, String)>,
    /// When to save what the running model has said, and how much of it is saved.
    pub(super) saving: Option<(Instant, usize)>,
    pub(super) stopping: bool,
    /// Somebody else has the session, or the journal is closed: leave.
    pub(super) gone: bool,
    /// The session is about to be removed: leave, and write nothing more.
    pub(super) gone_for_good: bool,
    /// Says that the configuration was replaced.
    pub(super) replaced: watch::Receiver<()>,
    pub(super) ended: mpsc::Receiver<Ended>,
    pub(super) ended_sender: mpsc::Sender<Ended>,
}

/// What the owner waits for.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is taken apart at once")]
enum Next {
    Stop,
    Command(Command),
    Ended(Box<Ended>),
    Timer(EffectId),
    Retry,
    LookAgain,
    Save,
    Replaced,
    Idle,
    GraceOver,
    NobodyLeft,
}

impl Owner {
    /// Lives until the session is idle, the daemon stops, or somebody else has taken it over.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Command>, registry: Arc<Registry>, seat: Arc<Seat>) {
        if self.state.has_work() {
            self.read_instructions().await;
            self.settle_and_go_on().await;
            self.begin_all().await;
        }
        let (mut grace, mut letting_go) = (None, false);
        while !self.gone {
            match self.next(&mut inbox, grace).await {
                Next::Stop => {
                    // What runs may end by itself, to the border of its step; nothing new begins.
                    grace = Some(self.house.clock.instant() + Duration::from_millis(self.house.config().grace_ms));
                    self.stopping = true;
                    let house = &self.house;
                    self.held.drain(..).for_each(|change| change.refuse(house.draining()));
                }
                Next::GraceOver if !letting_go => {
                    letting_go = true;
                    grace = Some(self.house.clock.instant() + LETTING_GO);
                    self.release_all();
                }
                Next::Command(Command::MakeRoom) if self.at_rest() && !self.live.watched() => {
                    self.write_folds().await;
                    if registry.let_go(self.id, &inbox) {
                        return;
                    }
                    registry.stays(&seat);
                    continue;
                }
                // Without weighing: that would ask it again at once.
                Next::Command(Command::MakeRoom) => {
                    registry.stays(&seat);
                    continue;
                }
                Next::Command(Command::Leave { force, reply }) => {
                    let leaves = self.may_leave(force).await;
                    let gone = leaves.is_ok();
                    answer(reply, leaves);
                    if gone {
                        self.gone_for_good = true;
                        break;
                    }
                }
                Next::Command(command) => self.obey(command).await,
                Next::Ended(ended) => self.ended(*ended).await,
                Next::Timer(effect) => self.fired(effect).await,
                Next::Retry => self.settle_and_go_on().await,
                Next::LookAgain => self.look_again(),
                Next::Save => self.save_partial().await,
                Next::Replaced => self.configuration_replaced().await,
                // Whoever watches keeps the session awake; it is asked again after another while.
                Next::Idle if self.live.watched() => {}
                Next::Idle => {
                    self.write_folds().await;
                    if registry.let_go(self.id, &inbox) {
                        return;
                    }
                }
                Next::GraceOver | Next::NobodyLeft => break,
            }
            if self.gone {
                break;
            }
            self.serve_held().await;
            self.begin_all().await;
            if self.folds_due() {
                self.write_folds().await;
            }
            if self.stopping && self.running.is_empty() {
                break;
            }
            registry.weigh(&seat, self.bytes(), self.at_rest());
        }
        self.leave(inbox, &registry).await;
    }

    /// The end of an owner: nothing of it runs on, its folds are written, and whoever still asks is told.
    async fn leave(mut self, mut inbox: mpsc::Receiver<Command>, registry: &Arc<Registry>) {
        if self.gone || self.gone_for_good {
            self.release_all();
            self.join_effects().await;
        } else {
            self.write_folds().await;
        }
        let problem = || if self.stopping { self.house.draining() } else { crate::registry::handed_over() };
        self.held.drain(..).for_each(|change| change.refuse(problem()));
        inbox.close();
        while let Ok(command) = inbox.try_recv() {
            command.refuse(problem());
        }
        registry.forget(self.id);
        if self.gone && self.waking && !self.gone_for_good && !self.house.stop.is_cancelled() {
            registry.wake(self.id);
        }
    }

    /// Waits for the next thing. Every arm is cancel-safe: receiving and sleeping lose nothing when dropped.
    async fn next(&mut self, inbox: &mut mpsc::Receiver<Command>, grace: Option<Instant>) -> Next {
        let timer = self.timers.iter().min_by_key(|(_, (_, at))| *at).map(|(effect, (_, at))| (*effect, *at));
        let idle =
            self.at_rest().then(|| self.house.clock.instant() + Duration::from_millis(self.house.config().idle_ms));
        let (stop, clock) = (self.house.stop.clone(), self.house.clock.clone());
        tokio::select! {
            biased;
            () = stop.cancelled(), if !self.stopping => Next::Stop,
            Some(ended) = self.ended.recv() => Next::Ended(Box::new(ended)),
            () = clock.sleep_until(grace) => Next::GraceOver,
            () = clock.sleep_until(timer.map(|(_, at)| at)) => Next::Timer(timer.expect("it fired").0),
            () = clock.sleep_until(self.behind.map(|(at, _)| at)) => Next::Retry,
            () = clock.sleep_until(self.stuck.as_ref().map(|stuck| stuck.again_at)) => Next::LookAgain,
            () = clock.sleep_until(self.saving.map(|(at, _)| at)) => Next::Save,
            Ok(()) = self.replaced.changed() => Next::Replaced,
            command = inbox.recv() => match command {
                Some(command) => Next::Command(command),
                None => Next::NobodyLeft,
            },
            () = clock.sleep_until(idle) => Next::Idle,
        }
    }

    /// Only somebody's answer may be missing: a session that waits for a person rests too.
    fn at_rest(&self) -> bool {
        let waits = self.held.is_empty() && self.behind.is_none() && self.stuck.is_none();
        waits && self.running.is_empty() && self.timers.is_empty()
    }

    /// What the session holds in memory, about.
    fn bytes(&self) -> u64 {
        // Measured over thousands of sessions: task, inbox, maps, what the allocator rounds up.
        const BESIDES: usize = 20 * 1024;
        const PER_PATH: usize = 512;
        const PER_STEP: usize = 384;
        let window = self.state.window.items().len() * size_of::<agent::Item>();
        (BESIDES
            + window
            + self.spoken.bytes()
            + self.canvas.known_paths() * PER_PATH
            + self.canvas.steps().len() * PER_STEP) as u64
    }

    /// Whether the session may be removed: nothing of it runs, or all of it has just been cancelled.
    async fn may_leave(&mut self, force: bool) -> Result<Seq, Problem> {
        if self.state.accept_open() {
            let detail = format!("an accept is under way in session {}", self.id);
            return Err(
                Problem::new(Code::Conflict, detail).remedy("wait for its end, or give it up: `tinkerbell cancel`")
            );
        }
        if self.state.has_work() && !force {
            let detail = format!("a turn is running in session {}", self.id);
            let remedy = "wait for its end, or remove it by force, which cancels what runs";
            return Err(Problem::new(Code::Conflict, detail).remedy(remedy));
        }
        self.release_all();
        self.join_effects().await;
        Ok(self.state.head)
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::MakeRoom | Command::Leave { .. } => unreachable!("the loop takes these itself"),
            Command::Create { title, prompt, scheduled, once, reply } => {
                answer(reply, self.create(title, prompt, scheduled, once).await);
            }
            Command::Scheduled { prompt, terms, once, reply } => {
                answer(reply, self.scheduled(prompt, terms, once).await);
            }
            Command::Prompt { prompt, once, reply } => answer(reply, self.prompt(prompt, once).await),
            Command::Cancel { reply } => answer(reply, self.cancel().await),
            Command::Answer { approval, answer: given, reply } => answer(reply, self.resolve(approval, given).await),
            Command::Title { title, reply } => answer(reply, self.title(title).await),
            Command::View { reply } => answer(reply, Ok(self.view())),
            Command::Context { reply } => answer(reply, self.context().await),
            Command::Watch { reply } => answer(reply, Ok(self.live.watch(self.state.head))),
            Command::Canvas { reply } => answer(reply, self.canvas_view().await),
            Command::Diff { paths, reply } => answer(reply, self.diff(paths).await),
            Command::Hunks { paths, context, reply } => answer(reply, self.hunks(paths, context).await),
            Command::Show { step, reply } => answer(reply, self.show(step).await),
            Command::Log { reply } => answer(reply, self.log().await),
            Command::File { path, reply } => answer(reply, self.file(path).await),
            Command::Redact { wish, reply } => answer(reply, self.redact(wish).await),
            Command::Change(change) if self.stopping => change.refuse(self.house.draining()),
            Command::Change(change) if self.stuck.is_some() => {
                change.refuse(self.stuck.as_ref().map_or_else(|| self.house.draining(), Stuck::problem));
                self.look_again();
            }
            Command::Change(change) if self.held.len() < HELD_CHANGES => self.held.push_back(change),
            Command::Change(change) => change.refuse(Problem::new(
                Code::LimitReached,
                format!("{HELD_CHANGES} commands wait already for the running step to end"),
            )),
        }
    }

    async fn fired(&mut self, effect: EffectId) {
        if let Some((timer, _)) = self.timers.remove(&effect) {
            self.outcome(Fact::bare(Event::TimerFired { turn: timer.turn, effect })).await;
        }
    }

    /// Appends what waits, and goes on with what is wanted. Also how a woken session begins.
    pub(super) async fn settle_and_go_on(&mut self) {
        if let Err(problem) = self.happen(self.tightened(), None).await {
            tracing::warn!(session = %self.id, %problem, "the session cannot go on yet");
        }
    }

    /// Saves what the running model has said, so that a kill loses seconds of it and not all.
    async fn save_partial(&mut self) {
        let Some((_, saved)) = self.saving.take() else { return };
        let Some((message, text)) = self.live.said() else { return };
        let said = text.len();
        if said > saved
            && let Err(error) = self.house.store.save_partial(self.id, self.epoch, message, text).await
        {
            tracing::debug!(session = %self.id, %error, "a partial reply could not be saved");
        }
        self.saving = Some((self.house.clock.instant() + SAVE_EVERY, said));
    }

    /// Runs held canvas commands while the canvas is free.
    async fn serve_held(&mut self) {
        while self.state.canvas_free() && self.accepting.is_none() {
            let Some(change) = self.held.pop_front() else { return };
            self.change(change).await;
        }
    }

    /// The session as doors show it.
    pub(super) fn view(&self) -> SessionView {
        let state = &self.state;
        SessionView {
            row: SessionRow {
                id: self.id,
                workspace: self.profile.workspace.clone(),
                title: self.profile.title.clone().unwrap_or_default(),
                status: view::status(state),
                head: state.head,
                model: self.profile.model.clone(),
                cost_microusd: state.cost,
                created_at: self.profile.created,
                updated_at: self.profile.updated,
                archived: None,
            },
            turns: state.last_turn.0,
            pending: self.canvas.pending().len() as u32,
            turn: view::turn(state),
            queued: state.queue.iter().map(|prompt| prompt.turn).collect(),
            approvals: view::open_questions(state)
                .into_iter()
                .map(|open| ApprovalView { message: self.question(open.id, open.question), ..open })
                .collect(),
            usage: state.usage,
        }
    }
}

/// Answers; whoever asked may have left.
pub(super) fn answer<T>(reply: Reply<T>, outcome: Result<T, Problem>) {
    let _ = reply.send(outcome);
}
