//! Time, and what is drawn by chance: everything that the daemon's rooms must be given, in one place.
//!
//! A daemon has the machine's. A simulation gives its own, so that hours pass in no time and a seed means the same run
//! each time.

use agent::{Micros, ScheduleId, SessionId, SnapshotId};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::{Duration, Instant};

/// A wait.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where time and chance come from.
pub trait Time: Send + Sync {
    /// Microseconds since the Unix epoch; may jump, in both directions.
    fn now(&self) -> Micros;

    /// A moment of the clock that never goes back, for deadlines.
    fn instant(&self) -> Instant;

    /// Waits until that clock has come to a moment. Cancel-safe.
    fn sleep_until(&self, at: Instant) -> Sleep;

    /// A number that nobody can guess.
    fn random(&self) -> u128;
}

/// The time of a daemon.
#[derive(Clone)]
pub struct Clock(Arc<dyn Time>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock(Arc::new(Machine))
    }
}

impl Clock {
    /// Another time than the machine's.
    pub fn of(time: Arc<dyn Time>) -> Clock {
        Clock(time)
    }

    /// As [`Time::now`].
    pub fn now(&self) -> Micros {
        self.0.now()
    }

    /// As [`Time::instant`].
    pub fn instant(&self) -> Instant {
        self.0.instant()
    }

    /// As [`Time::sleep_until`]; without a moment, for ever.
    pub async fn sleep_until(&self, at: Option<Instant>) {
        match at {
            Some(at) => self.0.sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Waits for so long.
    pub async fn sleep(&self, pause: Duration) {
        self.sleep_until(Some(self.instant() + pause)).await;
    }

    /// A new session's id.
    pub fn session_id(&self) -> SessionId {
        SessionId::from_parts((self.now().0 / 1000) as u64, self.0.random())
    }

    /// A new schedule's id.
    pub fn schedule_id(&self) -> ScheduleId {
        ScheduleId::from_parts((self.now().0 / 1000) as u64, self.0.random())
    }

    /// A new snapshot's id.
    pub fn snapshot_id(&self) -> SnapshotId {
        SnapshotId::from_parts((self.now().0 / 1000) as u64, self.0.random())
    }
}

/// Time that only goes on, for what expires: wall time when the daemon began, or what the daemon before knew if that was
/// later, and from there on the clock that never goes back. So a clock that is set while the daemon runs makes nothing
/// expire early, and one that was set back brings nothing back that has expired.
#[derive(Debug, Clone)]
pub struct Steady {
    clock: Clock,
    began: Micros,
    since: Instant,
}

impl Steady {
    /// Begins now, and not before `known`.
    pub(crate) fn after(clock: Clock, known: Micros) -> Steady {
        Steady { began: clock.now().max(known), since: clock.instant(), clock }
    }

    /// What it is now.
    pub(crate) fn now(&self) -> Micros {
        let elapsed = self.clock.instant().saturating_duration_since(self.since).as_micros();
        Micros(self.began.0.saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX)))
    }
}

/// The machine's.
struct Machine;

impl Time for Machine {
    fn now(&self) -> Micros {
        now()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        Box::pin(tokio::time::sleep_until(at))
    }

    fn random(&self) -> u128 {
        let mut random = [0; 16];
        getrandom::fill(&mut random).expect("the kernel gives random bytes");
        u128::from_le_bytes(random)
    }
}

/// Microseconds since the Unix epoch, by the machine.
pub(crate) fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    const DAY: i64 = 86_400_000_000;

    /// A wall clock that is set by hand, beside one that goes on by itself.
    struct SetByHand(Mutex<(i64, Instant)>);

    impl Time for SetByHand {
        fn now(&self) -> Micros {
            Micros(self.0.lock().unwrap().0)
        }

        fn instant(&self) -> Instant {
            self.0.lock().unwrap().1
        }

        fn sleep_until(&self, _: Instant) -> Sleep {
            Box::pin(std::future::pending())
        }

        fn random(&self) -> u128 {
            0
        }
    }

    /// R6: the wall clock jumps a day ahead and two days back, and what expires sees a second pass each time.
    #[test]
    fn what_expires_sees_no_jump_of_the_wall_clock() {
        let time = Arc::new(SetByHand(Mutex::new((10 * DAY, Instant::now()))));
        let steady = Steady::after(Clock::of(time.clone()), Micros(0));
        for (second, wall) in [(1, 11 * DAY), (2, 8 * DAY), (3, 10 * DAY), (4, 0)] {
            let mut set = time.0.lock().unwrap();
            *set = (wall, set.1 + Duration::from_secs(1));
            drop(set);
            assert_eq!(steady.now(), Micros(10 * DAY + second * 1_000_000));
        }
        // The next daemon begins while the wall clock is set back, and goes on from what this one knew.
        let next = Steady::after(Clock::of(time), Micros(10 * DAY));
        assert_eq!(next.now(), Micros(10 * DAY));
    }
}
