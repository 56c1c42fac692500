//! A session that begins as a copy of another one, and a session that is removed. Both are the store's work: the owner of
//! the parent is not asked, since what is on disk is all that a fork has; that of a session to be removed has left.

use super::load::no_such_session;
use super::perform::unreadable;
use super::saying::titled;
use crate::archive;
use crate::forgetting::{kept_states, snapshots};
use crate::house::House;
use agent::{Epoch, Event, Money, Seq, SessionId};
use std::sync::Arc;
use store::{Append, AppendError, Fork, JournalId, NewEvent, Remove, SessionRow};
use wire::rest::{ForkRequest, Forked, Removed, SessionStatus};
use wire::{Code, Header, Problem, body};

/// Opens a fork.
pub(crate) async fn fork(house: &House, parent: SessionId, request: ForkRequest) -> Result<Forked, Problem> {
    let listed = house.store.session(parent).await.map_err(unreadable)?.ok_or_else(|| no_such_session(parent))?;
    let at_seq = request.at_seq.unwrap_or(listed.head);
    if at_seq == Seq(0) || at_seq > listed.head {
        let detail = format!("session {parent} has events 1 to {}, not {at_seq}", listed.head);
        return Err(
            Problem::new(Code::InvalidRequest, detail).remedy("`tinkerbell sessions show --events` numbers them")
        );
    }
    let (session, at) = (house.clock.session_id(), house.clock.now());
    let secrets = house.catalog.current().secrets.clone();
    let title = request.title.map(|title| titled(&title, &secrets)).transpose()?.or(listed.row.title);
    let event = Event::SessionForked { parent, at_seq };
    let header = Header { seq: at_seq.next(), at, session: Some(session), event };
    let words = body::Session { workspace: listed.row.workspace.clone(), title: title.clone() };
    let mut append = Append::new(JournalId::Session(session), Epoch(1), house.generation, at_seq);
    append.facts = vec![NewEvent { header: header.to_json(), body: body::write(&words), ..NewEvent::default() }];
    let state = SessionStatus::Idle.word().to_owned();
    append.row = Some(SessionRow { title, state, cost: Money(0), created: at, updated: at, ..listed.row });
    house.store.fork(Fork { from: parent, append }).await.map_err(refused)?;
    Ok(Forked { session, seq: at_seq.next(), parent, at_seq })
}

/// Removes a session whose owner has left, from the picture in git as well. Says where its words still are.
pub(crate) async fn remove(house: &Arc<House>, session: SessionId) -> Result<Removed, Problem> {
    let listed = house.store.session(session).await.map_err(unreadable)?;
    let workspace = listed.map(|listed| listed.row.workspace);
    let forks = house.store.copies(session).await.map_err(unreadable)?;
    let head = house.store.any_head(session).await.map_err(unreadable)?;
    let epoch = head.map(|head| head.epoch).ok_or_else(|| no_such_session(session))?;
    let generation = house.generation;
    if let Some(workspace) = workspace.clone() {
        // Before as well as after: killed in between, nobody could ask for it again.
        erase_picture(house, workspace).await;
    }
    let removed = house.store.remove(Remove { session, epoch, generation }).await.map_err(refused)?;
    if !removed.cleared {
        tracing::warn!(%session, "the words of a removed session are still in files; they go with later writes");
    }
    let erased = match workspace {
        Some(workspace) => erase_picture(house, workspace).await,
        None => true,
    };
    let taken_away = archive::take_away(house, session).await;
    let (events, cleared) = (removed.events, removed.cleared && erased && taken_away);
    let forks = forks.into_iter().map(|(fork, _)| fork).collect();
    let (snapshots, held_in) = snapshots(house, session, Seq(1)).await;
    let kept_states = kept_states(house).await;
    Ok(Removed { session, events, cleared, forks, snapshots, held_in, kept_states })
}

/// Throws the picture of a workspace away: git keeps what a branch no longer names. It is drawn anew when somebody looks.
pub(super) async fn erase_picture(house: &Arc<House>, workspace: String) -> bool {
    let at = house.clone();
    let erased = house.tasks.chore(move || at.pictures.erase(&workspace)).await;
    match erased {
        Some(Ok(())) => true,
        Some(Err(error)) => {
            tracing::warn!(%error, "the picture in git still has what was forgotten");
            false
        }
        None => false,
    }
}

/// What was not made or removed, in a door's words.
pub(crate) fn refused(error: AppendError) -> Problem {
    let code = match error {
        AppendError::Full | AppendError::Locked => Code::StorageFull,
        AppendError::ReadOnly => Code::ReadOnly,
        AppendError::OutcomeUnknown => Code::OutcomeUnknown,
        AppendError::Closed => Code::Draining,
        AppendError::Invalid(_) => Code::Internal,
        _ => Code::Conflict,
    };
    Problem::new(code, error.to_string()).remedy("look with `tinkerbell sessions ls` before you ask again")
}
