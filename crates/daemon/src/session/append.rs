//! Steps 2 and 3 of the circle, and the applying that follows: from what happened to what is on disk.

use super::fact::{Fact, Gathered};
use super::owner::{FIRST_RETRY, LONGEST_RETRY, Owner};
use super::perform::ToBegin;
use super::recipe::exhausted;
use super::render::Spoken;
use super::view;
use crate::catalog::Outfit;
use agent::{Effect, EffectId, EffectKind, Event, Micros, Money, Plan, Question, Scope, Seq, State, TurnOutcome};
use std::cell::Cell;
use std::sync::Arc;
use store::{
    Append, AppendError, Blob, Ceiling, FoldRow, JournalId, NewAnswer, NewEvent, NewStart, Reserve, SessionRow, Settle,
};
use wire::body::{self, LostMessage};
use wire::{Code, Header, Problem, Record};

/// Events after which the folds are written again, so that waking reads no more than these.
const EVENTS_PER_FOLD: u64 = 256;

/// The names of a session's folds.
pub(super) const STATE_FOLD: &str = "state";
/// The canvas's.
pub(super) const CANVAS_FOLD: &str = "canvas";
/// The version of the state's format.
pub(super) const STATE_FORMAT: u32 = 3;

/// An event with the bytes it has on disk.
struct Drafted {
    header: Header,
    event: NewEvent,
}

/// A start, with what stands in its place when it is refused.
struct DraftedStart {
    effect: Effect,
    started: Drafted,
    reserve: Option<Reserve>,
    refused: Vec<(Scope, Drafted)>,
    /// Of a model call: which messages it holds.
    plan: Plan,
}

impl Owner {
    /// The place that the fact with this index will have when it is given to [`Owner::happen`] next.
    pub(super) fn seq_of(&self, index: usize) -> Seq {
        let before = self.unwritten.len() + index;
        let claim = usize::from(!self.claimed && (self.state.head.0 > 0 || index > 0));
        // The brain puts the end of the turn behind a deadline that has come.
        let deadlines = self.unwritten.iter().filter(|fact| is_deadline(&fact.event)).count();
        Seq(self.state.head.0 + 1 + (before + claim + deadlines) as u64)
    }

    /// Makes things happen: appends them with all that follows from them, applies what is on disk, and starts what is
    /// wanted. When it returns an error, nothing of it happened, unless the error says that this is not known.
    ///
    /// Not cancel-safe: only the owner's own loop awaits it.
    pub(super) async fn happen(&mut self, given: Vec<Fact>, answer: Option<NewAnswer>) -> Result<(), Problem> {
        let (mut given, mut answer, mut landed) = (given, answer, false);
        loop {
            let facts = self.with_claim(std::mem::take(&mut given));
            match self.append(facts, answer.take()).await {
                Ok(false) => {
                    self.behind = None;
                    return Ok(());
                }
                // A start was refused and another event stands in its place: ask again what is wanted.
                Ok(true) => landed = true,
                Err(error) => {
                    let pause = self.behind.map_or(FIRST_RETRY, |(_, pause)| (pause * 2).min(LONGEST_RETRY));
                    self.behind = Some((self.house.clock.instant() + pause, pause));
                    let problem = self.refused(error).await;
                    // What was given is on disk; only what follows from it is not.
                    return if landed { Ok(()) } else { Err(problem) };
                }
            }
        }
    }

    /// An effect ended. Its outcome is never dropped: what cannot be written now waits and is tried again.
    pub(super) async fn outcome(&mut self, fact: Fact) {
        self.unwritten.push(fact);
        if let Err(problem) = self.happen(Vec::new(), None).await {
            tracing::warn!(session = %self.id, %problem, "an outcome waits for the journal");
        }
    }

    /// What waited, then the claim of a new epoch if this owner has none, then what is given. A session's first event
    /// is `session.created`, so there the claim is second.
    fn with_claim(&self, mut given: Vec<Fact>) -> Vec<Fact> {
        let mut facts = self.unwritten.clone();
        if !self.claimed {
            let (epoch, generation) = (self.epoch, self.house.generation);
            let cost_microusd = self.lost_calls().map(|(_, reserve)| reserve).sum();
            let claim = self.claim(Event::OwnerBegan { epoch, generation, cost_microusd });
            let at = usize::from(self.state.head == Seq(0)).min(given.len());
            given.insert(at, claim);
        }
        facts.append(&mut given);
        facts
    }

    /// Model calls that a claim loses, with what was reserved for them: those that are open and whose end does not wait
    /// to be written before the claim.
    fn lost_calls(&self) -> impl Iterator<Item = (EffectId, Money)> {
        let ended = |effect: &EffectId| self.unwritten.iter().any(|fact| fact.event.ends() == Some(*effect));
        let open = self.state.open.iter().filter(|(effect, _)| effect.kind == EffectKind::Model);
        open.filter(move |(effect, _)| !ended(effect)).map(|(effect, open)| (*effect, open.reserve))
    }

