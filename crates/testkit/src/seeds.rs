//! Many seeds on a few threads: which are tried, what they found together, and the seed that somebody wants to see again.

use std::num::NonZero;
use std::ops::Range;
use std::time::Instant;

/// Seeds are tried on as many threads as there are cores, and on so many where nobody knows.
const THREADS: usize = 2;

/// A number from the environment, such as the seed that somebody wants to see again; none where nobody said one. Panics
/// on what is no number.
pub fn wanted(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number from 0 to 2^64 - 1")))
}

/// Tries each seed, as long as there is time: what `merge` makes of those that held, and what broke.
pub fn try_all<R: Default + Send, V: Send>(
    seeds: &Range<u64>,
    until: Option<Instant>,
    run: impl Fn(u64) -> Result<R, V> + Sync,
    merge: impl Fn(&mut R, &R) + Sync,
) -> (R, Vec<V>) {
    let threads = std::thread::available_parallelism().map_or(THREADS, NonZero::get) as u64;
    let part = |thread: u64| {
        let (mut report, mut violations) = (R::default(), Vec::new());
        let in_time = || until.is_none_or(|until| Instant::now() < until);
        for seed in seeds.clone().filter(|seed| seed % threads == thread).take_while(|_| in_time()) {
            match run(seed) {
                Ok(one) => merge(&mut report, &one),
                Err(violation) => violations.push(violation),
            }
        }
        (report, violations)
    };
    std::thread::scope(|scope| {
        let part = &part;
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || part(thread))).collect();
        running.into_iter().fold((R::default(), Vec::new()), |(mut report, mut violations), thread| {
            let (one, mut broken) = thread.join().expect("a simulation does not panic");
            merge(&mut report, &one);
            violations.append(&mut broken);
            (report, violations)
        })
    })
}
