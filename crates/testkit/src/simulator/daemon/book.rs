//! What is known of one session, by its journal alone: the account of the one-session simulator, and what only a whole
//! daemon has: labels of calls, prompts by their numbers, money by days, the configuration behind a call.

use super::super::audit::Audit;
use super::super::coverage::Coverage;
use super::super::invariant::{Breach, Checked, Invariant, hold};
use super::super::journal::read;
use super::people::number_of;
use super::run::fingerprint;
use super::voice::BELL;
use agent::{Answer, EffectId, Event, Limits, Micros, Money, Seq, SessionId, State};
use std::collections::{BTreeMap, BTreeSet};
use wire::body::{self, Text};
use wire::{BlobHash, Record};

/// What all sessions share.
#[derive(Default)]
pub(super) struct Common {
    /// For each prompt, where it stands.
    pub(super) prompts: BTreeMap<u64, (SessionId, Seq)>,
    /// Sessions that are not there any more.
    pub(super) removed: BTreeSet<SessionId>,
    /// The clock on the wall was put forward by as long as keys hold, so nobody knows any more what was asked under them.
    pub(super) keys_expired: bool,
    /// The labels of bell calls that are on disk as started, each with how often it may be rung.
    pub(super) may_ring: BTreeMap<u64, u32>,
    /// What each day has settled, by the headers.
    pub(super) settled: BTreeMap<String, Money>,
    /// What is set aside for each day, by the headers.
    pub(super) aside: BTreeMap<String, Money>,
    /// Whether what is written up now is of one session, so that its order among all is known.
    pub(super) alone: bool,
    /// The configurations that were in force since the books were written up last: one, apart from the moment in which another
    /// takes its place.
    pub(super) in_force: Vec<InForce>,
    pub(super) coverage: Coverage,
}

/// A whole configuration, as far as calls are decided by it.
pub(super) struct InForce {
    pub(super) settings: BlobHash,
    /// Budgets; `None` is no limit.
    pub(super) per_session: Option<Money>,
    pub(super) per_day: Option<Money>,
    pub(super) bell_forbidden: bool,
    pub(super) limits: Limits,
}

impl Common {
    /// What the limits in force allow: while there are two, the higher of each.
    pub(super) fn limits(&self) -> Limits {
        let wider = |one: Limits, other: Limits| Limits {
            steps: one.steps.max(other.steps),
            attempts: one.attempts.max(other.attempts),
            alike_calls: one.alike_calls.max(other.alike_calls),
            fruitless: one.fruitless.max(other.fruitless),
            ..other
        };
        self.in_force.iter().map(|one| one.limits).reduce(wider).unwrap_or_default()
    }

    /// What a day has spent or set aside.
    fn total(&self, day: &str) -> Money {
        let of = |money: &BTreeMap<String, Money>| money.get(day).copied().unwrap_or_default();
        of(&self.settled) + of(&self.aside)
    }

    fn settle(&mut self, day: String, aside: Money, cost: Money) {
        let left = self.aside.entry(day.clone()).or_default();
        left.0 -= aside.0;
        *self.settled.entry(day).or_default() += cost;
    }
}

/// One session.
pub(super) struct Book {
    pub(super) id: SessionId,
    pub(super) number: usize,
    pub(super) audit: Audit,
    pub(super) state: State,
    pub(super) headers: Vec<String>,
    /// Fingerprints of the updates, as watchers should see them.
    pub(super) updates: Vec<u64>,
    pub(super) removed: bool,
    /// Somebody asked for its removal, so it may be gone.
    pub(super) removal_asked: bool,
    /// The calls of the last reply: tool and label.
    calls: Vec<(String, Option<u64>)>,
    reserved: BTreeMap<EffectId, (String, Money)>,
}

impl Book {
    pub(super) fn new(id: SessionId, number: usize, limits: &Limits) -> Book {
        let mut audit = Audit::default();
        audit.limits(limits);
        Book {
            id,
            number,
            audit,
            state: State::default(),
            headers: Vec::new(),
            updates: Vec::new(),
            removed: false,
            removal_asked: false,
            calls: Vec::new(),
            reserved: BTreeMap::new(),
        }
    }

