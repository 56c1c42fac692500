//! Step 4 of the circle: the effects that the brain wants, run, and what comes of them.

use super::accepting::AcceptEnded;
use super::fact::{Fact, Gathered};
use super::owner::{Owner, SAVE_EVERY};
use super::render::{Spoken, render};
use crate::files::CanvasFiles;
use crate::house::system_prompt;
use crate::toolbox::{Inspected, Job};
use agent::{
    Access, CallFact, Effect, EffectId, EffectKind, Event, Failure, Interruption, ModelName, Money, Plan, Seq, Stop,
    Timer, Tokens, ToolOutcome, TurnId, Usage, Verdict,
};
use canvas::View;
use futures_util::FutureExt;
use models::{Ended as ModelEnd, Message, Partial, Reply, Request, Sink};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::JournalId;
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tools::Output;
use wire::body::{self, Seen, Text};
use wire::{Change, Code, FileState, Header, Problem, Record};

/// Tool calls of a reply that are taken; more are dropped, and the event says how many.
const CALLS_PER_REPLY: usize = 64;
/// The longest name of a tool and the longest id of a call.
const NAME_BYTES: usize = 256;
/// Words of the conversation that an awake session keeps in memory.
const SPOKEN_BYTES: usize = 8 << 20;

/// An effect that runs.
pub(super) struct Running {
    stop: CancellationToken,
    /// Whether it is stopped because the owner lets go of it, so that it is to be tried again, and not because it is no
    /// longer wanted.
    released: Arc<AtomicBool>,
    model: Option<ModelName>,
}

impl Running {
    pub(super) fn new(model: Option<ModelName>) -> Running {
        Running { stop: CancellationToken::new(), released: Arc::default(), model }
    }
}

/// A tool call of the present step.
#[derive(Debug, Clone)]
pub(super) struct PreparedCall {
    pub(super) name: String,
    pub(super) about: String,
    /// What to run, or why the call is not valid.
    pub(super) inspected: Result<Inspected, String>,
}

/// An effect that has ended, as its task says it.
pub(super) enum Ended {
    Model(EffectId, Box<ModelEnd>),
    Tool(EffectId, Box<Fact>),
    Accept(EffectId, Box<AcceptEnded>),
}

impl Owner {
    /// Begins the effects whose start is on disk. Whoever waited for that has his answer by now.
    pub(super) async fn begin_all(&mut self) {
        for (effect, plan) in std::mem::take(&mut self.to_begin) {
            self.begin(effect, plan).await;
        }
    }

    async fn begin(&mut self, effect: Effect, plan: Plan) {
        match effect {
            Effect::Model { id, turn, model } => self.begin_model(id, turn, model, plan).await,
            Effect::Tool { id, turn, .. } => self.begin_tool(id, turn),
            Effect::VerifyAccept { id, plan, .. } => self.begin_verify(id, plan),
        }
    }

    /// Cancels what runs and is no longer wanted, and arms the timers that are.
    pub(super) fn follow(&mut self, keep: &[EffectId], timers: &[Timer]) {
        for (effect, running) in &self.running {
            if !keep.contains(effect) {
                running.stop.cancel();
            }
        }
        self.timers.retain(|effect, _| timers.iter().any(|timer| timer.id == *effect));
        let now = Instant::now();
        for timer in timers {
            let due = now + Duration::from_millis(timer.delay_ms);
            self.timers.entry(timer.id).or_insert((*timer, due));
        }
    }

    /// Lets go of everything that runs, an accept aside: it takes an instant, and half of one is worse.
    pub(super) fn release_all(&mut self) {
        for (effect, running) in &self.running {
            if effect.kind != EffectKind::Accept {
                running.released.store(true, Ordering::Relaxed);
                running.stop.cancel();
            }
        }
    }

