//! The owner's circle, by the rules of the house: take what happened, ask the brain, append facts then starts, apply
//! what the append really holds, begin what it started, stop what is not to be kept, arm timers.

use super::fault::Fault;
use super::invariant::{Checked, Invariant, hold};
use super::journal::{self, Start};
use super::script::Mishap;
use super::session::{Armed, Session};
use super::world::What;
use agent::{
    Access, Batch, CallStatus, Caps, Effect, EffectId, EffectKind, Event, ModelName, Money, Phase, Question, State,
    Timer, Tokens, TurnId, advance, plan,
};
use wire::Header;

/// Taken by the system prompt and the tool table.
const FIXED: Tokens = Tokens(100);

/// Each refused start may take another append to follow up: for every prompt that waits there may be two.
const MOST_ROUNDS: u32 = 200;

/// What became of an append.
enum Appended {
    /// It is on disk and the owner knows; so many records.
    Held(usize),
    /// The owner is gone, or will try again.
    Gone,
}

impl Session {
    /// Takes what happened and goes round until nothing more is wanted.
    pub(super) fn circle(&mut self, mut happened: Vec<Event>) -> Checked {
        let mut settled = false;
        for _ in 0..MOST_ROUNDS {
            let Some(owner) = &mut self.owner else { return Ok(()) };
            owner.behind = false;
            let stopping = owner.stopping;
            let mut batch = advance(&owner.state, &self.settings, happened.clone());
            self.sabotage(&mut batch);
            if stopping {
                batch.starts.clear();
            }
            if batch.facts.is_empty() && batch.starts.is_empty() {
                return self.reconcile(&batch.keep, &batch.timers);
            }
            hold(!settled, Invariant::NothingLeftToSay, || format!("{:?} {:?}", batch.facts, batch.starts))?;
            let refused = match self.append(batch, happened)? {
                Appended::Held(count) => self.follow(count)?,
                Appended::Gone => return Ok(()),
            };
            settled = !refused;
            happened = Vec::new();
        }
        hold(false, Invariant::ComesToRest, || format!("{MOST_ROUNDS} appends followed from one"))
    }

    /// Hands an append over; here the script may strike.
    fn append(&mut self, batch: Batch, happened: Vec<Event>) -> Checked<Appended> {
        let starts: Vec<Start> = batch.starts.iter().map(|effect| self.price(effect, &batch.after)).collect();
        if self.fault == Some(Fault::StartBeforeDurable) {
            starts.iter().try_for_each(|start| self.begin(&start.event))?;
        }
        let head = self.owner.as_ref().map(|owner| owner.state.head).unwrap_or_default();
        if let (Some(Fault::AcknowledgeBeforeDurable), Some(fact)) = (self.fault, batch.facts.first()) {
            let header = Header { seq: head.next(), at: self.now(), session: None, event: fact.clone() };
            self.acknowledged.push((header.seq, header.to_json()));
        }
        self.appends += 1;
        let mishap = self.mishap_at_append(happened.is_empty());
        if let Some(mishap) = mishap {
            self.script.mishaps.pop_front();
            self.coverage.count("mishap", mishap.word());
        }
        let mut held = 0;
        if !matches!(mishap, Some(Mishap::KillBeforeDurable | Mishap::CommitLost | Mishap::DiskFull)) {
            held = self.journal.append(head, self.now(), batch.facts, starts)?;
            self.watch()?;
        }
        match mishap {
            None => return Ok(Appended::Held(held)),
            Some(Mishap::CommitLost | Mishap::CommitKept) => self.lose_owner(happened)?,
            Some(Mishap::DiskFull) => self.put_off(happened),
            Some(_) => self.die()?,
        }
        Ok(Appended::Gone)
    }

    /// What goes wrong with this append. Where money is short, the disk is full just when a refusal is followed up.
    fn mishap_at_append(&self, follows_up: bool) -> Option<Mishap> {
        let (at, mishap) = self.script.mishaps.front()?;
        let suits = *mishap != Mishap::DiskFull || follows_up || !self.script.money_is_short();
        (*at <= self.appends && mishap.at_append() && suits).then_some(*mishap)
    }

