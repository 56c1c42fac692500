//! Schedules of a state that came from another machine: where they open sessions from now on.

use super::note::load;
use crate::house::House;
use crate::journal::Notes;
use crate::reroot::RerootError;
use crate::snapshots::restore::Roots;
use agent::Event;
use store::JournalId;
use wire::body;

/// Writes down of each schedule below a root where it opens sessions now; how many there were. Before the keeper begins.
pub(crate) async fn reroot(house: &House, roots: &Roots) -> Result<u64, RerootError> {
    let (fold, _) = load(&house.store).await?;
    let mut count = 0;
    for schedule in fold.all {
        let record = house.store.event(JournalId::Daemon, schedule.made).await?;
        let words = record.and_then(|record| body::read::<body::Schedule>(record.body.as_deref()?).ok());
        let Some(words) = words else { continue };
        let Some(workspace) = words.workspace.as_deref().and_then(|path| roots.moved(path)) else { continue };
        let words = body::Schedule { workspace: Some(workspace), ..words };
        let events = vec![(Event::ScheduleMoved { schedule: schedule.id }, body::write(&words))];
        // One event has the words of a schedule, so that its removal takes them all away.
        let notes = Notes { events, forget: vec![schedule.made], fold: None };
        house.journal.note_all(house.clock.now(), notes).await?;
        count += 1;
    }
    Ok(count)
}
