//! The lives of a session: an owner begins, is killed, shut down, or unloaded by a store that does not know what
//! happened; and at last the session rests.

use super::fault::Fault;
use super::invariant::{Checked, Invariant, hold};
use super::journal;
use super::session::{Owner, Session};
use super::world::{Running, What};
use agent::{Epoch, Event, Generation, Limits, Money, Seq, State, Tokens, TurnOutcome};
use std::collections::BTreeMap;
use wire::Header;

/// The process that the owner lives in, and the daemon's own journal.
#[derive(Debug, Default)]
pub(super) struct Daemon {
    generation: Generation,
    alive: bool,
    journal: Vec<String>,
}

impl Session {
    /// A new owner: load by replay, say what is known of the past, claim the epoch, ask what is wanted.
    pub(super) fn begin_owner(&mut self) -> Checked {
        if !self.daemon.alive {
            self.daemon.generation.0 += 1;
            let generation = self.daemon.generation;
            self.note_daemon(Event::DaemonBegan { generation })?;
            self.daemon.alive = true;
        }
        self.check_journal()?;
        let state = self.journal.replay()?;
        let mut happened = Vec::new();
        if state.head == Seq(0) {
            happened.push(Event::SessionCreated {});
        }
        let mut open = state.open.clone();
        for event in std::mem::take(&mut self.waiting) {
            if event.ends().is_some_and(|effect| open.remove(&effect).is_some()) {
                happened.push(event);
            }
        }
        let cost_microusd = match self.fault {
            Some(Fault::LoseMoney) => Money(0),
            Some(Fault::SettleTwice) => state.reserved(),
            _ => open.values().map(|open| open.reserve).sum(),
        };
        if self.fault == Some(Fault::PerformOnReplay) {
            self.perform_again()?;
        }
        let (epoch, generation) = (Epoch(state.epoch.0 + 1), self.daemon.generation);
        if self.fault != Some(Fault::SkipOwnerBegan) || state.head == Seq(0) {
            happened.push(Event::OwnerBegan { epoch, generation, cost_microusd });
        }
        self.owner = Some(Owner { state, timers: BTreeMap::new(), began: false, behind: false, stopping: false });
        self.circle(happened)
    }

    fn perform_again(&mut self) -> Checked {
        for record in &self.journal.records {
            if let Event::ToolStarted { turn, effect, access } = journal::read(&record.header)?.event {
                let what = What::Tool { turn, access };
                self.world.act(&Running { effect, what, end_ms: None, cancelled: false })?;
            }
        }
        Ok(())
    }

    /// The process is gone, and with it everything that was only in its memory.
    pub(super) fn die(&mut self) -> Checked {
        for running in std::mem::take(&mut self.world.running).into_values() {
            self.world.perish(&mut self.random, &running)?;
        }
        self.owner = None;
        self.waiting.clear();
        self.daemon.alive = false;
        self.clock_ms += self.random.between(1, 5_000);
        Ok(())
    }

    /// The process is gone just after something had done its work.
    pub(super) fn die_after_effect(&mut self) -> Checked {
        let running: Vec<_> = self.world.running.keys().copied().collect();
        if !running.is_empty()
            && let Some(done) = self.world.running.remove(&self.random.pick(&running))
        {
            self.world.act(&done)?;
        }
        self.die()
    }

    /// The daemon ends in good order: what runs may end within a grace, what does not is lost.
    pub(super) fn shut_down(&mut self) -> Checked {
        let outcomes = self.join_effects()?;
        if let Some(owner) = &mut self.owner {
            owner.stopping = true;
            let mut happened = std::mem::take(&mut self.waiting);
            happened.retain(|event| event.ends().is_some());
            happened.extend(outcomes);
            self.circle(happened)?;
        }
        if self.owner.take().is_some() {
            let generation = self.daemon.generation;
            self.note_daemon(Event::DaemonEnded { generation })?;
        }
        self.waiting.clear();
        self.daemon.alive = false;
        self.clock_ms += self.random.between(1, 5_000);
        Ok(())
    }

    /// The outcome of a commit is unknown: the owner is unloaded, its effects are joined, and what they did is kept
    /// for the next owner, under the old ids.
    pub(super) fn lose_owner(&mut self, happened: Vec<Event>) -> Checked {
        self.put_off(happened);
        let outcomes = self.join_effects()?;
        self.waiting.extend(outcomes);
        self.owner = None;
        Ok(())
    }

