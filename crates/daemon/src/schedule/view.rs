//! What the keeper answers, and how schedules look from outside.

use super::ask::Ask;
use super::fold::{End, Run, Schedule};
use super::keeper::Keeper;
use super::note::unread;
use agent::{Event, Money, PauseCause, ScheduleId, ScheduleRule, Seq, SkipReason, UnixSeconds};
use std::collections::BTreeMap;
use store::JournalId;
use wire::body;
use wire::rest::{CreateSchedule, ScheduleList, ScheduleRun, ScheduleStatus, ScheduleView};
use wire::{Code, Problem};

impl Keeper {
    /// Does what is asked, and answers. Whoever asked may have left; it happens all the same.
    pub(super) async fn obey(&mut self, ask: Ask) {
        if let Err(problem) = self.fresh().await {
            return ask.refuse(problem);
        }
        match ask {
            Ask::Add(request, reply) => drop(reply.send(self.add(*request).await)),
            Ask::List(reply) => drop(reply.send(self.list().await)),
            Ask::Get(id, reply) => drop(reply.send(self.view(id).await)),
            Ask::Remove(id, reply) => drop(reply.send(self.remove(id).await)),
            Ask::Pause(id, reply) => drop(reply.send(self.set_paused(id, true).await)),
            Ask::Resume(id, reply) => drop(reply.send(self.set_paused(id, false).await)),
            Ask::Run(id, reply) => self.run(id, reply).await,
        }
    }

    /// One that is there.
    pub(super) fn known(&self, id: ScheduleId) -> Result<&Schedule, Problem> {
        self.fold.get(id).ok_or_else(|| {
            Problem::new(Code::NotFound, format!("there is no schedule {id}"))
                .remedy("`tinkerbell schedule ls` lists them")
        })
    }

    async fn add(&mut self, request: CreateSchedule) -> Result<ScheduleView, Problem> {
        let (rule, words) = self.read(request).await?;
        let id = self.clock.schedule_id();
        // One that makes room goes as by hand: nobody could have its words forgotten any more.
        let (mut events, forget): (Vec<_>, Vec<_>) = self.fold.makes_room().map(removal).into_iter().unzip();
        events.push((Event::ScheduleCreated { schedule: id, rule }, body::write(&words)));
        self.note(events, forget.concat()).await?;
        self.forget_whens();
        self.view(id).await
    }

    /// Removes a schedule and forgets its words, and those about its occurrences as far as they are remembered.
    async fn remove(&mut self, id: ScheduleId) -> Result<ScheduleView, Problem> {
        let view = self.view(id).await?;
        let (removed, forget) = removal(self.known(id)?);
        self.note(vec![removed], forget).await?;
        self.forget_whens();
        self.write_fold(true).await;
        Ok(view)
    }

    async fn set_paused(&mut self, id: ScheduleId, paused: bool) -> Result<ScheduleView, Problem> {
        let schedule = self.known(id)?;
        if paused && schedule.paused.is_none() {
            self.rest(id, PauseCause::Asked).await?;
        } else if !paused && schedule.paused.is_some() {
            self.note_bare(Event::ScheduleResumed { schedule: id }).await?;
        }
        self.view(id).await
    }

    async fn list(&mut self) -> Result<ScheduleList, Problem> {
        let all = self.fold.all.clone();
        let mut words = self.words(all.iter().map(|schedule| schedule.made)).await?;
        let schedules = all.iter().map(|schedule| self.shown(schedule, &mut words)).collect();
        Ok(ScheduleList { schedules })
    }

    /// One schedule as doors show it.
    pub(super) async fn view(&mut self, id: ScheduleId) -> Result<ScheduleView, Problem> {
        let schedule = self.known(id)?.clone();
        let mut words = self.words(worded(&schedule).into_iter()).await?;
        Ok(self.shown(&schedule, &mut words))
    }

    /// The words of events of the daemon, as far as they were not forgotten.
    async fn words(&self, seqs: impl Iterator<Item = Seq>) -> Result<BTreeMap<Seq, String>, Problem> {
        let seqs: Vec<Seq> = seqs.collect();
        let records = self.registry.house().store.events_at(JournalId::Daemon, &seqs).await;
        let records = records.map_err(|error| unread(error.to_string()))?;
        Ok(records.into_iter().filter_map(|record| Some((record.seq, record.body?))).collect())
    }

