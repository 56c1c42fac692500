//! The handle that everybody holds.

use crate::append::{Append, Appended, FoldRow, JournalId};
use crate::blob::{self, Blob};
use crate::carry::{self, Stored};
use crate::copy::{self, Copied, CopyError, Pace};
use crate::error::{AppendError, OpenError, ReadError};
use crate::file::File;
use crate::fork::Fork;
use crate::gauges::{Gauges, Health, Sizes};
use crate::import::Import;
use crate::ledger::{self, Account, Spent};
use crate::list::{self, ListQuery, ListRow};
use crate::options::{Limits, Options};
use crate::proof;
use crate::query::{self, Answer, Head, Span};
use crate::readers::{Readers, question};
use crate::rehearsal;
use crate::removal::{Remove, Removed};
use crate::search::{self, Found, Indexer, SearchError, SearchQuery, Work};
use crate::tidy::{self, Tidied, Tidy, Waste};
use crate::writer::{Job, New, Partial, Ticket, Write, Writer};
use agent::{EffectId, Epoch, Micros, Seq, SessionId};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tracing::warn;
use wire::{BlobHash, Record};

/// The journal. Cheap to clone. When the last clone is dropped, the store writes what is queued and closes itself;
/// [`Store::close`] does the same and says when it is done.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) jobs: Jobs,
    readers: Readers,
    gauges: Arc<Gauges>,
    file: File,
    pub(crate) limits: Limits,
    /// How many links were added.
    pub(crate) appended: watch::Receiver<u64>,
    /// The line of the thread of search, if there is one.
    search: Option<search::Handle>,
    /// Bounds the forks, imports and removals that are asked for at once.
    chores: Arc<Semaphore>,
}

/// Who writes.
pub(crate) enum Jobs {
    /// The writer's thread takes them from here.
    Thread(mpsc::Sender<Job>),
    /// Whoever asks writes; `None` when the store is closed.
    Inline(Mutex<Option<Box<Writer>>>),
}

impl Jobs {
    pub(crate) async fn send(&self, job: Job) -> Result<(), AppendError> {
        match self {
            Jobs::Thread(queue) => queue.send(job).await.map_err(|_| AppendError::Closed),
            Jobs::Inline(writer) => {
                // Others get their turn before and after, as they would while a thread writes.
                tokio::task::yield_now().await;
                Jobs::serve(writer, job)?;
                tokio::task::yield_now().await;
                Ok(())
            }
        }
    }

    fn serve(writer: &Mutex<Option<Box<Writer>>>, job: Job) -> Result<(), AppendError> {
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        if !writer.as_mut().ok_or(AppendError::Closed)?.serve(job) {
            *writer = None;
        }
        Ok(())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.shared.file.path().display())
    }
}

/// Forks, imports and removals that may be under way or wait at once; whoever comes then waits to be let in. They are done one
/// after the other in any case.
const CHORES_AT_ONCE: usize = 16;

/// Events that one read transaction fetches by their places.
const PLACES_AT_ONCE: usize = 256;