    /// Reads what is new in the journal, as anybody may, and holds it against every promise.
    fn watch(&mut self) -> Checked {
        for at in self.shadow.head.0 as usize..self.journal.records.len() {
            let header = journal::read(&self.journal.records[at].header)?;
            self.coverage.event(&header.event);
            self.audit.observe(header.seq, &header.event)?;
            self.check_context(&header.event)?;
            self.shadow.apply(header.seq, &header.event);
            self.show_user(header.seq, &header.event);
            if let Event::ApprovalResolved { effect, answer: agent::Answer::Retry, .. } = header.event {
                self.world.permit_again(effect);
            }
        }
        self.audit.compare(&self.shadow)?;
        let ledger = &self.journal.ledger;
        let equal = ledger.spent == self.shadow.cost && ledger.reserved() == self.shadow.reserved();
        hold(equal, Invariant::MoneyOnce, || format!("ledger {ledger:?}, state {:?}", self.shadow.cost))?;
        hold(self.journal.within_budgets(), Invariant::BudgetsHold, || format!("ledger {ledger:?}"))
    }

    /// Applies what the append really holds and begins what it started. Says whether a start was refused.
    fn follow(&mut self, count: usize) -> Checked<bool> {
        let mut refused = false;
        let first = self.journal.records.len() - count;
        for at in first..self.journal.records.len() {
            let record = &self.journal.records[at];
            let (seq, mut event) = (record.seq, journal::read(&record.header)?.event);
            self.acknowledged.push((seq, record.header.clone()));
            if let Event::BudgetExhausted { turn, effect, .. } = event {
                refused = true;
                if self.fault == Some(Fault::ApplyRefused) {
                    let (model, reserve_microusd) = (ModelName::new(super::script::PAID), Money(1));
                    event = Event::ModelStarted { turn, effect, model, reserve_microusd };
                }
            }
            if let Some(owner) = &mut self.owner {
                owner.state.apply(seq, &event);
                owner.began = true;
            }
            let begun = event.starts().is_some_and(|effect| self.world.running.contains_key(&effect));
            if !begun {
                self.begin(&event)?;
            }
        }
        self.compare_states()?;
        Ok(refused)
    }

    /// Live state and fold are one; now and then the owner goes on with what it wrote as JSON and read back.
    fn compare_states(&mut self) -> Checked {
        let by_json = self.random.chance(4);
        let Some(owner) = &mut self.owner else { return Ok(()) };
        hold(owner.state == self.shadow, Invariant::ReplayIsLive, || {
            format!("live {:?}\n  fold {:?}", owner.state, self.shadow)
        })?;
        if by_json {
            let text = serde_json::to_string(&owner.state).map_err(|e| e.to_string());
            let back = text.and_then(|text| serde_json::from_str::<State>(&text).map_err(|e| e.to_string()));
            hold(back.as_ref() == Ok(&owner.state), Invariant::StateRoundTrips, || format!("{back:?}"))?;
            owner.state = back.unwrap_or_default();
        }
        Ok(())
    }

    /// Begins the effect that an event starts.
    fn begin(&mut self, event: &Event) -> Checked {
        let (effect, what) = match event {
            Event::ModelStarted { turn, effect, model, reserve_microusd } => {
                let spec = self.settings.models.get(model).copied();
                (*effect, What::Model { turn: *turn, spec, reserve: *reserve_microusd })
            }
            Event::ToolStarted { turn, effect, access } => (*effect, What::Tool { turn: *turn, access: *access }),
            Event::AcceptStarted { effect, files, undoes, .. } => {
                (*effect, What::Accept { files: *files, undoes: *undoes })
            }
            _ => return Ok(()),
        };
        hold(self.journal.holds_start(effect), Invariant::StartsAreDurable, || effect.to_string())?;
        let calm = self.calm();
        self.world.begin(&mut self.random, self.clock_ms, effect, what, calm);
        Ok(())
    }

