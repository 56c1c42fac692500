//! Step 4 of the circle: the effects that the brain wants, run, and what comes of them.

use super::fact::{Fact, Gathered};
use super::owner::{Owner, SAVE_EVERY};
use super::render::{Spoken, render};
use crate::house::system_prompt;
use crate::toolbox::{Inspected, Job};
use agent::{
    Access, CallFact, Effect, EffectId, Event, Failure, Interruption, ModelName, Money, Plan, Seq, Stop, Timer, Tokens,
    ToolOutcome, TurnId, Usage, Verdict,
};
use canvas::View;
use models::{Ended as ModelEnd, Message, Partial, Reply, Request, Sink};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::JournalId;
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tools::Output;
use wire::body::{self, Seen, Text};
use wire::{Change, Code, FileState, Header, Problem, Record};

/// Tool calls that one reply may ask for; more are refused, and the model is told.
const CALLS_PER_REPLY: usize = 64;
/// Words of the conversation that an awake session keeps in memory.
const SPOKEN_BYTES: usize = 8 << 20;

/// An effect that runs.
pub(super) struct Running {
    pub(super) stop: CancellationToken,
    pub(super) model: Option<ModelName>,
}

/// A tool call of the present step.
#[derive(Debug, Clone)]
pub(super) struct PreparedCall {
    pub(super) name: String,
    pub(super) about: String,
    /// What to run; `None` when the call is not valid.
    pub(super) inspected: Option<Inspected>,
}

/// An effect that has ended, as its task says it.
pub(super) enum Ended {
    Model(EffectId, Box<ModelEnd>),
    Tool(EffectId, Box<Fact>),
    Accept(EffectId, Box<super::easel::AcceptEnded>),
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

    /// Asks everything that runs to stop, an accept aside: it takes an instant, and half of one is worse.
    pub(super) fn cancel_all(&mut self) {
        for (effect, running) in &self.running {
            if effect.kind != agent::EffectKind::Accept {
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
        let model = self.running.remove(&effect).and_then(|running| running.model);
        self.live.end();
        self.saving = None;
        self.model_fact(effect, model, end)
    }

    async fn begin_model(&mut self, id: EffectId, turn: TurnId, model: ModelName, plan: Plan) {
        let Some(voice) = self.house.voices.get(&model).cloned() else {
            let failure = Failure::UnknownModel;
            let message = format!("there is no model {model}");
            self.hand_over(Ended::Model(id, Box::new(failed(failure, message))));
            return;
        };
        let stop = CancellationToken::new();
        self.running.insert(id, Running { stop: stop.clone(), model: Some(model.clone()) });
        let messages = match self.messages(plan).await {
            Ok(messages) => messages,
            Err(problem) => {
                self.hand_over(Ended::Model(id, Box::new(failed(Failure::Rejected, problem.detail))));
                return;
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
        let sender = self.ended_sender.clone();
        let call = voice.backend.call(request, sink, stop);
        self.house.tasks.spawn("model call", async move {
            let end = call.await;
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
    fn model_fact(&mut self, effect: EffectId, model: Option<ModelName>, end: ModelEnd) -> Fact {
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
                let ending = self.state.turn.as_ref().is_some_and(|turn| turn.ending.is_some());
                let interruption = if ending { Interruption::Cancelled } else { Interruption::Shutdown };
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
        for (ordinal, call) in reply.calls.into_iter().enumerate() {
            let (fact, refused) = self.judge(ordinal, &call.name, &call.arguments);
            facts.push(fact);
            let arguments = gathered.text(call.arguments);
            calls.push(body::Call { id: call.id, name: call.name, arguments, refused });
        }
        let body = body::Reply {
            text: gathered.text(reply.text),
            reasoning: gathered.text(reply.reasoning),
            calls,
            request: Some(reply.request),
        };
        let stop = if facts.is_empty() { reply.stop } else { Stop::ToolCalls };
        let (turn, usage) = (effect.turn, reply.usage);
        let event = Event::ModelFinished { turn, effect, stop, calls: facts, tokens, usage, cost_microusd };
        Fact::new(event, &body, gathered)
    }

    /// Decides about one call, once: what is decided is recorded and never decided again.
    fn judge(&mut self, ordinal: usize, name: &str, arguments: &str) -> (CallFact, Option<String>) {
        let inspected = if ordinal < CALLS_PER_REPLY {
            self.house.toolbox.inspect(name, arguments)
        } else {
            Err(format!("a reply may ask for at most {CALLS_PER_REPLY} calls"))
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
        self.jobs.push(prepared(name, inspected.ok()));
        (fact, refused)
    }

    fn cost(&self, model: Option<&ModelName>, usage: &Usage) -> Money {
        let spec = model.and_then(|model| self.house.settings.models.get(model));
        spec.map_or(Money(0), |spec| spec.cost(usage.input_tokens, usage.output_tokens))
    }

    fn begin_tool(&mut self, id: EffectId, turn: TurnId) {
        let call = self.jobs.get(id.ordinal as usize).cloned();
        let Some(PreparedCall { name, inspected: Some(inspected), .. }) = call else {
            let text = "the arguments of this call were forgotten, so it cannot run".to_owned();
            let output = Output { outcome: ToolOutcome::Failed, text, changes: Vec::new(), seen: Vec::new() };
            self.hand_over(Ended::Tool(id, Box::new(tool_fact(id, turn, "", output))));
            return;
        };
        let stop = CancellationToken::new();
        self.running.insert(id, Running { stop: stop.clone(), model: None });
        let (house, canvas, workspace) = (self.house.clone(), self.canvas.clone(), self.profile.workspace.clone());
        let blobs = self.blobs();
        let (sender, daemon_stop) = (self.ended_sender.clone(), house.stop.clone());
        let tool = name.clone();
        let (asked, grace) = (stop.clone(), Duration::from_millis(house.config.grace_ms));
        let late = async move {
            asked.cancelled().await;
            tokio::time::sleep(grace).await;
        };
        self.house.tasks.clone().spawn("tool", async move {
            let tasks = house.tasks.clone();
            let ran = tasks.blocking(move || {
                let output = run(&house, &inspected.job, canvas, &workspace, blobs, &stop);
                tool_fact(id, turn, &tool, interrupted(output, inspected.access, &daemon_stop))
            });
            let unknown = |text: &str| {
                let (outcome, text) = (ToolOutcome::Unknown, text.to_owned());
                tool_fact(id, turn, &name, Output { outcome, text, changes: Vec::new(), seen: Vec::new() })
            };
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
                Ok(tree) => crate::files::CanvasFiles(View::new(canvas, Arc::new(tree), blobs)),
                Err(error) => {
                    let outcome = ToolOutcome::Failed;
                    return Output { outcome, text: error.to_string(), changes: Vec::new(), seen: Vec::new() };
                }
            };
            tools::run(checked, &files, &|| stop.is_cancelled(), house.toolbox.limits())
        }
    }
}

/// A run that was stopped for a shutdown is tried again by the next daemon, if it may be.
fn interrupted(output: Output, access: Access, daemon_stop: &CancellationToken) -> Output {
    let again = output.outcome == ToolOutcome::Cancelled && daemon_stop.is_cancelled() && access != Access::World;
    if again { Output { outcome: ToolOutcome::Interrupted, ..output } } else { output }
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

pub(super) fn prepared(name: &str, inspected: Option<Inspected>) -> PreparedCall {
    let about = inspected.as_ref().map(|call| call.about.clone()).unwrap_or_default();
    PreparedCall { name: name.to_owned(), about, inspected }
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
