//! A daemon that testkit assembles: the real one, with a scripted model and tools that count.
//!
//! It plays other versions of itself by its arguments; see `part`.

use agent::Micros;
use daemon::Clock;
use std::process::ExitCode;
use wire::places::Places;

fn main() -> ExitCode {
    let places = Places::from_env(&|name| std::env::var_os(name), None).expect("the test sets its places");
    let mut options = daemon::Options::new(places, true);
    options.tools = testkit::tools();
    options.models = vec![testkit::named(testkit::BACKUP), testkit::scripted()];
    options.clock = clock();
    testkit::play_part(&mut options);
    daemon::run(options)
}

/// The clock that the test chose: `SINCE_MICROS TIMES`, one that runs so many times as fast since a moment.
fn clock() -> Clock {
    let chosen = std::env::var(testkit::CLOCK).unwrap_or_default();
    let parsed = chosen.split_once(' ').map(|(since, times)| (since.parse().map(Micros), times.parse()));
    match parsed {
        Some((Ok(since), Ok(times))) => testkit::fast_clock(since, times),
        _ => Clock::default(),
    }
}
