//! Which turns that schedules began are over, how they ended and what they cost.

use super::fold::Running;
use super::keeper::Keeper;
use agent::{Event, Money, ScheduleId, Seq, TurnOutcome};
use std::collections::BTreeMap;
use store::{JournalId, ReadError, Store};
use wire::Header;

/// Events read at a time.
const PAGE: usize = 256;

/// How far the journals of sessions were looked through for the ends of turns.
#[derive(Debug, Default)]
pub(super) struct Looked(BTreeMap<ScheduleId, (Running, Seq)>);

/// How a turn ended.
type Ended = (Option<TurnOutcome>, Money);

impl Keeper {
    /// Writes down which runs are over.
    pub(super) async fn settle_runs(&mut self) {
        let running = self.fold.all.iter().filter_map(|one| Some((one.id, one.running?)));
        let running: Vec<(ScheduleId, Running)> = running.collect();
        // Before anything is looked at, so that a turn that ends meanwhile is told of.
        self.registry.house().schedules.watch(running.iter().map(|(_, run)| run.session).collect());
        let store = self.registry.house().store.clone();
        for (schedule, run) in &running {
            let after = self.looked.place(*schedule, run);
            let (outcome, cost_microusd) = match end_of(&store, run, after).await {
                Ok(Ok(ended)) => ended,
                Ok(Err(seen)) => {
                    self.looked.0.insert(*schedule, (*run, seen));
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%schedule, %error, "the turn of a schedule cannot be looked at");
                    continue;
                }
            };
            let event = Event::ScheduleEnded { schedule: *schedule, due: run.claim.due, outcome, cost_microusd };
            if let Err(problem) = self.note_bare(event).await {
                tracing::warn!(%schedule, %problem, "the end of a run waits for the journal");
            }
        }
        self.looked.0.retain(|id, (run, _)| self.fold.get(*id).is_some_and(|one| one.running == Some(*run)));
    }
}

impl Looked {
    fn place(&self, id: ScheduleId, run: &Running) -> Seq {
        self.0.get(&id).filter(|(known, _)| known == run).map_or(run.at_seq, |(_, seen)| *seen)
    }
}

/// How the turn ended, or how far was looked without seeing its end. A session that is gone took its account along: what
/// the run may have cost is what it was given.
async fn end_of(store: &Store, run: &Running, after: Seq) -> Result<Result<Ended, Seq>, ReadError> {
    let journal = JournalId::Session(run.session);
    if store.any_head(run.session).await?.is_none() {
        return Ok(Ok((None, run.claim.most.unwrap_or_default())));
    }
    let mut seen = after;
    loop {
        let page = store.events(journal, seen, PAGE).await?;
        let Some(last) = page.last().map(|record| record.seq) else { return Ok(Err(seen)) };
        for record in page {
            if let Ok(Header { event: Event::TurnFinished { turn, outcome, cost_microusd, .. }, .. }) =
                Header::from_json(&record.header)
                && turn == run.turn
            {
                return Ok(Ok((Some(outcome), cost_microusd)));
            }
        }
        seen = last;
    }
}
