//! What the events of the daemon's journal add up to: the schedules. Small, since a start reads it: some lines for each
//! schedule, and what became of its last occurrences.

use agent::{
    Event, Micros, Money, Occasion, PauseCause, ScheduleId, ScheduleRule, Seq, SessionId, SkipReason, TurnId,
    TurnOutcome, UnixSeconds,
};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Schedules at a time. Where there are as many, one that is over makes room.
pub(super) const MOST: usize = 256;
/// Occurrences of a schedule that are remembered.
const RUNS: usize = 10;
/// Seconds of a day (UTC).
const DAY_S: i64 = 86_400;

/// All schedules, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Fold {
    /// The last event applied.
    pub(super) head: Seq,
    /// The schedules.
    pub(super) all: Vec<Schedule>,
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Schedule {
    pub(super) id: ScheduleId,
    /// The event that has its words.
    pub(super) made: Seq,
    pub(super) created: UnixSeconds,
    pub(super) rule: ScheduleRule,
    pub(super) paused: Option<PauseCause>,
    /// Up to here, no occurrence is to be seen to any more.
    pub(super) settled: UnixSeconds,
    /// The occurrence that is being seen to.
    pub(super) claim: Option<Claim>,
    /// The run whose turn is not known to be over.
    pub(super) running: Option<Running>,
    spent_day: i64,
    spent: Money,
    pub(super) fired: u64,
    pub(super) skipped: u64,
    pub(super) missed: u64,
    /// The last occurrences, the youngest first.
    pub(super) runs: VecDeque<Run>,
}

/// An occurrence that is being seen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    pub(super) due: UnixSeconds,
    pub(super) occasion: Occasion,
    /// What its turn may spend.
    pub(super) most: Option<Money>,
    pub(super) since: UnixSeconds,
}

/// A run whose turn goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Running {
    pub(super) claim: Claim,
    pub(super) session: SessionId,
    pub(super) turn: TurnId,
    /// The prompt's place.
    pub(super) at_seq: Seq,
}

/// What became of an occurrence, or of several that were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) due: UnixSeconds,
    /// The event that tells of it, which may have words.
    pub(super) seq: Seq,
    pub(super) end: End,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    Fired {
        occasion: Occasion,
        session: SessionId,
        turn: TurnId,
        at_seq: Seq,
        outcome: Option<TurnOutcome>,
        cost: Money,
        over: bool,
    },
    Skipped {
        occasion: Occasion,
        reason: SkipReason,
    },
    Missed {
        count: u32,
    },
}

impl Fold {
    /// The version of the format on disk.
    pub(super) const FORMAT: u32 = 1;

    pub(super) fn get(&self, id: ScheduleId) -> Option<&Schedule> {
        self.all.iter().find(|schedule| schedule.id == id)
    }

    /// Whether one more would have a place.
    pub(super) fn has_room(&self) -> bool {
        self.all.len() < MOST || self.makes_room().is_some()
    }

    /// The one that makes room for one more, where there are as many as there may be: the oldest that is over.
    pub(super) fn makes_room(&self) -> Option<&Schedule> {
        self.all.iter().find(|schedule| self.all.len() >= MOST && schedule.is_over())
    }

