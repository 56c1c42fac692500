//! When a schedule is due: cron by the calendar of its time zone, an interval, or one moment. Intervals are counted in
//! real seconds and know no clocks.

use super::calendar::Calendar;
use agent::{ScheduleRule, UnixSeconds};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Missed occurrences of a cron line that are counted; of more it is only known that they are many.
const COUNTED: u32 = 1_000;

/// When a schedule is due.
#[derive(Debug)]
pub(super) enum When {
    /// By the calendar.
    Cron(Box<Calendar>),
    /// Every so many seconds from a moment on.
    Every { seconds: i64, from: i64 },
    /// Once.
    Once(UnixSeconds),
}

/// Why there is no such time.
#[derive(Debug, thiserror::Error)]
pub(super) enum WhenError {
    /// The fields cannot be read.
    #[error("{cron:?} is no cron line: {source}")]
    Cron {
        /// The line.
        cron: String,
        /// What is wrong.
        source: croner::errors::CronError,
    },
    /// No such zone.
    #[error("there is no time zone {zone:?}")]
    Zone {
        /// The name.
        zone: String,
    },
    /// The daemon's environment names a zone that is none.
    #[error("the machine's zone cannot be read: the daemon's $TZ names none")]
    Machine,
    /// Nothing says when.
    #[error("nothing says when it is due")]
    Nothing,
}

/// Occurrences whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    /// The youngest of them, the oldest of these first; never empty.
    pub(super) youngest: Vec<UnixSeconds>,
    /// How many older ones there are, as far as they were counted.
    pub(super) older: u32,
    /// The last of the older ones.
    pub(super) older_until: Option<UnixSeconds>,
}

impl When {
    /// When a schedule that was made at `from` is due.
    pub(super) fn of(rule: &ScheduleRule, from: UnixSeconds) -> Result<When, WhenError> {
        if let Some(once) = rule.once {
            return Ok(When::Once(once));
        }
        if let Some(seconds) = rule.every_s.and_then(|s| i64::try_from(s).ok()).filter(|s| *s > 0) {
            return Ok(When::Every { seconds, from: from.0 });
        }
        let cron = rule.cron.as_ref().ok_or(WhenError::Nothing)?;
        let calendar = Calendar::of(cron, zone(rule.zone.as_deref())?);
        Ok(When::Cron(Box::new(calendar.map_err(|source| WhenError::Cron { cron: cron.clone(), source })?)))
    }

    /// The first occurrence after a moment, if there is one.
    pub(super) fn after(&self, at: UnixSeconds) -> Option<UnixSeconds> {
        match self {
            When::Once(once) => Some(*once).filter(|once| *once > at),
            When::Every { seconds, from } => {
                let passed = at.0.saturating_sub(*from).div_euclid(*seconds).max(0);
                Some(UnixSeconds(from.saturating_add(passed.saturating_add(1).saturating_mul(*seconds))))
            }
            When::Cron(calendar) => {
                let next = calendar.after(Timestamp::from_second(at.0).ok()?)?;
                Some(UnixSeconds(next.as_second())).filter(|next| *next > at)
            }
        }
    }

    /// The last occurrence up to a moment and after `after`.
    fn last(&self, after: UnixSeconds, until: UnixSeconds) -> Option<UnixSeconds> {
        let found = match self {
            When::Once(once) => Some(*once),
            When::Every { seconds, from } => {
                let passed = until.0.saturating_sub(*from).div_euclid(*seconds);
                (passed > 0).then(|| UnixSeconds(from + passed * seconds))
            }
            When::Cron(calendar) => {
                let last = calendar.until(Timestamp::from_second(until.0).ok()?)?;
                Some(UnixSeconds(last.as_second()))
            }
        };
        found.filter(|found| *found > after && *found <= until)
    }

