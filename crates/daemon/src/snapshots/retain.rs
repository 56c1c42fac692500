//! Which snapshots go. Those that somebody asked for stay until somebody takes them away; of the daemon's own the
//! youngest stay, within bounds of count, age and size. The newest good one stays in any case.

use agent::{Micros, SnapshotId};
use wire::rest::SnapshotRow;
use wire::snapshot::SnapshotReason;

/// What is kept of the daemon's own snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// How many.
    pub(super) keep: u64,
    /// How old; 0 for no bound.
    pub(super) max_age_ms: u64,
    /// How much all snapshots may hold together; 0 for no bound.
    pub(super) max_bytes: u64,
}

/// Those that go, each with the rule that it fell to. `rows` are all there are, newest first; `good` is the newest that
/// was read to its end and found as it was written.
pub(super) fn goes(
    rows: &[SnapshotRow],
    good: SnapshotId,
    bounds: Bounds,
    now: Micros,
) -> Vec<(SnapshotId, &'static str)> {
    let (mut kept, mut gone) = (0, Vec::new());
    let is_own = |row: &SnapshotRow| row.reason != SnapshotReason::Asked;
    for row in rows.iter().filter(|row| is_own(row)) {
        let age_ms = u64::try_from(now.0.saturating_sub(row.created_at.0) / 1000).unwrap_or(0);
        if row.id == good {
            kept += 1;
        } else if kept >= bounds.keep {
            gone.push((row.id, "count"));
        } else if bounds.max_age_ms > 0 && age_ms > bounds.max_age_ms {
            gone.push((row.id, "age"));
        } else {
            kept += 1;
        }
    }
    let is_gone = |gone: &[(SnapshotId, &str)], id| gone.iter().any(|(other, _)| *other == id);
    let mut bytes: u64 = rows.iter().filter(|row| !is_gone(&gone, row.id)).map(|row| row.bytes).sum();
    for row in rows.iter().rev().filter(|row| is_own(row) && row.id != good) {
        if bounds.max_bytes > 0 && bytes > bounds.max_bytes && !is_gone(&gone, row.id) {
            bytes -= row.bytes;
            gone.push((row.id, "size"));
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1_000_000;

    fn row(day: u64, reason: SnapshotReason) -> SnapshotRow {
        SnapshotRow {
            id: SnapshotId::from_parts(day, 0),
            file: format!("/s/{day}").into(),
            bytes: 100,
            created_at: Micros(day as i64 * DAY),
            reason,
            note: None,
            sealed: false,
            sessions: 1,
            noted: true,
        }
    }

    fn days(rows: &[SnapshotRow], good: u64, bounds: Bounds, now: i64) -> Vec<(u64, &'static str)> {
        let gone = goes(rows, SnapshotId::from_parts(good, 0), bounds, Micros(now * DAY));
        gone.into_iter().map(|(id, why)| ((id.bits() >> 80) as u64, why)).collect()
    }

    #[test]
    fn the_youngest_stay_and_what_was_asked_for_stays_too() {
        let rows: Vec<_> = (1..=10)
            .rev()
            .map(|day| row(day, if day == 2 { SnapshotReason::Asked } else { SnapshotReason::Periodic }))
            .collect();
        let all = Bounds { keep: 100, max_age_ms: 0, max_bytes: 0 };
        assert_eq!(days(&rows, 10, all, 10), []);
        let three = Bounds { keep: 3, ..all };
        assert_eq!(days(&rows, 10, three, 10), [7, 6, 5, 4, 3, 1].map(|day| (day, "count")));
        let young = Bounds { max_age_ms: 5 * 24 * 60 * 60 * 1000, ..all };
        assert_eq!(days(&rows, 10, young, 10), [4, 3, 1].map(|day| (day, "age")));
        let small = Bounds { max_bytes: 750, ..all };
        assert_eq!(days(&rows, 10, small, 10), [1, 3, 4].map(|day| (day, "size")));
    }

    #[test]
    fn the_newest_good_one_stays_whatever_the_bounds_say() {
        let rows: Vec<_> = (1..=4).rev().map(|day| row(day, SnapshotReason::Periodic)).collect();
        let nothing = Bounds { keep: 1, max_age_ms: 1, max_bytes: 1 };
        // The two newest are damaged.
        let gone = days(&rows, 2, nothing, 900);
        assert!(gone.iter().all(|(day, _)| *day != 2) && gone.len() == 3, "{gone:?}");
    }
}
