//! Model calls: from a recipe to a request, and from what came back to an event.

use super::alike::Alike;
use super::fact::{Fact, Gathered};
use super::instructions::preface;
use super::owner::{Owner, SAVE_EVERY};
use super::perform::{Ended, Running, late, unreadable};
use super::render::{Spoken, render};
use super::tool::{FORBIDDEN, prepared};
use crate::catalog::Outfit;
use crate::config::OFFLINE;
use crate::house::system_prompt;
use crate::secrets::Secrets;
use agent::{
    Access, CallFact, EffectId, Event, Failure, Interruption, ModelName, Money, Plan, Seq, Stop, Tokens, TurnId, Usage,
    Verdict,
};
use futures_util::FutureExt;
use models::{Ended as ModelEnd, Message, Partial, Reply, ReplyCall, Request, Sink};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use store::JournalId;
use wire::body;
use wire::rest::Abilities;
use wire::{DeltaKind, Header, Problem, Record};

/// Tool calls of a reply that are taken; more are dropped, and the event says how many.
const CALLS_PER_REPLY: usize = 64;
/// The longest name of a tool and the longest id of a call.
pub(super) const NAME_BYTES: usize = 256;

impl Owner {
    pub(super) fn model_ended(&mut self, effect: EffectId, end: ModelEnd) -> Fact {
        let (call, released) = match self.running.remove(&effect) {
            Some(running) => (running.call, running.released.load(Ordering::Relaxed)),
            None => (None, true),
        };
        self.live.end(effect);
        self.saving = None;
        self.model_fact(effect, call, released, end)
    }

