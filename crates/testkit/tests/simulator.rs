//! Many sessions, each from its seed, each with its share of kills; and the proof that the simulator can fail.
//!
//! One seed again: `TINKERBELL_SEED=… cargo test -p testkit --test simulator -- --nocapture`

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test prints its counts, and fails by a panic")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};
use testkit::seeds::{try_all, wanted};
use testkit::simulator::{Fault, Report, run};

/// The seeds that every run of the suite tries.
const FIXED: Range<u64> = 0..20_000;
/// How many more are tried, from a seed that is new each time.
const ROTATING: u64 = 1_000;
/// Within how many seeds a broken rule must be found.
const SEEDS_PER_FAULT: u64 = 2_000;
/// A fault of the brain breaks many sessions: a few are shown.
const SHOWN: usize = 3;

/// Prints the counts, and what was broken; fails if anything was.
fn judge(name: &str, seeds: Range<u64>) -> Report {
    let (report, violations) = try_all(&seeds, None, |seed| run(seed, None), Report::merge);
    let seen = &report.coverage;
    println!(
        "{name}: seeds {}..{}: {} sessions, {} events, {} turns, {} mishaps, {} approvals, {} refused starts, \
         {} failed model calls, {} changes of the world, fingerprint {:016x}; {} of {} sessions broken",
        seeds.start,
        seeds.end,
        report.sessions,
        report.events,
        report.turns,
        seen.all_of("mishap"),
        seen.of("event", "approval.requested"),
        seen.of("event", "budget.exhausted"),
        seen.of("event", "model.failed"),
        report.world_changes,
        report.fingerprint,
        violations.len(),
        seeds.end - seeds.start,
    );
    let mut broken = BTreeMap::new();
    violations.iter().for_each(|violation| *broken.entry(violation.invariant).or_insert(0) += 1);
    for violation in violations.iter().take(SHOWN) {
        println!("{violation}");
    }
    assert!(violations.is_empty(), "broken, by invariant: {broken:?}");
    report
}

#[test]
fn twenty_thousand_sessions_keep_every_promise() {
    if let Some(seed) = wanted("TINKERBELL_SEED") {
        judge("the wanted seed", seed..seed + 1);
        return;
    }
    let report = judge("fixed", FIXED);
    println!("{}", report.coverage);
    let missing = report.coverage.missing();
    assert!(missing.is_empty(), "the simulator has gone blind, it never saw {missing:?}");
}

#[test]
fn sessions_of_new_seeds_keep_every_promise() {
    if wanted("TINKERBELL_SEED").is_some() {
        println!("skipped: TINKERBELL_SEED asks for one seed");
        return;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first = now.as_nanos() as u64 >> 1;
    judge("rotating", first..first + ROTATING);
}

#[test]
fn every_broken_rule_is_caught() {
    let mut blind = Vec::new();
    for fault in Fault::ALL {
        let broken = (0..SEEDS_PER_FAULT).find_map(|seed| run(seed, Some(fault)).err());
        match broken {
            Some(violation) => println!("{fault:?}: seed {}: {:?}", violation.seed, violation.invariant),
            None => blind.push(fault),
        }
    }
    assert!(blind.is_empty(), "not caught within {SEEDS_PER_FAULT} seeds: {blind:?}");
}

#[test]
fn a_seed_means_the_same_session_each_time() {
    for seed in 0..50 {
        let fingerprint = || run(seed, None).map(|report| report.fingerprint).expect("no promise is broken");
        assert_eq!(fingerprint(), fingerprint(), "seed {seed}");
    }
}