impl Store {
    /// Opens `dir/journal.db`, making both if they are not there. Looks at no session, so it takes about a millisecond
    /// however many there are. Blocks; needs no runtime.
    pub fn open(dir: &Path, options: Options) -> Result<Store, OpenError> {
        let file = File::prepare(dir, &options)?;
        let connection = file.writer()?;
        if let Err(error) = rehearsal::sweep(dir) {
            warn!(%error, "what a kill left of a copy of the journal cannot be taken away");
        }
        let gauges = Arc::new(Gauges::default());
        let readers = match options.inline {
            true => Readers::inline(&file),
            false => Readers::start(&file, options.readers, options.queued_reads).map_err(OpenError::Thread)?,
        };
        let (inline, queued, limits) = (options.inline, options.queued_appends.max(1), options.limits);
        let (line, bell) = search::line(options.words.is_some() && !inline);
        let search = line.as_ref().map(|(handle, _)| handle.clone());
        if let Some((handle, line)) = line
            && let Some(indexer) = Indexer::new(dir, readers.clone(), &handle, &options)
        {
            drop(handle);
            start("journal-search", move || indexer.run(&line))?;
        }
        let (tell, appended) = watch::channel(0);
        let told = (bell, tell);
        let writer = Writer::new(file.clone(), options, connection, readers.clone(), gauges.clone(), told);
        let jobs = if inline {
            Jobs::Inline(Mutex::new(Some(Box::new(writer))))
        } else {
            let (jobs, queue) = mpsc::channel(queued);
            let clock = runtime::Builder::new_current_thread().enable_time().build().map_err(OpenError::Thread)?;
            start("journal-write", move || writer.run(queue, &clock))?;
            Jobs::Thread(jobs)
        };
        let chores = Arc::new(Semaphore::new(CHORES_AT_ONCE));
        Ok(Store { shared: Arc::new(Shared { jobs, readers, gauges, file, limits, appended, search, chores }) })
    }

