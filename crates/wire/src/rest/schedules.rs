//! Schedules: prompts that are said by themselves.

use agent::{
    Micros, MissedRule, ModelName, Money, Occasion, PauseCause, ScheduleId, Seq, SessionId, SkipReason, TurnId,
    TurnOutcome,
};
use serde::{Deserialize, Serialize};

/// `schedules.create`. Exactly one of `cron`, `every_s`, `at` and `in_s` says when.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateSchedule {
    /// What is said each time.
    pub prompt: String,
    /// What people call it; by default the first words of the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Five fields of cron, or a word such as `@hourly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Every so many seconds, from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_s: Option<u64>,
    /// Once: a local time such as `2026-12-01T09:00`, or one with its offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Once, so many seconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_s: Option<u64>,
    /// The time zone of `cron` and `at`, such as `Europe/Berlin`; by default that of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The session that is spoken to. Without one, each time opens a new one in `workspace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The directory that new sessions work on; an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// What becomes of occurrences that nobody was there for; by default they are let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<MissedRule>,
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

/// `schedules.list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleList {
    /// The schedules, the oldest first.
    pub schedules: Vec<ScheduleView>,
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleView {
    /// Its id.
    pub id: ScheduleId,
    /// What people call it; none where that was forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is said; none where that was forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// When, in words: `0 9 * * 1-5 (Europe/Berlin)`, `every 30m`, `once`.
    pub when: String,
    /// What it is doing.
    pub status: ScheduleStatus,
    /// Why it rests, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<PauseCause>,
    /// The session that is spoken to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Where new sessions work, when each time opens one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// What becomes of missed occurrences.
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
    /// When it was made.
    #[serde(with = "crate::time::text")]
    pub created_at: Micros,
    /// When it is due next.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::time::optional")]
    pub next_at: Option<Micros>,
    /// Spent today (UTC).
    pub spent_today_microusd: Money,
    /// Occurrences that became prompts.
    pub fired: u64,
    /// Occurrences that were left out.
    pub skipped: u64,
    /// Occurrences that nobody was there for.
    pub missed_count: u64,
    /// The last occurrences, the youngest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<ScheduleRun>,
}

/// What a schedule is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleStatus {
    /// It waits for the next time.
    Active,
    /// A run of it goes on.
    Running,
    /// It rests until it is resumed.
    Paused,
    /// It has no next time.
    Done,
}

impl ScheduleStatus {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            ScheduleStatus::Active => "active",
            ScheduleStatus::Running => "running",
            ScheduleStatus::Paused => "paused",
            ScheduleStatus::Done => "done",
        }
    }
}

/// What became of an occurrence: skipped where it has a reason, missed where it has a count, else fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRun {
    /// When it was due.
    #[serde(with = "crate::time::text")]
    pub due_at: Micros,
    /// How it came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occasion: Option<Occasion>,
    /// Why it was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<SkipReason>,
    /// How many were missed, up to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<u32>,
    /// The session that was spoken to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The turn that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// The prompt's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// How the turn ended; none while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<TurnOutcome>,
    /// What it cost.
    #[serde(default, skip_serializing_if = "Money::is_zero")]
    pub cost_microusd: Money,
    /// Words about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