    fn shown(&mut self, schedule: &Schedule, words: &mut BTreeMap<Seq, String>) -> ScheduleView {
        let now = UnixSeconds::from(self.clock.now());
        let said: Option<body::Schedule> = words.remove(&schedule.made).and_then(|text| body::read(&text).ok());
        let runs = schedule.runs.iter().map(|run| shown_run(run, words)).collect();
        let rule = schedule.rule.clone();
        let next = match schedule.paused {
            Some(_) => None,
            None => self.when(schedule).and_then(|when| when.after(schedule.settled.max(now))),
        };
        let status = match (schedule.paused, schedule.running.is_some() || schedule.claim.is_some(), next) {
            (_, true, _) => ScheduleStatus::Running,
            (Some(_), _, _) => ScheduleStatus::Paused,
            (None, _, None) if schedule.is_over() => ScheduleStatus::Done,
            (None, ..) => ScheduleStatus::Active,
        };
        let (name, prompt, workspace) = match said {
            Some(said) => (Some(said.name), Some(said.prompt), said.workspace),
            None => (None, None, None),
        };
        ScheduleView {
            id: schedule.id,
            name,
            prompt,
            when: when_in_words(&rule),
            status,
            paused: schedule.paused,
            session: rule.session,
            workspace,
            missed: rule.missed,
            run_microusd: rule.run_microusd,
            day_microusd: rule.day_microusd,
            active_s: rule.active_s,
            model: rule.model,
            created_at: schedule.created.micros(),
            next_at: next.map(UnixSeconds::micros),
            spent_today_microusd: schedule.spent_on(now),
            fired: schedule.fired,
            skipped: schedule.skipped,
            missed_count: schedule.missed,
            runs,
        }
    }
}

/// The event that removes a schedule, and those whose words go with it.
fn removal(schedule: &Schedule) -> ((Event, String), Vec<Seq>) {
    ((Event::ScheduleRemoved { schedule: schedule.id }, "{}".to_owned()), worded(schedule))
}

/// The events that have its words, and those about its occurrences.
fn worded(schedule: &Schedule) -> Vec<Seq> {
    let runs = schedule.runs.iter().filter(|run| has_words(run)).map(|run| run.seq);
    [schedule.made].into_iter().chain(runs).collect()
}

/// Whether the event that tells of it has words.
fn has_words(run: &Run) -> bool {
    matches!(run.end, End::Skipped { reason: SkipReason::Refused, .. })
}

fn shown_run(run: &Run, words: &mut BTreeMap<Seq, String>) -> ScheduleRun {
    let empty = ScheduleRun {
        due_at: run.due.micros(),
        occasion: None,
        reason: None,
        missed: None,
        session: None,
        turn: None,
        seq: None,
        outcome: None,
        cost_microusd: Money(0),
        message: None,
    };
    match run.end {
        End::Missed { count } => ScheduleRun { missed: Some(count), ..empty },
        End::Skipped { occasion, reason } => {
            let told: Option<body::Skipped> = words.remove(&run.seq).and_then(|text| body::read(&text).ok());
            let message = told.and_then(|told| told.message);
            ScheduleRun { occasion: Some(occasion), reason: Some(reason), message, ..empty }
        }
        End::Fired { occasion, session, turn, at_seq, outcome, cost, over } => ScheduleRun {
            occasion: Some(occasion),
            session: Some(session),
            turn: Some(turn),
            seq: Some(at_seq),
            outcome,
            cost_microusd: cost,
            message: (over && outcome.is_none()).then(|| "its session is no more".to_owned()),
            ..empty
        },
    }
}

fn when_in_words(rule: &ScheduleRule) -> String {
    match (&rule.cron, rule.every_s) {
        (Some(cron), _) => format!("{cron} ({})", rule.zone.as_deref().unwrap_or("UTC")),
        (None, Some(seconds)) => format!("every {}", lasting(seconds)),
        (None, None) => "once".to_owned(),
    }
}

/// Seconds in the largest units that say them whole.
fn lasting(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds;
    let part = |(unit, letter): (u64, &str)| {
        let count = rest / unit;
        rest %= unit;
        (count > 0).then(|| format!("{count}{letter}"))
    };
    UNITS.into_iter().filter_map(part).collect()
}
