//! A turn that is run otherwise: with another model, or after another prompt. The circle is driven by what the model says
//! now; a tool call is answered by what the record has for the same call, and where it has nothing, the turn stops there.

use super::settings::Lives;
use crate::catalog::Voice;
use crate::house::House;
use crate::session::{Again, Imagined, unreadable};
use agent::{
    Answer, Caps, Effect, EffectId, Event, Money, Seq, SessionId, Settings, State, Tokens, ToolOutcome, TurnId, advance,
};
use models::Ended;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use store::{Account, JournalId};
use tokio_util::sync::CancellationToken;
use wire::body::{self, Recipe, Reply, Text};
use wire::rest::{ReplayWith, Rerun, RerunCall, RerunStep};
use wire::{Code, Header, Problem};

/// Model calls of a rerun, at most; the steps of a turn bound it as well.
const CALLS: u32 = 20;
/// How long one of them may take.
const CALL_LIMIT: Duration = Duration::from_secs(600);
/// Events of a turn that are read.
const EVENTS: usize = 16_384;
/// Events read at a time.
const PAGE: usize = 256;

/// Which turn.
pub(super) struct Place {
    pub(super) session: SessionId,
    pub(super) workspace: String,
    pub(super) turn: TurnId,
    /// Its `turn.started`.
    pub(super) began: Seq,
    pub(super) until: Seq,
}

/// A recorded reply.
struct Said {
    text: String,
    calls: Vec<(String, Value)>,
}

/// A recorded tool run, or a recorded no.
struct Ran {
    name: String,
    arguments: Value,
    outcome: Option<(Seq, ToolOutcome, Tokens, u32)>,
    used: bool,
}

/// What the record has of the turn.
#[derive(Default)]
struct Record {
    recipe: Option<Recipe>,
    model: Option<agent::ModelName>,
    said: Vec<Said>,
    ran: Vec<Ran>,
}

struct Running {
    house: Arc<House>,
    place: Place,
    again: Again,
    recipe: Recipe,
    settings: Settings,
    voice: Voice,
    state: State,
    record: Record,
    /// The calls that the model asked for last, in full.
    asked: Vec<(String, Value)>,
    done: Rerun,
}

/// Runs the turn otherwise, or only announces what that takes.
pub(super) async fn rerun(
    house: &Arc<House>,
    place: Place,
    state: State,
    with: ReplayWith,
    agreed: bool,
) -> Result<Rerun, Problem> {
    let record = Record::read(house, &place).await?;
    let turn = place.turn;
    let nothing = || {
        Problem::new(Code::Conflict, format!("{turn} asked no model, so it cannot be run otherwise"))
            .remedy("name another turn: --turn")
    };
    let recipe = record.recipe.clone().ok_or_else(nothing)?;
    let model = with.model.or_else(|| record.model.clone()).ok_or_else(nothing)?;
    let mut lives = Lives::default();
    let settings = lives.settings(house, recipe.settings).await.map_err(unreadable)?;
    let mut settings = settings.map(|settings| (*settings).clone()).unwrap_or_default();
    house.catalog.learn(&model).await?;
    let outfit = house.catalog.current();
    let model = outfit.settings.routes.get(&model).and_then(|route| route.first().cloned()).unwrap_or(model);
    let voice = outfit.voices.get(&model).cloned();
    let voice = voice.ok_or_else(|| Problem::new(Code::UnknownModel, format!("there is no model {model}")))?;
    settings.models.insert(model.clone(), voice.spec);
    settings.routes.remove(&model);
    let calls_at_most = CALLS.min(settings.limits.steps);
    let done = Rerun {
        turn: place.turn,
        model: model.clone(),
        leaves_machine: voice.backend.describe().remote,
        calls_at_most,
        call_microusd: None,
        cost_microusd: Money(0),
        steps: Vec::new(),
        end: None,
    };
    let again = Again::new(house.clone(), place.session, place.workspace.clone());
    let (house, asked) = (house.clone(), Vec::new());
    let mut running = Running { house, place, again, recipe, settings, voice, state, record, asked, done };
    let Some(prompt) = running.state.queue.front_mut() else { return Err(nothing()) };
    prompt.model = Some(model);
    if let Some(text) = with.prompt {
        prompt.tokens = Tokens::estimate(text.len());
        let seq = prompt.seq;
        running.again.ask(seq, outfit.secrets.mask(&text).into_owned());
    }
    running.go(agreed).await?;
    Ok(running.done)
}

