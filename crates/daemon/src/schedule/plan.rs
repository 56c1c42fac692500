//! What to do about occurrences whose time has come, as far as the rule and the clock say. Pure.

use super::when::Pending;
use agent::{MissedRule, Occasion, UnixSeconds};

/// An occurrence that is seen to so many seconds late was not missed: daemons are restarted, machines are busy.
pub(super) const ON_TIME_S: i64 = 120;
/// Missed occurrences that `all` makes up for; older ones are let go.
pub(super) const CAUGHT_UP: usize = 24;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// These are let go.
    Miss { until: UnixSeconds, count: u32 },
    /// This one is seen to.
    See { due: UnixSeconds, occasion: Occasion },
}

/// How many occurrences are to be known one by one.
pub(super) fn most(rule: MissedRule) -> usize {
    match rule {
        MissedRule::Skip | MissedRule::One => 1,
        MissedRule::All => CAUGHT_UP,
    }
}

/// What to do next about `pending`, of which [`most`] were looked up.
pub(super) fn plan(rule: MissedRule, pending: &Pending, now: UnixSeconds) -> Plan {
    if let Some(until) = pending.older_until {
        return Plan::Miss { until, count: pending.older };
    }
    let due = pending.youngest.first().copied().unwrap_or(now);
    match now.0.saturating_sub(due.0) <= ON_TIME_S {
        true => Plan::See { due, occasion: Occasion::Due },
        false if rule == MissedRule::Skip => Plan::Miss { until: due, count: 1 },
        false => Plan::See { due, occasion: Occasion::CaughtUp },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::when::When;

    /// Everything that is done about an interval of ten minutes after a pause.
    fn all(rule: MissedRule, now: i64) -> Vec<Plan> {
        let when = When::Every { seconds: 600, from: 0 };
        let (mut settled, now, mut plans) = (UnixSeconds(0), UnixSeconds(now), Vec::new());
        while let Some(pending) = when.pending(settled, now, most(rule)) {
            let next = plan(rule, &pending, now);
            settled = match next {
                Plan::Miss { until, .. } => until,
                Plan::See { due, .. } => due,
            };
            plans.push(next);
        }
        plans
    }

    fn see(due: i64, occasion: Occasion) -> Plan {
        Plan::See { due: UnixSeconds(due), occasion }
    }

    fn miss(until: i64, count: u32) -> Plan {
        Plan::Miss { until: UnixSeconds(until), count }
    }

    #[test]
    fn what_was_missed_is_let_go_made_up_for_once_or_each() {
        use MissedRule::{All, One, Skip};
        use Occasion::{CaughtUp, Due};
        assert_eq!(all(Skip, 660), [see(600, Due)]);
        assert_eq!(all(Skip, 2_000), [miss(1_200, 2), miss(1_800, 1)]);
        assert_eq!(all(Skip, 1_850), [miss(1_200, 2), see(1_800, Due)]);
        assert_eq!(all(One, 2_000), [miss(1_200, 2), see(1_800, CaughtUp)]);
        assert_eq!(all(All, 2_000), [see(600, CaughtUp), see(1_200, CaughtUp), see(1_800, CaughtUp)]);
        let many = all(All, 600 * 30 + 5);
        assert_eq!((many.len(), many[0], many[24]), (25, miss(3_600, 6), see(18_000, Due)));
    }
}