    pub(super) async fn begin_model(
        &mut self,
        id: EffectId,
        turn: TurnId,
        model: ModelName,
        plan: Plan,
        outfit: Arc<Outfit>,
    ) {
        let running = Running::new(Some((model.clone(), outfit.clone())));
        let stop = running.stop.clone();
        self.running.insert(id, running);
        let Some(voice) = outfit.voices.get(&model).cloned() else {
            let end = failed(Failure::UnknownModel, format!("there is no model {model}"));
            return self.hand_over(Ended::Model(id, Box::new(end)));
        };
        // The offline model takes every word for the user's.
        let reads_notes = voice.provider_model != OFFLINE;
        let messages = match self.messages(plan, voice.abilities, reads_notes).await {
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
            schema: None,
        };
        self.live.begin(turn, id);
        self.saving = Some((self.house.clock.instant() + SAVE_EVERY, 0));
        let sink = self.masked_sink(id, &self.house.catalog.current().secrets);
        let call = AssertUnwindSafe(voice.backend.call(request, sink, stop.clone())).catch_unwind();
        let late = late(self.house.clock.clone(), stop, self.house.config().grace_ms);
        let (live, sender) = (self.live.clone(), self.ended_sender.clone());
        self.house.tasks.spawn("model call", async move {
            let end = tokio::select! {
                biased;
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

    /// Where a call's words go: to whoever watches, without secrets, over the borders of pieces too.
    fn masked_sink(&self, call: EffectId, secrets: &Arc<Secrets>) -> Sink {
        let live = self.live.clone();
        if secrets.is_empty() {
            return Arc::new(move |kind, text| live.say(call, kind, text));
        }
        let streams = Mutex::new([secrets.stream(), secrets.stream()]);
        Arc::new(move |kind, text| {
            let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = streams[usize::from(kind == DeltaKind::Reasoning)].push(text);
            if !seen.is_empty() {
                live.say(call, kind, &seen);
            }
        })
    }

    /// The words that a recipe names, fetched where they are not in memory.
    pub(super) async fn messages(
        &mut self,
        plan: Plan,
        abilities: Abilities,
        reads_notes: bool,
    ) -> Result<Vec<Message>, Problem> {
        let planned: Vec<_> = plan.messages(&self.state.window).take(plan.message_count as usize).collect();
        self.fetch(&planned.iter().map(|planned| planned.seq).collect::<Vec<_>>()).await?;
        let spoken = planned.iter().filter_map(|planned| self.spoken.all().get(&planned.seq));
        let attached = self.look_up(spoken.flat_map(Spoken::attachments), abilities).await?;
        let notes = if reads_notes { preface(&self.instructions) } else { None };
        let messages = render(&planned, self.spoken.all(), &attached, notes);
        self.spoken.bound();
        Ok(messages)
    }

    /// Brings the words of events into memory.
    async fn fetch(&mut self, wanted: &[Seq]) -> Result<(), Problem> {
        let missing: Vec<Seq> = wanted.iter().copied().filter(|seq| !self.spoken.all().contains_key(seq)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let records = self.house.store.events_at(JournalId::Session(self.id), &missing).await.map_err(unreadable)?;
        for record in records {
            let texts = self.long_texts(&record).await?;
            let Ok(header) = Header::from_json(&record.header) else { continue };
            let spoken = Spoken::read(&header.event, record.body.as_deref(), &|hash| texts.get(&hash).cloned());
            if let Some(spoken) = spoken {
                self.spoken.insert(record.seq, spoken);
            }
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
            named.extend(reply.carry.iter().map(|carry| carry.data.blob()));
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
    pub(super) fn model_fact(
        &mut self,
        effect: EffectId,
        call: Option<(ModelName, Arc<Outfit>)>,
        released: bool,
        end: ModelEnd,
    ) -> Fact {
        let turn = effect.turn;
        let cost = |usage: &Usage| call.as_ref().map_or(Money(0), |(model, outfit)| cost(outfit, model, usage));
        match masked(end, &self.house.catalog.current().secrets) {
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
        // Whoever speaks begins the counting anew.
        if self.state.turn.as_ref().is_none_or(|turn| turn.alike == 0) {
            self.alike = Alike::default();
        }
        let mut alike = 0;
        for call in reply.calls.into_iter().take(CALLS_PER_REPLY) {
            alike = alike.max(self.alike.count(&call.name, &call.arguments));
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
            request_sha256: Some(reply.request),
            carry: reply.carry.map(|carry| body::Carry { from: carry.from, data: gathered.text(carry.data) }),
        };
        let stop = if facts.is_empty() { reply.stop } else { Stop::ToolCalls };
        let (turn, usage) = (effect.turn, reply.usage);
        let event = Event::ModelFinished { turn, effect, stop, calls: facts, alike, tokens, usage, cost_microusd };
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
                let settings = &self.house.catalog.current().settings;
                let verdict = agent::judge(&settings.rules, name, call.access, &strings);
                let refused = (verdict == Verdict::Deny).then(|| FORBIDDEN.to_owned());
                (CallFact { access: call.access, verdict }, refused)
            }
            Err(why) => (CallFact { access: Access::Read, verdict: Verdict::Invalid }, Some(why.clone())),
        };
        self.jobs.push(prepared(name, inspected));
        (fact, refused)
    }
}

fn cost(outfit: &Outfit, model: &ModelName, usage: &Usage) -> Money {
    outfit.settings.models.get(model).map_or(Money(0), |spec| spec.cost(usage.input_tokens, usage.output_tokens))
}

/// The same end without secrets in it.
fn masked(end: ModelEnd, secrets: &Secrets) -> ModelEnd {
    let mask = |text: String| secrets.masked(text);
    let partial = |partial: Partial| Partial {
        text: secrets.masked_cut(partial.text),
        reasoning: secrets.masked_cut(partial.reasoning),
        usage: partial.usage,
    };
    match end {
        ModelEnd::Finished(reply) => {
            let calls = reply.calls.into_iter().map(|call| ReplyCall {
                id: mask(call.id),
                name: mask(call.name),
                arguments: secrets.masked_json(call.arguments),
            });
            let calls = calls.collect();
            // What only the provider reads is signed, so it is whole or it is nothing.
            let carry = reply.carry.filter(|carry| !secrets.stand_in_json(&carry.data));
            let end = |text: String| if reply.stop == Stop::Length { secrets.masked_cut(text) } else { mask(text) };
            ModelEnd::Finished(Reply { text: end(reply.text), reasoning: end(reply.reasoning), calls, carry, ..reply })
        }
        ModelEnd::Failed { failure, retry_after_ms, message, partial: said } => {
            ModelEnd::Failed { failure, retry_after_ms, message: mask(message), partial: partial(said) }
        }
        ModelEnd::Interrupted { partial: said } => ModelEnd::Interrupted { partial: partial(said) },
    }
}

/// A name or an id from a model, no longer than names are.
pub(super) fn bounded(mut text: String) -> String {
    if text.len() > NAME_BYTES {
        let end = (0..=NAME_BYTES).rfind(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

fn partial_body(partial: Partial, message: Option<String>) -> (body::Partial, Gathered) {
    let mut gathered = Gathered::default();
    let text = gathered.text(partial.text);
    (body::Partial { text, message }, gathered)
}

fn failed(failure: Failure, message: String) -> ModelEnd {
    ModelEnd::Failed { failure, retry_after_ms: None, message, partial: Partial::default() }
}