    /// The append did not happen: commands were refused, outcomes wait.
    pub(super) fn put_off(&mut self, happened: Vec<Event>) {
        let outcome = |event: &Event| event.ends().is_some() || matches!(event, Event::TimerFired { .. });
        self.waiting.extend(happened.into_iter().filter(outcome));
        if self.owner.as_ref().is_some_and(|owner| !owner.began) {
            self.owner = None;
            self.clock_ms += 100;
        }
        if let Some(owner) = &mut self.owner {
            owner.behind = self.fault != Some(Fault::ForgetDecisions);
        }
    }

    fn join_effects(&mut self) -> Checked<Vec<Event>> {
        let mut outcomes = Vec::new();
        for running in std::mem::take(&mut self.world.running).into_values() {
            outcomes.extend(self.world.end_in_grace(&mut self.random, &running)?);
        }
        Ok(outcomes)
    }

    fn note_daemon(&mut self, event: Event) -> Checked {
        self.coverage.event(&event);
        let seq = Seq(self.daemon.journal.len() as u64 + 1);
        let header = Header { seq, at: self.now(), session: None, event };
        self.daemon.journal.push(journal::written(&header)?);
        Ok(())
    }

    /// What the journal promises to whoever reads it.
    fn check_journal(&self) -> Checked {
        for (seq, told) in &self.acknowledged {
            let there = self.journal.records.get(seq.0 as usize - 1).map(|record| &record.header);
            hold(there == Some(told), Invariant::AcknowledgedStays, || format!("told {told}, there is {there:?}"))?;
        }
        let replayed = self.journal.replay()?;
        hold(replayed == self.shadow, Invariant::ReplayIsLive, || {
            format!("replay {replayed:?}\n  fold {:?}", self.shadow)
        })?;
        for forgotten in [false, true] {
            let by_updates = self.journal.replay_updates(forgotten)?;
            hold(by_updates == self.shadow, Invariant::ForgettingChangesNothing, || format!("{by_updates:?}"))?;
        }
        Ok(())
    }

    /// Nothing is left to happen: then nothing may be left open either, and the session must be as good as new.
    pub(super) fn rest(&mut self) -> Checked {
        self.check_rest()?;
        if !self.healing {
            return self.heal();
        }
        let done = self.audit.last_outcome() == Some(TurnOutcome::Done);
        hold(done, Invariant::Heals, || format!("the last turn ended {:?}", self.audit.last_outcome()))
    }

    /// A new daemon begins, everything is well again, and the user asks for one more thing.
    fn heal(&mut self) -> Checked {
        self.healing = true;
        self.script.mishaps.clear();
        self.script.user_leaves = false;
        self.settings.models = self.script.settings.models.clone();
        self.settings.limits = Limits::default();
        self.audit.limits(&self.settings.limits);
        self.journal.lift_budgets();
        self.die()?;
        self.begin_owner()?;
        let turn = self.shadow.last_turn.next();
        self.circle(vec![Event::PromptAccepted { turn, tokens: Tokens(9), model: None, scheduled: None }])
    }

    fn check_rest(&self) -> Checked {
        self.check_journal()?;
        self.audit.rests()?;
        let state = &self.shadow;
        let rests = !state.has_work() && state.reserved().is_zero() && self.world.running.is_empty();
        hold(rests, Invariant::ComesToRest, || format!("{state:?}"))
    }

    /// An event out of its place must not move a state: an end of what is not open, an answer to what is not asked,
    /// a word about a turn that is over.
    pub(super) fn probe_nonsense(&mut self) -> Checked {
        if self.journal.records.is_empty() || !self.random.chance(8) {
            return Ok(());
        }
        let at = self.random.below(self.journal.records.len() as u64) as usize;
        let event = journal::read(&self.journal.records[at].header)?.event;
        if !self.is_nonsense(&event) {
            return Ok(());
        }
        let mut state: State = self.shadow.clone();
        state.apply(state.head.next(), &event);
        state.head = self.shadow.head;
        hold(state == self.shadow, Invariant::NonsenseChangesNothing, || format!("{event:?} at {}", state.head))
    }

    fn is_nonsense(&self, event: &Event) -> bool {
        let prompt = matches!(event, Event::PromptAccepted { .. } | Event::PromptQueued { .. });
        let running = self.shadow.turn.as_ref().map(|turn| turn.id);
        let elsewhere = !prompt && event.turn().is_some_and(|turn| Some(turn) != running);
        let closed = event.ends().is_some_and(|effect| !self.shadow.open.contains_key(&effect));
        let answered = match event {
            Event::ApprovalResolved { effect, .. } => !self.audit.questions().contains_key(effect),
            Event::TurnStarted { .. } => true,
            _ => false,
        };
        elsewhere || closed || answered
    }
}