impl Running {
    async fn go(&mut self, agreed: bool) -> Result<(), Problem> {
        let mut happened = Vec::new();
        loop {
            let batch = advance(&self.state, &self.settings, std::mem::take(&mut happened));
            let outcome = batch.facts.iter().find_map(|event| match event {
                Event::TurnFinished { turn, outcome, .. } if *turn == self.place.turn => Some(outcome.word()),
                _ => None,
            });
            let asked = batch.facts.iter().find_map(|event| match event {
                Event::ApprovalRequested { effect, .. } => Some(*effect),
                _ => None,
            });
            self.state = batch.after;
            if let Some(outcome) = outcome {
                return self.end(format!("The turn ends: {outcome}."));
            }
            if let Some(question) = asked {
                let Some(answer) = self.answered(question) else {
                    return self
                        .end("It asks for a permission that the record does not have, so it stops here.".to_owned());
                };
                let turn = self.place.turn;
                happened.push(Event::ApprovalResolved { turn, effect: question, answer });
                continue;
            }
            let Some(effect) = batch.starts.into_iter().next() else {
                return self.end("Nothing more is wanted; in a real turn it would wait now.".to_owned());
            };
            match effect {
                Effect::Model { id, model, .. } => {
                    let Some(event) = self.call(id, &model, agreed).await? else { return Ok(()) };
                    happened.push(event);
                }
                Effect::Tool { id, .. } => {
                    let Some(event) = self.run(id).await? else {
                        let what = self
                            .call_of(id)
                            .map_or_else(String::new, |call| format!("{} {}", call.name, call.arguments));
                        return self.end(format!(
                            "It asks for {what}, which the record does not have. Nothing is run, so it stops here."
                        ));
                    };
                    happened.push(event);
                }
                Effect::VerifyAccept { .. } => {
                    return self.end("An accept was under way, so it stops here.".to_owned());
                }
            }
        }
    }

    fn end(&mut self, words: String) -> Result<(), Problem> {
        self.done.end = Some(words);
        Ok(())
    }

    /// One call of the model; `None` where the turn stops at it.
    async fn call(&mut self, id: EffectId, model: &agent::ModelName, agreed: bool) -> Result<Option<Event>, Problem> {
        let spec = self.voice.spec;
        let fixed = self.again.fixed(&self.recipe).await?;
        let Some(fixed) = fixed else {
            self.end("What the model was told was forgotten since, so it cannot be asked again.".to_owned())?;
            return Ok(None);
        };
        let caps = Caps { context: spec.context_tokens, output: spec.max_output_tokens, fixed };
        let plan = agent::plan(&self.state.window, caps);
        let price = spec.cost(plan.tokens, spec.max_output_tokens);
        if self.done.steps.is_empty() {
            self.done.call_microusd = spec.priced.then_some(price);
        }
        if !agreed {
            return Ok(None);
        }
        if let Some(why) = self.too_much(price).await? {
            self.end(why)?;
            return Ok(None);
        }
        let recipe = Recipe { plan, max_output_tokens: spec.max_output_tokens, ..self.recipe.clone() };
        let Some(request) = self.again.request(&self.state, &recipe, &self.voice).await? else {
            self.end("Words of the conversation were forgotten since, so the model cannot be asked again.".to_owned())?;
            return Ok(None);
        };
        let turn = self.place.turn;
        let started = Event::ModelStarted { turn, effect: id, model: model.clone(), reserve_microusd: price };
        self.state.apply(self.state.head.next(), &started);
        let stop = CancellationToken::new();
        let call = self.voice.backend.call(request, Arc::new(|_, _| {}), stop);
        let house_stops = self.house.stop.clone();
        let ended = tokio::select! {
            ended = tokio::time::timeout(CALL_LIMIT, call) => ended,
            () = house_stops.cancelled() => {
                return Err(Problem::new(Code::Draining, "the daemon is shutting down").remedy("try again in a moment"));
            }
        };
        let Ok(ended) = ended else {
            self.end(format!("The model did not answer within {} s.", CALL_LIMIT.as_secs()))?;
            return Ok(None);
        };
        let failed = match &ended {
            Ended::Failed { message, .. } => Some(message.clone()),
            Ended::Finished(_) | Ended::Interrupted { .. } => None,
        };
        let imagined = self.again.replied(&self.state, id, model, ended);
        self.done.cost_microusd += imagined.event().cost();
        let Event::ModelFinished { .. } = imagined.event() else {
            let message = failed.unwrap_or_else(|| "it was interrupted".to_owned());
            self.end(format!("The model call failed: {}", self.house.catalog.current().secrets.mask(&message)))?;
            return Ok(None);
        };
        self.again.imagine(self.state.head.next(), &imagined);
        self.heard(&imagined);
        Ok(Some(imagined.event().clone()))
    }

