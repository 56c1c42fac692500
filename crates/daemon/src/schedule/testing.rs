//! What the tests of this room begin with.

use agent::{MissedRule, ScheduleId, ScheduleRule};

/// A rule of an hour, without anything that may be left out.
pub(super) fn rule() -> ScheduleRule {
    ScheduleRule {
        cron: Some("@hourly".to_owned()),
        zone: None,
        every_s: None,
        once: None,
        session: None,
        missed: MissedRule::Skip,
        run_microusd: None,
        day_microusd: None,
        active_s: None,
        model: None,
    }
}

/// An id by its number.
pub(super) fn schedule(number: u128) -> ScheduleId {
    ScheduleId::from_parts(1, number)
}