    /// The beginning of an epoch, which closes what lost model calls had said.
    fn claim(&self, event: Event) -> Fact {
        let mut gathered = Gathered::default();
        let lost = self.lost.iter().filter(|(effect, _)| self.state.open.contains_key(effect));
        let lost = lost.map(|(effect, text)| LostMessage { effect: *effect, text: gathered.text(text.clone()) });
        let lost = lost.collect();
        Fact::new(event, &body::Began { lost }, gathered)
    }

    /// One append. True when a start was refused.
    async fn append(&mut self, facts: Vec<Fact>, answer: Option<NewAnswer>) -> Result<bool, AppendError> {
        let house = self.house.clone();
        let happened = facts.iter().map(|fact| fact.event.clone()).collect();
        let outfit = house.catalog.current();
        let mut batch = agent::advance(&self.state, &outfit.settings, happened);
        // A state that has work, of which nothing runs, starts or ticks, waits for a person. What runs and is not wanted any
        // more runs all the same: if it dies with the daemon, only a new owner can bring its turn to an end.
        let moves = !(batch.starts.is_empty() && batch.after.open.is_empty() && batch.timers.is_empty());
        let waking = batch.after.has_work() && moves;
        if self.stopping {
            batch.starts.clear();
        }
        if batch.facts.is_empty() && batch.starts.is_empty() {
            self.waking = waking;
            self.follow(&batch.keep, &batch.timers);
            return Ok(false);
        }
        let at = house.clock.now();
        let journal = JournalId::Session(self.id);
        let mut append = Append::new(journal, self.epoch, house.generation, self.state.head);
        let mut seq = self.state.head;
        let mut written = Vec::with_capacity(batch.facts.len());
        let mut given = facts.into_iter().peekable();
        for event in std::mem::take(&mut batch.facts) {
            seq = seq.next();
            let fact = match given.peek() {
                Some(fact) if fact.event == event => given.next().expect("it was there to be seen"),
                _ => self.decision(event),
            };
            written.push(self.draft(seq, at, fact, &mut append.blobs));
        }
        // Facts are numbered before starts, so what the session itself knows to refuse comes first: the event in its place
        // is a fact of this append.
        let mut refused = false;
        let mut granted = Vec::with_capacity(batch.starts.len());
        for effect in std::mem::take(&mut batch.starts) {
            match self.refusal(&effect, &batch.after, &outfit) {
                None => granted.push(effect),
                Some(instead) => {
                    seq = seq.next();
                    batch.after.apply(seq, &instead.event);
                    written.push(self.draft(seq, at, instead, &mut append.blobs));
                    refused = true;
                }
            }
        }
        let mut starts = Vec::with_capacity(granted.len());
        for effect in granted {
            seq = seq.next();
            starts.push(self.draft_start(seq, at, effect, &batch.after, &outfit, &mut append.blobs));
        }
        append.facts = written.iter().map(|drafted| drafted.event.clone()).collect();
        append.starts = starts.iter().map(DraftedStart::to_store).collect();
        append.waking = waking;
        append.forget = self.forgetting.clone();
        append.row = Some(self.row(&batch.after, at));
        append.answer = answer.or_else(|| self.kept.clone());
        let appended = house.store.append(append).await?;

        // Not before it is on disk: folds, which say it too, may be written although this append failed.
        self.waking = waking;
        self.claimed = true;
        self.lost.clear();
        self.unwritten.clear();
        self.forgetting.clear();
        self.kept = None;
        self.profile.updated = at;
        self.state = std::mem::take(&mut batch.after);
        for drafted in written {
            self.applied(drafted, at);
        }
        let mut begun = Vec::new();
        for (index, start) in starts.into_iter().enumerate() {
            let refusal = appended.refused.iter().find(|(refused, _)| *refused == index).map(|(_, scope)| *scope);
            let drafted = match refusal {
                None => {
                    begun.push(ToBegin { effect: start.effect, plan: start.plan, outfit: outfit.clone() });
                    start.started
                }
                Some(scope) => {
                    let stand_in = start.refused.into_iter().find(|(s, _)| *s == scope);
                    stand_in.expect("the store names a limit that it was given").1
                }
            };
            self.state.apply(drafted.header.seq, &drafted.header.event);
            self.applied(drafted, at);
        }
        let mut keep = batch.keep;
        keep.extend(begun.iter().map(|begun| begun.effect.id()));
        self.to_begin.extend(begun);
        self.follow(&keep, &batch.timers);
        Ok(refused || !appended.refused.is_empty())
    }

