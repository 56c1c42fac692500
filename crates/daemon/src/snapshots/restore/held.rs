//! What is told of a state that was restored: where its sessions work, and what happens in it by itself.

use agent::{Event, Micros, ScheduleId, UnixSeconds};
use std::collections::BTreeSet;
use std::path::Path;
use store::{OpenError, Store};
use wire::Header;
use wire::snapshot::MAX_WORKSPACES;

/// The events that decide whether a schedule is active.
const KINDS: [&str; 4] = ["schedule.created", "schedule.removed", "schedule.paused", "schedule.resumed"];

/// What a state holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// Where its sessions work, the busiest workspaces first.
    pub workspaces: Vec<String>,
    /// Whether these are all.
    pub all_workspaces: bool,
    /// How many schedules are not paused and not over.
    pub schedules: u64,
}

impl Held {
    /// What the journal of a snapshot of that time holds. Nobody has it open.
    pub(super) fn read(journal: &Path, at: Micros) -> Result<Held, OpenError> {
        let (named, all) = Store::workspaces_of_copy(journal, MAX_WORKSPACES)?;
        let all_workspaces = all == named.len() as u64;
        let workspaces = named.into_iter().map(|(path, _)| path).collect();
        let headers = Store::daemon_headers_of_copy(journal, &KINDS.map(|kind| format!("\"kind\":\"{kind}\"")))?;
        let events = headers.iter().filter_map(|header| Header::from_json(header).ok()).map(|header| header.event);
        Ok(Held { workspaces, all_workspaces, schedules: active(events, at.into()) })
    }
}

fn active(events: impl Iterator<Item = Event>, now: UnixSeconds) -> u64 {
    let (mut all, mut paused) = (BTreeSet::<ScheduleId>::new(), BTreeSet::new());
    for event in events {
        match event {
            Event::ScheduleCreated { schedule, rule } if rule.once.is_none_or(|once| once > now) => {
                all.insert(schedule);
            }
            Event::ScheduleRemoved { schedule } => {
                all.remove(&schedule);
            }
            Event::SchedulePaused { schedule, .. } => {
                paused.insert(schedule);
            }
            Event::ScheduleResumed { schedule } => {
                paused.remove(&schedule);
            }
            _ => {}
        }
    }
    all.difference(&paused).count() as u64
}
