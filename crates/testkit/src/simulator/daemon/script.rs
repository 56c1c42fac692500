//! What a seed decides beforehand: configurations, what goes wrong and when, how much people do.

use super::super::random::Random;
use crate::fault_vfs::{Crash, Fault, Hurt, Op, Ops};
use agent::{Decision, Money};
use std::collections::VecDeque;
use std::fmt::Write;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mishap {
    /// The daemon is killed while nothing is being written.
    Kill,
    /// The power goes while nothing is being written.
    PowerCut,
    /// The power goes in the middle of the journal's so many-th write or sync from now on.
    PowerCutInWrite(u64),
    /// A write or a sync of the journal fails, the so many-th from now on: the commit's outcome is unknown.
    CommitUnknown(u64, Hurt),
    /// The disk is full for a while.
    DiskFull,
    /// The daemon is asked to stop, and started again.
    Restart,
    /// The same, and another configuration and other plug-ins wait for it.
    Reconfigured,
    /// Somebody changes the configuration, and the daemon takes it while it runs, or refuses it.
    Reloaded,
    /// The clock on the wall is put forward or back.
    ClockJumps(i64),
}

impl Mishap {
    /// The word under which it is counted.
    pub(super) fn word(self) -> &'static str {
        match self {
            Mishap::Kill => "kill",
            Mishap::PowerCut => "power_cut",
            Mishap::PowerCutInWrite(_) => "power_cut_in_write",
            Mishap::CommitUnknown(..) => "commit_unknown",
            Mishap::DiskFull => "disk_full",
            Mishap::Restart => "restart",
            Mishap::Reconfigured => "reconfigured",
            Mishap::Reloaded => "reloaded",
            Mishap::ClockJumps(_) => "clock_jumps",
        }
    }

    /// The words that a coverage must have.
    pub(super) const WORDS: [&str; 9] = [
        "kill",
        "power_cut",
        "power_cut_in_write",
        "commit_unknown",
        "disk_full",
        "restart",
        "reconfigured",
        "reloaded",
        "clock_jumps",
    ];

    fn draw(random: &mut Random) -> Mishap {
        let nth = random.between(1, 25);
        match random.below(19) {
            0..=2 => Mishap::Kill,
            3 => Mishap::PowerCut,
            4..=5 => Mishap::PowerCutInWrite(nth),
            6..=8 => {
                let hurts = [Hurt::Fail, Hurt::Torn, Hurt::LostSync, Hurt::LateSync];
                Mishap::CommitUnknown(nth, random.pick(&hurts))
            }
            9 => Mishap::DiskFull,
            10 => Mishap::Restart,
            11..=12 => Mishap::Reconfigured,
            13..=17 => Mishap::Reloaded,
            _ => Mishap::ClockJumps(random.pick(&[-86_400, -3_600, 7, 3_600, 86_400]) * 1_000_000),
        }
    }

    /// In prose.
    pub(super) fn prose(self) -> String {
        match self {
            Mishap::Kill => "the daemon is killed".to_owned(),
            Mishap::PowerCut => "the power goes".to_owned(),
            Mishap::PowerCutInWrite(nth) => format!("the power will go in the {nth}th change of the journal's file"),
            Mishap::CommitUnknown(nth, hurt) => {
                let how = match hurt {
                    Hurt::Torn => "stop half-way",
                    Hurt::LostSync => "fail, and nothing of it be durable",
                    Hurt::LateSync => "fail, and be durable all the same",
                    _ => "fail",
                };
                format!("the {nth}th change of the journal's file from now on will {how}")
            }
            Mishap::DiskFull => "the disk is full".to_owned(),
            Mishap::Restart => "somebody stops the daemon and starts it again".to_owned(),
            Mishap::Reconfigured => "somebody changes the configuration and restarts the daemon".to_owned(),
            Mishap::Reloaded => "somebody changes the configuration of the daemon that runs".to_owned(),
            Mishap::ClockJumps(micros) => format!("the clock on the wall jumps by {} s", micros / 1_000_000),
        }
    }

    /// The fault of the disk that it is, if it is one.
    pub(super) fn fault(self) -> Option<Fault> {
        let ops = Ops::of(&[Op::Write, Op::Sync, Op::Truncate]);
        match self {
            Mishap::PowerCutInWrite(nth) => Some(Fault { nth, ops, hurt: Hurt::PowerTorn, sticky: false }),
            Mishap::CommitUnknown(nth, hurt) => Some(Fault { nth, ops, hurt, sticky: false }),
            Mishap::DiskFull => Some(Fault { nth: 1, ops: Ops::WRITES, hurt: Hurt::Full, sticky: true }),
            _ => None,
        }
    }
}

/// What a power cut leaves of what was not synced.
pub(super) fn leftovers(random: &mut Random) -> Crash {
    match random.below(3) {
        0 => Crash::DropUnsynced,
        1 => Crash::KeepAll,
        _ => Crash::Mixed(random.next()),
    }
}

/// One whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sketch {
    pub(super) grace_ms: u64,
    pub(super) idle_ms: u64,
    /// Smaller than any file can say, so that a few sessions are too many.
    pub(super) awake_bytes: u64,
    pub(super) steps: u32,
    pub(super) attempts: u32,
    pub(super) turn_ms: u64,
    pub(super) fruitless: u32,
    pub(super) per_session: Option<Money>,
    pub(super) per_day: Option<Money>,
    pub(super) bell: Decision,
    pub(super) writes: Decision,
    pub(super) bass_first: bool,
    /// Whether the plug-in is there.
    pub(super) plugged: bool,
}

