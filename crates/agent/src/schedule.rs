//! What a schedule is, as far as decisions depend on it. Its name, its prompt and its workspace are words and stand in
//! the body of the event that made it; when something is due is computed by whoever has a calendar.

use crate::event::MissedRule;
use crate::id::{ScheduleId, SessionId};
use crate::units::{ModelName, Money, UnixSeconds};
use serde::{Deserialize, Serialize};

/// When a schedule is due, where it speaks, and what it may cost. Exactly one of `cron`, `every_s` and `once` is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRule {
    /// Five fields of cron, or a word such as `@hourly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// The time zone that `cron` is read in, such as `Europe/Berlin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Every so many seconds, counted from the schedule's creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_s: Option<u64>,
    /// Once, then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<UnixSeconds>,
    /// The session that is spoken to; none for a new one each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What becomes of occurrences that nobody was there for.
    pub missed: MissedRule,
    /// The most that one run may spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_microusd: Option<Money>,
    /// The most that all runs of a day (UTC) may spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_microusd: Option<Money>,
    /// Speaks only while a person was in the session within so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_s: Option<u64>,
    /// The model or route to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
}

/// What a prompt carries that no person said: which occurrence it is, and what its turn may spend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    /// The schedule.
    pub schedule: ScheduleId,
    /// When it was due.
    pub due: UnixSeconds,
    /// The most that the turn may spend; beside it, the limits of all turns hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_microusd: Option<Money>,
}
