//! An account of the journal that owes nothing to the brain: it reads the same events, keeps books of its own, and
//! says when a promise is broken.

mod books;
mod calls;
mod deaths;
mod effects;
mod turns;

pub(super) use calls::fits;

use super::invariant::{Checked, Invariant, hold};
use agent::{EffectId, Event, Limits, Question, Seq, State, TurnOutcome};
use std::collections::BTreeMap;

/// The account of one session.
#[derive(Debug, Default)]
pub(super) struct Audit {
    head: Seq,
    effects: effects::Effects,
    turns: turns::Turns,
    calls: calls::Calls,
    books: books::Books,
    deaths: deaths::Deaths,
}

impl Audit {
    /// Takes the next event of the journal.
    pub(super) fn observe(&mut self, seq: Seq, event: &Event) -> Checked {
        hold(seq == self.head.next(), Invariant::NumbersAreDense, || format!("{seq} after {}", self.head))?;
        self.head = seq;
        if let Event::SessionForked { .. } = event {
            return self.leave_to_the_parent();
        }
        self.books.observe(event)?;
        self.deaths.observe(event, self.effects.any_open())?;
        self.effects.observe(event)?;
        self.turns.observe(seq, event, &self.effects)?;
        self.calls.observe(seq, event, &self.effects)
    }

    /// What comes from here on is a fork's own: what its parent had under way, and what it spent, is none of it.
    fn leave_to_the_parent(&mut self) -> Checked {
        self.books = books::Books::default();
        self.effects.leave_to_the_parent();
        self.turns.leave_to_the_parent();
        self.calls.leave_to_the_parent();
        self.deaths.leave_to_the_parent();
        Ok(())
    }

    /// The limits that are in force from now on; a turn is held to the highest that it has seen.
    pub(super) fn limits(&mut self, limits: &Limits) {
        self.turns.limits(limits);
        self.deaths.limits(limits);
    }

    /// Compares the books with the state's.
    pub(super) fn compare(&self, state: &State) -> Checked {
        self.books.compare(state)?;
        self.effects.compare(state)
    }

    /// Nothing may be left open when a session rests.
    pub(super) fn rests(&self) -> Checked {
        self.effects.rests()?;
        self.turns.rests()
    }

    /// The questions that wait for an answer.
    pub(super) fn questions(&self) -> &BTreeMap<EffectId, Question> {
        self.calls.questions()
    }

    /// How many turns have finished.
    pub(super) fn turns_finished(&self) -> u64 {
        self.turns.finished()
    }

    /// How the last turn ended.
    pub(super) fn last_outcome(&self) -> Option<TurnOutcome> {
        self.turns.last_outcome()
    }

    /// A context that is cut to fit parts no result from its reply and leaves the newest prompt in.
    pub(super) fn context(&self, messages: Vec<Seq>) -> Checked {
        self.turns.context(&messages)?;
        self.calls.context(&messages)
    }
}