    pub(super) async fn ended(&mut self, ended: Ended) {
        let (effect, fact) = match ended {
            Ended::Model(effect, end) => (effect, self.model_ended(effect, *end)),
            Ended::Tool(effect, fact) => (effect, *fact),
            Ended::Accept(effect, end) => {
                self.running.remove(&effect);
                return self.accept_ended(effect, *end).await;
            }
        };
        self.running.remove(&effect);
        self.outcome(fact).await;
    }

    /// Waits for every running effect to end, and keeps what comes of it as not yet written. What an accept did is
    /// judged by the next look at the work tree, not by what it says now.
    pub(super) async fn join_effects(&mut self) {
        while !self.running.is_empty() {
            let Some(ended) = self.ended.recv().await else { return };
            match ended {
                Ended::Accept(effect, _) => {
                    self.running.remove(&effect);
                    self.accepting = None;
                }
                Ended::Tool(effect, fact) => {
                    self.running.remove(&effect);
                    self.unwritten.push(*fact);
                }
                Ended::Model(effect, end) => {
                    let fact = self.model_ended(effect, *end);
                    self.unwritten.push(fact);
                }
            }
        }
    }

    fn model_ended(&mut self, effect: EffectId, end: ModelEnd) -> Fact {
        let (model, released) = match self.running.remove(&effect) {
            Some(running) => (running.model, running.released.load(Ordering::Relaxed)),
            None => (None, true),
        };
        self.live.end(effect);
        self.saving = None;
        self.model_fact(effect, model, released, end)
    }

    async fn begin_model(&mut self, id: EffectId, turn: TurnId, model: ModelName, plan: Plan) {
        let running = Running::new(Some(model.clone()));
        let stop = running.stop.clone();
        self.running.insert(id, running);
        let Some(voice) = self.house.voices.get(&model).cloned() else {
            let end = failed(Failure::UnknownModel, format!("there is no model {model}"));
            return self.hand_over(Ended::Model(id, Box::new(end)));
        };
        let messages = match self.messages(plan).await {
            Ok(messages) => messages,
            Err(problem) => {
                return self.hand_over(Ended::Model(id, Box::new(failed(Failure::Rejected, problem.detail))));
            }
        };
        let request = Request {
            model: voice.provider_model,
            system: system_prompt(&self.profile.workspace),
            messages,
            tools: self.house.toolbox.specs(),
            max_output_tokens: voice.spec.max_output_tokens,
        };
        self.live.begin(turn, id);
        self.saving = Some((Instant::now() + SAVE_EVERY, 0));
        let live = self.live.clone();
        let sink: Sink = Arc::new(move |kind, text| live.say(id, kind, text));
        let call = AssertUnwindSafe(voice.backend.call(request, sink, stop.clone())).catch_unwind();
        let late = late(stop, self.house.config.grace_ms);
        let (live, sender) = (self.live.clone(), self.ended_sender.clone());
        self.house.tasks.spawn("model call", async move {
            let end = tokio::select! {
                end = call => end.unwrap_or_else(|_| {
                    failed(Failure::Broken, "the call broke down; this is a fault in tinkerbell".to_owned())
                }),
                // It does not stop when asked to: what it said is kept, and what it costs is estimated.
                () = late => {
                    let text = live.said().map(|(_, text)| text).unwrap_or_default();
                    let (input_tokens, output_tokens) = (plan.tokens, Tokens::estimate(text.len()));
                    let usage = Usage { input_tokens, output_tokens, estimated: true, ..Usage::default() };
                    ModelEnd::Interrupted { partial: Partial { text, reasoning: String::new(), usage } }
                }
            };
            // The owner is gone only when somebody else settles what it had begun.
            let _ = sender.send(Ended::Model(id, Box::new(end))).await;
        });
    }

    /// The words that a recipe names, fetched where they are not in memory.
    async fn messages(&mut self, plan: Plan) -> Result<Vec<Message>, Problem> {
        let planned: Vec<_> = plan.messages(&self.state.window).take(plan.messages as usize).collect();
        self.fetch(&planned.iter().map(|planned| planned.seq).collect::<Vec<_>>()).await?;
        let messages = render(&planned, &self.spoken);
        if self.spoken.values().map(Spoken::bytes).sum::<usize>() > SPOKEN_BYTES {
            self.spoken.clear();
        }
        Ok(messages)
    }