    /// Appends, and answers when it is on disk. Cancel-safe: dropping the future before the append is queued means that
    /// it does not happen, dropping it later only drops the answer.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let (answer, waiting) = oneshot::channel();
        self.ask(Job::Write(Write::Append(Box::new(append), answer)), waiting).await
    }

    /// Appends of different journals under one sync, each with its own outcome, as when every owner writes its last
    /// words at shutdown. Cancel-safe as [`Store::append`] is.
    pub async fn append_together(&self, appends: Vec<Append>) -> Vec<Result<Appended, AppendError>> {
        let channels = || appends.iter().map(|_| oneshot::channel()).unzip::<_, _, Vec<_>, Vec<_>>();
        let (answers, waiting) = channels();
        let writes = appends.into_iter().zip(answers).map(|(append, answer)| Write::Append(Box::new(append), answer));
        // If the store is closed, the answers' senders are dropped with the job and every wait below says so.
        let _ = self.shared.jobs.send(Job::WriteTogether(writes.collect())).await;
        let mut outcomes = Vec::new();
        for answer in waiting {
            outcomes.push(answer.await.unwrap_or(Err(AppendError::Closed)));
        }
        outcomes
    }

    /// Makes a session out of the beginning of another one, and answers when it is whole and on disk. It is made in
    /// slices between other appends; until the last one nobody sees it, and if there is no last one it never was.
    /// Dropping the future once it is asked for only drops the answer.
    pub async fn fork(&self, fork: Fork) -> Result<Appended, AppendError> {
        let (ticket, waiting) = self.ticket().await?;
        self.ask(Job::Make(New::Fork(Box::new(fork)), ticket), waiting).await
    }

    /// Makes a session out of a journal that was made elsewhere, and answers when it is whole and on disk. It is made like
    /// a fork: nobody sees it before, and if its source ends too early or is not right, it never was.
    pub async fn import(&self, import: Import) -> Result<Appended, AppendError> {
        let (ticket, waiting) = self.ticket().await?;
        self.ask(Job::Make(New::Import(Box::new(import)), ticket), waiting).await
    }

    /// Removes a session with all that it said. It is true, and nobody sees the session, from the first moment on; the
    /// answer comes when its words are gone from the files as well, which takes a slice for some hundred events, and one
    /// for each 4 MiB of the file. A store that is closed or killed before goes on when it is opened again.
    pub async fn remove(&self, remove: Remove) -> Result<Removed, AppendError> {
        let (ticket, waiting) = self.ticket().await?;
        let mut removed = self.ask(Job::Write(Write::Remove(remove, ticket)), waiting).await?;
        removed.cleared &= self.scrub_search().await.is_ok();
        Ok(removed)
    }

    /// Searches in what was said, up to what was acknowledged before the call. Queries that hold no word find nothing.
    pub async fn search(&self, query: SearchQuery) -> Result<Found, SearchError> {
        let (answer, waiting) = oneshot::channel();
        let handle = self.shared.search.as_ref().ok_or(SearchError::Off)?;
        handle.send(Work::Search(Box::new(query), answer))?;
        waiting.await.unwrap_or(Err(SearchError::Read(ReadError::Closed)))
    }

    /// Takes what was acknowledged before the call into the index of search. It happens by itself a little later, and
    /// before each search; this is for whoever takes the words out of the tables.
    pub async fn follow_search(&self) -> Result<(), SearchError> {
        let (answer, waiting) = oneshot::channel();
        let Some(handle) = &self.shared.search else { return Ok(()) };
        handle.send(Work::FollowNow(answer))?;
        waiting.await.unwrap_or(Err(SearchError::Read(ReadError::Closed)))
    }

    /// Leaves no byte in the index of search of what was forgotten or removed before the call. It happens by itself a
    /// little later; this is for whoever wants to say that it is done. Takes longer the larger the index is.
    pub async fn scrub_search(&self) -> Result<(), SearchError> {
        let (answer, waiting) = oneshot::channel();
        let Some(handle) = &self.shared.search else { return Ok(()) };
        handle.send(Work::Scrub(answer))?;
        waiting.await.unwrap_or(Err(SearchError::Read(ReadError::Closed)))
    }

    /// Keeps what a running model call has said so far; the append that ends the effect drops it. `epoch` must be the
    /// head's.
    pub async fn save_partial(
        &self,
        session: SessionId,
        epoch: Epoch,
        effect: EffectId,
        text: String,
    ) -> Result<(), AppendError> {
        let (answer, waiting) = oneshot::channel();
        let partial = Box::new(Partial { session, epoch, effect, text });
        self.ask(Job::Write(Write::Partial(partial, answer)), waiting).await
    }

    /// Copies the write-ahead log into the database now, as far as readers let it. It happens by itself; this is for
    /// whoever copies the file.
    pub async fn checkpoint(&self) -> Result<(), AppendError> {
        let (answer, waiting) = oneshot::channel();
        self.ask(Job::Checkpoint(answer), waiting).await
    }

    /// Tidies up a slice: removes what nobody needs any more, gives free pages back.
    pub async fn tidy(&self, tidy: Tidy) -> Result<Tidied, AppendError> {
        let (answer, waiting) = oneshot::channel();
        self.ask(Job::Tidy(tidy, answer), waiting).await
    }

    /// What tidying would find. Walks indexes, so it is not for hot paths.
    pub async fn waste(&self, now: Micros) -> Result<Waste, ReadError> {
        self.read(move |c| tidy::waste(c, now)).await
    }

    /// How many sessions there are in each state. Walks their table, so it is not for hot paths.
    pub async fn states(&self) -> Result<BTreeMap<String, u64>, ReadError> {
        self.read(list::states).await
    }

    /// Writes what is queued, closes readers, then the writer. Later calls are answered with `Closed`.
    pub async fn close(self) {
        if let Some(search) = &self.shared.search {
            search.end().await;
        }
        let (closed, waiting) = oneshot::channel();
        // An error says that it is closed already.
        let _ = self.shared.jobs.send(Job::Close(closed)).await;
        let _ = waiting.await;
    }

    /// The head of a journal; `None` if there is no such journal.
    pub async fn head(&self, journal: JournalId) -> Result<Option<Head>, ReadError> {
        self.read(move |c| Ok(query::head(c, journal).map_err(ReadError::from)?.map(|(_, head)| head))).await
    }

    /// A page of events after a place. It is bounded by `limit`, [`Limits::events_per_page`] and
    /// [`Limits::page_bytes`]: only an empty page says that there are no more.
    pub async fn events(&self, journal: JournalId, after: Seq, limit: usize) -> Result<Vec<Record>, ReadError> {
        let Limits { events_per_page, page_bytes, .. } = self.shared.limits;
        let limit = limit.min(events_per_page);
        self.read(move |c| query::events(c, journal, after, limit, page_bytes)).await
    }

    /// One event; `None` if there is none at this place.
    pub async fn event(&self, journal: JournalId, seq: Seq) -> Result<Option<Record>, ReadError> {
        self.read(move |c| query::event(c, journal, seq)).await
    }

    /// Events by their places, in the order asked for; one that is not there is an error.
    pub async fn events_at(&self, journal: JournalId, seqs: &[Seq]) -> Result<Vec<Record>, ReadError> {
        let mut records = Vec::with_capacity(seqs.len());
        for some in seqs.chunks(PLACES_AT_ONCE) {
            let some = some.to_vec();
            records.extend(self.read(move |c| query::events_at(c, journal, &some)).await?);
        }
        Ok(records)
    }

    /// A page of a journal's events after one place up to another, as they are stored. Bounded as [`Store::events`] is.
    pub async fn stored(&self, journal: JournalId, after: Seq, upto: Seq) -> Result<Vec<Stored>, ReadError> {
        let Limits { events_per_page, page_bytes, .. } = self.shared.limits;
        self.read(move |c| carry::events(c, journal, (after, upto), events_per_page, page_bytes)).await
    }

    /// A blob as it is packed, checked against its name; `None` if there is none, or none any more.
    pub async fn packed(&self, hash: BlobHash) -> Result<Option<Blob>, ReadError> {
        let limit = self.shared.limits.blob_bytes;
        self.read(move |c| blob::read_packed(c, hash, limit)).await
    }

    /// What may be how large.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// The bytes of a blob, checked against its name; `None` if there is none, or none any more.
    pub async fn blob(&self, hash: BlobHash) -> Result<Option<Vec<u8>>, ReadError> {
        let limit = self.shared.limits.blob_bytes;
        self.read(move |c| blob::read(c, hash, limit)).await
    }

    /// As [`Store::blob`], of a blob that an event of this session holds.
    pub async fn blob_of(&self, session: SessionId, hash: BlobHash) -> Result<Option<Vec<u8>>, ReadError> {
        let limit = self.shared.limits.blob_bytes;
        self.read(move |c| if blob::is_held(c, session, hash)? { blob::read(c, hash, limit) } else { Ok(None) }).await
    }

    /// As [`Store::blob`], for threads that may block. Panics on a thread of the async runtime.
    pub fn blob_blocking(&self, hash: BlobHash) -> Result<Option<Vec<u8>>, ReadError> {
        let limit = self.shared.limits.blob_bytes;
        self.shared.readers.ask_blocking(move |c| blob::read(c, hash, limit))
    }

    /// A projection of a session.
    pub async fn fold(&self, session: SessionId, kind: &str) -> Result<Option<FoldRow>, ReadError> {
        self.fold_of(JournalId::Session(session), kind).await
    }

    /// A projection of any journal.
    pub async fn fold_of(&self, journal: JournalId, kind: &str) -> Result<Option<FoldRow>, ReadError> {
        let kind = kind.to_owned();
        self.read(move |c| query::fold(c, journal, &kind)).await
    }

    /// Sessions with work left, oldest first.
    pub async fn waking(&self) -> Result<Vec<SessionId>, ReadError> {
        self.read(query::waking).await
    }

    /// A page of sessions, the one that changed last first.
    pub async fn list(&self, query: ListQuery) -> Result<Vec<ListRow>, ReadError> {
        let most = self.shared.limits.rows_per_page;
        self.read(move |c| list::read(c, &query, most)).await
    }

    /// What lists show of one session; `None` if there is no such session.
    pub async fn session(&self, session: SessionId) -> Result<Option<ListRow>, ReadError> {
        self.read(move |c| list::session(c, session)).await
    }

    /// How many sessions there are.
    pub async fn count(&self) -> Result<u64, ReadError> {
        self.read(list::count).await
    }

    /// The answer given under an idempotency key, if there is one that has not expired by `now`.
    pub async fn answer(&self, scope: &str, key: &str, now: Micros) -> Result<Option<Answer>, ReadError> {
        let (scope, key) = (scope.to_owned(), key.to_owned());
        self.read(move |c| Ok::<_, ReadError>(query::answer(c, &scope, &key, now)?)).await
    }

    /// What a session, or a day, has spent.
    pub async fn spent(&self, account: Account) -> Result<Spent, ReadError> {
        self.read(move |c| ledger::read(c, &account)).await
    }

    /// What running model calls of a session have said so far.
    pub async fn partials(&self, session: SessionId) -> Result<Vec<(EffectId, String)>, ReadError> {
        self.read(move |c| query::partials(c, session)).await
    }

    /// Copies the journal to a new file while it is in use: one moment of it, whole, checked to be a journal and synced.
    /// One copy at a time; others wait. Blocks for as long as that takes, so not for a thread of the async runtime; once
    /// it is not wanted any more, the copy is given up.
    pub fn copy_blocking(&self, to: &Path, pace: &Pace, is_wanted: &dyn Fn() -> bool) -> Result<Copied, CopyError> {
        copy::copy(&self.shared.file, self.shared.readers.gate(), to, pace, is_wanted)
    }

    /// Bodies of the daemon's own events whose headers hold these words, oldest first; of a journal that this process
    /// does not have open, for whoever works without a daemon.
    pub fn peek_daemon_bodies(dir: &Path, words: &str) -> Result<Vec<String>, OpenError> {
        proof::daemon_bodies(&dir.join("journal.db"), words)
    }

    /// Whether a session wrote something after a link of the chain of heads.
    pub async fn changed_since(&self, link: u64) -> Result<bool, ReadError> {
        self.read(move |c| proof::changed_since(c, link)).await
    }

    /// Where in the chain of heads a session's events from `seq` on begin, and where the session was removed, if it was.
    /// `None` if it never had any. Looks at the whole chain.
    pub async fn span(&self, session: SessionId, seq: Seq) -> Result<Option<Span>, ReadError> {
        self.read(move |c| Ok(query::span(c, session, seq)?)).await
    }

    /// How the store is.
    pub fn health(&self) -> Health {
        self.shared.gauges.health()
    }

    /// Bytes on disk.
    pub fn sizes(&self) -> io::Result<Sizes> {
        let file = &self.shared.file;
        let database_bytes = match std::fs::metadata(file.path()) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Sizes { database_bytes, log_bytes: file.log_bytes()? })
    }

    /// A place in the line of chores, and where the answer comes.
    pub(crate) async fn ticket<T>(
        &self,
    ) -> Result<(Ticket<T>, oneshot::Receiver<Result<T, AppendError>>), AppendError> {
        let permit: OwnedSemaphorePermit =
            self.shared.chores.clone().acquire_owned().await.map_err(|_| AppendError::Closed)?;
        let (answer, waiting) = oneshot::channel();
        Ok((Ticket::new(answer, permit), waiting))
    }

    pub(crate) async fn ask<T>(
        &self,
        job: Job,
        answer: oneshot::Receiver<Result<T, AppendError>>,
    ) -> Result<T, AppendError> {
        self.shared.jobs.send(job).await?;
        answer.await.unwrap_or(Err(AppendError::Closed))
    }

    pub(crate) async fn read<T, E>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<ReadError> + Send + 'static,
    {
        let (read, answer) = question(read);
        self.shared.readers.send(read).await?;
        answer.await.unwrap_or_else(|_| Err(ReadError::Closed.into()))
    }
}

/// Starts a thread of the store.
fn start(name: &str, life: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(life).map(|_| ()).map_err(OpenError::Thread)
}
