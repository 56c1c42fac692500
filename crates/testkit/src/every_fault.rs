//! One durable operation, hurt at each of its calls in turn, until a run comes through unhurt.
//!
//! A trial has two phases. *Hurt*: the operation is done in a fresh world with its Nth call hurt; whatever comes of it is
//! noted. *Heal*: nothing is hurt any more, the program is started again if it died, and the world must be as it has to
//! be: what was acknowledged is there, nothing is half done, and work goes on. How a call is hurt is no matter here: by
//! the failing VFS ([`crate::fault_vfs`]), by the kernel ([`crate::syscalls`]) or otherwise.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// More calls than any operation makes: a campaign that comes so far never ran unhurt, which is a fault of the test.
const MOST_CALLS: u64 = 20_000;

/// How a campaign goes through the calls.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// What is done, and how it is hurt: begins the printed line.
    pub name: String,
    /// The seed of the whole test; it chooses where a sample begins.
    pub seed: u64,
    /// Every so many calls one is hurt; 1 is each of them.
    pub stride: u64,
    /// Trials that run at the same time.
    pub at_once: u64,
}

/// How the first phase of a trial ended.
#[derive(Debug)]
pub struct Hurt<W> {
    /// The world as it is now.
    pub world: W,
    /// What was hurt; `None` when the operation made fewer calls.
    pub hit: Option<String>,
}

/// What came of a campaign.
#[derive(Debug, Default)]
pub struct Tally {
    name: String,
    seed: u64,
    stride: u64,
    /// Trials in which something was hurt.
    pub trials: u64,
    /// Which kinds of calls, and how often.
    calls: BTreeMap<String, u64>,
    /// What was wrong, with the call that was hurt.
    pub failures: Vec<String>,
}

/// Hurts every call of `operation` in turn (or a sample), and has `check` heal the world and look at it. Ends with the
/// first run that comes through unhurt, which is checked as well. A panic in either phase is a failure like any other.
pub fn for_every_fault<W>(
    campaign: &Campaign,
    operation: impl Fn(u64) -> Hurt<W> + Sync,
    check: impl Fn(W) -> Result<(), String> + Sync,
) -> Tally {
    let Campaign { name, seed, stride, at_once } = campaign.clone();
    let mut tally = Tally { name, seed, stride, ..Tally::default() };
    let mut next = 1 + seed % stride.max(1);
    let trial = |nth: u64| {
        let run = || {
            let Hurt { world, hit } = operation(nth);
            (hit, check(world))
        };
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| (Some("?".to_owned()), Err(words_of(&*panic))))
    };
    while next < MOST_CALLS {
        let together: Vec<u64> = (0..at_once.max(1)).map(|at| next + at * stride.max(1)).collect();
        next += at_once.max(1) * stride.max(1);
        let ended: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = together.iter().map(|nth| scope.spawn(|| trial(*nth))).collect();
            threads.into_iter().map(|thread| thread.join().expect("panics are caught inside")).collect()
        });
        let unhurt = ended.iter().any(|(hit, _)| hit.is_none());
        together.iter().zip(ended).for_each(|(nth, (hit, outcome))| tally.note(*nth, hit, outcome));
        if unhurt {
            return tally;
        }
    }
    tally.failures.push(format!("no run came through unhurt within {MOST_CALLS} calls"));
    tally
}

impl Tally {
    fn note(&mut self, nth: u64, hit: Option<String>, outcome: Result<(), String>) {
        let place = hit.clone().unwrap_or_else(|| "nothing was hurt".to_owned());
        if let Err(why) = outcome {
            self.failures.push(format!("{}, call {nth} ({place}): {why}", self.name));
        }
        if let Some(hit) = hit {
            self.trials += 1;
            *self.calls.entry(hit.split(' ').next().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }

    /// One line: what was done, seed, trials, which calls, failures.
    pub fn line(&self) -> String {
        let Tally { name, seed, stride, trials, calls, failures } = self;
        let calls: Vec<String> = calls.iter().map(|(call, times)| format!("{times} {call}")).collect();
        let sample = if *stride > 1 { format!(" (each {stride}th call, a sample)") } else { String::new() };
        let calls = calls.join(", ");
        format!("{name}: seed {seed}, {trials} trials{sample}, {} failures; hurt: {calls}", failures.len())
    }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_else(|| "a panic".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn campaign(stride: u64, at_once: u64) -> Campaign {
        Campaign { name: "a test".to_owned(), seed: 5, stride, at_once }
    }

    #[test]
    fn every_call_is_hurt_once_and_the_unhurt_run_ends_it() {
        let operation = |nth: u64| Hurt { world: nth, hit: (nth <= 10).then(|| "call of it".to_owned()) };
        let tally = for_every_fault(&campaign(1, 3), operation, |_| Ok(()));
        assert_eq!((tally.trials, tally.failures.len()), (10, 0));
        assert_eq!(tally.line(), "a test: seed 5, 10 trials, 0 failures; hurt: 10 call");
        let sampled = for_every_fault(&campaign(4, 1), operation, |_| Ok(()));
        assert_eq!(sampled.trials, 3, "calls 2, 6 and 10");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_a_panic_is_wrong() {
        let operation = |nth: u64| Hurt { world: nth, hit: (nth <= 4).then(|| "call".to_owned()) };
        let check = |nth: u64| match nth {
            2 => Err("lost".to_owned()),
            3 => panic!("broke at {nth}"),
            _ => Ok(()),
        };
        let tally = for_every_fault(&campaign(1, 1), operation, check);
        assert_eq!(tally.trials, 4);
        assert_eq!(tally.failures, ["a test, call 2 (call): lost", "a test, call 3 (?): broke at 3"]);
    }
}