    /// Brings the words of events into memory.
    async fn fetch(&mut self, wanted: &[Seq]) -> Result<(), Problem> {
        let missing: Vec<Seq> = wanted.iter().copied().filter(|seq| !self.spoken.contains_key(seq)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let records = self.house.store.events_at(JournalId::Session(self.id), &missing).await.map_err(unreadable)?;
        for record in records {
            let texts = self.long_texts(&record).await?;
            let Ok(header) = Header::from_json(&record.header) else { continue };
            let spoken = Spoken::read(&header.event, record.body.as_deref(), &|hash| texts.get(&hash).cloned());
            self.spoken.extend(spoken.map(|spoken| (record.seq, spoken)));
        }
        Ok(())
    }

    async fn long_texts(&self, record: &Record) -> Result<BTreeMap<wire::BlobHash, Vec<u8>>, Problem> {
        let mut texts = BTreeMap::new();
        let body = record.body.as_deref().unwrap_or("{}");
        if !body.contains("\"blob\":") {
            return Ok(texts);
        }
        let mut named: Vec<Option<wire::BlobHash>> = Vec::new();
        named.extend(body::read::<body::Prompt>(body).ok().map(|prompt| prompt.text.blob()));
        named.extend(body::read::<body::ToolEnd>(body).ok().map(|end| end.text.blob()));
        if let Ok(reply) = body::read::<body::Reply>(body) {
            named.push(reply.text.blob());
            named.extend(reply.calls.iter().map(|call| call.arguments.blob()));
        }
        for hash in named.into_iter().flatten() {
            if let Some(bytes) = self.house.store.blob(hash).await.map_err(unreadable)? {
                texts.insert(hash, bytes);
            }
        }
        Ok(texts)
    }

    /// What a model call's end means for the journal.
    fn model_fact(&mut self, effect: EffectId, model: Option<ModelName>, released: bool, end: ModelEnd) -> Fact {
        let turn = effect.turn;
        let cost = |usage: &Usage| self.cost(model.as_ref(), usage);
        match end {
            ModelEnd::Finished(reply) => {
                let cost_microusd = cost(&reply.usage);
                self.reply_fact(effect, reply, cost_microusd)
            }
            ModelEnd::Failed { failure, retry_after_ms, message, partial } => {
                let (usage, cost_microusd) = (partial.usage, cost(&partial.usage));
                let tokens = Tokens::estimate(partial.text.len());
                self.last_failure = Some(message.clone());
                let (body, gathered) = partial_body(partial, Some(message));
                let event = Event::ModelFailed { turn, effect, failure, retry_after_ms, tokens, usage, cost_microusd };
                Fact::new(event, &body, gathered)
            }
            ModelEnd::Interrupted { partial } => {
                let (usage, cost_microusd) = (partial.usage, cost(&partial.usage));
                let tokens = Tokens::estimate(partial.text.len());
                let interruption = if released { Interruption::Released } else { Interruption::Cancelled };
                let (body, gathered) = partial_body(partial, None);
                let event = Event::ModelInterrupted { turn, effect, interruption, tokens, usage, cost_microusd };
                Fact::new(event, &body, gathered)
            }
        }
    }

    fn reply_fact(&mut self, effect: EffectId, reply: Reply, cost_microusd: Money) -> Fact {
        let mut gathered = Gathered::default();
        let tokens = reply.calls.iter().map(|call| Tokens::estimate(call.arguments.len())).sum::<Tokens>()
            + Tokens::estimate(reply.text.len());
        let (mut facts, mut calls) = (Vec::new(), Vec::new());
        self.jobs.clear();
        let dropped = reply.calls.len().saturating_sub(CALLS_PER_REPLY) as u32;
        for call in reply.calls.into_iter().take(CALLS_PER_REPLY) {
            let (fact, refused) = self.judge(&call.name, &call.arguments);
            facts.push(fact);
            let arguments = gathered.text(call.arguments);
            let (id, name) = (bounded(call.id), bounded(call.name));
            calls.push(body::Call { id, name, arguments, refused });
        }
        let body = body::Reply {
            text: gathered.text(reply.text),
            reasoning: gathered.text(reply.reasoning),
            calls,
            dropped_calls: dropped,
            request: Some(reply.request),
        };
        let stop = if facts.is_empty() { reply.stop } else { Stop::ToolCalls };
        let (turn, usage) = (effect.turn, reply.usage);
        let event = Event::ModelFinished { turn, effect, stop, calls: facts, tokens, usage, cost_microusd };
        Fact::new(event, &body, gathered)
    }

    /// Decides about one call, once: what is decided is recorded and never decided again.
    fn judge(&mut self, name: &str, arguments: &str) -> (CallFact, Option<String>) {
        let inspected = match name.len() {
            0..=NAME_BYTES => self.house.toolbox.inspect(name, arguments),
            _ => Err("there is no tool with such a name".to_owned()),
        };
        let (fact, refused) = match &inspected {
            Ok(call) => {
                let strings: Vec<&str> = call.strings.iter().map(String::as_str).collect();
                let verdict = agent::judge(&self.house.settings.rules, name, call.access, &strings);
                let refused = (verdict == Verdict::Deny).then(|| "A rule of the user forbids this call.".to_owned());
                (CallFact { access: call.access, verdict }, refused)
            }
            Err(why) => (CallFact { access: Access::Read, verdict: Verdict::Invalid }, Some(why.clone())),
        };
        self.jobs.push(prepared(name, inspected));
        (fact, refused)
    }

    fn cost(&self, model: Option<&ModelName>, usage: &Usage) -> Money {
        let spec = model.and_then(|model| self.house.settings.models.get(model));
        spec.map_or(Money(0), |spec| spec.cost(usage.input_tokens, usage.output_tokens))
    }

    fn begin_tool(&mut self, id: EffectId, turn: TurnId) {
        let running = Running::new(None);
        let (stop, released) = (running.stop.clone(), running.released.clone());
        self.running.insert(id, running);
        let call = self.jobs.get(id.ordinal as usize).cloned();
        let (name, inspected) = match call {
            Some(PreparedCall { name, inspected: Ok(inspected), .. }) => (name, inspected),
            unable => {
                let why = unable.and_then(|call| call.inspected.err());
                let why = why.unwrap_or_else(|| "its arguments were forgotten".to_owned());
                let output = ended(ToolOutcome::Failed, format!("this call cannot run any more: {why}"));
                return self.hand_over(Ended::Tool(id, Box::new(tool_fact(id, turn, "", output))));
            }
        };
        let (house, canvas, workspace) = (self.house.clone(), self.canvas.clone(), self.profile.workspace.clone());
        let (blobs, sender) = (self.blobs(), self.ended_sender.clone());
        let late = late(stop.clone(), house.config.grace_ms);
        self.house.tasks.spawn("tool", async move {
            let (tasks, tool) = (house.tasks.clone(), name.clone());
            let ran = tasks.tool(move || {
                let output = run(&house, &inspected.job, canvas, &workspace, blobs, &stop);
                tool_fact(id, turn, &tool, interrupted(output, inspected.access, released.load(Ordering::Relaxed)))
            });
            let unknown = |text: &str| tool_fact(id, turn, &name, ended(ToolOutcome::Unknown, text.to_owned()));
            let fact = tokio::select! {
                fact = ran => fact.unwrap_or_else(|| unknown("the tool broke down; this is a fault in tinkerbell")),
                () = late => unknown("the tool did not stop when it was asked to; nobody knows what it did"),
            };
            let _ = sender.send(Ended::Tool(id, Box::new(fact))).await;
        });
    }

    /// Sends an end to ourselves, so that it is handled like any other, after what is being done now.
    fn hand_over(&self, ended: Ended) {
        let sender = self.ended_sender.clone();
        self.house.tasks.spawn("hand over", async move {
            let _ = sender.send(ended).await;
        });
    }
}

fn run(
    house: &crate::house::House,
    job: &Job,
    canvas: Arc<canvas::Fold>,
    workspace: &str,
    blobs: canvas::Blobs,
    stop: &CancellationToken,
) -> Output {
    match job {
        Job::Extra(run, arguments) => run(arguments, stop),
        Job::BuiltIn(checked) => {
            let files = match canvas::WorkTree::open(workspace.as_ref()) {
                Ok(tree) => {
                    CanvasFiles { view: View::new(canvas, Arc::new(tree), blobs), rules: &house.settings.rules }
                }
                Err(error) => return ended(ToolOutcome::Failed, error.to_string()),
            };
            tools::run(checked, &files, &|| stop.is_cancelled(), house.toolbox.limits())
        }
    }
}

/// A run that the owner let go of is tried again, if it may be.
fn interrupted(output: Output, access: Access, released: bool) -> Output {
    let again = output.outcome == ToolOutcome::Cancelled && released && access != Access::World;
    if again { Output { outcome: ToolOutcome::Interrupted, ..output } } else { output }
}

/// An end that changed nothing.
fn ended(outcome: ToolOutcome, text: String) -> Output {
    Output { outcome, text, changes: Vec::new(), seen: Vec::new() }
}

/// When an effect that was asked to stop should have done so.
async fn late(stop: CancellationToken, grace_ms: u64) {
    stop.cancelled().await;
    tokio::time::sleep(Duration::from_millis(grace_ms)).await;
}

/// A name or an id from a model, no longer than names are.
fn bounded(mut text: String) -> String {
    if text.len() > NAME_BYTES {
        let end = (0..=NAME_BYTES).rfind(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

/// What a tool's end means for the journal. Hashes and compresses, so it belongs on a thread that may block.
fn tool_fact(effect: EffectId, turn: TurnId, name: &str, output: Output) -> Fact {
    let mut gathered = Gathered::default();
    let tokens = Tokens::estimate(output.text.len());
    let mut state = |contents: &Option<wire::Contents>| {
        contents.as_ref().map(|contents| {
            let blob = gathered.bytes(&contents.bytes);
            FileState { blob, bytes: contents.bytes.len() as u64, mode: contents.mode }
        })
    };
    let changes: Vec<Change> = output
        .changes
        .iter()
        .map(|change| Change { path: change.path.clone(), before: state(&change.before), after: state(&change.after) })
        .collect();
    let seen = output.seen.into_iter().map(|(path, state)| Seen { path, state }).collect();
    let changed = changes.len() as u32;
    let text: Text = gathered.text(output.text);
    let body = body::ToolEnd { name: name.to_owned(), text, changes, seen };
    let event = Event::ToolFinished { turn, effect, outcome: output.outcome, tokens, changed };
    Fact::new(event, &body, gathered)
}

pub(super) fn prepared(name: &str, inspected: Result<Inspected, String>) -> PreparedCall {
    let about = inspected.as_ref().map(|call| call.about.clone()).unwrap_or_default();
    PreparedCall { name: bounded(name.to_owned()), about, inspected }
}

fn partial_body(partial: Partial, message: Option<String>) -> (body::Partial, Gathered) {
    let mut gathered = Gathered::default();
    let text = gathered.text(partial.text);
    (body::Partial { text, message }, gathered)
}

fn failed(failure: Failure, message: String) -> ModelEnd {
    ModelEnd::Failed { failure, retry_after_ms: None, message, partial: Partial::default() }
}

pub(super) fn unreadable(error: store::ReadError) -> Problem {
    Problem::new(Code::Internal, error.to_string()).remedy("see `tinkerbell daemon logs`")
}
