//! Every durable operation of the daemon, hurt at each call that changes the disk: killed there, or told that the disk
//! is broken or full. Then all is well again, and it must be whole, hold what was acknowledged, and go on.
//!
//! The default run takes a sample of the calls, in one way each; the one named `real_…` many of them in all ways, the one
//! named `heavy_…` each of them.

#![allow(clippy::print_stdout, reason = "a test of reliability says what it counted")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod archives;
mod carried;
mod commits;
mod operations;
mod scene;
mod standing;
mod states;
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
use testkit::every_fault::{Campaign, Hurt, Tally, for_every_fault};
use testkit::syscalls::{Fault, Hurt as Wound, Kinds, Whose, available};
use world::{LOOK, PATIENCE};

/// The ways in which a call is hurt.
const WAYS: [(&str, Wound, Kinds); 4] = [
    ("killed", Wound::KillAll, Kinds::ALL),
    ("an I/O error", Wound::Error(Errno::IO), Kinds::ALL),
    ("no room", Wound::Error(Errno::NOSPC), Kinds::GROWING),
    // Where several processes do it.
    ("one of them killed", Wound::Kill, Kinds::ALL),
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
    if scene.injector.hit().is_none() {
        // What a daemon does by itself afterwards is no call of the operation.
        scene.injector.disarm();
    }
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
    let healed = demand(operation, &mut trial, refusals);
    healed.map_err(|why| format!("{why}; came {:?}; the log ends with\n{}", trial.came, trial.scene.log()))?;
    trial.scene.rest()
}

fn demand(operation: &Operation, trial: &mut Trial, refusals: &Mutex<BTreeMap<String, u64>>) -> Result<(), String> {
    if !trial.scene.is_dead() {
        trial.scene.reads()?;
    }
    (operation.between)(&trial.scene)?;
    let mut key = "the key";
    let (acknowledged, mut answer) = match &trial.came {
        Came::Done(answer) => (true, Some(answer.clone())),
        Came::Refused(status, problem) => {
            let code = problem["code"].as_str().unwrap_or("settled otherwise").to_owned();
            let typed = *status == 200 || TYPED.contains(&code.as_str());
            if *status == 200 {
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
    (operation.healed)(&trial.scene).map_err(|why| format!("acknowledged: {acknowledged}; healed, {why}"))?;
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
    trial.scene.check()
}

/// Which operations are hurt, in which ways, and at which of their calls.
struct Plan {
    only: Option<String>,
    /// One of the ways alone, another one for each operation and seed.
    one_way: bool,
    stride: u64,
    at_once: u64,
}

impl Plan {
    fn run(&self) {
        if let Err(why) = available() {
            return println!("skipped: {why}");
        }
        let (seed, mut failures, mut trials) = (Rng::seed(), Vec::new(), 0);
        let chosen = OPERATIONS.iter().enumerate();
        for (at, operation) in chosen.filter(|(_, one)| self.only.as_ref().is_none_or(|only| one.name == only)) {
            let ways = WAYS.len() - usize::from(!operation.by_several);
            let first = (seed as usize).wrapping_add(at) % ways;
            for way in if self.one_way { first..first + 1 } else { 0..ways } {
                let tally = self.campaign(operation, WAYS[way], seed);
                trials += tally.trials;
                failures.extend(tally.failures);
            }
        }
        println!("faults at every call: seed {seed}, {trials} trials, {} failures", failures.len());
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }

    /// One operation in one way.
    fn campaign(&self, operation: &Operation, (how, hurt_by, kinds): (&str, Wound, Kinds), seed: u64) -> Tally {
        let (began, refusals) = (Instant::now(), Mutex::new(BTreeMap::new()));
        let Plan { stride, at_once, .. } = *self;
        let campaign = Campaign { name: format!("{}, {how}", operation.name), seed, stride, at_once };
        let fault = |nth| Fault { nth, kinds, whose: Whose::Everybodys, hurt: hurt_by, sticky: false };
        let tally =
            for_every_fault(&campaign, |nth| hurt(operation, fault(nth)), |trial| heal(operation, trial, &refusals));
        let refusals = refusals.into_inner().unwrap();
        println!("{}; refused: {refusals:?}; {:.1} s", tally.line(), began.elapsed().as_secs_f32());
        tally.failures.iter().for_each(|failure| println!("  {failure}"));
        tally
    }
}

#[test]
fn operations_come_through_a_sample_of_faults() {
    Plan { only: None, one_way: true, stride: 17, at_once: 2 }.run();
}

#[test]
#[ignore = "real: hurts each 7th call of each operation, which takes minutes"]
fn real_faults_at_many_calls_lose_nothing() {
    Plan { only: None, one_way: false, stride: 7, at_once: 2 }.run();
}

#[test]
#[ignore = "heavy: hurts each call of each operation, which takes half an hour"]
fn heavy_faults_at_every_call_lose_nothing() {
    let only = std::env::var("TINKERBELL_OPERATION").ok();
    let stride = std::env::var("TINKERBELL_STRIDE").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    Plan { only, one_way: false, stride, at_once: 2 }.run();
}