    /// Turns a fact into what is stored, settling money where it ends a model call.
    fn draft(&self, seq: Seq, at: Micros, fact: Fact, blobs: &mut Vec<Blob>) -> Drafted {
        let header = Header { seq, at, session: Some(self.id), event: fact.event };
        let mut settle = Vec::new();
        if let Some(effect) = header.event.ends().filter(|effect| effect.kind == EffectKind::Model) {
            settle.push(Settle { effect, cost: header.event.cost() });
        }
        if let Event::OwnerBegan { .. } = header.event {
            settle.extend(self.lost_calls().map(|(effect, cost)| Settle { effect, cost }));
        }
        let ends = match header.event {
            Event::OwnerBegan { .. } => self.state.open.keys().copied().collect(),
            _ => header.event.ends().into_iter().collect(),
        };
        blobs.extend(fact.blobs);
        let event = NewEvent { header: header.to_json(), body: fact.body, blobs: fact.refs, settle, ends };
        Drafted { header, event }
    }

    /// The body of an event that the brain decided on.
    fn decision(&self, event: Event) -> Fact {
        match &event {
            Event::TurnFinished { outcome, limit, .. } => {
                let message = match (outcome, limit) {
                    (TurnOutcome::Limit, Some(limit)) => Some(format!(
                        "The turn reached a limit. Raise {} in the configuration, or say something to go on.",
                        limit.key()
                    )),
                    (TurnOutcome::Failed, _) => self.last_failure.clone(),
                    _ => None,
                };
                Fact::new(event, &body::TurnEnd { message }, Gathered::default())
            }
            Event::ApprovalRequested { effect, question, .. } => {
                let message = Some(self.question(*effect, *question));
                Fact::new(event, &body::Question { message, call: None }, Gathered::default())
            }
            _ => Fact::bare(event),
        }
    }

    /// A question in a sentence, with the call that it is about.
    pub(super) fn question(&self, effect: EffectId, question: Question) -> String {
        let call = self.jobs.get(effect.ordinal as usize).filter(|_| effect.kind == EffectKind::Ask);
        let about = call.map_or_else(String::new, |call| format!("{} {}: ", call.name, call.about));
        format!("{about}{}", view::sentence(question))
    }

    fn draft_start(
        &self,
        seq: Seq,
        at: Micros,
        effect: Effect,
        after: &State,
        outfit: &Outfit,
        blobs: &mut Vec<Blob>,
    ) -> DraftedStart {
        match &effect {
            Effect::Model { id, turn, model } => {
                let (recipe, gathered, price) = self.recipe(model, after, outfit);
                let (turn, id, plan) = (*turn, *id, recipe.plan);
                let event = Event::ModelStarted { turn, effect: id, model: model.clone(), reserve_microusd: price };
                let started = self.draft(seq, at, Fact::new(event, &recipe, gathered), blobs);
                let stand_in = |scope| {
                    let event = Event::BudgetExhausted { turn, effect: id, scope };
                    let message = exhausted(scope, price);
                    let body = body::Exhausted { model: model.clone(), message };
                    self.draft(seq, at, Fact::new(event, &body, Gathered::default()), &mut Vec::new())
                };
                let refused = vec![(Scope::Session, stand_in(Scope::Session)), (Scope::Day, stand_in(Scope::Day))];
                let config = &outfit.config;
                let ceiling = |limit: Option<Money>, at: usize| {
                    limit.map(|limit| Ceiling { limit, otherwise: refused[at].1.event.clone() })
                };
                let (session, per_day) = (ceiling(config.per_session, 0), ceiling(config.per_day, 1));
                let day = wire::time::day(at);
                let reserve = Some(Reserve { effect: id, amount: price, day, session, per_day });
                DraftedStart { effect, started, reserve, refused, plan }
            }
            Effect::Tool { id, turn, access, .. } => {
                let event = Event::ToolStarted { turn: *turn, effect: *id, access: *access };
                let call = self.jobs.get(id.ordinal as usize);
                let (name, about) = call.map_or_else(Default::default, |c| (c.name.clone(), c.about.clone()));
                let fact = Fact::new(event, &body::ToolStart { name, about }, Gathered::default());
                let started = self.draft(seq, at, fact, blobs);
                DraftedStart { effect, started, reserve: None, refused: Vec::new(), plan: Plan::default() }
            }
            Effect::VerifyAccept { id, plan, files, undoes } => {
                let (plan, undoes) = (Some(*plan), *undoes);
                let event = Event::AcceptStarted { effect: *id, files: *files, plan, undoes };
                let started = self.draft(seq, at, Fact::bare(event), blobs);
                DraftedStart { effect, started, reserve: None, refused: Vec::new(), plan: Plan::default() }
            }
        }
    }

