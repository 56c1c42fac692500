//! Clocks that tests need: one that runs fast, and one that stands where it was set.

use agent::Micros;
use daemon::{Clock, Sleep, Time};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::{Duration, Instant};

/// A clock that runs so many times as fast as the machine's since a moment of that one; waits are as much shorter.
pub fn fast_clock(since: Micros, times: u32) -> Clock {
    Clock::of(Arc::new(Fast { since, times: times.max(1), began: Instant::now() }))
}

struct Fast {
    since: Micros,
    times: u32,
    began: Instant,
}

impl Time for Fast {
    fn now(&self) -> Micros {
        let passed = machine().0.saturating_sub(self.since.0);
        Micros(self.since.0.saturating_add(passed.saturating_mul(i64::from(self.times))))
    }

    fn instant(&self) -> Instant {
        self.began + self.began.elapsed() * self.times
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        Box::pin(tokio::time::sleep(at.saturating_duration_since(self.instant()) / self.times))
    }

    fn random(&self) -> u128 {
        random()
    }
}

/// A wall clock that stands where it was set, beside deadlines that pass as they do.
#[derive(Debug)]
pub struct SetClock(AtomicI64);

impl SetClock {
    /// One that stands there.
    pub fn at(now: Micros) -> Arc<SetClock> {
        Arc::new(SetClock(AtomicI64::new(now.0)))
    }

    /// Sets it, forwards or backwards.
    pub fn set(&self, now: Micros) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Time for SetClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::SeqCst))
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        Box::pin(tokio::time::sleep_until(at))
    }

    fn random(&self) -> u128 {
        random()
    }
}

fn machine() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Numbers that differ from each other and from those of other processes; nobody tries to guess them here.
fn random() -> u128 {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let drawn = DRAWN.fetch_add(1, Ordering::Relaxed);
    let seed = machine().0 as u64 ^ (u64::from(std::process::id()) << 40);
    let mut rng = crate::Rng::new(seed.wrapping_add(drawn.wrapping_mul(0x9e37_79b9)));
    u128::from(rng.draw()) << 64 | u128::from(rng.draw() ^ drawn)
}
