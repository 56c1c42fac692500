//! A replay from the request to its answer.

use super::drive::Drive;
use super::rerun;
use crate::house::House;
use crate::session::{no_such_session, unreadable};
use agent::{Event, Seq, SessionId, TurnId};
use std::sync::Arc;
use store::JournalId;
use wire::rest::{ReplayRequest, Replayed};
use wire::{Code, Header, Problem};

/// Events read at a time.
const PAGE: usize = 256;

/// Runs a session again. Without `with` nothing leaves this process.
pub(crate) async fn replay(
    house: &Arc<House>,
    session: SessionId,
    request: ReplayRequest,
) -> Result<Replayed, Problem> {
    let listed = house.store.session(session).await.map_err(unreadable)?.ok_or_else(|| no_such_session(session))?;
    let until = request.until.unwrap_or(listed.head);
    if until == Seq(0) || until > listed.head {
        let detail = format!("session {session} has events 1 to {}, not {until}", listed.head);
        return Err(
            Problem::new(Code::InvalidRequest, detail).remedy("`tinkerbell sessions show --events` numbers them")
        );
    }
    let workspace = listed.row.workspace;
    let Some(with) = request.with else {
        return Ok(Drive::through(house, session, workspace, until, until == listed.head).await?.done);
    };
    let (turn, began) = turn_began(house, session, until, with.turn).await?;
    let before = Seq(began.0 - 1);
    let drive = Drive::through(house, session, workspace.clone(), before, false).await?;
    let mut done = drive.done;
    if done.divergence.is_none() {
        let place = rerun::Place { session, workspace, turn, began, until };
        done.rerun = Some(rerun::rerun(house, place, drive.state, with, request.agreed).await?);
    }
    Ok(done)
}

/// The turn that is meant, and where it began.
async fn turn_began(
    house: &House,
    session: SessionId,
    until: Seq,
    wanted: Option<TurnId>,
) -> Result<(TurnId, Seq), Problem> {
    let (mut found, mut at) = (None, Seq(0));
    while at < until {
        let page = house.store.events(JournalId::Session(session), at, PAGE).await.map_err(unreadable)?;
        let Some(last) = page.last() else { break };
        at = last.seq;
        for record in page.iter().filter(|record| record.seq <= until && record.header.contains("\"turn.started\"")) {
            if let Ok(Header { event: Event::TurnStarted { turn }, seq, .. }) = Header::from_json(&record.header)
                && wanted.is_none_or(|wanted| wanted == turn)
            {
                found = Some((turn, seq));
            }
        }
    }
    found.ok_or_else(|| {
        let detail = match wanted {
            Some(turn) => format!("session {session} has no turn {turn} up to event {until}"),
            None => format!("session {session} has no turn up to event {until}"),
        };
        Problem::new(Code::NotFound, detail).remedy("`tinkerbell sessions show --events` names the turns")
    })
}