    /// Adds an event. Total: what makes no sense changes nothing but the head.
    pub(super) fn apply(&mut self, seq: Seq, at: Micros, event: &Event) {
        self.head = seq;
        let now = UnixSeconds::from(at);
        match event {
            Event::ScheduleCreated { schedule, rule } => {
                // Its removal stands before this event. If not, there are as many as there may be all the same.
                if let Some(over) = self.makes_room().map(|over| over.id) {
                    self.all.retain(|one| one.id != over);
                }
                if self.get(*schedule).is_none() && self.all.len() < MOST {
                    self.all.push(Schedule::new(*schedule, seq, now, rule.clone()));
                }
            }
            Event::ScheduleMoved { schedule } => self.change(*schedule, |one| one.made = seq),
            Event::ScheduleRemoved { schedule } => self.all.retain(|one| one.id != *schedule),
            Event::SchedulePaused { schedule, cause } => self.change(*schedule, |one| one.paused = Some(*cause)),
            Event::ScheduleResumed { schedule } => self.change(*schedule, |one| {
                one.paused = None;
                // A moment that is not due yet stays due.
                one.settled = one.settled.max(now);
            }),
            Event::ScheduleClaimed { schedule, due, occasion, most_microusd } => self.change(*schedule, |one| {
                one.claim = Some(Claim { due: *due, occasion: *occasion, most: *most_microusd, since: now });
                one.settle(*due, *occasion);
            }),
            Event::ScheduleFired { schedule, due, in_session, turn, at_seq } => self.change(*schedule, |one| {
                let Some(claim) = one.claim.take_if(|claim| claim.due == *due) else { return };
                one.running = Some(Running { claim, session: *in_session, turn: *turn, at_seq: *at_seq });
                one.fired += 1;
                let (occasion, cost) = (claim.occasion, Money(0));
                let (session, turn, at_seq) = (*in_session, *turn, *at_seq);
                one.remember(
                    seq,
                    *due,
                    End::Fired { occasion, session, turn, at_seq, outcome: None, cost, over: false },
                );
            }),
            Event::ScheduleSkipped { schedule, due, occasion, reason } => self.change(*schedule, |one| {
                one.claim.take_if(|claim| claim.due == *due);
                one.settle(*due, *occasion);
                one.skipped += 1;
                one.remember(seq, *due, End::Skipped { occasion: *occasion, reason: *reason });
            }),
            Event::ScheduleMissed { schedule, until, count } => self.change(*schedule, |one| {
                one.settle(*until, Occasion::Due);
                one.missed += u64::from(*count);
                one.remember(seq, *until, End::Missed { count: *count });
            }),
            Event::ScheduleEnded { schedule, due, outcome, cost_microusd } => {
                self.change(*schedule, |one| one.ended(*due, *outcome, *cost_microusd));
            }
            _ => {}
        }
    }

    fn change(&mut self, id: ScheduleId, change: impl FnOnce(&mut Schedule)) {
        if let Some(schedule) = self.all.iter_mut().find(|schedule| schedule.id == id) {
            change(schedule);
        }
    }
}

impl Schedule {
    fn new(id: ScheduleId, made: Seq, now: UnixSeconds, rule: ScheduleRule) -> Schedule {
        Schedule {
            id,
            made,
            created: now,
            rule,
            paused: None,
            settled: now,
            claim: None,
            running: None,
            spent_day: 0,
            spent: Money(0),
            fired: 0,
            skipped: 0,
            missed: 0,
            runs: VecDeque::new(),
        }
    }

    /// Whether nothing of it will ever happen again.
    pub(super) fn is_over(&self) -> bool {
        let past = self.rule.once.is_some_and(|once| self.settled >= once);
        past && self.claim.is_none() && self.running.is_none()
    }

    /// What its runs of a day have spent. While the clock stands before a day that has begun, that day counts on.
    pub(super) fn spent_on(&self, now: UnixSeconds) -> Money {
        if self.spent_day >= day(now) { self.spent } else { Money(0) }
    }

    /// What asking for it adds no occurrence to.
    fn settle(&mut self, due: UnixSeconds, occasion: Occasion) {
        if occasion != Occasion::Asked {
            self.settled = self.settled.max(due);
        }
    }

    fn ended(&mut self, due: UnixSeconds, outcome: Option<TurnOutcome>, cost: Money) {
        let Some(running) = self.running.take_if(|running| running.claim.due == due) else { return };
        let today = day(running.claim.since);
        if today > self.spent_day {
            (self.spent_day, self.spent) = (today, Money(0));
        }
        self.spent += cost;
        let (of, at) = (running.session, running.at_seq);
        for run in &mut self.runs {
            if let End::Fired { session, at_seq, outcome: known, cost: paid, over, .. } = &mut run.end
                && (*session, *at_seq) == (of, at)
            {
                (*known, *paid, *over) = (outcome, cost, true);
            }
        }
    }

