//! The owner: one task, one session, one thing at a time.

use super::accepting::{Accepting, Stuck};
use super::command::{Change, Command, Once, Prompt, Reply};
use super::fact::{Fact, Gathered};
use super::live::Live;
use super::perform::{Ended, PreparedCall, Running, unreadable};
use super::render::Spoken;
use super::view;
use crate::clock;
use crate::house::House;
use crate::registry::Registry;
use agent::{
    Answer, Effect, EffectId, Epoch, Event, Micros, ModelName, Plan, Seq, SessionId, State, Timer, Tokens, TurnId,
    TurnOutcome,
};
use canvas::{Fold, StatCache};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use store::NewAnswer;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, sleep_until};
use wire::rest::{Acknowledged, ApprovalView, Cancelled, SessionRow, SessionView, WhileRunning};
use wire::{Code, Problem, RelPath, body};

/// Prompts that may wait in one session.
const QUEUED_PROMPTS: usize = 64;
/// Canvas commands that may wait for a border between steps.
const HELD_CHANGES: usize = 16;
/// The longest prompt.
const PROMPT_BYTES: usize = 1 << 20;
/// The first pause before an append that failed is tried again; each further one is twice as long.
pub(super) const FIRST_RETRY: Duration = Duration::from_millis(250);
/// The longest such pause.
pub(super) const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// How often what a running model says is saved. Never for each token, and not at all for a reply that is shorter.
pub(super) const SAVE_EVERY: Duration = Duration::from_secs(2);
/// How long an answer stays under its idempotency key.
const ANSWER_MICROS: i64 = 24 * 60 * 60 * 1_000_000;
/// Characters of a prompt that become a title.
const TITLE_CHARS: usize = 60;

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
    /// The words of the conversation, as far as they are in memory.
    pub(super) spoken: BTreeMap<Seq, Spoken>,
    /// The tool calls of the present step.
    pub(super) jobs: Vec<PreparedCall>,
    pub(super) running: BTreeMap<EffectId, Running>,
    pub(super) timers: BTreeMap<EffectId, (Timer, Instant)>,
    /// Outcomes that are not on disk yet.
    pub(super) unwritten: Vec<Fact>,
    /// The answer that belongs to what is not written yet.
    pub(super) kept: Option<NewAnswer>,
    /// The last append failed, so what follows from the state may not be on disk: when it is tried again, and how long
    /// the pause before that is.
    pub(super) behind: Option<(Instant, Duration)>,
    /// Whether a new owner would have something to go on with, or only somebody's answer to wait for.
    pub(super) waking: bool,
    /// Effects whose start is on disk; they begin when what is being done now has been answered.
    pub(super) to_begin: Vec<(Effect, Plan)>,
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
    pub(super) ended: mpsc::Receiver<Ended>,
    pub(super) ended_sender: mpsc::Sender<Ended>,
}

/// What the owner waits for.
enum Next {
    Stop,
    Command(Command),
    Ended(Box<Ended>),
    Timer(EffectId),
    Retry,
    LookAgain,
    Save,
    Idle,
    NobodyLeft,
}

impl Owner {
    /// Lives until the session is idle, the daemon stops, or somebody else has taken it over.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Command>, registry: Arc<Registry>) {
        if self.state.has_work() {
            self.settle_and_go_on().await;
            self.begin_all().await;
        }
        let mut grace: Option<Instant> = None;
        while !self.gone {
            match self.next(&mut inbox, grace).await {
                Next::Stop => {
                    grace = Some(Instant::now() + Duration::from_millis(self.house.config.grace_ms));
                    self.stopping = true;
                    self.release_all();
                    self.held.drain(..).for_each(|change| change.refuse(draining()));
                }
                Next::Command(command) => self.obey(command).await,
                Next::Ended(ended) => self.ended(*ended).await,
                Next::Timer(effect) => self.fired(effect).await,
                Next::Retry => self.settle_and_go_on().await,
                Next::LookAgain => self.look_again(),
                Next::Save => self.save_partial().await,
                // Whoever watches keeps the session awake; it is asked again after another while.
                Next::Idle if self.live.watched() => {}
                Next::Idle => {
                    self.write_folds().await;
                    if registry.let_go(self.id, &inbox) {
                        return;
                    }
                }
                Next::NobodyLeft => break,
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
        }
        self.leave(inbox, &registry).await;
    }

    /// The end of an owner: nothing of it runs on, its folds are written, and whoever still asks is told.
    async fn leave(mut self, mut inbox: mpsc::Receiver<Command>, registry: &Arc<Registry>) {
        if self.gone {
            self.release_all();
            self.join_effects().await;
        } else {
            self.write_folds().await;
        }
        let problem = || if self.stopping { draining() } else { crate::registry::handed_over() };
        self.held.drain(..).for_each(|change| change.refuse(problem()));
        inbox.close();
        while let Ok(command) = inbox.try_recv() {
            command.refuse(problem());
        }
        registry.remove(self.id);
        if self.gone && self.waking && !self.house.stop.is_cancelled() {
            registry.wake(self.id);
        }
    }

