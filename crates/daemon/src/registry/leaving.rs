//! Sessions that leave the journal, by removal or for the archive, and those that come back. Meanwhile nobody wakes them.

use super::{Registry, handed_over};
use crate::archive::{self, Kept};
use crate::session::{self, Command};
use agent::SessionId;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use wire::rest::{Removed, SessionArchived, SessionStatus, SessionUnarchived};
use wire::{Code, Problem};

/// How a session leaves the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    Removed,
    Archived,
}

impl Leaving {
    /// What is said to whoever wants something of it meanwhile.
    pub(super) fn problem(self, id: SessionId) -> Problem {
        match self {
            Leaving::Removed => session::no_such_session(id),
            Leaving::Archived => handed_over(),
        }
    }
}

/// While it lives, nobody wakes a session; also when whoever asked for it to leave has left.
pub(super) struct Barred {
    registry: Arc<Registry>,
    id: SessionId,
}

impl Drop for Barred {
    fn drop(&mut self) {
        self.registry.lock().leaving.remove(&self.id);
    }
}

impl Registry {
    /// Removes a session with all its words. Meanwhile nobody wakes it. Once begun it goes to its end, whether or not
    /// somebody still waits for it: a session that is gone cannot be removed again from where its words still are.
    pub async fn remove(self: &Arc<Registry>, id: SessionId, force: bool) -> Result<Removed, Problem> {
        let registry = self.clone();
        let removing = async move { registry.take_out(id, force).await };
        self.house.tasks.to_its_end("removing", removing).await.unwrap_or_else(|| Err(handed_over()))
    }

    async fn take_out(self: &Arc<Registry>, id: SessionId, force: bool) -> Result<Removed, Problem> {
        let archived = self.house.store.archived(id).await.map_err(session::unreadable)?.is_some();
        let (barred, inbox) = self.bar(id, Leaving::Removed, archived)?;
        if let Some(inbox) = inbox {
            match leave(inbox, force).await {
                // Such a session cannot be woken any more, and removing it must be possible all the same.
                Err(problem) if force && problem.code == Code::Internal => {}
                Err(problem) => return Err(problem),
                Ok(()) => {}
            }
        }
        let removed = session::remove(&self.house, id).await;
        drop(barred);
        if removed.is_err() {
            // Its turn was let go of; it goes on.
            self.wake(id);
        }
        removed
    }

    /// Lets a session leave the journal for a file of its own. It comes back when somebody wants something of it.
    pub async fn archive(self: &Arc<Registry>, id: SessionId) -> Result<SessionArchived, Problem> {
        if let Some(archived) = self.house.store.archived(id).await.map_err(session::unreadable)? {
            let (events, bytes, archived_at) = (archived.head.seq.0, archived.file.bytes, archived.file.at);
            return Ok(SessionArchived { session: id, events, bytes, archived_at, was_archived: true, cleared: true });
        }
        let scheduled = self.house.schedules.sessions().await?;
        self.put_away(id, &scheduled, false).await?.map_err(|kept| kept.problem(id))
    }

    /// The same, unless something keeps the session where it is.
    pub(crate) async fn put_away(
        self: &Arc<Registry>,
        id: SessionId,
        scheduled: &BTreeSet<SessionId>,
        by_itself: bool,
    ) -> Result<Result<SessionArchived, Kept>, Problem> {
        if let Some(kept) = Kept::of(&self.house, id, scheduled, by_itself).await? {
            return Ok(Err(kept));
        }
        let (barred, inbox) = self.bar(id, Leaving::Archived, true)?;
        if let Some(inbox) = inbox {
            leave(inbox, false).await.map_err(|problem| match problem.code {
                Code::Conflict => Kept::Work(SessionStatus::Running).problem(id),
                _ => problem,
            })?;
        }
        // To its end, whether or not somebody still waits for it.
        let house = self.house.clone();
        let archiving = async move {
            let archived = archive::put_away(&house, id).await;
            drop(barred);
            archived
        };
        self.house.tasks.to_its_end("archiving", archiving).await.unwrap_or_else(|| Err(handed_over())).map(Ok)
    }

    /// Whether a session is in memory.
    pub(crate) fn is_awake(&self, id: SessionId) -> bool {
        self.lock().guests.contains_key(&id)
    }

    /// Lets an archived session come back, as anything that is wanted of it would.
    pub async fn unarchive(self: &Arc<Registry>, id: SessionId) -> Result<SessionUnarchived, Problem> {
        let was_archived = self.house.store.archived(id).await.map_err(session::unreadable)?.is_some();
        let view = self.ask(id, |reply| Command::View { reply }).await?;
        Ok(SessionUnarchived { session: id, events: view.row.head.0, was_archived })
    }

    /// Lets a session come back if it is archived, for whoever reads its journal without its owner.
    pub(crate) async fn present(self: &Arc<Registry>, id: SessionId) -> Result<(), Problem> {
        match self.house.store.archived(id).await.map_err(session::unreadable)? {
            Some(_) => self.unarchive(id).await.map(drop),
            None => Ok(()),
        }
    }

    /// Lets nobody wake a session from now on, and gives the inbox of its owner, who is woken for it unless `asleep` says
    /// that it has no need of one.
    fn bar(
        self: &Arc<Registry>,
        id: SessionId,
        leaving: Leaving,
        asleep: bool,
    ) -> Result<(Barred, Option<mpsc::Sender<Command>>), Problem> {
        let mut awake = self.lock();
        let inbox = match asleep && !awake.leaving.contains_key(&id) && !awake.guests.contains_key(&id) {
            true => None,
            false => Some(self.awake_or_woken(&mut awake, id)?.clone()),
        };
        awake.leaving.insert(id, leaving);
        drop(awake);
        Ok((Barred { registry: self.clone(), id }, inbox))
    }
}

/// Asks an owner to leave for good, and waits until it has.
async fn leave(inbox: mpsc::Sender<Command>, force: bool) -> Result<(), Problem> {
    let (reply, answer) = oneshot::channel();
    inbox.send(Command::Leave { force, reply }).await.map_err(|_| handed_over())?;
    let left = answer.await.unwrap_or_else(|_| Err(handed_over()));
    // One that cannot be woken is gone as well.
    if left.as_ref().err().is_none_or(|problem| problem.code == Code::Internal) {
        inbox.closed().await;
    }
    left.map(drop)
}