    /// An event is on disk: the projections follow and the watchers hear of it.
    fn applied(&mut self, drafted: Drafted, at: Micros) {
        let Drafted { header, event } = drafted;
        if let Event::TurnFinished { .. } = header.event {
            self.last_failure = None;
            self.house.schedules.turn_ended(self.id);
        }
        if concerns_canvas(&header.event) {
            Arc::make_mut(&mut self.canvas).apply(header.seq, at, &header.event, &event.body);
        }
        let record = Record { seq: header.seq, header: event.header, body: Some(event.body) };
        // Long texts stand in blobs and are fetched when a request needs them.
        let long = Cell::new(false);
        let spoken = Spoken::read(&header.event, record.body.as_deref(), &|_| {
            long.set(true);
            None
        });
        if let Some(spoken) = spoken.filter(|_| !long.get()) {
            self.spoken.insert(record.seq, spoken);
        }
        self.live.publish(&header, &record);
    }

    /// What lists show of the session.
    fn row(&self, state: &State, at: Micros) -> SessionRow {
        SessionRow {
            workspace: self.profile.workspace.clone(),
            title: self.profile.title.clone(),
            state: view::status(state).word().to_owned(),
            model: self.profile.model.clone(),
            cost: state.cost,
            created: self.profile.created,
            updated: at,
        }
    }

    /// Whether enough has happened since the folds were written.
    pub(super) fn folds_due(&self) -> bool {
        self.state.head.0 >= self.folded.0 + EVENTS_PER_FOLD
    }

    /// Writes the folds, so that waking is fast. A failure costs time at the next waking and nothing else.
    pub(super) async fn write_folds(&mut self) {
        if self.folded == self.state.head || !self.claimed {
            return;
        }
        let rows = [
            (STATE_FOLD, STATE_FORMAT, serde_json::to_vec(&self.state)),
            (CANVAS_FOLD, canvas::Fold::FORMAT, serde_json::to_vec(&*self.canvas)),
        ];
        let seq = self.state.head;
        let folds = rows.into_iter().map(|(kind, format, bytes)| FoldRow {
            kind: kind.to_owned(),
            format,
            seq,
            bytes: bytes.expect("a fold is plain data"),
        });
        let mut append = Append::new(JournalId::Session(self.id), self.epoch, self.house.generation, seq);
        append.waking = self.waking;
        append.folds = folds.collect();
        // Whatever comes of it: it is not tried again before as much has happened anew.
        self.folded = seq;
        match self.house.store.append(append).await {
            Ok(_) => {}
            Err(error) => tracing::warn!(session = %self.id, %error, "the folds could not be written"),
        }
    }

    /// An append was refused or failed. Says so in a door's words, and mends what the owner knows.
    async fn refused(&mut self, error: AppendError) -> Problem {
        match error {
            AppendError::Full | AppendError::Locked => {
                Problem::new(Code::StorageFull, error.to_string()).remedy("free some space; nothing was lost")
            }
            AppendError::ReadOnly => self.house.takes_no_writes(),
            AppendError::OutcomeUnknown => {
                self.reload().await;
                Problem::new(Code::OutcomeUnknown, error.to_string())
                    .remedy("send the same request again, with its key")
            }
            AppendError::Answered(_) => {
                self.kept = None;
                Problem::new(Code::Conflict, "another request with this key came first")
                    .remedy("send it again to get its answer")
            }
            AppendError::Invalid(invalid) => {
                tracing::error!(session = %self.id, %invalid, "the journal refused an append; this is a fault");
                // Whatever it is, it must not stand in the way of all that follows.
                self.unwritten = std::mem::take(&mut self.unwritten).into_iter().map(Fact::stand_in).collect();
                self.kept = None;
                Problem::new(Code::Internal, invalid.to_string())
            }
            AppendError::Stale { .. } | AppendError::Epoch { .. } | AppendError::Generation { .. } => {
                tracing::warn!(session = %self.id, %error, "another owner has the session");
                self.gone = true;
                Problem::new(Code::Conflict, error.to_string()).remedy("send it again")
            }
            AppendError::Closed => {
                self.gone = true;
                Problem::new(Code::Draining, error.to_string())
            }
        }
    }
}

impl DraftedStart {
    fn to_store(&self) -> NewStart {
        NewStart { event: self.started.event.clone(), reserve: self.reserve.clone() }
    }
}

fn is_deadline(event: &Event) -> bool {
    matches!(event, Event::TimerFired { effect, .. } if effect.kind == EffectKind::Deadline)
}

/// Only these change the canvas. The fold is copied when a running tool reads it, so it is not touched without need.
fn concerns_canvas(event: &Event) -> bool {
    use Event::*;
    matches!(
        event,
        ToolFinished { .. }
            | CanvasRebased { .. }
            | CanvasConflicted { .. }
            | CanvasRewound { .. }
            | CanvasRejected { .. }
            | AcceptStarted { .. }
            | AcceptFinished { .. }
            | AcceptUndone { .. }
            | EventForgotten { .. }
    )
}
