//! The thread of search: it alone opens the index, follows the journal when something was appended, and answers
//! searches. While nothing happens it sleeps, and after a while it closes the file.

use super::follow::{Source, Stop};
use super::index::{self, Index, Match, State};
use super::query::{self, Found, Hit, SearchError, SearchQuery};
use super::words::{Vocabulary, WordsKind};
use crate::list::{self, ListRow};
use crate::options::{Limits, Options};
use crate::readers::Readers;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tracing::warn;

/// Searches that may wait. They are typed by people, so more than a few means that something is wrong.
const QUEUED: usize = 64;
/// The index is closed when nothing was asked for so long.
const CLOSE_AFTER: Duration = Duration::from_secs(10);
/// Matches that one search looks at; a word that stands everywhere has more.
const MATCHES: usize = 200_000;
/// Sessions whose rows are read at once.
const ROWS_AT_ONCE: usize = 256;

/// What the thread is asked to do.
pub(crate) enum Work {
    /// Something was appended; there is time.
    Follow,
    /// Take in what was appended, now.
    FollowNow(oneshot::Sender<Result<(), SearchError>>),
    /// Search.
    Search(Box<SearchQuery>, oneshot::Sender<Result<Found, SearchError>>),
    /// Leave no byte in the file of what was removed or forgotten.
    Scrub(oneshot::Sender<Result<(), SearchError>>),
    /// Close the index and end.
    End(oneshot::Sender<()>),
}

/// Wakes the thread after an append: one flag and, where it was not up yet, one message.
#[derive(Clone)]
pub(crate) struct Bell(Option<Handle>);

impl Bell {
    /// Never waits: if the line is full of searches, the first of them takes in what was appended.
    pub(crate) fn ring(&self) {
        let Some(handle) = &self.0 else { return };
        if !handle.rung.swap(true, Ordering::AcqRel) && handle.line.try_send(Work::Follow).is_err() {
            handle.rung.store(false, Ordering::Release);
        }
    }
}

/// The thread's line.
#[derive(Clone)]
pub(crate) struct Handle {
    line: SyncSender<Work>,
    rung: Arc<AtomicBool>,
    ending: Arc<AtomicBool>,
}

impl Handle {
    /// Hands work in, if there is room in the line.
    pub(crate) fn send(&self, work: Work) -> Result<(), SearchError> {
        self.line.try_send(work).map_err(|_| SearchError::Busy)
    }

    /// Hands in the end; the line is emptied quickly enough to wait for, since nobody follows the journal any more.
    pub(crate) async fn end(&self) {
        self.ending.store(true, Ordering::Release);
        let (ended, waiting) = oneshot::channel();
        let mut work = Work::End(ended);
        while let Err(std::sync::mpsc::TrySendError::Full(back)) = self.line.try_send(work) {
            work = back;
            tokio::task::yield_now().await;
        }
        // An error says that the thread has ended already.
        let _ = waiting.await;
    }
}

/// A line for the thread: its two ends, and the bell. Without a vocabulary there is no thread and nobody to wake.
pub(crate) fn line(searching: bool) -> (Option<(Handle, Receiver<Work>)>, Bell) {
    if !searching {
        return (None, Bell(None));
    }
    let (sender, receiver) = sync_channel(QUEUED);
    let handle = Handle { line: sender, rung: Arc::default(), ending: Arc::default() };
    (Some((handle.clone(), receiver)), Bell(Some(handle)))
}

/// The thread's state.
pub(crate) struct Indexer {
    path: PathBuf,
    readers: Readers,
    vocabulary: Vocabulary,
    limits: Limits,
    after: Duration,
    rung: Arc<AtomicBool>,
    ending: Arc<AtomicBool>,
    index: Option<Index>,
    /// When what was appended is taken in.
    due: Option<Instant>,
}

impl Indexer {
    /// Touches no file yet.
    pub(crate) fn new(dir: &Path, readers: Readers, handle: &Handle, options: &Options) -> Option<Indexer> {
        options.words.map(|vocabulary| Indexer {
            path: dir.join("search.db"),
            readers,
            vocabulary,
            limits: options.limits,
            after: options.index_after,
            rung: handle.rung.clone(),
            ending: handle.ending.clone(),
            index: None,
            due: None,
        })
    }

