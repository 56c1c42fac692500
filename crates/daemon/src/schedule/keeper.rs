//! The keeper: one task that knows all schedules and sees to what is due.

use super::ask::Reply;
use super::fire::{Report, Told, fire};
use super::fold::{Claim, Fold, Schedule};
use super::note::unread;
use super::plan::{self, Plan};
use super::runs::Looked;
use super::when::When;
use crate::clock::Clock;
use crate::registry::Registry;
use crate::session::SCHEDULED_ANSWER_MICROS;
use agent::{Event, MissedRule, Money, Occasion, PauseCause, ScheduleId, Seq, SkipReason, UnixSeconds};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use store::Account;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wire::body;
use wire::rest::{ScheduleView, SessionStatus};
use wire::{Code, Problem};

/// The longest time without a look at the clock: it may have jumped.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// The pause before something is tried again that could not be done.
const RETRY: Duration = Duration::from_secs(5);
/// Occurrences that are being said at the same time.
const FIRING: usize = 16;
/// What is done about one schedule before the others have their turn.
const STEPS: usize = 4;

/// The keeper.
pub(super) struct Keeper {
    pub(super) registry: Arc<Registry>,
    pub(super) clock: Clock,
    pub(super) fold: Fold,
    /// The last event in the fold on disk.
    pub(super) folded: Seq,
    pub(super) looked: Looked,
    /// The fold may not be what is on disk: it is read before anything is done.
    pub(super) stale: bool,
    /// Another daemon has taken over, or the journal is closed.
    pub(super) gone: bool,
    whens: BTreeMap<ScheduleId, Option<When>>,
    /// Claims that are being said.
    firing: BTreeSet<ScheduleId>,
    /// Who waits for what becomes of a run that was asked for.
    waiting: BTreeMap<ScheduleId, Reply<ScheduleView>>,
    /// Until when a claim that could not be settled is let alone.
    rests: BTreeMap<ScheduleId, Instant>,
    /// Something could not be done and is tried again.
    behind: bool,
    reports: mpsc::Sender<Report>,
}

/// What stands in the way of an occurrence.
enum Hindrance {
    /// It is left out.
    Skip(SkipReason),
    /// It is looked at again when something has ended.
    Wait,
}

/// Keeps the schedules until the daemon stops.
pub async fn keep(registry: Arc<Registry>) {
    let house = registry.house().clone();
    let clock = house.clock.clone();
    let Some(mut inbox) = house.schedules.take_inbox() else { return };
    let (reports, mut told) = mpsc::channel(FIRING);
    let mut keeper = Keeper {
        registry,
        clock,
        fold: Fold::default(),
        folded: Seq(0),
        looked: Looked::default(),
        stale: true,
        gone: false,
        whens: BTreeMap::new(),
        firing: BTreeSet::new(),
        waiting: BTreeMap::new(),
        rests: BTreeMap::new(),
        behind: false,
        reports,
    };
    while !keeper.gone {
        keeper.look().await;
        let (clock, pause) = (keeper.clock.clone(), keeper.pause());
        // Every arm is cancel-safe: receiving, being notified and sleeping lose nothing when dropped.
        tokio::select! {
            biased;
            () = house.stop.cancelled() => break,
            Some(report) = told.recv() => keeper.told(report).await,
            ask = inbox.recv() => match ask {
                Some(ask) => keeper.obey(ask).await,
                None => break,
            },
            () = house.schedules.ended.notified() => {}
            () = clock.sleep(pause) => {}
        }
    }
    if !keeper.gone {
        keeper.write_fold(true).await;
    }
}

impl Keeper {
    /// Sees to everything whose time has come.
    async fn look(&mut self) {
        self.behind = false;
        if self.fresh().await.is_err() {
            return;
        }
        self.settle_runs().await;
        let ids: Vec<ScheduleId> = self.fold.all.iter().map(|schedule| schedule.id).collect();
        for id in ids {
            if self.gone || self.stale {
                return;
            }
            if let Err(problem) = self.see_to(id).await {
                tracing::warn!(schedule = %id, %problem, "a schedule waits");
                self.behind = true;
            }
        }
        self.write_fold(false).await;
    }

