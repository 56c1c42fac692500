//! The way through a journal: append by append, each compared and then applied as it is recorded.

use super::compare::{Compared, compare, described};
use super::differ;
use super::groups::{Entry, Groups, Part, is_border, part};
use super::record::{Calls, Checked};
use super::settings::Lives;
use crate::house::House;
use crate::session::unreadable;
use agent::{Effect, EffectId, Event, Seq, SessionId, Settings, State};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::Problem;
use wire::rest::{Divergence, Replayed};

/// How far a journal has been gone through.
pub(super) struct Drive {
    house: Arc<House>,
    lives: Lives,
    calls: Calls,
    pub(super) state: State,
    pub(super) done: Replayed,
    /// What is wanted since an event and has not begun: an owner that is about to stop begins nothing.
    missing: BTreeMap<EffectId, (Seq, Effect)>,
}

/// What came of a comparison, and the settings that it was made under.
type Outcome = (Option<Compared>, Option<Arc<Settings>>);

impl Drive {
    /// Goes up to `until`, or to the first divergence. `whole` says that an append ends there.
    pub(super) async fn through(
        house: &Arc<House>,
        session: SessionId,
        workspace: String,
        until: Seq,
        whole: bool,
    ) -> Result<Drive, Problem> {
        let lives = Lives::read(house, session, until).await.map_err(unreadable)?;
        let done = Replayed {
            session,
            until,
            events: 0,
            decisions: 0,
            requests: 0,
            unchecked: 0,
            divergence: None,
            rerun: None,
        };
        let calls = Calls::new(house.clone(), session, workspace);
        let (state, missing) = (State::default(), BTreeMap::new());
        let mut drive = Drive { house: house.clone(), lives, calls, state, done, missing };
        let mut groups = Groups::new(house, session, until);
        let mut group = groups.next().await.map_err(unreadable)?;
        while !group.is_empty() {
            let next = groups.next().await.map_err(unreadable)?;
            let cut = next.first().map_or(!whole, |entry| is_border(&entry.header.event));
            if let Some(divergence) = drive.append(&group, cut).await? {
                drive.done.divergence = Some(*divergence);
                return Ok(drive);
            }
            group = next;
        }
        Ok(drive)
    }

    async fn append(&mut self, group: &[Entry], cut: bool) -> Result<Option<Box<Divergence>>, Problem> {
        let begins_anew = |event: &Event| is_border(event) || matches!(event, Event::OwnerBegan { .. });
        if group.iter().any(|entry| begins_anew(&entry.header.event)) {
            self.missing.clear();
        }
        if !group.iter().any(|entry| is_border(&entry.header.event)) {
            let (compared, settings) = match self.compare(group, cut).await? {
                Ok(compared) => compared,
                Err(divergence) => return Ok(Some(divergence)),
            };
            if let Some(compared) = &compared
                && let Some(divergence) = self.note_missing(group, compared, cut)
            {
                return Ok(Some(divergence));
            }
            if let (Some(compared), Some(settings)) = (compared, settings)
                && let Some(divergence) = self.check_calls(group, &compared.after, &settings).await?
            {
                return Ok(Some(divergence));
            }
        }
        for entry in group {
            self.state.apply(entry.seq, &entry.header.event);
            self.done.events += 1;
            self.done.decisions += u64::from(part(&entry.header.event) != Part::Happened);
        }
        Ok(None)
    }

    /// Compares under the settings that may have held. Where nothing says which did, a difference says nothing.
    async fn compare(&mut self, group: &[Entry], cut: bool) -> Result<Result<Outcome, Box<Divergence>>, Problem> {
        let candidates = self.lives.of(&self.house, group).await.map_err(unreadable)?;
        if candidates.is_empty() {
            return Ok(Ok((compare(&self.state, &Settings::default(), group, cut).ok(), None)));
        }
        let mut first = None;
        for settings in candidates {
            match compare(&self.state, &settings, group, cut) {
                Ok(compared) => return Ok(Ok((Some(compared), Some(settings)))),
                Err(divergence) => first = first.or(Some(divergence)),
            }
        }
        Ok(Err(first.expect("there was one that it differed under")))
    }

    /// What is wanted begins at once, or not before another owner: an owner that stops begins nothing any more.
    fn note_missing(&mut self, group: &[Entry], compared: &Compared, cut: bool) -> Option<Box<Divergence>> {
        let last = group.last().map_or(self.state.head, |entry| entry.seq);
        let mut began = group.iter().filter(|entry| part(&entry.header.event) == Part::Began);
        let other = began.find(|entry| entry.header.event.starts().is_some_and(|id| !self.missing.contains_key(&id)));
        let known = |id: &EffectId| self.missing.get(id).map(|(since, _)| *since);
        self.missing = compared.missing.iter().map(|(id, e)| (*id, (known(id).unwrap_or(last), e.clone()))).collect();
        let (since, effect) = self.missing.values().next()?;
        other.filter(|_| !cut).map(|_| {
            let now = described(effect);
            let what = format!("{now} begins now after event {since}, and then it did not");
            let diff = vec![format!("+ {now}")];
            Box::new(Divergence { seq: since.next(), what, recorded: "nothing".to_owned(), now, diff })
        })
    }

    async fn check_calls(
        &mut self,
        group: &[Entry],
        after: &State,
        settings: &Settings,
    ) -> Result<Option<Box<Divergence>>, Problem> {
        for entry in group {
            let checked = match &entry.header.event {
                Event::ModelStarted { .. } => self.calls.started(entry, after, settings).await?,
                Event::ModelFinished { .. } => self.calls.finished(entry).await?,
                _ => continue,
            };
            match checked {
                Checked::Same => self.done.requests += 1,
                Checked::Unknown => self.done.unchecked += 1,
                Checked::Nothing => {}
                Checked::Otherwise { what, recorded, now } => {
                    return Ok(Some(Box::new(differ::values(entry.seq, what, &recorded, &now))));
                }
            }
        }
        Ok(None)
    }
}
