//! Whole daemons on simulated machines, each from its seed; and the proof that the simulation can fail.
//!
//! One seed again, with its story: `TINKERBELL_SEED=… cargo test -p testkit --test daemon_simulator -- --nocapture`

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test prints its counts, and fails by a panic")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use testkit::seeds::{try_all, wanted};
use testkit::simulator::daemon::{Report, Treachery, run};

/// The seeds that every run of the suite tries: two minutes on two cores.
const FIXED: u64 = 6_000;
/// How long that may take; on a slow machine fewer are tried, and it says so.
const FIXED_WITHIN: Duration = Duration::from_secs(4 * 60);
/// Seeds that found something once.
const FOUND: [u64; 2] = [898_021_581_207_788_714, 898_023_141_868_807_967];
/// How many more are tried, from a seed that is new each time.
const ROTATING: u64 = 1_000;
/// The same of these.
const ROTATING_WITHIN: Duration = Duration::from_secs(30);
/// The fixed seeds of a long run.
const MANY: u64 = 20_000;
/// The same of these, and of as many as somebody asks for.
const MANY_WITHIN: Duration = Duration::from_secs(40 * 60);
/// Within how many seeds a broken rule must be found.
const SEEDS_PER_TREACHERY: u64 = 120;
/// Of many that are broken, a few are shown.
const SHOWN: usize = 2;

/// Prints the counts, and what was broken; fails if anything was.
fn judge(name: &str, seeds: Range<u64>, within: Duration) -> Report {
    let began = Instant::now();
    let (report, violations) = try_all(&seeds, Some(began + within), |seed| run(seed, None), Report::merge);
    let tried = report.runs + violations.len() as u64;
    let seen = &report.coverage;
    println!(
        "{name}: {tried} seeds of {}..{}: {} machines, {} daemons, {} sessions, {} events, {} turns, {} answers, {} updates watched, \
         {} mishaps, fingerprint {:016x}; {} of {tried} machines broken; {:.1} a second",
        seeds.start,
        seeds.end,
        report.runs,
        report.lives,
        report.sessions,
        report.events,
        report.turns,
        report.answers,
        report.watched,
        seen.all_of("mishap"),
        report.fingerprint,
        violations.len(),
        tried as f64 / began.elapsed().max(Duration::from_millis(1)).as_secs_f64(),
    );
    let mut broken = BTreeMap::new();
    violations
        .iter()
        .for_each(|violation| broken.entry(violation.invariant).or_insert_with(Vec::new).push(violation.seed));
    for violation in violations.iter().take(SHOWN) {
        println!("{violation}");
    }
    assert!(violations.is_empty(), "broken, by promise and seeds: {broken:?}");
    report
}

#[test]
fn whole_daemons_keep_every_promise() {
    if let Some(seed) = wanted("TINKERBELL_SEED") {
        judge("the wanted seed", seed..seed + 1, MANY_WITHIN);
        return;
    }
    for seed in FOUND {
        judge("found something once", seed..seed + 1, MANY_WITHIN);
    }
    let report = match wanted("TINKERBELL_SEEDS") {
        Some(seeds) => judge("fixed", 0..seeds, MANY_WITHIN),
        None => judge("fixed", 0..FIXED, FIXED_WITHIN),
    };
    println!("{}", report.coverage);
    let missing = report.coverage.missing_of_daemon();
    assert!(missing.is_empty(), "the simulation has gone blind, it never saw {missing:?}");
}

#[test]
#[ignore = "heavy: twenty thousand machines take six minutes on two cores"]
fn heavy_twenty_thousand_whole_daemons_keep_every_promise() {
    judge("fixed", 0..MANY, MANY_WITHIN);
}

#[test]
fn whole_daemons_of_new_seeds_keep_every_promise() {
    if wanted("TINKERBELL_SEED").is_some() {
        println!("skipped: TINKERBELL_SEED asks for one seed");
        return;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first = now.as_nanos() as u64 >> 1;
    judge("rotating", first..first + ROTATING, ROTATING_WITHIN);
}

#[test]
fn every_treachery_is_caught() {
    let mut blind = Vec::new();
    for treachery in Treachery::ALL {
        let broken = (0..SEEDS_PER_TREACHERY).find_map(|seed| run(seed, Some(treachery)).err());
        match broken {
            Some(violation) => {
                println!("{treachery:?}: caught by seed {}: {:?}", violation.seed, violation.invariant);
            }
            None => blind.push(treachery),
        }
    }
    assert!(blind.is_empty(), "not caught within {SEEDS_PER_TREACHERY} seeds: {blind:?}");
}

#[test]
fn a_seed_means_the_same_machine_each_time() {
    for seed in 0..12 {
        let fingerprint = || run(seed, None).map(|report| report.fingerprint).map_err(|broken| broken.to_string());
        assert_eq!(fingerprint(), fingerprint(), "seed {seed}");
    }
}
