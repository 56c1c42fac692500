//! The figures of `cargo xtask bench`, as data: what each is, where its numbers are, and its goal.

/// What measures. Each runs once, whatever number of figures it serves; the order is that of running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Script {
    /// What the machine can do.
    Limits,
    /// One-shot commands.
    Oneshot,
    /// Servers.
    Servers,
    /// Starts over many sessions.
    Starts,
    /// Micro-commits.
    Checkpoints,
    /// A long session through the socket.
    Long,
    /// The store alone: `crates/store/examples/figures.rs`.
    Store,
}

/// What a script has to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    pub(crate) with_codex: bool,
    pub(crate) many_sessions: bool,
}

impl Script {
    /// Its name, under which its numbers are kept.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Script::Limits => "limits",
            Script::Oneshot => "oneshot",
            Script::Servers => "servers",
            Script::Starts => "starts",
            Script::Checkpoints => "checkpoints",
            Script::Long => "long",
            Script::Store => "store",
        }
    }

    /// The arguments for python3.
    pub(crate) fn arguments(self, plan: &Plan) -> Vec<String> {
        let rounds = plan.rounds.to_string();
        let peers = |ours: &[&'static str]| -> Vec<&'static str> {
            ours.iter().copied().chain(plan.with_codex.then_some("codex")).chain(["zeroclaw"]).collect()
        };
        let mut arguments: Vec<&str> = match self {
            Script::Limits | Script::Store => vec![],
            Script::Oneshot => vec!["--rounds", &rounds, "--only"],
            Script::Servers => vec!["--starts", &rounds, "--creates", &rounds, "--turns", &rounds, "--only"],
            Script::Starts => vec!["--rounds", &rounds, "--sessions", "1000"],
            Script::Checkpoints => {
                vec!["--rounds", &rounds, "--only", "tinkerbell", "shadow_add_all_commit", "known_path_resident_git"]
            }
            Script::Long => vec!["--rounds", &rounds],
        };
        match self {
            Script::Oneshot => arguments.extend(peers(&["tinkerbell", "tinkerbell-cold"])),
            Script::Servers => arguments.extend(peers(&["tinkerbell"])),
            Script::Starts if plan.many_sessions => arguments.push("100000"),
            _ => {}
        }
        let file = format!("{}.py", self.name());
        std::iter::once(file).chain(arguments.into_iter().map(str::to_owned)).collect()
    }
}

/// Where a number is: a script's output and a JSON pointer into it, to a number or to a summary with `min` and `p50`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(pub(crate) Script, pub(crate) &'static str);

/// What a figure shall be; the smallest numbers of a run are compared, because they are the least disturbed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// At most the peer's divided by this.
    OfPeer(f64),
    /// At most this many times the limit.
    OfLimit(f64),
    /// At most so much.
    AtMost(f64),
}

/// One figure.
#[derive(Debug)]
pub(crate) struct Figure {
    /// Its name in the requirements.
    pub(crate) name: &'static str,
    /// What it measures, with the unit.
    pub(crate) what: &'static str,
    /// Our number.
    pub(crate) ours: Place,
    /// The best peer's.
    pub(crate) peer: Option<Place>,
    /// What the machine, or ourselves in the simplest case, can do.
    pub(crate) limit: Option<Place>,
    /// What it shall be.
    pub(crate) goals: &'static [Goal],
    /// Whether it is measured only when asked for.
    pub(crate) takes_long: bool,
}

impl Figure {
    /// Whether a name on the command line means this figure.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        let number = |text: &str| text.trim_end_matches(|c: char| c.is_ascii_lowercase()).to_ascii_uppercase();
        let family = self.name.split(' ').next().unwrap_or(self.name);
        self.name.eq_ignore_ascii_case(name)
            || family.eq_ignore_ascii_case(name)
            || number(family) == name.to_ascii_uppercase()
    }

    /// What has to run for it.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = Script> {
        [Some(self.ours), self.peer, self.limit].into_iter().flatten().map(|place| place.0)
    }
}

use Goal::{AtMost, OfLimit, OfPeer};
use Script::{Checkpoints, Limits, Long, Oneshot, Servers, Starts, Store};

const TRUE: Option<Place> = Some(Place(Limits, "/c_spawn_true"));
const SYNC: Option<Place> = Some(Place(Limits, "/sqlite_wal_full"));

/// A figure that is measured always.
const fn figure(
    name: &'static str,
    what: &'static str,
    ours: Place,
    peer: Option<Place>,
    limit: Option<Place>,
    goals: &'static [Goal],
) -> Figure {
    Figure { name, what, ours, peer, limit, goals, takes_long: false }
}

