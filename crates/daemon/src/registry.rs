//! Which sessions are awake. Doors speak to sessions through this alone, so no door has logic the others lack.
//!
//! Sending and letting go happen under one lock, so a command does not reach an owner that is idle and has decided to
//! leave. One that leaves for another reason refuses what it finds in its inbox.

mod leaving;

use crate::archive;
use crate::cache::{Cache, Seat};
use crate::carry::{self, Wanted};
use crate::house::House;
use crate::replay;
use crate::session::{self, Change, Chosen, Command, Once, Owner, Prompt, Reply, Said, Terms, Watch};
use crate::status;
use agent::{EffectId, Scheduled, Seq, SessionId};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use leaving::Leaving;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::ReadError;
use tokio::sync::{mpsc, oneshot};
use wire::rest::{
    Accepted, Acknowledged, CacheStatus, Cancelled, CanvasLog, CanvasView, ContextView, Diff, ForkRequest, Forked,
    HunkList, Imported, Moved, ReplayRequest, Replayed, SessionView,
};
use wire::{Code, Contents, Problem, RelPath};

/// Commands that wait for one owner. It answers each in milliseconds; a door that finds it full says so.
const INBOX: usize = 128;

/// The awake sessions.
pub struct Registry {
    house: Arc<House>,
    cache: Cache,
    awake: Mutex<Awake>,
}

/// Who is awake, and who is leaving the journal and gets no new owner.
#[derive(Default)]
struct Awake {
    guests: BTreeMap<SessionId, Guest>,
    leaving: BTreeMap<SessionId, Leaving>,
}

/// An awake session.
struct Guest {
    inbox: mpsc::Sender<Command>,
    seat: Arc<Seat>,
}

impl Registry {
    /// Nobody is awake.
    pub fn new(house: Arc<House>) -> Arc<Registry> {
        let cache = Cache::new(house.config().awake_bytes);
        Arc::new(Registry { house, cache, awake: Mutex::default() })
    }

    /// What all sessions share.
    pub fn house(&self) -> &Arc<House> {
        &self.house
    }

    /// How the cache of awake sessions fares.
    pub fn cache(&self) -> CacheStatus {
        self.cache.status(self.lock().guests.len(), self.house.config().idle_ms)
    }

    /// Wakes a session that has work left.
    pub fn wake(self: &Arc<Registry>, id: SessionId) {
        let mut awake = self.lock();
        let _ = self.awake_or_woken(&mut awake, id);
    }

    /// Opens a session on a workspace, with its first prompt in the same append.
    pub async fn create(
        self: &Arc<Registry>,
        workspace: &str,
        title: Option<String>,
        prompt: Option<Prompt>,
        once: Option<Once>,
    ) -> Result<Acknowledged, Problem> {
        self.open(workspace, title, prompt, None, once).await
    }

    /// Opens a session that a schedule speaks to, or that nobody has said anything in.
    pub(crate) async fn open(
        self: &Arc<Registry>,
        workspace: &str,
        title: Option<String>,
        prompt: Option<Prompt>,
        scheduled: Option<Scheduled>,
        once: Option<Once>,
    ) -> Result<Acknowledged, Problem> {
        let workspace = real_workspace(workspace)?;
        if let Some(key) = self.house.catalog.current().secrets.holds(workspace.as_bytes()) {
            let detail = format!("the path of the workspace holds the key {key}, and it would be written down");
            return Err(Problem::new(Code::BadWorkspace, detail).remedy("give the directory another name"));
        }
        let id = self.house.clock.session_id();
        let (sender, inbox) = mpsc::channel(INBOX);
        let owner = Owner::fresh(self.house.clone(), id, workspace);
        let seat = self.cache.seat();
        self.lock().guests.insert(id, Guest { inbox: sender.clone(), seat: seat.clone() });
        let registry = self.clone();
        self.house.tasks.spawn("session owner", owner.run(inbox, registry, seat));
        let (reply, answer) = oneshot::channel();
        let _ = sender.send(Command::Create { title, prompt, scheduled, once, reply }).await;
        answer.await.unwrap_or_else(|_| Err(handed_over()))
    }