    /// Why a call is not made for the money that it may cost.
    async fn too_much(&self, price: Money) -> Result<Option<String>, Problem> {
        let config = self.house.config();
        let per_turn = self.settings.limits.turn_cost_microusd;
        let budget = per_turn.is_some() || config.per_session.is_some() || config.per_day.is_some();
        if !self.voice.spec.priced && budget {
            return Ok(Some("There is a budget, and the price of the model is not known.".to_owned()));
        }
        let day = wire::time::day(self.house.clock.now());
        let spent = self.house.store.spent(Account::Day(day)).await.map_err(unreadable)?.total();
        let here = self.done.cost_microusd + price;
        let over = per_turn.is_some_and(|most| here > most)
            || config.per_session.is_some_and(|most| here > most)
            || config.per_day.is_some_and(|most| spent + here > most);
        Ok(over.then(|| "The next call may cost more than a budget holds, so it stops here.".to_owned()))
    }

    /// Takes down what the model said, beside what is recorded at this place.
    fn heard(&mut self, imagined: &Imagined) {
        let reply: Reply = body::read(imagined.body()).unwrap_or_default();
        let call = |call: &body::Call| (call.name.clone(), parsed(&imagined.words(&call.arguments)));
        self.asked = reply.calls.iter().map(call).collect();
        let recorded = self.record.said.get(self.done.steps.len());
        let as_recorded = recorded
            .is_some_and(|recorded| recorded.text == imagined.words(&reply.text) && recorded.calls == self.asked);
        let text = match &reply.text {
            Text::Inline(text) => text.clone(),
            Text::Blob { bytes, .. } => format!("[a long text of {bytes} bytes]"),
        };
        let calls = reply.calls.iter().map(|call| RerunCall {
            name: call.name.clone(),
            arguments: inline(&call.arguments),
            access: self.settings.tools.get(&call.name).copied(),
            answered_by: None,
        });
        self.done.steps.push(RerunStep { text, calls: calls.collect(), as_recorded });
    }

    fn call_of(&self, id: EffectId) -> Option<&RerunCall> {
        self.done.steps.last()?.calls.get(id.ordinal as usize)
    }

    /// What the record has for a call: a run that is not used yet comes first.
    fn recorded(&mut self, id: EffectId) -> Option<&mut Ran> {
        let (name, arguments) = self.asked.get(id.ordinal as usize)?;
        let same = |ran: &Ran| ran.name == *name && ran.arguments == *arguments;
        let at = self.record.ran.iter().position(|ran| same(ran) && !ran.used);
        let at = at.or_else(|| self.record.ran.iter().rposition(same))?;
        self.record.ran.get_mut(at)
    }

    /// A question about a call is answered as it was.
    fn answered(&mut self, question: EffectId) -> Option<Answer> {
        let ran = self.recorded(question)?;
        Some(if ran.outcome.is_some() { Answer::Allow } else { Answer::Deny })
    }