    /// The thread's life: it ends when it is told to, or when nobody can ask any more.
    pub(crate) fn run(mut self, line: &Receiver<Work>) {
        loop {
            match self.next(line) {
                Ok(Work::Follow) => self.due = Some(Instant::now() + self.after),
                Ok(Work::FollowNow(waiting)) => {
                    let _ = waiting.send(self.with_index(clear));
                }
                Ok(Work::Search(query, waiting)) => {
                    if !waiting.is_closed() {
                        let _ = waiting.send(self.search(&query));
                    }
                }
                Ok(Work::Scrub(waiting)) => {
                    let _ = waiting.send(self.scrub());
                }
                Ok(Work::End(ended)) => {
                    self.index = None;
                    let _ = ended.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) if self.due.is_some() => self.follow(),
                Err(RecvTimeoutError::Timeout) => self.index = None,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn next(&self, line: &Receiver<Work>) -> Result<Work, RecvTimeoutError> {
        match (self.due, &self.index) {
            (Some(due), _) => line.recv_timeout(due.saturating_duration_since(Instant::now())),
            (None, Some(_)) => line.recv_timeout(CLOSE_AFTER),
            (None, None) => line.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// Takes in what was appended, and clears the file of what was deleted. What fails here fails again, and is told,
    /// when somebody searches.
    fn follow(&mut self) {
        self.due = None;
        self.rung.store(false, Ordering::Release);
        if let Err(error) = self.with_index(clear) {
            warn!(%error, "what was appended cannot be searched for yet");
        }
    }

    fn search(&mut self, query: &SearchQuery) -> Result<Found, SearchError> {
        let (bytes, limit) = (query.text.len(), self.limits.query_bytes);
        if bytes > limit {
            return Err(SearchError::TooLong { bytes, limit });
        }
        let Some(expression) = query::expression(&query.text) else {
            return Ok(Found { complete: true, ..Found::default() });
        };
        let search = Search { readers: self.readers.clone(), limits: self.limits, expression, query: query.clone() };
        self.with_index(|index| search.run(&index).map(|found| (index, found)))
    }

    /// Where there is no file there is nothing to clear, but for what a kill left. A file that cannot be cleared is deleted.
    fn scrub(&mut self) -> Result<(), SearchError> {
        if self.index.is_none() && !self.path.exists() {
            return self.destroy();
        }
        self.with_index(clear).or_else(|error| {
            warn!(%error, "the index of search is deleted");
            self.index = None;
            self.destroy()
        })
    }

    fn destroy(&self) -> Result<(), SearchError> {
        index::destroy(&self.path).map_err(|error| SearchError::Index { detail: error.to_string() })
    }

    /// Does something with an index that has followed the journal. An index that fails is deleted and made anew, once.
    fn with_index<T>(&mut self, act: impl Fn(Index) -> Result<(Index, T), Stop>) -> Result<T, SearchError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (vocabulary, limits) = (self.vocabulary, self.limits);
            let source = Source { readers: &self.readers, vocabulary, limits, ending: &self.ending };
            let opened = match self.index.take() {
                Some(index) => Ok(index),
                None => Index::open(&self.path).map_err(Stop::from),
            };
            let done = opened.and_then(|index| {
                source.follow(&index)?;
                let (index, done) = act(index)?;
                self.index = Some(index);
                Ok(done)
            });
            match done {
                Ok(done) => return Ok(done),
                Err(Stop::Search(error)) => return Err(error),
                Err(Stop::Index(detail)) if attempts > 1 => return Err(SearchError::Index { detail }),
                Err(Stop::Index(detail)) => {
                    warn!(%detail, "the index of search is made anew");
                    self.destroy()?;
                }
            }
        }
    }
}

fn clear(index: Index) -> Result<(Index, ()), Stop> {
    let state = index.state()?;
    if !state.unscrubbed {
        return Ok((index, ()));
    }
    let index = index.scrubbed()?;
    index.set_state(State { unscrubbed: false, ..state })?;
    Ok((index, ()))
}

/// One search.
struct Search {
    readers: Readers,
    limits: Limits,
    expression: String,
    query: SearchQuery,
}

impl Search {
    fn run(&self, index: &Index) -> Result<Found, Stop> {
        let (mut found, complete) = self.sessions(index)?;
        found.sort_by_key(|(listed, _)| std::cmp::Reverse(listed.cursor));
        found.retain(|(listed, _)| self.query.before.is_none_or(|before| listed.cursor < before));
        found.truncate(self.query.limit.min(self.limits.rows_per_page));
        let matches: Vec<Match> = found.iter().map(|(_, found)| *found).collect();
        let snippets = index.snippets(&self.expression, &matches)?;
        let hits = found.into_iter().zip(snippets).map(|((listed, Match { seq, kind, .. }), (snippet, at))| Hit {
            listed,
            seq,
            at,
            kind,
            snippet,
        });
        let hits = hits.collect();
        Ok(Found { hits, complete })
    }

    /// The sessions that match, each with its best place, and whether these are all.
    fn sessions(&self, index: &Index) -> Result<(Vec<(ListRow, Match)>, bool), Stop> {
        let most = self.limits.searched_sessions;
        let (mut found, mut best, mut looked_at, mut complete) = (Vec::new(), Vec::new(), 0, true);
        index.matches::<Stop>(&self.expression, |next| {
            if !best.last_mut().is_some_and(|best| best_of(best, next)) {
                if best.len() == ROWS_AT_ONCE {
                    self.admit(&mut best, &mut found)?;
                }
                best.push(next);
            }
            looked_at += 1;
            complete = looked_at < MATCHES && found.len() <= most;
            Ok(complete)
        })?;
        self.admit(&mut best, &mut found)?;
        complete &= found.len() <= most;
        found.truncate(most);
        Ok((found, complete))
    }

    /// Reads the rows of these sessions and keeps those that are wanted. One that was removed since has no row.
    fn admit(&self, best: &mut Vec<Match>, found: &mut Vec<(ListRow, Match)>) -> Result<(), Stop> {
        let best = std::mem::take(best);
        let journals: Vec<i64> = best.iter().map(|best| best.journal).collect();
        let rows = self.readers.ask_blocking(move |c| list::rows(c, &journals))?;
        let wanted = self.query.workspace.as_ref();
        let rows = best.into_iter().zip(rows).filter_map(|(best, row)| Some((row?, best)));
        found.extend(rows.filter(|(listed, _)| wanted.is_none_or(|wanted| *wanted == listed.row.workspace)));
        Ok(())
    }
}

/// Whether `next` is of the same session as `best`; if so, `best` becomes the better of the two. They come with the last
/// event first.
fn best_of(best: &mut Match, next: Match) -> bool {
    let rank = |kind: WordsKind| kind as u8;
    if best.journal == next.journal && rank(next.kind) < rank(best.kind) {
        *best = next;
    }
    best.journal == next.journal
}
