//! Time that passes when the simulation says so, and the moment at which nothing is left to do before it passes.

use super::super::random::Random;
use agent::Micros;
use daemon::{Sleep, Time};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::time::{Duration, Instant};

/// When every simulation begins: 2025-11-24, 16:00 UTC.
const BEGINNING: Micros = Micros(1_764_000_000_000_000);

/// The clock of a simulated machine. It outlives the daemons that run on it.
#[derive(Clone)]
pub(super) struct SimulatedTime {
    origin: Instant,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    elapsed: Duration,
    /// What the clock on the wall shows besides what has passed.
    wall: Micros,
    random: Random,
    timers: BTreeMap<(Duration, u64), Waker>,
    last: u64,
    /// Timers are armed and never fire: a planted treachery.
    stands: bool,
}

impl SimulatedTime {
    pub(super) fn new(seed: u64, stands: bool) -> SimulatedTime {
        let (elapsed, timers) = (Duration::ZERO, BTreeMap::new());
        let inner = Inner { elapsed, wall: BEGINNING, random: Random::new(!seed), timers, last: 0, stands };
        SimulatedTime { origin: Instant::now(), inner: Arc::new(Mutex::new(inner)) }
    }

    /// What has passed since the beginning.
    pub(super) fn elapsed(&self) -> Duration {
        self.inner().elapsed
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Duration> {
        let inner = self.inner();
        inner.timers.keys().next().map(|(at, _)| *at).filter(|_| !inner.stands)
    }

    /// Lets time pass, and wakes who waited for it.
    pub(super) fn advance(&self, to: Duration) {
        let mut due = Vec::new();
        {
            let mut inner = self.inner();
            inner.elapsed = inner.elapsed.max(to);
            let now = inner.elapsed;
            while let Some(first) = inner.timers.first_entry().filter(|first| first.key().0 <= now) {
                due.push(first.remove());
            }
            if inner.stands {
                due.clear();
            }
        }
        due.into_iter().for_each(Waker::wake);
    }

    /// The clock on the wall is put forward or back.
    pub(super) fn jump(&self, micros: i64) {
        self.inner().wall.0 += micros;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Time for SimulatedTime {
    fn now(&self) -> Micros {
        let inner = self.inner();
        Micros(inner.wall.0 + inner.elapsed.as_micros() as i64)
    }

    fn instant(&self) -> Instant {
        self.origin + self.elapsed()
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        let at = at.saturating_duration_since(self.origin);
        Box::pin(Wait { time: self.clone(), at, key: None })
    }

    fn random(&self) -> u128 {
        let mut inner = self.inner();
        u128::from(inner.random.next()) << 64 | u128::from(inner.random.next())
    }
}

/// Waits for a moment.
struct Wait {
    time: SimulatedTime,
    at: Duration,
    key: Option<(Duration, u64)>,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut inner = this.time.inner();
        if inner.elapsed >= this.at {
            return Poll::Ready(());
        }
        let key = *this.key.get_or_insert_with(|| {
            inner.last += 1;
            (this.at, inner.last)
        });
        inner.timers.insert(key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.time.inner().timers.remove(&key);
        }
    }
}

/// Tells when every task waits for time, or for somebody, to come. The runtime says so when it is about to park.
#[derive(Clone, Default)]
pub(super) struct Idle(Arc<Mutex<(bool, Option<Waker>)>>);

impl Idle {
    /// The runtime has nothing left to do.
    pub(super) fn parks(&self) {
        let waker = {
            let mut slot = self.slot();
            slot.0 = slot.1.is_some();
            slot.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    /// Ready once it had nothing left to do since the last poll.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut slot = self.slot();
        if std::mem::take(&mut slot.0) {
            return Poll::Ready(());
        }
        slot.1 = Some(context.waker().clone());
        Poll::Pending
    }

    fn slot(&self) -> MutexGuard<'_, (bool, Option<Waker>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