    async fn see_to(&mut self, id: ScheduleId) -> Result<(), Problem> {
        for _ in 0..STEPS {
            let now = UnixSeconds::from(self.clock.now());
            let Some(schedule) = self.fold.get(id).cloned() else { return Ok(()) };
            if let Some(claim) = schedule.claim {
                return self.see_to_claim(schedule, claim).await;
            }
            if schedule.paused.is_some() {
                return Ok(());
            }
            let rule = schedule.rule.missed;
            let pending = self.when(&schedule).and_then(|when| when.pending(schedule.settled, now, plan::most(rule)));
            let Some(pending) = pending else { return Ok(()) };
            match plan::plan(rule, &pending, now) {
                Plan::Miss { until, count } => {
                    self.note_bare(Event::ScheduleMissed { schedule: id, until, count }).await?;
                }
                Plan::See { due, occasion } => match self.hindrance(&schedule, occasion, now).await? {
                    Some(Hindrance::Wait) => return Ok(()),
                    Some(Hindrance::Skip(reason)) => self.skip(id, (due, occasion), reason, None).await?,
                    None => self.claim(&schedule, (due, occasion), now).await?,
                },
            }
        }
        // There may be more; the others come first.
        self.behind = true;
        Ok(())
    }

    async fn claim(
        &mut self,
        schedule: &Schedule,
        (due, occasion): (UnixSeconds, Occasion),
        now: UnixSeconds,
    ) -> Result<(), Problem> {
        let left = schedule.rule.day_microusd.map(|most| Money(most.0.saturating_sub(schedule.spent_on(now).0)));
        let most_microusd = schedule.rule.run_microusd.into_iter().chain(left).min();
        self.note_bare(Event::ScheduleClaimed { schedule: schedule.id, due, occasion, most_microusd }).await
    }

    /// Says what is claimed, unless that is under way, or was claimed so long ago that the answer may have expired.
    async fn see_to_claim(&mut self, schedule: Schedule, claim: Claim) -> Result<(), Problem> {
        if self.firing.contains(&schedule.id) || self.firing.len() >= FIRING {
            return Ok(());
        }
        let now = self.clock.now();
        if now.0.saturating_sub(claim.since.micros().0) > SCHEDULED_ANSWER_MICROS / 2 {
            return self.skip(schedule.id, (claim.due, claim.occasion), SkipReason::Unknown, None).await;
        }
        if self.rests.get(&schedule.id).is_some_and(|until| self.clock.instant() < *until) {
            self.behind = true;
            return Ok(());
        }
        self.firing.insert(schedule.id);
        let (registry, reports) = (self.registry.clone(), self.reports.clone());
        self.registry.house().tasks.spawn("schedule", async move {
            // Where nobody listens any more, the next daemon finds the claim.
            let _ = reports.send(fire(registry, schedule, claim, now).await).await;
        });
        Ok(())
    }

