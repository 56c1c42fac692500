//! One seed, one session, one verdict.

use super::coverage::Coverage;
use super::fault::Fault;
use super::invariant::{Breach, Invariant, Violation};
use super::session::Session;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a session that kept every promise was like.
#[derive(Debug, Default, Clone)]
pub struct Report {
    /// Sessions.
    pub sessions: u64,
    /// Events in their journals.
    pub events: u64,
    /// Turns that finished.
    pub turns: u64,
    /// How often tools changed the world.
    pub world_changes: u64,
    /// Of all their headers: equal for equal sessions.
    pub fingerprint: u64,
    /// What occurred in them.
    pub coverage: Coverage,
}

impl Report {
    /// Takes another report in.
    pub fn merge(&mut self, other: &Report) {
        self.sessions += other.sessions;
        self.events += other.events;
        self.turns += other.turns;
        self.world_changes += other.world_changes;
        self.fingerprint ^= other.fingerprint;
        self.coverage.merge(&other.coverage);
    }
}

/// Runs the session of a seed, with one rule of the house broken if `fault` names one.
pub fn run(seed: u64, fault: Option<Fault>) -> Result<Report, Box<Violation>> {
    let mut session = Session::new(seed, fault);
    let lived = catch_unwind(AssertUnwindSafe(|| session.run())).unwrap_or_else(|panic| {
        let detail = panic.downcast_ref::<String>().cloned();
        let detail = detail.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
        Err(Breach { invariant: Invariant::NoPanic, detail: detail.unwrap_or_default() })
    });
    match lived {
        Ok(()) => Ok(Report {
            sessions: 1,
            events: session.journal.records.len() as u64,
            turns: session.audit.turns_finished(),
            world_changes: session.world.changes,
            fingerprint: fingerprint(session.journal.records.iter().map(|record| record.header.as_str())),
            coverage: session.coverage,
        }),
        Err(Breach { invariant, detail }) => {
            let journal = session.journal.records.into_iter().map(|record| record.header).collect();
            Err(Box::new(Violation { seed, invariant, detail, journal, test: "simulator" }))
        }
    }
}

/// FNV-1a over all lines.
fn fingerprint<'a>(lines: impl Iterator<Item = &'a str>) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    lines.flat_map(|line| line.bytes().chain([b'\n'])).fold(0xcbf2_9ce4_8422_2325, mix)
}