    fn remember(&mut self, seq: Seq, due: UnixSeconds, end: End) {
        self.runs.push_front(Run { due, seq, end });
        self.runs.truncate(RUNS);
    }
}

fn day(at: UnixSeconds) -> i64 {
    at.0.div_euclid(DAY_S)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::testing::{rule, schedule};

    fn happen(fold: &mut Fold, at_s: i64, event: Event) {
        fold.apply(fold.head.next(), UnixSeconds(at_s).micros(), &event);
    }

    #[test]
    fn an_occurrence_is_settled_once_and_money_is_of_the_day_of_its_claim() {
        let (mut fold, schedule) = (Fold::default(), schedule(1));
        happen(&mut fold, 1_000, Event::ScheduleCreated { schedule, rule: rule() });
        let (due, occasion) = (UnixSeconds(DAY_S - 60), Occasion::Due);
        let most_microusd = Some(Money(9));
        happen(&mut fold, DAY_S - 59, Event::ScheduleClaimed { schedule, due, occasion, most_microusd });
        assert_eq!(fold.all[0].settled, due);
        let in_session = SessionId::from_parts(1, 1);
        let fired = Event::ScheduleFired { schedule, due, in_session, turn: TurnId(1), at_seq: Seq(2) };
        happen(&mut fold, DAY_S - 58, fired.clone());
        let once = fold.all.clone();
        happen(&mut fold, DAY_S - 57, fired);
        assert_eq!(fold.all, once, "a second one changes nothing");
        let outcome = Some(TurnOutcome::Done);
        happen(&mut fold, DAY_S + 5, Event::ScheduleEnded { schedule, due, outcome, cost_microusd: Money(7) });
        let one = &fold.all[0];
        assert_eq!((one.spent_on(UnixSeconds(DAY_S - 1)), one.spent_on(UnixSeconds(DAY_S))), (Money(7), Money(0)));
        assert!(matches!(one.runs[0].end, End::Fired { cost: Money(7), over: true, .. }));
        let back: Fold = serde_json::from_slice(&serde_json::to_vec(&fold).unwrap()).unwrap();
        assert_eq!(back, fold);
    }

    #[test]
    fn what_is_over_makes_room() {
        let mut fold = Fold::default();
        for number in 0..MOST as u128 {
            let once = ScheduleRule { cron: None, once: Some(UnixSeconds(50)), ..rule() };
            happen(&mut fold, 1, Event::ScheduleCreated { schedule: schedule(number), rule: once });
        }
        assert!(!fold.has_room());
        let skipped = |number| Event::ScheduleSkipped {
            schedule: schedule(number),
            due: UnixSeconds(50),
            occasion: Occasion::Due,
            reason: SkipReason::Busy,
        };
        happen(&mut fold, 51, skipped(7));
        assert!(fold.has_room());
        happen(&mut fold, 52, Event::ScheduleCreated { schedule: schedule(9_999), rule: rule() });
        assert!(fold.get(schedule(7)).is_none() && fold.get(schedule(9_999)).is_some());
        assert_eq!(fold.all.len(), MOST);
    }

    #[test]
    fn the_words_of_one_that_moved_stand_in_another_event() {
        let (mut fold, schedule) = (Fold::default(), schedule(1));
        happen(&mut fold, 10, Event::ScheduleCreated { schedule, rule: rule() });
        let (made, created) = (fold.all[0].made, fold.all[0].created);
        happen(&mut fold, 20, Event::ScheduleMoved { schedule });
        assert_eq!((fold.all[0].made, fold.all[0].created), (fold.head, created));
        assert_ne!(fold.head, made);
    }

    #[test]
    fn what_was_due_while_it_rested_is_nobodys_loss() {
        let (mut fold, schedule) = (Fold::default(), schedule(1));
        happen(&mut fold, 10, Event::ScheduleCreated { schedule, rule: rule() });
        happen(&mut fold, 20, Event::SchedulePaused { schedule, cause: PauseCause::Asked });
        happen(&mut fold, 500, Event::ScheduleResumed { schedule });
        assert_eq!((fold.all[0].settled, fold.all[0].paused), (UnixSeconds(500), None));
    }
}