    /// What stands in the way, as far as that can be seen from here; the session's owner has the last word.
    async fn hindrance(
        &self,
        schedule: &Schedule,
        occasion: Occasion,
        now: UnixSeconds,
    ) -> Result<Option<Hindrance>, Problem> {
        let busy = match schedule.rule.missed {
            MissedRule::All if occasion != Occasion::Asked => Hindrance::Wait,
            MissedRule::All | MissedRule::One | MissedRule::Skip => Hindrance::Skip(SkipReason::Busy),
        };
        if schedule.running.is_some() {
            return Ok(Some(busy));
        }
        let house = self.registry.house();
        let unreadable = |error: store::ReadError| unread(error.to_string());
        let config = house.config();
        let mut accounts = vec![(Account::Day(wire::time::day(self.clock.now())), config.per_day)];
        if let Some(session) = schedule.rule.session {
            let Some(listed) = house.store.session(session).await.map_err(unreadable)? else {
                return Ok(Some(Hindrance::Skip(SkipReason::SessionGone)));
            };
            if listed.row.state != SessionStatus::Idle.word() {
                return Ok(Some(busy));
            }
            accounts.push((Account::Session(session), config.per_session));
        }
        let spent = |most: &Money| schedule.spent_on(now) >= *most;
        if schedule.rule.day_microusd.as_ref().is_some_and(spent) {
            return Ok(Some(Hindrance::Skip(SkipReason::Budget)));
        }
        for (account, limit) in accounts {
            let Some(limit) = limit else { continue };
            if house.store.spent(account).await.map_err(unreadable)?.total() >= limit {
                return Ok(Some(Hindrance::Skip(SkipReason::Budget)));
            }
        }
        Ok(None)
    }

    /// Leaves an occurrence out. A schedule that nobody can want any more rests from then on.
    async fn skip(
        &mut self,
        schedule: ScheduleId,
        (due, occasion): (UnixSeconds, Occasion),
        reason: SkipReason,
        message: Option<String>,
    ) -> Result<(), Problem> {
        let skipped = Event::ScheduleSkipped { schedule, due, occasion, reason };
        let mut events = vec![(skipped, body::write(&body::Skipped { message }))];
        let cause = match reason {
            SkipReason::SessionGone => Some(PauseCause::SessionGone),
            SkipReason::Forgotten => Some(PauseCause::Forgotten),
            _ => None,
        };
        events.extend(cause.map(|cause| (Event::SchedulePaused { schedule, cause }, "{}".to_owned())));
        self.note(events, Vec::new()).await
    }

    /// Writes down what became of a claim, and tells whoever asked for it.
    async fn told(&mut self, report: Report) {
        let Report { id, due, told } = report;
        self.firing.remove(&id);
        if let Err(problem) = self.fresh().await {
            // The claim is on disk. It is said again under its key, and then it is known what became of it.
            let Some(reply) = self.waiting.remove(&id) else { return };
            let _ = reply.send(Err(problem));
            return;
        }
        let claim = self.fold.get(id).and_then(|schedule| schedule.claim.filter(|claim| claim.due == due));
        match claim {
            Some(claim) => self.settle(id, claim, told).await,
            // Removed meanwhile, or read anew: whoever asked hears how it stands.
            None => {
                let Some(reply) = self.waiting.remove(&id) else { return };
                let view = self.view(id).await;
                let _ = reply.send(view);
            }
        }
        // What could not be settled is not tried again at once.
        let is_left = self.fold.get(id).is_some_and(|schedule| schedule.claim.is_some());
        match is_left {
            true => drop(self.rests.insert(id, self.clock.instant() + RETRY)),
            false => drop(self.rests.remove(&id)),
        }
    }

    async fn settle(&mut self, id: ScheduleId, claim: Claim, told: Told) {
        let Some(schedule) = self.fold.get(id) else { return };
        let due = claim.due;
        let waits = schedule.rule.missed == MissedRule::All && claim.occasion != Occasion::Asked;
        let outcome = match told {
            Told::Said(said) => {
                let (in_session, at_seq, turn) = (said.session, said.seq, said.turn.unwrap_or_default());
                self.note_bare(Event::ScheduleFired { schedule: id, due, in_session, turn, at_seq }).await
            }
            Told::Left(SkipReason::Busy, _) if waits => {
                self.behind = true;
                return;
            }
            Told::Left(reason, message) => {
                let noted = self.skip(id, (due, claim.occasion), reason, message.clone()).await;
                noted.and_then(|()| Err(left_out(reason, message)))
            }
            Told::Again(problem) if claim.occasion == Occasion::Asked => Err(problem),
            Told::Again(problem) => {
                tracing::warn!(schedule = %id, %problem, "an occurrence waits");
                self.behind = true;
                return;
            }
        };
        if let Err(problem) = &outcome {
            tracing::warn!(schedule = %id, %problem, "an occurrence did not end as it should");
        }
        let Some(reply) = self.waiting.remove(&id) else { return };
        let view = match outcome {
            Ok(()) => self.view(id).await,
            Err(problem) => Err(problem),
        };
        let _ = reply.send(view);
    }