    /// The questions that wait for somebody.
    pub(super) fn questions(&self) -> impl Iterator<Item = EffectId> + '_ {
        self.audit.questions().keys().copied().filter(|_| !self.removed)
    }

    /// Nothing of it runs or waits.
    pub(super) fn rests(&self) -> bool {
        self.removed || !self.state.has_work()
    }

    pub(super) fn head(&self) -> Seq {
        Seq(self.headers.len() as u64)
    }

    /// What is set aside for it.
    pub(super) fn reserved(&self) -> Money {
        self.reserved.values().map(|(_, money)| *money).sum()
    }

    /// Takes what is new in the journal.
    pub(super) fn take(&mut self, records: &[Record], common: &mut Common) -> Checked {
        let headers: Vec<_> = records.iter().map(|record| read(&record.header)).collect::<Checked<_>>()?;
        // A fork comes at once with all that it shares, which was its parent's doing.
        let forked = headers.iter().rposition(|header| matches!(header.event, Event::SessionForked { .. }));
        // Nobody knows under which limits its parent did it.
        let (steps, attempts, alike_calls, fruitless) = (u32::MAX, u32::MAX, u32::MAX, u32::MAX);
        let unknown = Limits { steps, attempts, alike_calls, fruitless, ..common.limits() };
        if forked.is_some() {
            self.audit.limits(&unknown);
        }
        for (at, (record, header)) in records.iter().zip(&headers).enumerate() {
            hold(header.seq == self.head().next(), Invariant::NumbersAreDense, || {
                format!("{} after {}", header.seq, self.head())
            })?;
            self.headers.push(record.header.clone());
            self.updates.push(fingerprint([record.update().as_str()].into_iter()));
            let event = &header.event;
            let inherited = forked.is_some_and(|forked| at < forked);
            if !inherited {
                common.coverage.event(event);
                self.account(header.seq, header.at, event, record.body.as_deref().unwrap_or("{}"), common)?;
            }
            self.audit.observe(header.seq, event)?;
            if let Event::SessionForked { .. } = event {
                // A fork of a fork shares the first one's event too.
                self.audit.limits(&if inherited { unknown } else { common.limits() });
            }
            self.state.apply(header.seq, event);
        }
        self.audit.compare(&self.state)
    }

    fn account(&mut self, seq: Seq, at: Micros, event: &Event, body: &str, common: &mut Common) -> Checked {
        match event {
            Event::PromptAccepted { .. } | Event::PromptQueued { .. } | Event::PromptSteered { .. } => {
                let said: Option<body::Prompt> = body::read(body).ok();
                let said = said.map(|said| words(&said.text).to_owned()).unwrap_or_default();
                if let Some(number) = number_of(&said) {
                    let before = common.prompts.insert(number, (self.id, seq));
                    // With a session go the answers that named it, and a day later all answers.
                    let forgotten = before.is_some_and(|(session, _)| common.removed.contains(&session));
                    hold(before.is_none() || forgotten || common.keys_expired, Invariant::KeysAnsweredOnce, || {
                        format!("prompt {number} stands at {before:?} and again at {seq} of session {}", self.number)
                    })?;
                }
            }
            Event::ModelStarted { effect, reserve_microusd, .. } => {
                let recipe: body::Recipe = body::read(body).map_err(|error| unreadable(seq, &error.to_string()))?;
                let day = wire::time::day(at);
                *common.aside.entry(day.clone()).or_default() += *reserve_microusd;
                let all = common.total(&day);
                self.reserved.insert(*effect, (day, *reserve_microusd));
                let free = reserve_microusd.is_zero();
                let mine = self.state.cost + self.reserved();
                let under: Vec<_> = common.in_force.iter().filter(|one| one.settings == recipe.settings).collect();
                hold(!under.is_empty(), Invariant::OneConfiguration, || {
                    format!("event {seq} of session {}: settings {}", self.number, recipe.settings)
                })?;
                let day_holds = |one: &InForce| one.per_day.is_none_or(|most| all <= most) || free || !common.alone;
                let holds = |one: &InForce| day_holds(one) && (one.per_session.is_none_or(|most| mine <= most) || free);
                hold(under.iter().any(|one| holds(one)), Invariant::BudgetsHold, || {
                    let budgets: Vec<_> = under.iter().map(|one| (one.per_day, one.per_session)).collect();
                    let sums = format!("a day {} and session {} {}", all.0, self.number, mine.0);
                    format!("{sums} of {budgets:?} at event {seq}")
                })?;
            }
            Event::ModelFinished { .. } => {
                let reply: body::Reply = body::read(body).map_err(|error| unreadable(seq, &error.to_string()))?;
                self.calls =
                    reply.calls.iter().map(|call| (call.name.clone(), label(words(&call.arguments)))).collect();
            }
            Event::ToolStarted { effect, .. } => {
                let Some((name, label)) = self.calls.get(effect.ordinal as usize) else { return Ok(()) };
                let forbidden = name == BELL && common.in_force.iter().all(|one| one.bell_forbidden);
                hold(!forbidden, Invariant::TighteningHolds, || {
                    format!("event {seq}: {name} starts and is forbidden")
                })?;
                // The next attempt of what touches the world comes only after somebody said so.
                if let Some(label) = *label {
                    common.may_ring.entry(label).or_insert(1);
                }
            }
            Event::ApprovalResolved { effect, answer: Answer::Retry, .. } => {
                let call = self.calls.get(effect.ordinal as usize);
                if let Some(label) = call.and_then(|(_, label)| *label) {
                    common.may_ring.entry(label).and_modify(|times| *times += 1);
                }
            }
            Event::OwnerBegan { .. } => {
                self.settle_all(common);
            }
            _ => {}
        }
        if let Some((day, money)) = event.ends().and_then(|effect| self.reserved.remove(&effect)) {
            common.settle(day, money, event.cost());
        }
        Ok(())
    }

    /// Somebody removed it: what is still set aside counts as spent on its day.
    pub(super) fn remove(&mut self, common: &mut Common) {
        self.removed = true;
        common.removed.insert(self.id);
        self.settle_all(common);
    }

    fn settle_all(&mut self, common: &mut Common) {
        for (day, money) in std::mem::take(&mut self.reserved).into_values() {
            common.settle(day, money, money);
        }
    }
}

/// A text that is short enough to stand in its body.
fn words(text: &Text) -> &str {
    match text {
        Text::Inline(text) => text,
        Text::Blob { .. } => "",
    }
}

/// The label of a call of the bell.
fn label(arguments: &str) -> Option<u64> {
    let arguments: serde_json::Value = serde_json::from_str(arguments).ok()?;
    arguments["label"].as_str()?.parse().ok()
}

fn unreadable(seq: Seq, error: &str) -> Breach {
    Breach { invariant: Invariant::HeadersRoundTrip, detail: format!("the body of event {seq}: {error}") }
}