impl Sketch {
    pub(super) fn draw(random: &mut Random) -> Sketch {
        use Decision::{Allow, Ask, Deny};
        let budget = |random: &mut Random, most: u64| random.chance(25).then(|| Money(random.between(4_000, most)));
        Sketch {
            grace_ms: random.pick(&[100, 1_500, 5_000]),
            idle_ms: random.pick(&[300, 20_000, 300_000]),
            awake_bytes: random.pick(&[30_000, 70_000, 64 << 20]),
            steps: random.between(2, 9) as u32,
            attempts: random.between(1, 4) as u32,
            turn_ms: random.pick(&[20_000, 600_000, 1_800_000]),
            fruitless: random.between(1, 3) as u32,
            per_session: budget(random, 40_000),
            per_day: budget(random, 90_000),
            bell: random.weighed(&[(5, Allow), (3, Ask), (2, Deny)]),
            writes: random.weighed(&[(7, Allow), (1, Ask), (1, Deny)]),
            bass_first: random.chance(50),
            plugged: random.chance(60),
        }
    }

    /// Whether no bell may be rung.
    pub(super) fn forbids_the_bell(&self) -> bool {
        self.bell == Decision::Deny
    }

    /// Another one for the daemon that runs, whose plug-ins and memory stay as they are. Often only what it forbids and what
    /// may be spent is another, and less.
    pub(super) fn redrawn(&self, random: &mut Random) -> Sketch {
        let other = Sketch::draw(random);
        let (plugged, awake_bytes) = (self.plugged, self.awake_bytes);
        if random.chance(50) {
            let (bell, per_session, per_day) = (Decision::Deny, other.per_session, other.per_day);
            return Sketch { bell, per_session, per_day, ..self.clone() };
        }
        Sketch { plugged, awake_bytes, ..other }
    }

    /// The same as somebody writes it who makes a mistake.
    pub(super) fn mistaken(&self, random: &mut Random) -> String {
        let text = self.toml();
        match random.below(4) {
            0 => format!("{text}[limits\n"),
            1 => text.replace("grace_ms", "grace_mz"),
            2 => format!("default_model = \"nobody\"\n{text}"),
            _ => text.replace("steps = ", "steps = -"),
        }
    }

    /// All is well, nothing is short, nothing is forbidden that was not.
    pub(super) fn healed(&self) -> Sketch {
        let (per_session, per_day) = (None, None);
        Sketch { steps: 200, attempts: 4, turn_ms: 3_600_000, fruitless: 3, per_session, per_day, ..self.clone() }
    }

    /// As a file says it.
    pub(super) fn toml(&self) -> String {
        let mut text = format!(
            "[daemon]\ndiscover = false\ngrace_ms = {}\nidle_ms = {}\n\n[limits]\nsteps = {}\nattempts = {}\nturn_ms = {}\n\
             fruitless = {}\n\n[instructions]\nfiles = []\n\n",
            self.grace_ms, self.idle_ms, self.steps, self.attempts, self.turn_ms, self.fruitless,
        );
        let budgets = [("per_session_usd", self.per_session), ("per_day_usd", self.per_day)];
        if budgets.iter().any(|(_, budget)| budget.is_some()) {
            text.push_str("[budget]\n");
        }
        for (key, budget) in budgets {
            if let Some(budget) = budget {
                let _ = writeln!(text, "{key} = {:.6}", budget.0 as f64 / 1e6);
            }
        }
        let word = |decision| match decision {
            Decision::Allow => "allow",
            Decision::Ask => "ask",
            Decision::Deny => "deny",
        };
        let models =
            if self.bass_first { "\"openai::bass\", \"openai::alto\"" } else { "\"openai::alto\", \"openai::bass\"" };
        let _ = write!(
            text,
            "\n[routes.any]\nmodels = [{models}]\n\n[permissions]\nrules = [{{ tool = \"ring_bell\", decision = \"{}\" }}, \
             {{ tool = \"write_file\", decision = \"{}\" }}]\n",
            word(self.bell),
            word(self.writes),
        );
        text
    }
}

/// The plan of one seed.
#[derive(Debug, Clone)]
pub(super) struct Script {
    /// The configuration that it begins with.
    pub(super) sketch: Sketch,
    /// What goes wrong, each not before so many occurrences.
    pub(super) mishaps: VecDeque<(u32, Mishap)>,
    /// How much people do of their own accord.
    pub(super) wishes: u32,
    /// How many sessions they open at most.
    pub(super) sessions: usize,
    /// The longest time between two things that they do.
    pub(super) pause_ms: u64,
}

impl Script {
    pub(super) fn draw(random: &mut Random) -> Script {
        let (mut mishaps, mut at) = (VecDeque::new(), 0);
        let most = random.weighed(&[(15, 0), (45, 2), (30, 4), (10, 7)]);
        for _ in 0..random.between(0, most) {
            at += random.weighed(&[(3, 1), (5, 6), (5, 15), (4, 40)]);
            mishaps.push_back((at, Mishap::draw(random)));
        }
        Script {
            sketch: Sketch::draw(random),
            mishaps,
            wishes: random.between(3, 22) as u32,
            sessions: random.between(1, 4) as usize,
            pause_ms: random.pick(&[40, 400, 3_000]),
        }
    }
}
