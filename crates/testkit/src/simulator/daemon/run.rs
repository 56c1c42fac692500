//! One seed, one machine with all its daemons, one verdict.

use super::super::coverage::Coverage;
use super::super::invariant::{Breach, Invariant, Violation};
use super::machine::Machine;
use super::treachery::Treachery;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// What a simulation that kept every promise was like.
#[derive(Debug, Default, Clone)]
pub struct Report {
    /// Simulations.
    pub runs: u64,
    /// Daemons that lived in them, one after the other.
    pub lives: u64,
    /// Sessions.
    pub sessions: u64,
    /// Events in their journals.
    pub events: u64,
    /// Turns that finished.
    pub turns: u64,
    /// Requests that were answered.
    pub answers: u64,
    /// Updates that watchers saw.
    pub watched: u64,
    /// Of all headers: equal for equal simulations.
    pub fingerprint: u64,
    /// What occurred in them.
    pub coverage: Coverage,
}

impl Report {
    /// Takes another report in.
    pub fn merge(&mut self, other: &Report) {
        self.runs += other.runs;
        self.lives += other.lives;
        self.sessions += other.sessions;
        self.events += other.events;
        self.turns += other.turns;
        self.answers += other.answers;
        self.watched += other.watched;
        self.fingerprint ^= other.fingerprint;
        self.coverage.merge(&other.coverage);
    }
}

/// Runs the simulation of a seed, with one rule broken if `treachery` names one.
pub fn run(seed: u64, treachery: Option<Treachery>) -> Result<Report, Box<Violation>> {
    listen();
    let mut machine = Machine::new(seed, treachery);
    let lived = catch_unwind(AssertUnwindSafe(|| machine.run())).unwrap_or_else(|panic| {
        let detail = panic.downcast_ref::<String>().cloned();
        let detail = detail.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
        Err(Breach { invariant: Invariant::NoPanic, detail: detail.unwrap_or_default() })
    });
    let panics = PANICS.take();
    let lived = match panics.first() {
        Some(panic) if lived.is_ok() => Err(Breach { invariant: Invariant::NoPanic, detail: panic.clone() }),
        _ => lived,
    };
    match lived {
        Ok(()) => Ok(machine.report()),
        Err(Breach { invariant, detail }) => {
            let test = "daemon_simulator";
            Err(Box::new(Violation { seed, invariant, detail, journal: machine.tale(), test }))
        }
    }
}

thread_local! {
    /// What panicked on this thread: the runtime catches what panics in a task, and that must not stay hidden.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.with_borrow_mut(|panics| panics.push(panic.to_string()));
            before(panic);
        }));
    });
}

/// FNV-1a over all lines.
pub(super) fn fingerprint<'a>(lines: impl Iterator<Item = &'a str>) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    lines.flat_map(|line| line.bytes().chain([b'\n'])).fold(0xcbf2_9ce4_8422_2325, mix)
}