/// All of them.
#[rustfmt::skip]
pub(crate) const FIGURES: &[Figure] = &[
    figure("P1", "ask, daemon up: start to the model's first byte, ms",
        Place(Oneshot, "/oneshot/tinkerbell/to_first_request"), Some(Place(Oneshot, "/oneshot/codex/to_first_request")), TRUE, &[OfPeer(40.0), OfLimit(3.0)]),
    figure("P1c", "ask, no daemon: start to the model's first byte, ms",
        Place(Oneshot, "/oneshot/tinkerbell-cold/to_first_request"), Some(Place(Oneshot, "/oneshot/codex/to_first_request")), None, &[OfPeer(12.0)]),
    figure("P2", "daemon start to ready, empty, ms",
        Place(Servers, "/servers/tinkerbell/start_ms"), Some(Place(Servers, "/servers/codex/start_ms")), TRUE, &[OfPeer(10.0)]),
    figure("P2 1k", "the same over 1,000 sessions, ms; limit: empty",
        Place(Starts, "/starts/1000"), Some(Place(Servers, "/servers/codex/restart_ms")), Some(Place(Starts, "/starts/0")), &[OfLimit(1.5)]),
    Figure { name: "P2 100k", what: "the same over 100,000 sessions, ms; limit: empty",
        ours: Place(Starts, "/starts/100000"), peer: None, limit: Some(Place(Starts, "/starts/0")), goals: &[OfLimit(2.0)], takes_long: true },
    figure("P3", "resident memory at rest, MiB",
        Place(Servers, "/servers/tinkerbell/idle/rss_mib"), Some(Place(Servers, "/servers/codex/idle/rss_mib")), None, &[AtMost(12.0)]),
    figure("P3 used", "resident memory after 1,000 sessions, MiB",
        Place(Servers, "/servers/tinkerbell/after_all/rss_mib"), Some(Place(Servers, "/servers/codex/after_all/rss_mib")), None, &[AtMost(40.0)]),
    figure("P3 cpu", "CPU at rest, ms a second",
        Place(Servers, "/servers/tinkerbell/idle/cpu_ms_per_s"), Some(Place(Servers, "/servers/codex/idle/cpu_ms_per_s")), None, &[AtMost(0.1)]),
    figure("P3 wake", "wake-ups at rest, a second",
        Place(Servers, "/servers/tinkerbell/idle/wakeups_per_s"), Some(Place(Servers, "/servers/codex/idle/wakeups_per_s")), None, &[AtMost(1.0)]),
    figure("P4", "create a session, on disk, ms",
        Place(Servers, "/servers/tinkerbell/create"), Some(Place(Servers, "/servers/codex/create")), SYNC, &[OfLimit(3.0)]),
    figure("P5", "a turn's overhead over the model's time, ms",
        Place(Servers, "/servers/tinkerbell/turn_overhead"), Some(Place(Servers, "/servers/codex/turn_overhead")), SYNC, &[OfPeer(30.0)]),
    figure("P5 cpu", "CPU of a turn, ms",
        Place(Servers, "/servers/tinkerbell/cpu_ms_per_turn"), Some(Place(Servers, "/servers/codex/cpu_ms_per_turn")), None, &[AtMost(1.5)]),
    figure("P6", "stream lag, ms",
        Place(Servers, "/servers/tinkerbell/stream_lag"), Some(Place(Servers, "/servers/codex/stream_lag")), Some(Place(Limits, "/c_uds_echo_1k")), &[AtMost(0.15)]),
    figure("P7", "50 parallel turns of a model that takes 1 s, s",
        Place(Servers, "/servers/tinkerbell/parallel_50/wall_s"), Some(Place(Servers, "/servers/codex/parallel_50/wall_s")), None, &[AtMost(1.05)]),
    figure("P8", "micro-commit, 50,000 files, path known, ms; peer: git add -A && commit",
        Place(Checkpoints, "/checkpoints/tinkerbell/wall"), Some(Place(Checkpoints, "/checkpoints/shadow_add_all_commit/wall")),
        Some(Place(Checkpoints, "/checkpoints/known_path_resident_git/wall")), &[OfPeer(100.0)]),
    figure("P9", "append to a session of 10,000 events, by the socket, ms; limit: to a short one",
        Place(Long, "/long/long/append"), None, Some(Place(Long, "/long/short/append")), &[AtMost(0.3)]),
    figure("P9 store", "append to a session of 10,000 events, in the store alone, ms",
        Place(Store, "/append_behind_10000"), None, SYNC, &[AtMost(0.3)]),
    figure("P9 store read", "read the last 50 of 10,000 events, in the store alone, ms",
        Place(Store, "/read_last_50_of_10000"), None, None, &[AtMost(2.0)]),
    figure("P9 read", "read the last 50 of 10,000 events, by the socket, ms; limit: of a short one",
        Place(Long, "/long/long/read_last_50"), None, Some(Place(Long, "/long/short/read_last_50")), &[AtMost(2.0)]),
    figure("P13", "wake a session of 10,000 events, ms; limit: a short one",
        Place(Long, "/long/long/wake"), None, Some(Place(Long, "/long/short/wake")), &[AtMost(5.0)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codex_is_measured_only_when_it_is_wanted() {
        let plan = Plan { rounds: 3, with_codex: false, many_sessions: true };
        assert!(!Oneshot.arguments(&plan).contains(&"codex".to_owned()));
        assert!(Oneshot.arguments(&Plan { with_codex: true, ..plan }).contains(&"codex".to_owned()));
        assert_eq!(Starts.arguments(&plan), ["starts.py", "--rounds", "3", "--sessions", "1000", "100000"]);
    }

    #[test]
    fn a_goal_has_what_it_is_measured_against() {
        for figure in FIGURES {
            for goal in figure.goals {
                match goal {
                    OfPeer(_) => assert!(figure.peer.is_some(), "{}", figure.name),
                    OfLimit(_) => assert!(figure.limit.is_some(), "{}", figure.name),
                    AtMost(_) => {}
                }
            }
        }
    }
}
