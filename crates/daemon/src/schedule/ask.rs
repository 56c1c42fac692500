//! How the rest of the house speaks to the keeper of schedules: by messages, and by a nudge when a turn ends.

use agent::{ScheduleId, SessionId};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tokio::sync::{Notify, mpsc, oneshot};
use wire::rest::{CreateSchedule, ScheduleList, ScheduleView};
use wire::{Code, Problem};

/// Questions that wait for the keeper; it answers each in milliseconds.
const ASKS: usize = 64;

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Problem>>;

/// What the keeper is asked.
#[derive(Debug)]
pub(super) enum Ask {
    Add(Box<CreateSchedule>, Reply<ScheduleView>),
    List(Reply<ScheduleList>),
    Get(ScheduleId, Reply<ScheduleView>),
    Remove(ScheduleId, Reply<ScheduleView>),
    Pause(ScheduleId, Reply<ScheduleView>),
    Resume(ScheduleId, Reply<ScheduleView>),
    /// Answered when it is known what became of it.
    Run(ScheduleId, Reply<ScheduleView>),
}

impl Ask {
    /// Answers it with what is in the way.
    pub(super) fn refuse(self, problem: Problem) {
        match self {
            Ask::List(reply) => drop(reply.send(Err(problem))),
            Ask::Add(_, reply)
            | Ask::Get(_, reply)
            | Ask::Remove(_, reply)
            | Ask::Pause(_, reply)
            | Ask::Resume(_, reply)
            | Ask::Run(_, reply) => drop(reply.send(Err(problem))),
        }
    }
}

/// The keeper, from outside.
#[derive(Debug)]
pub struct Schedules {
    asks: mpsc::Sender<Ask>,
    /// Until the keeper takes it.
    inbox: Mutex<Option<mpsc::Receiver<Ask>>>,
    /// A turn ended that a schedule began.
    pub(super) ended: Notify,
    /// Sessions with such turns.
    watched: Mutex<BTreeSet<SessionId>>,
}

impl Schedules {
    /// A keeper that has not begun.
    pub(crate) fn new() -> Schedules {
        let (asks, inbox) = mpsc::channel(ASKS);
        Schedules { asks, inbox: Mutex::new(Some(inbox)), ended: Notify::new(), watched: Mutex::default() }
    }

    /// The sessions that schedules speak to; none where nobody keeps schedules.
    pub(crate) async fn sessions(&self) -> Result<BTreeSet<SessionId>, Problem> {
        if self.inbox.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(BTreeSet::new());
        }
        Ok(self.list().await?.schedules.into_iter().filter_map(|schedule| schedule.session).collect())
    }

    /// Makes a schedule.
    pub async fn add(&self, request: CreateSchedule) -> Result<ScheduleView, Problem> {
        self.ask(|reply| Ask::Add(Box::new(request), reply)).await
    }

    /// All of them.
    pub async fn list(&self) -> Result<ScheduleList, Problem> {
        self.ask(Ask::List).await
    }

    /// One of them.
    pub async fn get(&self, id: ScheduleId) -> Result<ScheduleView, Problem> {
        self.ask(|reply| Ask::Get(id, reply)).await
    }

    /// Removes one; how it was.
    pub async fn remove(&self, id: ScheduleId) -> Result<ScheduleView, Problem> {
        self.ask(|reply| Ask::Remove(id, reply)).await
    }

    /// Lets one rest.
    pub async fn pause(&self, id: ScheduleId) -> Result<ScheduleView, Problem> {
        self.ask(|reply| Ask::Pause(id, reply)).await
    }

    /// Lets one go on.
    pub async fn resume(&self, id: ScheduleId) -> Result<ScheduleView, Problem> {
        self.ask(|reply| Ask::Resume(id, reply)).await
    }

    /// Says the prompt of one now.
    pub async fn run(&self, id: ScheduleId) -> Result<ScheduleView, Problem> {
        self.ask(|reply| Ask::Run(id, reply)).await
    }

    /// A turn of a session has ended.
    pub(crate) fn turn_ended(&self, session: SessionId) {
        if self.lock().contains(&session) {
            self.ended.notify_one();
        }
    }

    /// Which sessions have turns that schedules began.
    pub(super) fn watch(&self, sessions: BTreeSet<SessionId>) {
        *self.lock() = sessions;
    }

    /// The keeper's own end of the line; the first who asks is the keeper.
    pub(super) fn take_inbox(&self) -> Option<mpsc::Receiver<Ask>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<SessionId>> {
        // Nothing under this lock can panic half-way.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask<T>(&self, ask: impl FnOnce(Reply<T>) -> Ask) -> Result<T, Problem> {
        let gone = || Problem::new(Code::Draining, "nobody keeps the schedules any more; the daemon is shutting down");
        let (reply, answer) = oneshot::channel();
        self.asks.send(ask(reply)).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}
