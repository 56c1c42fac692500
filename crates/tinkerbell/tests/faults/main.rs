//! Every durable operation of the daemon, hurt at each call that changes the disk: killed there, or told that the disk
//! is broken or full. Then all is well again, and it must be whole, hold what was acknowledged, and go on.
//!
//! The default run takes a sample of the calls; those named `real_…` take each of them.

#![allow(clippy::print_stdout, reason = "a test of reliability says what it counted")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod commits;
mod operations;
mod scene;
mod users_git;
#[path = "../world/mod.rs"]
mod world;

use operations::{OPERATIONS, Operation};
use rustix::io::Errno;
use scene::{Came, Scene, wait};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;
use testkit::Rng;
use testkit::every_fault::{Campaign, Hurt, for_every_fault};
use testkit::syscalls::{Fault, Hurt as Wound, Kinds, Whose, available};
use world::{LOOK, PATIENCE};

/// The ways in which a call is hurt.
const WAYS: [(&str, Wound, Kinds, Whose); 3] = [
    ("killed", Wound::KillAll, Kinds::ALL, Whose::Everybodys),
    ("an I/O error", Wound::Error(Errno::IO), Kinds::ALL, Whose::Everybodys),
    ("no room", Wound::Error(Errno::NOSPC), Kinds::GROWING, Whose::Everybodys),
];

/// Codes of refusals that say what is the matter; all others are faults of ours.
const TYPED: [&str; 5] = ["storage_full", "outcome_unknown", "read_only", "conflict", "draining"];

/// How a trial goes, once the world is hurt.
struct Trial {
    scene: Scene,
    came: Came,
}

/// Phase one: a fresh world, and the operation with its Nth call hurt.
fn hurt(operation: &Operation, fault: Fault) -> Hurt<Trial> {
    let mut scene = Scene::new(operation.repository);
    (operation.prepare)(&mut scene);
    scene.injector.arm(fault);
    let came = (operation.act)(&mut scene, "the key");
    let hit = scene.injector.hit();
    // It may have answered before it was killed, and takes a moment to be gone.
    if matches!(came, Came::Cut) || (hit.is_some() && kills_daemon(operation, fault.hurt)) {
        wait("the killed daemon is gone", || scene.is_dead()).unwrap();
    }
    Hurt { world: Trial { scene, came }, hit }
}

/// Whether what is hurt is the daemon's end; the command line's is its own.
fn kills_daemon(operation: &Operation, hurt: Wound) -> bool {
    hurt == Wound::KillAll && operation.by_daemon
}

/// Phase two: nothing is hurt any more; whatever was acknowledged must come true by itself, and whatever was not is asked
/// for again until it is.
fn heal(operation: &Operation, mut trial: Trial, refusals: &Mutex<BTreeMap<String, u64>>) -> Result<(), String> {
    if !trial.scene.is_dead() {
        trial.scene.reads()?;
    }
    (operation.between)(&trial.scene)?;
    let mut key = "the key";
    let (acknowledged, mut answer) = match trial.came {
        Came::Done(answer) => (true, Some(answer)),
        Came::Refused(status, problem) => {
            let code = problem["code"].as_str().unwrap_or("settled otherwise").to_owned();
            let typed = status == 200 || TYPED.contains(&code.as_str());
            if status == 200 {
                // It was settled, as failed, and that is what the key says from now on.
                key = "another key";
            }
            *refusals.lock().unwrap().entry(code).or_default() += 1;
            if !typed {
                return Err(format!("refused with {status} {problem}"));
            }
            (false, None)
        }
        Came::Cut => (false, None),
    };
    trial.scene.heal()?;
    let began = Instant::now();
    loop {
        if !acknowledged && let Came::Done(given) = (operation.act)(&mut trial.scene, key) {
            answer = Some(given);
        }
        match (operation.done)(&trial.scene, answer.as_ref().unwrap_or(&Value::Null)) {
            Ok(()) => break,
            Err(why) if began.elapsed() > PATIENCE => return Err(format!("acknowledged: {acknowledged}; {why}")),
            Err(_) => std::thread::sleep(LOOK),
        }
    }
    trial.scene.check()?;
    trial.scene.rest()
}

/// All operations in all ways.
fn campaigns(names: &[&str], stride: u64, at_once: u64) {
    if let Err(why) = available() {
        return println!("skipped: {why}");
    }
    let (seed, mut failures, mut trials) = (Rng::seed(), Vec::new(), 0);
    for operation in OPERATIONS.iter().filter(|operation| names.is_empty() || names.contains(&operation.name)) {
        for (how, hurt_by, kinds, whose) in WAYS {
            let refusals = Mutex::new(BTreeMap::new());
            let campaign = Campaign { name: format!("{}, {how}", operation.name), seed, stride, at_once };
            let fault = |nth| Fault { nth, kinds, whose, hurt: hurt_by, sticky: false };
            let tally = for_every_fault(
                &campaign,
                |nth| hurt(operation, fault(nth)),
                |trial| heal(operation, trial, &refusals),
            );
            println!("{}; refused: {:?}", tally.line(), refusals.into_inner().unwrap());
            tally.failures.iter().for_each(|failure| println!("  {failure}"));
            trials += tally.trials;
            failures.extend(tally.failures);
        }
    }
    println!("faults at every call: seed {seed}, {trials} trials, {} failures", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn operations_come_through_a_sample_of_faults() {
    campaigns(&[], 41, 1);
}

#[test]
#[ignore = "real: hurts each call of each operation, which takes minutes"]
fn real_faults_at_every_call_lose_nothing() {
    let only = std::env::var("TINKERBELL_OPERATION").ok();
    let stride = std::env::var("TINKERBELL_STRIDE").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    campaigns(&only.iter().map(String::as_str).collect::<Vec<_>>(), stride, 2);
}
