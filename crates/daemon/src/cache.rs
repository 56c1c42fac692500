//! The cache of awake sessions: how much they hold, who was used last, and who is asked to leave when it is too much.
//!
//! Counted by the owners themselves, in atomics, so that asking costs nothing. Only a session at rest is asked: one that
//! works, or that somebody watches, stays, however full the cache is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use wire::rest::CacheStatus;

/// What all awake sessions hold together.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    limit_bytes: AtomicU64,
    bytes: AtomicU64,
    uses: AtomicU64,
    wakings: AtomicU64,
    let_go: AtomicU64,
    evicted: AtomicU64,
}

/// One awake session's place in it.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    bytes: AtomicU64,
    used: AtomicU64,
    rests: AtomicBool,
    leaving: AtomicBool,
}

impl Cache {
    /// An empty cache.
    pub(crate) fn new(limit_bytes: u64) -> Cache {
        Cache { limit_bytes: AtomicU64::new(limit_bytes), ..Cache::default() }
    }

    /// From now on so much is too much.
    pub(crate) fn resize(&self, limit_bytes: u64) {
        self.limit_bytes.store(limit_bytes, Relaxed);
    }

    fn limit(&self) -> u64 {
        self.limit_bytes.load(Relaxed)
    }

    /// A session wakes.
    pub(crate) fn seat(&self) -> Arc<Seat> {
        self.wakings.fetch_add(1, Relaxed);
        let seat = Seat::default();
        seat.used.store(self.uses.fetch_add(1, Relaxed), Relaxed);
        Arc::new(seat)
    }

    /// A session says what it holds now and whether it rests; true when that is too much for all together.
    pub(crate) fn weigh(&self, seat: &Seat, bytes: u64, rests: bool) -> bool {
        seat.used.store(self.uses.fetch_add(1, Relaxed), Relaxed);
        seat.rests.store(rests, Relaxed);
        let before = seat.bytes.swap(bytes, Relaxed);
        let total = self.bytes.fetch_add(bytes.wrapping_sub(before), Relaxed).wrapping_add(bytes.wrapping_sub(before));
        rests && total > self.limit()
    }

    /// A session that was asked to leave stays, since somebody uses it: others are asked before it is asked again.
    pub(crate) fn stays(&self, seat: &Seat) {
        seat.used.store(self.uses.fetch_add(1, Relaxed), Relaxed);
        seat.leaving.store(false, Relaxed);
    }

    /// A session has left.
    pub(crate) fn left(&self, seat: &Seat) {
        self.bytes.fetch_sub(seat.bytes.swap(0, Relaxed), Relaxed);
        self.let_go.fetch_add(1, Relaxed);
        self.evicted.fetch_add(u64::from(seat.leaving.load(Relaxed)), Relaxed);
    }

    /// Who is to leave, the longest unused first, so that what stays fits.
    pub(crate) fn surplus<'a, T>(&self, awake: impl Iterator<Item = (T, &'a Seat)>) -> Vec<T> {
        let leaving = |seat: &Seat| seat.leaving.load(Relaxed);
        let (going, staying): (Vec<_>, Vec<_>) = awake.partition(|(_, seat)| leaving(seat));
        let on_the_way: u64 = going.iter().map(|(_, seat)| seat.bytes.load(Relaxed)).sum();
        let mut surplus = self.bytes.load(Relaxed).saturating_sub(self.limit()).saturating_sub(on_the_way);
        let mut resting: Vec<_> = staying.into_iter().filter(|(_, seat)| seat.rests.load(Relaxed)).collect();
        resting.sort_by_key(|(_, seat)| seat.used.load(Relaxed));
        let mut chosen = Vec::new();
        for (who, seat) in resting {
            if surplus == 0 {
                break;
            }
            seat.leaving.store(true, Relaxed);
            surplus = surplus.saturating_sub(seat.bytes.load(Relaxed));
            chosen.push(who);
        }
        chosen
    }

    /// How it fares.
    pub(crate) fn status(&self, awake: usize, idle_ms: u64) -> CacheStatus {
        CacheStatus {
            awake: awake as u32,
            bytes: self.bytes.load(Relaxed),
            limit_bytes: self.limit(),
            idle_ms,
            wakings: self.wakings.load(Relaxed),
            let_go: self.let_go.load(Relaxed),
            evicted: self.evicted.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unused_of_those_at_rest_leave_until_the_others_fit() {
        let cache = Cache::new(100);
        let seats: Vec<_> = (0..4).map(|_| cache.seat()).collect();
        assert!(!cache.weigh(&seats[0], 60, false), "who works is never too much");
        assert!(!cache.weigh(&seats[1], 20, true));
        assert!(cache.weigh(&seats[2], 30, true));
        assert!(cache.weigh(&seats[3], 30, true));
        let awake = || seats.iter().enumerate().map(|(at, seat)| (at, &**seat));
        assert_eq!(cache.surplus(awake()), [1, 2]);
        assert_eq!(cache.surplus(awake()), [0; 0], "they are on their way");
        cache.left(&seats[1]);
        cache.left(&seats[2]);
        let status = cache.status(2, 7);
        assert_eq!((status.bytes, status.evicted, status.let_go, status.wakings), (90, 2, 2, 4));
    }
}