    /// Stops what is not to be kept and lets exactly the wanted timers run.
    fn reconcile(&mut self, keep: &[EffectId], timers: &[Timer]) -> Checked {
        let Some(owner) = &mut self.owner else { return Ok(()) };
        if owner.stopping {
            return Ok(());
        }
        let same = self.world.running.keys().eq(owner.state.open.keys());
        hold(same, Invariant::RunsAreOpen, || {
            format!("run {:?}, open {:?}", self.world.running.keys(), owner.state.open.keys())
        })?;
        let ending = owner.state.turn.as_ref().is_some_and(|turn| turn.ending.is_some());
        let unwanted: Vec<EffectId> = owner.state.open.keys().filter(|e| !keep.contains(e)).copied().collect();
        let only_turns = unwanted.iter().all(|effect| effect.turn != TurnId::NONE);
        hold(unwanted.is_empty() || (ending && only_turns), Invariant::RunningIsKept, || format!("{unwanted:?}"))?;
        let idle = owner.state.has_work() || (keep.is_empty() && timers.is_empty());
        hold(idle, Invariant::NothingLeftToSay, || format!("without work: {keep:?} {timers:?}"))?;
        owner.timers.retain(|effect, _| timers.iter().any(|timer| timer.id == *effect));
        for timer in timers {
            let due_ms = self.clock_ms + timer.delay_ms;
            let armed = owner.timers.entry(timer.id).or_insert(Armed { turn: timer.turn, due_ms });
            armed.due_ms = armed.due_ms.min(due_ms);
        }
        if self.fault != Some(Fault::IgnoreCancel) {
            unwanted.into_iter().for_each(|effect| self.world.cancel(&mut self.random, self.clock_ms, effect));
        }
        Ok(())
    }

    /// Makes the `*.started` of an effect and says what to set aside for it.
    fn price(&self, effect: &Effect, after: &State) -> Start {
        match effect {
            Effect::Model { id, turn, model } => {
                let spec = &self.settings.models[model];
                let caps = Caps { context: spec.context_tokens, output: spec.max_output_tokens, fixed: FIXED };
                let reserve = spec.cost(plan(&after.window, caps).tokens, spec.max_output_tokens);
                let (effect, model) = (*id, model.clone());
                let event = Event::ModelStarted { turn: *turn, effect, model, reserve_microusd: reserve };
                Start { event, reserve }
            }
            Effect::Tool { id, turn, access, .. } => {
                let event = Event::ToolStarted { turn: *turn, effect: *id, access: *access };
                Start { event, reserve: Money(0) }
            }
            Effect::VerifyAccept { id, plan, files, undoes } => {
                let (plan, undoes) = (Some(*plan), *undoes);
                let event = Event::AcceptStarted { effect: *id, files: *files, plan, undoes };
                Start { event, reserve: Money(0) }
            }
        }
    }

    /// Whatever room a model has, its context keeps together what belongs together.
    fn check_context(&mut self, event: &Event) -> Checked {
        let Event::ModelStarted { .. } = event else { return Ok(()) };
        for context in [self.random.between(200, 3_000), 200_000] {
            let caps = Caps { context: Tokens(context), output: Tokens(200), fixed: FIXED };
            self.audit.context(
                plan(&self.shadow.window, caps).messages(&self.shadow.window).map(|planned| planned.seq).collect(),
            )?;
        }
        Ok(())
    }

    /// Breaks what the brain asked for, where a fault says so.
    fn sabotage(&self, batch: &mut Batch) {
        let Some(turn) = self.owner.as_ref().and_then(|owner| owner.state.turn.as_ref()) else { return };
        let Phase::Tools { asked, calls } = &turn.phase else {
            if self.fault == Some(Fault::SameIdAgain) {
                batch.starts.iter_mut().for_each(name_first);
            }
            return;
        };
        let tool = |ordinal: usize, access: Access| {
            let (kind, attempt) = (EffectKind::Tool, calls[ordinal].attempt);
            let id = EffectId { turn: turn.id, step: turn.step, kind, ordinal: ordinal as u32, attempt };
            Effect::Tool { id, turn: turn.id, asked: *asked, access }
        };
        match self.fault {
            Some(Fault::RunLostAgain) => batch.facts.retain(|fact| match fact {
                Event::ApprovalRequested { effect, question: Question::UnknownOutcome, .. } => {
                    batch.starts.push(tool(effect.ordinal as usize, Access::World));
                    false
                }
                _ => true,
            }),
            Some(Fault::WritersTogether) => {
                let ready = |call: &agent::Call| call.status == CallStatus::Ready && call.access != Access::Read;
                batch.starts =
                    calls.iter().enumerate().filter(|(_, c)| ready(c)).map(|(n, c)| tool(n, c.access)).collect();
            }
            _ => {}
        }
    }
}

fn name_first(effect: &mut Effect) {
    if let Effect::Model { id, .. } = effect {
        id.attempt = 1;
    }
}