    /// Claims an occurrence because somebody asked for it.
    pub(super) async fn run(&mut self, id: ScheduleId, reply: Reply<ScheduleView>) {
        match self.claim_asked(id).await {
            Ok(()) => drop(self.waiting.insert(id, reply)),
            Err(problem) => drop(reply.send(Err(problem))),
        }
    }

    async fn claim_asked(&mut self, id: ScheduleId) -> Result<(), Problem> {
        let schedule = self.known(id)?.clone();
        if schedule.claim.is_some() {
            let detail = format!("an occurrence of schedule {id} is being seen to");
            return Err(Problem::new(Code::Conflict, detail).remedy("try again in a moment"));
        }
        let now = UnixSeconds::from(self.clock.now());
        if let Some(Hindrance::Skip(reason)) = self.hindrance(&schedule, Occasion::Asked, now).await? {
            return Err(left_out(reason, None));
        }
        // Two within a second are two.
        let last = schedule.runs.iter().map(|run| run.due.0 + 1).max().unwrap_or(0);
        let due = UnixSeconds(now.0.max(last.min(now.0.saturating_add(60))));
        self.claim(&schedule, (due, Occasion::Asked), now).await
    }

    /// When a schedule is due; nothing, where that cannot be read any more (a zone that this machine does not know).
    pub(super) fn when(&mut self, schedule: &Schedule) -> Option<&When> {
        let made = || {
            let read = When::of(&schedule.rule, schedule.created);
            read.inspect_err(|error| tracing::error!(schedule = %schedule.id, %error, "it is never due")).ok()
        };
        self.whens.entry(schedule.id).or_insert_with(made).as_ref()
    }

    /// How long nothing is to be done.
    fn pause(&mut self) -> Duration {
        if self.behind || self.stale {
            return RETRY;
        }
        let now = self.clock.now();
        let all = std::mem::take(&mut self.fold.all);
        let waiting = all.iter().filter(|one| one.paused.is_none() && one.claim.is_none());
        let next =
            waiting.filter_map(|one| self.when(one)?.after(one.settled)).map(|next| next.micros().0 - now.0).min();
        self.fold.all = all;
        // What is due and waits for a turn to end is seen to when that ends, or within a minute.
        let next = next.filter(|next| *next > 0).map(|micros| Duration::from_micros(micros.unsigned_abs()));
        next.map_or(LOOK_AGAIN, |next| next.min(LOOK_AGAIN))
    }

    /// The whens of schedules that are there.
    pub(super) fn forget_whens(&mut self) {
        let fold = &self.fold;
        self.whens.retain(|id, _| fold.get(*id).is_some());
    }
}

/// What is said to whoever asked for a run that was left out.
fn left_out(reason: SkipReason, message: Option<String>) -> Problem {
    let (detail, remedy) = match reason {
        SkipReason::Busy => ("the session has work, or the run before is not over", "wait for it, or cancel it"),
        SkipReason::Budget => ("the money is gone", "wait for tomorrow, or raise the budget"),
        SkipReason::Inactive => ("nobody was in the session lately", "say something in it"),
        SkipReason::SessionGone => ("the session is no more", "remove the schedule, and make it anew for another one"),
        SkipReason::Forgotten => ("the prompt was forgotten", "remove the schedule, and make it anew"),
        SkipReason::Refused => ("the prompt was refused", "remove the schedule, and make it anew"),
        SkipReason::Unknown => ("it was claimed too long ago", "try again"),
    };
    Problem::new(Code::Conflict, message.unwrap_or_else(|| detail.to_owned())).remedy(remedy)
}