    /// Waits for the next thing. Every arm is cancel-safe: receiving and sleeping lose nothing when dropped.
    async fn next(&mut self, inbox: &mut mpsc::Receiver<Command>, grace: Option<Instant>) -> Next {
        let timer = self.timers.iter().min_by_key(|(_, (_, at))| *at).map(|(effect, (_, at))| (*effect, *at));
        // Only somebody's answer may be missing: a session that waits for a person rests too.
        let rests = self.running.is_empty() && self.timers.is_empty() && self.behind.is_none() && self.stuck.is_none();
        let idle = rests.then(|| Instant::now() + Duration::from_millis(self.house.config.idle_ms));
        let stop = self.house.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled(), if !self.stopping => Next::Stop,
            Some(ended) = self.ended.recv() => Next::Ended(Box::new(ended)),
            () = until(grace) => Next::NobodyLeft,
            () = until(timer.map(|(_, at)| at)) => Next::Timer(timer.expect("it fired").0),
            () = until(self.behind.map(|(at, _)| at)) => Next::Retry,
            () = until(self.stuck.as_ref().map(|stuck| stuck.again_at)) => Next::LookAgain,
            () = until(self.saving.map(|(at, _)| at)) => Next::Save,
            command = inbox.recv() => match command {
                Some(command) => Next::Command(command),
                None => Next::NobodyLeft,
            },
            () = until(idle) => Next::Idle,
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Create { title, prompt, once, reply } => {
                answer(reply, self.create(title, prompt, once).await);
            }
            Command::Prompt { prompt, once, reply } => answer(reply, self.prompt(prompt, once).await),
            Command::Cancel { reply } => answer(reply, self.cancel().await),
            Command::Answer { approval, answer: given, reply } => answer(reply, self.resolve(approval, given).await),
            Command::View { reply } => answer(reply, Ok(self.view())),
            Command::Watch { reply } => answer(reply, Ok(self.live.watch(self.state.head))),
            Command::Canvas { reply } => answer(reply, self.canvas_view().await),
            Command::Diff { paths, reply } => answer(reply, self.diff(paths).await),
            Command::Show { step, reply } => answer(reply, self.show(step).await),
            Command::Log { reply } => answer(reply, self.log().await),
            Command::File { path, reply } => answer(reply, self.file(path).await),
            Command::Change(change) if self.stopping => change.refuse(draining()),
            Command::Change(change) if self.stuck.is_some() => {
                change.refuse(self.stuck.as_ref().map_or_else(draining, Stuck::problem));
                self.look_again();
            }
            Command::Change(change) if self.held.len() < HELD_CHANGES => self.held.push_back(change),
            Command::Change(change) => change.refuse(Problem::new(
                Code::LimitReached,
                format!("{HELD_CHANGES} commands wait already for the running step to end"),
            )),
        }
    }

    async fn create(
        &mut self,
        title: Option<String>,
        prompt: Option<Prompt>,
        once: Option<Once>,
    ) -> Result<Acknowledged, Problem> {
        let first_words = || prompt.as_ref().map(|prompt| title_of(&prompt.text));
        self.profile.title = title.or_else(first_words);
        let (workspace, title) = (self.profile.workspace.clone(), self.profile.title.clone());
        let created = Fact::new(Event::SessionCreated {}, &body::Session { workspace, title }, Gathered::default());
        let outcome = self.say(vec![created], prompt, once).await;
        if outcome.is_err() && self.state.head == Seq(0) {
            self.gone = true;
        }
        outcome
    }

    async fn prompt(&mut self, prompt: Prompt, once: Option<Once>) -> Result<Acknowledged, Problem> {
        let before = self.rebase().await?;
        self.say(before, Some(prompt), once).await
    }

    /// Appends `before` and the prompt; the append is the acknowledgement.
    async fn say(
        &mut self,
        before: Vec<Fact>,
        prompt: Option<Prompt>,
        once: Option<Once>,
    ) -> Result<Acknowledged, Problem> {
        if self.stopping {
            return Err(draining());
        }
        if let Some(known) = self.known(once.as_ref()).await? {
            return Ok(known);
        }
        let mut facts = before;
        let (mut turn, mut model) = (None, None);
        if let Some(prompt) = prompt {
            let asked = prompt.model.clone().or_else(|| self.house.settings.default_model.clone());
            let fact = self.prompt_fact(prompt)?;
            turn = fact.event.turn();
            // A prompt that joins a running turn goes to that turn's model.
            model = asked.filter(|_| !matches!(fact.event, Event::PromptSteered { .. }));
            facts.push(fact);
        }
        let seq = self.seq_of(facts.len() - 1);
        let acknowledged = Acknowledged { session: self.id, seq, turn, model: model.clone() };
        let kept = once.map(|once| once.keep(&acknowledged));
        let before = self.profile.model.clone();
        self.profile.model = model.or(self.profile.model.take());
        let outcome = self.happen(facts, kept).await;
        if outcome.is_err() {
            self.profile.model = before;
        }
        outcome.map(|()| acknowledged)
    }

    /// The answer that was given under a key. The owner takes one thing at a time, so nobody is before it here.
    pub(super) async fn known<T: DeserializeOwned>(&self, once: Option<&Once>) -> Result<Option<T>, Problem> {
        let Some(once) = once else { return Ok(None) };
        let known = self.house.store.answer(&once.scope, &once.key, clock::now()).await.map_err(unreadable)?;
        match known {
            Some(known) if known.body_hash == once.request => Ok(serde_json::from_str(&known.answer).ok()),
            Some(_) => Err(Problem::new(Code::KeyReused, "this key came with another request before")),
            None => Ok(None),
        }
    }

    fn prompt_fact(&self, prompt: Prompt) -> Result<Fact, Problem> {
        if prompt.text.trim().is_empty() {
            return Err(Problem::new(Code::InvalidRequest, "the prompt is empty").remedy("say what you want done"));
        }
        if prompt.text.len() > PROMPT_BYTES {
            let detail = format!("the prompt has {} bytes; the most is {PROMPT_BYTES}", prompt.text.len());
            return Err(Problem::new(Code::TooLarge, detail).remedy("put the text into a file and name the file"));
        }
        if self.state.queue.len() >= QUEUED_PROMPTS {
            let detail = format!("{QUEUED_PROMPTS} prompts wait in this session already");
            return Err(Problem::new(Code::LimitReached, detail).remedy("wait, or cancel the running turn"));
        }
        let (tokens, model) = (Tokens::estimate(prompt.text.len()), prompt.model);
        let running = self.state.turn.as_ref().filter(|turn| turn.ending.is_none());
        let event = match (running, prompt.while_running) {
            (Some(turn), WhileRunning::Steer) => Event::PromptSteered { turn: turn.id, tokens },
            _ if self.state.turn.is_none() && self.state.queue.is_empty() => {
                Event::PromptAccepted { turn: self.state.last_turn.next(), tokens, model }
            }
            _ => Event::PromptQueued { turn: self.state.last_turn.next(), tokens, model },
        };
        let mut gathered = Gathered::default();
        let text = gathered.text(prompt.text);
        Ok(Fact::new(event, &body::Prompt { text }, gathered))
    }

    async fn cancel(&mut self) -> Result<Cancelled, Problem> {
        let turn = self.state.turn.as_ref().map(|turn| turn.id);
        if turn.is_none()
            && let Some(given_up) = self.give_up_accept().await
        {
            return given_up.map(|seq| Cancelled { turn: TurnId::NONE, seq });
        }
        let turn = turn.ok_or_else(|| Problem::new(Code::Conflict, "no turn is running in this session"))?;
        let seq = self.seq_of(0);
        let outcome = TurnOutcome::Cancelled;
        self.happen(vec![Fact::bare(Event::TurnCancelling { turn, outcome, limit: None })], None).await?;
        Ok(Cancelled { turn, seq })
    }

    async fn resolve(&mut self, approval: EffectId, given: Answer) -> Result<Seq, Problem> {
        let open = view::open_questions(&self.state);
        let question = open.iter().find(|question| question.id == approval).ok_or_else(|| {
            Problem::new(Code::NotFound, format!("no question {approval} waits in this session"))
                .remedy("`tinkerbell sessions show` lists the open ones; it may have been answered already")
        })?;
        if !question.answers.contains(&given) {
            let words: Vec<_> = question.answers.iter().map(|answer| answer.word()).collect();
            let detail = format!("{} does not answer this question", given.word());
            return Err(Problem::new(Code::InvalidRequest, detail).remedy(format!("answer {}", words.join(", "))));
        }
        let seq = self.seq_of(0);
        let event = Event::ApprovalResolved { turn: approval.turn, effect: approval, answer: given };
        self.happen(vec![Fact::new(event, &body::Question::default(), Gathered::default())], None).await?;
        Ok(seq)
    }

    async fn fired(&mut self, effect: EffectId) {
        if let Some((timer, _)) = self.timers.remove(&effect) {
            self.outcome(Fact::bare(Event::TimerFired { turn: timer.turn, effect })).await;
        }
    }

    /// Appends what waits, and goes on with what is wanted. Also how a woken session begins.
    async fn settle_and_go_on(&mut self) {
        if let Err(problem) = self.happen(Vec::new(), None).await {
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
        self.saving = Some((Instant::now() + SAVE_EVERY, said));
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

impl Once {
    /// Keeps an answer under the key.
    pub(super) fn keep(self, answer: &impl Serialize) -> NewAnswer {
        let now = clock::now();
        NewAnswer {
            scope: self.scope,
            key: self.key,
            body_hash: self.request,
            answer: serde_json::to_string(answer).expect("an answer is plain data"),
            now,
            expires: Micros(now.0 + ANSWER_MICROS),
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Answers; whoever asked may have left.
pub(super) fn answer<T>(reply: Reply<T>, outcome: Result<T, Problem>) {
    let _ = reply.send(outcome);
}

pub(super) fn draining() -> Problem {
    Problem::new(Code::Draining, "the daemon is shutting down").remedy("try again in a moment")
}

/// The first words of a prompt.
fn title_of(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    match line.char_indices().nth(TITLE_CHARS) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line.to_owned(),
    }
}
