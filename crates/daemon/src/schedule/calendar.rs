//! A cron line by the calendar of its time zone.
//!
//! A line that names its hours and minutes (`30 2,14 * * *`) means times as clocks show them, each of them once. Where
//! clocks go forward, what lies in the gap is due at the first moment after it; where they go back, at the first of the
//! two. A line with a wildcard or a step there (`*/10 * * * *`) means how often: it has nothing in the gap, and is due
//! both times.
//!
//! croner makes that difference for lines of one hour and one minute alone. So times that are named are looked up by
//! it on a calendar without a zone, and where they are in real time is decided here.

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// A cron line in a zone.
#[derive(Debug)]
pub(super) struct Calendar {
    cron: Cron,
    zone: TimeZone,
    /// Whether the line names its hours and minutes.
    named: bool,
}

impl Calendar {
    /// What a line of five fields means in a zone.
    pub(super) fn of(line: &str, zone: TimeZone) -> Result<Calendar, CronError> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(line)?;
        let fields = [&cron.pattern.minutes, &cron.pattern.hours];
        let named = fields.into_iter().all(|field| !field.from_wildcard && field.step == 1);
        Ok(Calendar { cron, zone, named })
    }

    /// The first occurrence after a moment, if there is one.
    pub(super) fn after(&self, at: Timestamp) -> Option<Timestamp> {
        if !self.named {
            let next = self.cron.find_next_occurrence(&at.to_zoned(self.zone.clone()), false);
            return Some(next.ok()?.timestamp());
        }
        let mut local = self.zone.to_datetime(at);
        loop {
            local = self.cron.find_next_occurrence(&local, false).ok()?;
            // What clocks that went back show again was due before; so was what lies in a gap, once that is over.
            if let Some(due) = Some(self.moment(local)?).filter(|due| *due > at) {
                return Some(due);
            }
        }
    }

    /// The last occurrence up to a moment, if there is one.
    pub(super) fn until(&self, at: Timestamp) -> Option<Timestamp> {
        if !self.named {
            let last = self.cron.find_previous_occurrence(&at.to_zoned(self.zone.clone()), true);
            return Some(last.ok()?.timestamp());
        }
        let mut local = self.shown_by(at)?;
        loop {
            local = self.cron.find_previous_occurrence(&local, false).ok()?;
            if let Some(due) = Some(self.moment(local)?).filter(|due| *due <= at) {
                return Some(due);
            }
        }
    }

    /// The moment at which a time is due that the line names.
    fn moment(&self, local: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
            AmbiguousOffset::Gap { after, .. } => {
                // By the offset after the gap, a time in it is a moment shortly before it.
                let shortly_before = after.to_timestamp(local).ok()?;
                Some(self.zone.following(shortly_before).next()?.timestamp())
            }
        }
    }

    /// A second after the latest time that clocks have shown up to a moment: where they went back, that is later than
    /// what they show.
    fn shown_by(&self, at: Timestamp) -> Option<DateTime> {
        let local = self.zone.to_datetime(at);
        let back = match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Fold { before, after } => i64::from(before.seconds() - after.seconds()),
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => 0,
        };
        local.checked_add(SignedDuration::from_secs(back + 1)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-{text}:00Z").parse().unwrap()
    }

    fn calendar(line: &str, zone: &str) -> Calendar {
        Calendar::of(line, TimeZone::get(zone).unwrap()).unwrap()
    }

    /// Everything that is due after a moment and up to another one, found forwards, backwards and from each minute.
    fn due(line: &str, zone: &str, (from, to): (&str, &str)) -> Vec<Timestamp> {
        let (calendar, from, to) = (calendar(line, zone), at(from), at(to));
        let next = |at: &Timestamp| calendar.after(*at).filter(|next| *next <= to);
        let forwards: Vec<Timestamp> = std::iter::successors(next(&from), next).collect();
        let last = |at: Timestamp| calendar.until(at).filter(|last| *last > from);
        let second = SignedDuration::from_secs(1);
        let mut backwards: Vec<Timestamp> = std::iter::successors(last(to), |at| last(*at - second)).collect();
        backwards.reverse();
        assert_eq!(forwards, backwards, "{line}");
        let mut minute = from;
        while minute < to {
            let (before, after): (Vec<Timestamp>, Vec<Timestamp>) = forwards.iter().partition(|due| **due <= minute);
            assert_eq!(next(&minute), after.first().copied(), "{line} after {minute}");
            assert_eq!(last(minute), before.last().copied(), "{line} until {minute}");
            minute += SignedDuration::from_mins(1);
        }
        forwards
    }

    #[test]
    fn on_the_days_when_clocks_change_what_is_named_is_due_once_and_the_rest_in_real_time() {
        // Berlin: from 2 to 3 on 29 March 2026 and from 3 back to 2 on 25 October, both at 01:00 UTC.
        let (spring, autumn) = (("03-28T23:00", "03-30T01:00"), ("10-24T22:30", "10-26T02:00"));
        let berlin: &[(&str, (&str, &str), &[&str])] = &[
            ("30 2 * * *", spring, &["03-29T01:00", "03-30T00:30"]),
            ("30 2 * * *", autumn, &["10-25T00:30", "10-26T01:30"]),
            ("30 2,14 * * *", spring, &["03-29T01:00", "03-29T12:30", "03-30T00:30"]),
            ("30 2,14 * * *", autumn, &["10-25T00:30", "10-25T13:30", "10-26T01:30"]),
            ("0,30 2-3 29 * *", spring, &["03-29T01:00", "03-29T01:30"]),
            ("0,30 2-3 25 * *", autumn, &["10-25T00:00", "10-25T00:30", "10-25T02:00", "10-25T02:30"]),
            ("0 0-4 25 * *", autumn, &["10-24T23:00", "10-25T00:00", "10-25T02:00", "10-25T03:00"]),
            ("59 1,2 * 10 7", autumn, &["10-24T23:59", "10-25T00:59"]),
            ("*/30 2 29 * *", spring, &[]),
            ("*/30 2 25 * *", autumn, &["10-25T00:00", "10-25T00:30", "10-25T01:00", "10-25T01:30"]),
            ("15 */2 29 * *", ("03-28T23:00", "03-29T05:00"), &["03-28T23:15", "03-29T02:15", "03-29T04:15"]),
            ("15 * * * *", ("10-24T23:30", "10-25T02:30"), &["10-25T00:15", "10-25T01:15", "10-25T02:15"]),
        ];
        for (line, within, expected) in berlin {
            let expected: Vec<Timestamp> = expected.iter().copied().map(at).collect();
            assert_eq!(due(line, "Europe/Berlin", *within), expected, "{line} {within:?}");
        }
    }

    #[test]
    fn gaps_of_half_an_hour_and_over_midnight_are_gaps() {
        // Lord Howe: from 2 back to 1:30 on 5 April 2026, from 2 to 2:30 on 4 October.
        let autumn = due("45 1,9 * * *", "Australia/Lord_Howe", ("04-04T10:00", "04-05T16:00"));
        assert_eq!(autumn, ["04-04T14:45", "04-04T23:15", "04-05T15:15"].map(at));
        let spring = due("15,45 2 * * *", "Australia/Lord_Howe", ("10-03T12:00", "10-04T12:00"));
        assert_eq!(spring, ["10-03T15:30", "10-03T15:45"].map(at));
        // Nuuk: from 23 on Saturday to 0 on Sunday, 29 March 2026.
        let nuuk = due("30 23 * * 6", "America/Nuuk", ("03-28T12:00", "04-05T12:00"));
        assert_eq!(nuuk, ["03-29T01:00", "04-05T00:30"].map(at));
    }

    #[test]
    fn what_never_comes_is_nowhere() {
        for line in ["0 0 30 2 *", "* * 30 2 *"] {
            let never = calendar(line, "UTC");
            assert_eq!((never.after(at("01-01T00:00")), never.until(at("01-01T00:00"))), (None, None), "{line}");
        }
    }
}
