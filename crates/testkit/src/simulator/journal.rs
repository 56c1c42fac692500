//! The store as the session sees it: numbered records and, kept in the same transactions, the ledger of money. What
//! is in here survives every kill; that an append may be lost, or kept without anybody hearing of it, is decided by
//! the caller.

use super::fault::Fault;
use super::invariant::{Breach, Checked, Invariant, hold};
use agent::{EffectId, Event, Micros, Money, Scope, Seq, SessionId, State};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Header, Record};

/// A start that may be refused, and by what its place is taken then.
pub(super) struct Start {
    pub(super) event: Event,
    pub(super) reserve: Money,
}

/// Money of one session.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) spent: Money,
    pub(super) reserved: BTreeMap<EffectId, Money>,
}

impl Ledger {
    pub(super) fn reserved(&self) -> Money {
        self.reserved.values().copied().sum()
    }
}

/// The durable records of one session, and its ledger.
pub(super) struct Journal {
    session: SessionId,
    fault: Option<Fault>,
    budgets: [(Scope, Money); 2],
    pub(super) records: Vec<Record>,
    pub(super) ledger: Ledger,
    started: BTreeSet<EffectId>,
}

impl Journal {
    pub(super) fn new(session: SessionId, session_budget: Money, day_budget: Money, fault: Option<Fault>) -> Journal {
        let budgets = [(Scope::Session, session_budget), (Scope::Day, day_budget)];
        let (records, ledger, started) = (Vec::new(), Ledger::default(), BTreeSet::new());
        Journal { session, fault, budgets, records, ledger, started }
    }

    /// Appends facts, then starts, each refused start replaced; says how many records the append holds. `head` is the
    /// owner's: the store would refuse an append that names another.
    pub(super) fn append(&mut self, head: Seq, at: Micros, facts: Vec<Event>, starts: Vec<Start>) -> Checked<usize> {
        let durable = Seq(self.records.len() as u64);
        hold(head == durable, Invariant::NumbersAreDense, || {
            format!("the owner is at {head}, the journal at {durable}")
        })?;
        let before = self.records.len();
        if self.fault == Some(Fault::StartsFirst) {
            starts.into_iter().try_for_each(|start| self.start(at, start))?;
            facts.into_iter().try_for_each(|event| self.write(at, event))?;
        } else {
            facts.into_iter().try_for_each(|event| self.write(at, event))?;
            starts.into_iter().try_for_each(|start| self.start(at, start))?;
        }
        Ok(self.records.len() - before)
    }

    fn start(&mut self, at: Micros, start: Start) -> Checked {
        let taken = Money(self.ledger.spent.0 + self.ledger.reserved().0 + start.reserve.0);
        let over = self.budgets.iter().find(|(_, budget)| !start.reserve.is_zero() && taken > *budget);
        match (over, start.event.turn(), start.event.starts()) {
            (Some((scope, _)), Some(turn), Some(effect)) if self.fault != Some(Fault::NeverRefuse) => {
                self.write(at, Event::BudgetExhausted { turn, effect, scope: *scope })
            }
            _ => self.write(at, start.event),
        }
    }

    fn write(&mut self, at: Micros, event: Event) -> Checked {
        self.book(&event);
        self.started.extend(event.starts());
        let gap = u64::from(self.fault == Some(Fault::SkipNumber) && self.records.len() == 7);
        let seq = Seq(self.records.len() as u64 + 1 + gap);
        let body = Some(body(seq));
        let header = written(&Header { seq, at, session: Some(self.session), event })?;
        self.records.push(Record { seq, header, body });
        Ok(())
    }

    fn book(&mut self, event: &Event) {
        match event {
            Event::ModelStarted { effect, reserve_microusd, .. } => {
                self.ledger.reserved.insert(*effect, *reserve_microusd);
            }
            Event::OwnerBegan { .. } => self.ledger.reserved.clear(),
            _ => {}
        }
        if let Some(effect) = event.ends() {
            self.ledger.reserved.remove(&effect);
        }
        self.ledger.spent += event.cost();
    }

    /// Gives as much money as can be wished for.
    pub(super) fn lift_budgets(&mut self) {
        self.budgets.iter_mut().for_each(|(_, budget)| *budget = Money(u64::MAX));
    }

    /// Whether the start of an effect is on disk.
    pub(super) fn holds_start(&self, effect: EffectId) -> bool {
        self.started.contains(&effect)
    }

    /// Whether money is set aside within the budgets.
    pub(super) fn within_budgets(&self) -> bool {
        let taken = Money(self.ledger.spent.0 + self.ledger.reserved().0);
        self.budgets.iter().all(|(_, budget)| taken <= *budget)
    }

    /// The state that the records add up to, from the stored headers alone.
    pub(super) fn replay(&self) -> Checked<State> {
        let mut state = State::default();
        for record in &self.records {
            let header = read(&record.header)?;
            state.apply(header.seq, &header.event);
        }
        Ok(state)
    }

    /// The state that a client makes of the updates, with all bodies there or with all of them forgotten.
    pub(super) fn replay_updates(&self, forgotten: bool) -> Checked<State> {
        let mut state = State::default();
        for record in &self.records {
            if forgotten && self.fault == Some(Fault::SkipForgotten) {
                continue;
            }
            let body = if forgotten { None } else { record.body.clone() };
            let header = read(&Record { body, ..record.clone() }.update())?;
            state.apply(header.seq, &header.event);
        }
        Ok(state)
    }
}

/// A body that says what no body should be believed.
fn body(seq: Seq) -> String {
    match seq.0 % 3 {
        0 => r#"{"text":"kind"}"#.into(),
        1 => r#"{"kind":"turn.finished","seq":1,"turn":"trn_1","outcome":"done","cost_microusd":999999}"#.into(),
        _ => format!(r#"{{"text":{{"blob":"none","bytes":{seq}}},"effect":"trn_9.9.tool.9.9"}}"#),
    }
}

/// A header's bytes, which must read back as the header and be written again as the same bytes.
pub(super) fn written(header: &Header) -> Checked<String> {
    let text = header.to_json();
    let back = read(&text)?;
    hold(back == *header && back.to_json() == text, Invariant::HeadersRoundTrip, || text.clone())?;
    Ok(text)
}

pub(super) fn read(text: &str) -> Checked<Header> {
    Header::from_json(text)
        .map_err(|error| Breach { invariant: Invariant::HeadersRoundTrip, detail: format!("{error}: {text}") })
}
