//! Which sessions are archived by themselves, and which may be at all.

use crate::house::House;
use crate::registry::Registry;
use crate::session::{at_rest, no_such_session, unreadable};
use crate::status::internal;
use agent::{Micros, SessionId};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{JournalId, ListCursor};
use wire::rest::SessionStatus;
use wire::{Code, Problem};

/// Sessions looked at together.
const PAGE: usize = 256;
/// Looked at in one pass; what is left is looked at in the next one.
const MOST_LOOKED_AT: usize = 20_000;

/// Why a session stays in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// A turn runs, or waits for an answer.
    Work(SessionStatus),
    /// A schedule speaks to it.
    Schedule,
    /// Its canvas holds what nobody has accepted.
    Canvas,
}

impl Kept {
    /// What keeps a session where it is, as far as the disk tells; unless somebody asks for it, a canvas does, too. Wakes
    /// nobody.
    pub(crate) async fn of(
        house: &House,
        session: SessionId,
        scheduled: &BTreeSet<SessionId>,
        by_itself: bool,
    ) -> Result<Option<Kept>, Problem> {
        let head = house.store.head(JournalId::Session(session)).await.map_err(unreadable)?;
        head.ok_or_else(|| no_such_session(session))?;
        let (status, pending) = at_rest(house, session).await.map_err(unreadable)?;
        Ok(if status != SessionStatus::Idle {
            Some(Kept::Work(status))
        } else if scheduled.contains(&session) {
            Some(Kept::Schedule)
        } else {
            (by_itself && pending > 0).then_some(Kept::Canvas)
        })
    }

    /// The same to whoever asked for it.
    pub(crate) fn problem(self, session: SessionId) -> Problem {
        let (what, remedy) = match self {
            Kept::Work(SessionStatus::Waiting) => ("waits for an answer", "answer it, or `tinkerbell cancel`"),
            Kept::Work(_) => ("has a turn that runs", "wait for its end, or `tinkerbell cancel`"),
            Kept::Schedule => ("is spoken to by a schedule", "remove the schedule first: `tinkerbell schedule ls`"),
            Kept::Canvas => ("has changes that are not accepted", "accept or reject them"),
        };
        Problem::new(Code::Conflict, format!("session {session} {what}, so it was not archived")).remedy(remedy)
    }
}

/// Sessions in which nothing happened for so long, the longest idle first. Whether they may go shows when they are asked.
pub(crate) async fn idle(registry: &Arc<Registry>, idle_ms: u64) -> Result<Vec<SessionId>, Problem> {
    let house = registry.house();
    let idle = i64::try_from(idle_ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
    let since = Micros(house.clock.now().0.saturating_sub(idle));
    let scheduled = house.schedules.sessions().await?;
    let (mut found, mut looked_at, mut after) = (Vec::new(), 0, None::<ListCursor>);
    while looked_at < MOST_LOOKED_AT {
        let page = house.store.idle(since, after, PAGE).await.map_err(internal)?;
        let Some(last) = page.last() else { break };
        (after, looked_at) = (Some(last.cursor), looked_at + page.len());
        found.extend(page.iter().map(|row| row.session).filter(|session| !scheduled.contains(session)));
    }
    Ok(found)
}