    /// A tool run, answered from the record.
    async fn run(&mut self, id: EffectId) -> Result<Option<Event>, Problem> {
        let turn = self.place.turn;
        let Some(ran) = self.recorded(id) else { return Ok(None) };
        let Some((seq, outcome, tokens, changed)) = ran.outcome else { return Ok(None) };
        ran.used = true;
        let name = ran.name.clone();
        let access = self.settings.tools.get(&name).copied();
        let journal = JournalId::Session(self.place.session);
        let record = self.house.store.event(journal, seq).await.map_err(unreadable)?;
        let Some(body) = record.and_then(|record| record.body) else { return Ok(None) };
        let end: body::ToolEnd = body::read(&body).unwrap_or_default();
        let long = match end.text.blob() {
            Some(blob) => self.house.store.blob(blob).await.map_err(unreadable)?,
            None => None,
        };
        if let Some(access) = access {
            self.state.apply(self.state.head.next(), &Event::ToolStarted { turn, effect: id, access });
        }
        let event = Event::ToolFinished { turn, effect: id, outcome, tokens, changed };
        self.again.recall(self.state.head.next(), &event, Some(&body), |_| long.clone());
        let step = self.done.steps.last_mut();
        if let Some(call) = step.and_then(|step| step.calls.get_mut(id.ordinal as usize)) {
            call.answered_by = Some(seq);
        }
        Ok(Some(event))
    }
}

impl Record {
    /// Reads the turn.
    async fn read(house: &House, place: &Place) -> Result<Record, Problem> {
        let (mut record, mut at, mut read) = (Record::default(), Seq(place.began.0 - 1), 0);
        let mut asked: Vec<(String, Value)> = Vec::new();
        while at < place.until && read < EVENTS {
            let page = house.store.events(JournalId::Session(place.session), at, PAGE).await.map_err(unreadable)?;
            let Some(last) = page.last() else { break };
            (at, read) = (last.seq, read + page.len());
            for one in page.iter().filter(|one| one.seq <= place.until) {
                let Ok(header) = Header::from_json(&one.header) else { continue };
                if header.event.turn() != Some(place.turn) {
                    continue;
                }
                let body = one.body.as_deref().unwrap_or("{}");
                let call_at = |effect: EffectId| asked.get(effect.ordinal as usize).cloned();
                match header.event {
                    Event::ModelStarted { model, .. } if record.recipe.is_none() => {
                        record.recipe = body::read(body).ok();
                        record.model = Some(model);
                    }
                    Event::ModelFinished { .. } => {
                        let reply: Reply = body::read(body).unwrap_or_default();
                        let mut calls = Vec::with_capacity(reply.calls.len());
                        for call in reply.calls {
                            calls.push((call.name, parsed(&words(house, call.arguments).await?)));
                        }
                        asked = calls.clone();
                        record.said.push(Said { text: words(house, reply.text).await?, calls });
                    }
                    Event::ToolFinished { effect, outcome, tokens, changed, .. } => {
                        if let Some((name, arguments)) = call_at(effect) {
                            let outcome = Some((one.seq, outcome, tokens, changed));
                            record.ran.push(Ran { name, arguments, outcome, used: false });
                        }
                    }
                    Event::ApprovalResolved { effect, answer: Answer::Deny | Answer::Skip, .. } => {
                        if let Some((name, arguments)) = call_at(effect) {
                            record.ran.push(Ran { name, arguments, outcome: None, used: false });
                        }
                    }
                    Event::TurnFinished { .. } => return Ok(record),
                    _ => {}
                }
            }
        }
        Ok(record)
    }
}

async fn words(house: &House, text: Text) -> Result<String, Problem> {
    match text {
        Text::Inline(text) => Ok(text),
        Text::Blob { blob, .. } => {
            let bytes = house.store.blob(blob).await.map_err(unreadable)?.unwrap_or_default();
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
    }
}

fn inline(text: &Text) -> String {
    match text {
        Text::Inline(text) => text.clone(),
        Text::Blob { bytes, .. } => format!("[{bytes} bytes]"),
    }
}

fn parsed(arguments: &str) -> Value {
    serde_json::from_str(arguments).unwrap_or_else(|_| Value::String(arguments.to_owned()))
}
