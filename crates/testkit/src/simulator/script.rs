//! What a seed decides beforehand: settings, budgets, what goes wrong and when, how much the user does.

use super::random::Random;
use agent::{Limits, ModelName, ModelSpec, Money, Settings, Tokens};
use std::collections::{BTreeMap, VecDeque};

/// What goes wrong in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mishap {
    /// The daemon is killed before the append is durable: nothing of it ever happened.
    KillBeforeDurable,
    /// The daemon is killed when the append is durable and nothing that follows from it has begun.
    KillAfterDurable,
    /// The daemon is killed while effects run; nobody knows which of them had done their work.
    KillInEffects,
    /// The daemon is killed after a tool has done its work and before that is recorded.
    KillAfterEffect,
    /// The daemon is asked to end: what runs has a grace to finish in.
    Shutdown,
    /// The commit fails, nobody knows whether it happened, and it had not.
    CommitLost,
    /// The commit fails, nobody knows whether it happened, and it had.
    CommitKept,
    /// The disk is full: the append surely did not happen and is tried again.
    DiskFull,
}

impl Mishap {
    pub(super) const ALL: [(Mishap, &'static str); 8] = [
        (Mishap::KillBeforeDurable, "kill_before_durable"),
        (Mishap::KillAfterDurable, "kill_after_durable"),
        (Mishap::KillInEffects, "kill_in_effects"),
        (Mishap::KillAfterEffect, "kill_after_effect"),
        (Mishap::Shutdown, "shutdown"),
        (Mishap::CommitLost, "commit_lost"),
        (Mishap::CommitKept, "commit_kept"),
        (Mishap::DiskFull, "disk_full"),
    ];

    /// The word under which it is counted.
    pub(super) fn word(self) -> &'static str {
        Mishap::ALL.iter().find(|(mishap, _)| *mishap == self).map_or("", |(_, word)| word)
    }

    /// Whether it strikes at an append; all else strikes between two.
    pub(super) fn at_append(self) -> bool {
        use Mishap::*;
        matches!(self, KillBeforeDurable | KillAfterDurable | CommitLost | CommitKept | DiskFull)
    }
}

/// The plan of one session.
#[derive(Debug, Clone)]
pub(super) struct Script {
    /// The settings it begins with.
    pub(super) settings: Settings,
    /// What the session may spend.
    pub(super) session_budget: Money,
    /// What is left of the day's budget for it.
    pub(super) day_budget: Money,
    /// What goes wrong, each not before so many appends were handed over.
    pub(super) mishaps: VecDeque<(u32, Mishap)>,
    /// How often the user does something of their own accord.
    pub(super) actions: u32,
    /// Once they have nothing more to do, the user is away for a long while before they answer a question.
    pub(super) user_leaves: bool,
    /// The longest time between two things that the user does.
    pub(super) pause_ms: u64,
}

/// More than any session of the simulator spends.
const PLENTY: Money = Money(50_000_000);

/// The model that costs nothing.
pub(super) const FREE: &str = "offline";
/// The model that costs something.
pub(super) const PAID: &str = "paid::large";
/// A route along all of them.
pub(super) const ROUTE: &str = "any";
/// A model that no settings know.
pub(super) const UNKNOWN: &str = "paid::gone";

impl Script {
    /// Whether starts are likely to be refused.
    pub(super) fn money_is_short(&self) -> bool {
        self.session_budget.min(self.day_budget) < PLENTY
    }

    pub(super) fn draw(random: &mut Random) -> Script {
        let mut mishaps = VecDeque::new();
        let mut at = 0;
        let most = random.weighed(&[(15, 0), (45, 3), (30, 6), (10, 10)]);
        for _ in 0..random.between(0, most) {
            at += random.weighed(&[(3, 0), (5, 1), (5, 3), (5, 8), (4, 20)]);
            mishaps.push_back((at + 1, random.pick(&Mishap::ALL).0));
        }
        let budget = |random: &mut Random| Money(random.weighed(&[(80, PLENTY.0), (14, 30_000), (6, 4_000)]));
        Script {
            settings: settings(random),
            session_budget: budget(random),
            day_budget: budget(random),
            mishaps,
            actions: random.between(2, 36) as u32,
            user_leaves: random.chance(10),
            pause_ms: random.pick(&[40, 300, 1_500]),
        }
    }
}

fn settings(random: &mut Random) -> Settings {
    let paid = ModelSpec {
        context_tokens: Tokens(random.pick(&[2_000, 8_000, 200_000])),
        max_output_tokens: Tokens(1_000),
        input_microusd_per_mtok: Money(1_000_000),
        output_microusd_per_mtok: Money(3_000_000),
        priced: true,
    };
    let free = ModelSpec { input_microusd_per_mtok: Money(0), output_microusd_per_mtok: Money(0), ..paid };
    let models = BTreeMap::from([(ModelName::new(FREE), free), (ModelName::new(PAID), paid)]);
    let [free, paid, route, gone] = [FREE, PAID, ROUTE, UNKNOWN].map(ModelName::new);
    let named = random.pick(&[[&paid, &free, &gone], [&free, &paid, &free], [&gone, &free, &paid]]);
    let routes = BTreeMap::from([(route, named.map(ModelName::clone).to_vec())]);
    let default_model = Some(ModelName::new(random.pick(&[FREE, PAID, PAID, ROUTE, ROUTE])));
    let limits = Limits {
        steps: random.between(2, 12) as u32,
        turn_ms: random.pick(&[4_000, 60_000, 1_800_000]),
        output_tokens: Tokens(random.pick(&[700, 20_000, 200_000])),
        attempts: random.between(1, 4) as u32,
        backoff_ms: random.pick(&[0, 500]),
        max_backoff_ms: 2_000,
        alike_calls: random.between(2, 6) as u32,
        turn_cost_microusd: None,
        fruitless: random.between(1, 3) as u32,
    };
    Settings { default_model, models, routes, limits, ..Settings::default() }
}

/// Settings as somebody may change them while the session runs: limits move, a model goes away or comes back.
pub(super) fn changed(random: &mut Random, settings: &Settings, original: &Settings) -> Settings {
    let mut changed = settings.clone();
    match random.below(8) {
        0 => changed.limits.steps = random.between(1, 12) as u32,
        1 => changed.limits.attempts = random.between(1, 4) as u32,
        2 => changed.limits.output_tokens = Tokens(random.pick(&[300, 5_000])),
        3 => changed.limits.turn_ms = random.pick(&[1_000, 600_000]),
        4 => drop(changed.models.remove(random.pick(&[FREE, PAID]))),
        5 => changed.limits = original.limits,
        _ => changed.models = original.models.clone(),
    }
    changed
}