    /// Says something to a session.
    pub async fn prompt(
        self: &Arc<Registry>,
        id: SessionId,
        prompt: Prompt,
        once: Option<Once>,
    ) -> Result<Acknowledged, Problem> {
        self.ask(id, |reply| Command::Prompt { prompt, once, reply }).await
    }

    /// Says something that no person says.
    pub(crate) async fn prompt_by_schedule(
        self: &Arc<Registry>,
        id: SessionId,
        prompt: Prompt,
        terms: Terms,
        once: Once,
    ) -> Result<Said, Problem> {
        self.ask(id, |reply| Command::Scheduled { prompt, terms, once, reply }).await
    }

    /// Cancels the running turn.
    pub async fn cancel(self: &Arc<Registry>, id: SessionId) -> Result<Cancelled, Problem> {
        self.ask(id, |reply| Command::Cancel { reply }).await
    }

    /// Answers a question.
    pub async fn answer(
        self: &Arc<Registry>,
        id: SessionId,
        approval: EffectId,
        answer: agent::Answer,
    ) -> Result<Seq, Problem> {
        self.ask(id, |reply| Command::Answer { approval, answer, reply }).await
    }

    /// Calls a session something else.
    pub async fn title(self: &Arc<Registry>, id: SessionId, title: String) -> Result<SessionView, Problem> {
        self.ask(id, |reply| Command::Title { title, reply }).await
    }

    /// What the next model call would be given.
    pub async fn context(self: &Arc<Registry>, id: SessionId) -> Result<ContextView, Problem> {
        self.ask(id, |reply| Command::Context { reply }).await
    }

    /// Opens a session that begins as a copy of another one.
    pub async fn fork(self: &Arc<Registry>, id: SessionId, request: ForkRequest) -> Result<Forked, Problem> {
        self.present(id).await?;
        session::fork(&self.house, id, request).await
    }

    /// A session as a file, in pieces.
    pub(crate) async fn export(
        &self,
        id: SessionId,
    ) -> Result<impl Stream<Item = Result<Bytes, ReadError>> + Send + use<>, Problem> {
        match self.house.store.archived(id).await.map_err(session::unreadable)? {
            Some(archived) => Ok(archive::exported(&self.house, &archived).left_stream()),
            None => Ok(carry::export(&self.house, id).await?.right_stream()),
        }
    }