    /// The occurrences after `settled` whose time has come, the youngest `most` of them one by one.
    pub(super) fn pending(&self, settled: UnixSeconds, now: UnixSeconds, most: usize) -> Option<Pending> {
        let (mut youngest, mut until) = (Vec::new(), now);
        while youngest.len() < most
            && let Some(last) = self.last(settled, until)
        {
            youngest.push(last);
            until = UnixSeconds(last.0 - 1);
        }
        youngest.reverse();
        if youngest.is_empty() {
            return None;
        }
        let older_until = self.last(settled, until);
        let older = older_until.map_or(0, |last| self.count(settled, last));
        Some(Pending { youngest, older, older_until })
    }

    /// How many occurrences there are after a moment and up to another one.
    fn count(&self, after: UnixSeconds, until: UnixSeconds) -> u32 {
        let clamped = |count: i64| u32::try_from(count.max(0)).unwrap_or(u32::MAX);
        match self {
            When::Once(_) => 1,
            When::Every { seconds, from } => {
                let number = |at: UnixSeconds| (at.0 - from).div_euclid(*seconds).max(0);
                clamped(number(until) - number(after))
            }
            When::Cron(..) => {
                let (mut count, mut at) = (0, after);
                while count < COUNTED
                    && let Some(next) = self.after(at).filter(|next| *next <= until)
                {
                    (count, at) = (count + 1, next);
                }
                count
            }
        }
    }
}

/// A time zone by its name; that of the machine without one.
pub(super) fn zone(name: Option<&str>) -> Result<TimeZone, WhenError> {
    if let Some(name) = name {
        return TimeZone::get(name).map_err(|_| WhenError::Zone { zone: name.to_owned() });
    }
    match TimeZone::try_system() {
        Ok(zone) => Ok(zone),
        Err(_) if std::env::var_os("TZ").is_some() => Err(WhenError::Machine),
        // A machine that says nothing shows UTC.
        Err(_) => Ok(TimeZone::UTC),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::testing::rule;

    fn cron(line: &str, zone: &str) -> When {
        When::of(&ScheduleRule { cron: Some(line.into()), zone: Some(zone.into()), ..rule() }, UnixSeconds(0)).unwrap()
    }

    fn at(text: &str) -> UnixSeconds {
        UnixSeconds(text.parse::<Timestamp>().unwrap().as_second())
    }

    #[test]
    fn what_never_comes_and_what_cannot_be_read_is_told() {
        assert_eq!(cron("0 0 30 2 *", "UTC").after(at("2026-01-01T00:00:00Z")), None);
        let read = |cron: &str, zone: &str| {
            When::of(&ScheduleRule { cron: Some(cron.into()), zone: Some(zone.into()), ..rule() }, UnixSeconds(0))
        };
        for (line, zone) in [("61 * * * *", "UTC"), ("* * * *", "UTC"), ("* * * * * *", "UTC"), ("@often", "UTC")] {
            assert!(read(line, zone).is_err(), "{line}");
        }
        assert!(matches!(read("@hourly", "Europe/Nowhere"), Err(WhenError::Zone { .. })));
        assert!(read("@hourly", "America/New_York").is_ok());
    }

    #[test]
    fn pending_ones_are_the_youngest_and_the_others_are_counted() {
        let every = When::Every { seconds: 60, from: 1_000 };
        assert_eq!(every.after(UnixSeconds(0)), Some(UnixSeconds(1_060)));
        assert_eq!(every.pending(UnixSeconds(1_000), UnixSeconds(1_059), 3), None);
        let pending = every.pending(UnixSeconds(1_060), UnixSeconds(1_400), 2).unwrap();
        assert_eq!(pending.youngest, [UnixSeconds(1_300), UnixSeconds(1_360)]);
        assert_eq!((pending.older, pending.older_until), (3, Some(UnixSeconds(1_240))));
        let hourly = cron("@hourly", "UTC");
        let pending = hourly.pending(UnixSeconds(0), UnixSeconds(10 * 3_600), 24).unwrap();
        assert_eq!((pending.youngest.len(), pending.older, pending.older_until), (10, 0, None));
        let years = cron("* * * * *", "UTC").pending(UnixSeconds(0), UnixSeconds(400_000_000), 1).unwrap();
        assert_eq!((years.youngest.len(), years.older), (1, COUNTED));
    }
}