    /// Takes a session in from a file, and goes on with what it has to do.
    pub(crate) async fn import<E>(
        self: &Arc<Registry>,
        wanted: Wanted,
        file: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<Imported, Problem> {
        let imported = carry::import(&self.house, wanted, file).await?;
        self.wake(imported.session);
        Ok(imported)
    }

    /// Runs a recorded session again, and says where it would go another way. Wakes nobody, and writes nothing, but that an
    /// archived session comes back.
    pub async fn replay(self: &Arc<Registry>, id: SessionId, request: ReplayRequest) -> Result<Replayed, Problem> {
        self.present(id).await?;
        replay::replay(&self.house, id, request).await
    }

    /// What a session is. One that is archived stays so.
    pub async fn view(self: &Arc<Registry>, id: SessionId) -> Result<SessionView, Problem> {
        let listed = self.house.store.session(id).await.map_err(session::unreadable)?;
        match listed.filter(|listed| listed.archived.is_some()) {
            Some(listed) => Ok(status::at_rest(listed)),
            None => self.ask(id, |reply| Command::View { reply }).await,
        }
    }

    /// Begins to watch a session.
    pub async fn watch(self: &Arc<Registry>, id: SessionId) -> Result<Watch, Problem> {
        self.ask(id, |reply| Command::Watch { reply }).await
    }

    /// What the canvas holds.
    pub async fn canvas(self: &Arc<Registry>, id: SessionId) -> Result<CanvasView, Problem> {
        self.ask(id, |reply| Command::Canvas { reply }).await
    }

    /// The canvas as a patch.
    pub async fn diff(self: &Arc<Registry>, id: SessionId, paths: Vec<RelPath>) -> Result<Diff, Problem> {
        self.ask(id, |reply| Command::Diff { paths, reply }).await
    }

    /// The canvas in hunks.
    pub async fn hunks(
        self: &Arc<Registry>,
        id: SessionId,
        paths: Vec<RelPath>,
        context: u32,
    ) -> Result<HunkList, Problem> {
        self.ask(id, |reply| Command::Hunks { paths, context, reply }).await
    }

    /// One micro-commit as a patch.
    pub async fn show(self: &Arc<Registry>, id: SessionId, step: Seq) -> Result<Diff, Problem> {
        self.ask(id, |reply| Command::Show { step, reply }).await
    }

    /// The micro-commits.
    pub async fn log(self: &Arc<Registry>, id: SessionId) -> Result<CanvasLog, Problem> {
        self.ask(id, |reply| Command::Log { reply }).await
    }

    /// A file as the session sees it.
    pub async fn file(self: &Arc<Registry>, id: SessionId, path: RelPath) -> Result<Contents, Problem> {
        self.ask(id, |reply| Command::File { path, reply }).await
    }

    /// Writes the canvas into the work tree, and makes a commit of it if asked.
    pub(crate) async fn accept(
        self: &Arc<Registry>,
        id: SessionId,
        chosen: Chosen,
        commit: Option<String>,
        once: Option<Once>,
    ) -> Result<Accepted, Problem> {
        self.ask(id, |reply| Command::Change(Change::Accept { chosen, commit, once, reply })).await
    }

    /// Settles conflicts for the canvas.
    pub async fn keep(self: &Arc<Registry>, id: SessionId, paths: Vec<RelPath>) -> Result<Moved, Problem> {
        self.ask(id, |reply| Command::Change(Change::Keep { paths, reply })).await
    }

    /// Takes the last accept back.
    pub async fn undo(self: &Arc<Registry>, id: SessionId, once: Option<Once>) -> Result<Accepted, Problem> {
        self.ask(id, |reply| Command::Change(Change::Undo { once, reply })).await
    }

    /// Drops changes from the canvas.
    pub async fn reject(self: &Arc<Registry>, id: SessionId, paths: Vec<RelPath>) -> Result<Moved, Problem> {
        self.ask(id, |reply| Command::Change(Change::Reject { paths, reply })).await
    }

    /// Steps back.
    pub async fn rewind(self: &Arc<Registry>, id: SessionId, to: Option<Seq>) -> Result<Moved, Problem> {
        self.ask(id, |reply| Command::Change(Change::Rewind { to, reply })).await
    }

    /// Steps forward again.
    pub async fn redo(self: &Arc<Registry>, id: SessionId) -> Result<Moved, Problem> {
        self.ask(id, |reply| Command::Change(Change::Redo { reply })).await
    }

    /// Lets an idle owner go, unless somebody wants something of it after all.
    pub(crate) fn let_go(&self, id: SessionId, inbox: &mpsc::Receiver<Command>) -> bool {
        let mut awake = self.lock();
        let idle = inbox.is_empty();
        if idle && let Some(guest) = awake.guests.remove(&id) {
            self.cache.left(&guest.seat);
        }
        idle
    }

    /// An owner that was asked to leave stays.
    pub(crate) fn stays(&self, seat: &Seat) {
        self.cache.stays(seat);
    }

    /// An owner says what its session holds; where that is too much for all, others are asked to leave.
    pub(crate) fn weigh(&self, seat: &Seat, bytes: u64, rests: bool) {
        if self.cache.weigh(seat, bytes, rests) {
            self.make_room();
        }
    }

    /// The configuration says anew how much all sessions may hold.
    pub(crate) fn resize(&self) {
        self.cache.resize(self.house.config().awake_bytes);
        self.make_room();
    }

    fn make_room(&self) {
        let awake = self.lock();
        let guests = awake.guests.values().map(|guest| (guest, &*guest.seat));
        for guest in self.cache.surplus(guests) {
            // One whose inbox is full is in use.
            if guest.inbox.try_send(Command::MakeRoom).is_err() {
                self.cache.stays(&guest.seat);
            }
        }
    }

    /// An owner has left and takes nothing any more. Its successor, if there is one by now, stays.
    pub(crate) fn forget(&self, id: SessionId) {
        let mut awake = self.lock();
        if let Some(guest) = awake.guests.get(&id).filter(|guest| guest.inbox.is_closed()) {
            self.cache.left(&guest.seat);
            awake.guests.remove(&id);
        }
    }

    /// The inbox of the session's owner. One that has left, in whatever way, takes nothing and gets a successor.
    fn awake_or_woken<'a>(
        self: &Arc<Registry>,
        awake: &'a mut Awake,
        id: SessionId,
    ) -> Result<&'a mpsc::Sender<Command>, Problem> {
        if let Some(leaving) = awake.leaving.get(&id) {
            return Err(leaving.problem(id));
        }
        let guest = awake.guests.entry(id).or_insert_with(|| self.spawn(id));
        if guest.inbox.is_closed() {
            self.cache.left(&guest.seat);
            *guest = self.spawn(id);
        }
        Ok(&guest.inbox)
    }

    /// Asks the session's owner, who is woken if need be.
    pub(crate) async fn ask<T>(
        self: &Arc<Registry>,
        id: SessionId,
        command: impl FnOnce(Reply<T>) -> Command,
    ) -> Result<T, Problem> {
        if self.house.stop.is_cancelled() {
            return Err(self.house.draining());
        }
        let (reply, answer) = oneshot::channel();
        {
            let mut awake = self.lock();
            let inbox = self.awake_or_woken(&mut awake, id)?;
            inbox.try_send(command(reply)).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => {
                    let detail = format!("{INBOX} commands wait for session {id} already");
                    Problem::new(Code::LimitReached, detail).remedy("try again in a moment")
                }
                mpsc::error::TrySendError::Closed(_) => handed_over(),
            })?;
        }
        answer.await.unwrap_or_else(|_| Err(handed_over()))
    }

    fn spawn(self: &Arc<Registry>, id: SessionId) -> Guest {
        let (sender, mut inbox) = mpsc::channel(INBOX);
        let (registry, seat) = (self.clone(), self.cache.seat());
        let guest = Guest { inbox: sender, seat: seat.clone() };
        self.house.tasks.spawn("session owner", async move {
            let loaded = match Owner::load(registry.house.clone(), id).await {
                Ok(None) => match archive::bring_back(&registry.house, id).await {
                    Ok(true) => Owner::load(registry.house.clone(), id).await,
                    Ok(false) => Ok(None),
                    Err(problem) => Err(problem),
                },
                loaded => loaded,
            };
            match loaded {
                Ok(Some(owner)) => owner.run(inbox, registry, seat).await,
                Ok(None) => {
                    refuse_all(&mut inbox, || session::no_such_session(id));
                    registry.forget(id);
                }
                Err(problem) => {
                    tracing::error!(session = %id, %problem, "the session cannot be woken");
                    refuse_all(&mut inbox, || problem.clone());
                    registry.forget(id);
                }
            }
        });
        guest
    }

    fn lock(&self) -> MutexGuard<'_, Awake> {
        // Nothing under this lock can panic half-way.
        self.awake.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refuse_all(inbox: &mut mpsc::Receiver<Command>, problem: impl Fn() -> Problem) {
    inbox.close();
    while let Ok(command) = inbox.try_recv() {
        command.refuse(problem());
    }
}

/// The owner left before it answered; whatever was asked may be asked again.
pub(crate) fn handed_over() -> Problem {
    Problem::new(Code::Conflict, "the session was being handed over").remedy("send the request again")
}

/// The real path of a workspace, since sessions are found by it.
pub(crate) fn real_workspace(workspace: &str) -> Result<String, Problem> {
    let bad = |detail: String| Problem::new(Code::BadWorkspace, detail).remedy("name an existing directory");
    if !Path::new(workspace).is_absolute() {
        return Err(bad(format!("the workspace {workspace:?} is not an absolute path")));
    }
    let real = std::fs::canonicalize(workspace)
        .map_err(|error| bad(format!("the workspace {workspace:?} cannot be used: {error}")))?;
    if !real.is_dir() {
        return Err(bad(format!("the workspace {workspace:?} is not a directory")));
    }
    let text = real.to_str().map(str::to_owned);
    text.ok_or_else(|| bad(format!("the workspace {workspace:?} has a name that is not UTF-8")))
}
