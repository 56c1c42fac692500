//! The writer: one thread, one connection. It takes all that is queued, gives each append a savepoint so that a refused
//! one does not harm its neighbours, commits once (which is one sync), and then answers all.

mod chores;
mod group;
mod tidying;

pub(crate) use chores::{New, Ticket};

use crate::append::{Append, Appended};
use crate::archive::Archive;
use crate::error::AppendError;
use crate::file::{self, File};
use crate::gauges::{Gauges, count};
use crate::options::Options;
use crate::readers::Readers;
use crate::removal::{Remove, Removed};
use crate::search::Bell;
use crate::signature::Signature;
use crate::sql::GroupFailure;
use crate::tidy::{Tidied, Tidy};
use crate::transact::Salts;
use agent::{EffectId, Epoch, SessionId};
use chores::Chores;
use group::{Done, gather, refuse, transaction};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, warn};

/// Bytes of a page in the write-ahead log, with its own header.
const FRAME_BYTES: u64 = 4096 + 24;

/// What the writer is asked to do.
pub(crate) enum Job {
    /// Write, together with whatever else is queued.
    Write(Write),
    /// Write these under one sync.
    WriteTogether(Vec<Write>),
    /// Make a journal out of another one, in slices.
    Make(New, Ticket<Appended>),
    /// Copy the log into the database now.
    Checkpoint(oneshot::Sender<Result<(), AppendError>>),
    /// Blank the gaps of pages and empty the log, so that nothing of what was forgotten is left; says whether it was done.
    Scrub(oneshot::Sender<bool>),
    /// Tidy up a slice.
    Tidy(Tidy, oneshot::Sender<Result<Tidied, AppendError>>),
    /// End, after all that was queued before.
    Close(oneshot::Sender<()>),
}

/// Something to write, and who waits for the answer. If nobody does any more, it is written all the same.
pub(crate) enum Write {
    Append(Box<Append>, oneshot::Sender<Result<Appended, AppendError>>),
    Partial(Box<Partial>, oneshot::Sender<Result<(), AppendError>>),
    Sign(Box<Signature>, oneshot::Sender<Result<(), AppendError>>),
    /// Answered when all is swept, which is done in slices.
    Remove(Remove, Ticket<Removed>),
    /// The same.
    Archive(Archive, Ticket<Removed>),
}

/// What a running model call has said so far.
pub(crate) struct Partial {
    pub(crate) session: SessionId,
    pub(crate) epoch: Epoch,
    pub(crate) effect: EffectId,
    pub(crate) text: String,
}

/// The writer thread's state.
pub(crate) struct Writer {
    file: File,
    options: Options,
    /// None when the store is read-only.
    connection: Option<Connection>,
    readers: Readers,
    gauges: Arc<Gauges>,
    salts: Salts,
    chores: Chores,
    /// Tells the index of search that there is something new.
    bell: Bell,
    /// How many links were added since the store was opened.
    appended: watch::Sender<u64>,
    /// Failures since the last group that was committed.
    strikes: u32,
    /// Frames in the log, told by SQLite at each commit.
    frames: Arc<AtomicU64>,
    /// Frames in the log at the last checkpoint.
    frames_copied: u64,
    /// Whether something was committed since the last checkpoint was tried.
    uncopied: bool,
}

impl Writer {
    pub(crate) fn new(
        file: File,
        options: Options,
        connection: Connection,
        readers: Readers,
        gauges: Arc<Gauges>,
        (bell, appended): (Bell, watch::Sender<u64>),
    ) -> Writer {
        let mut writer = Writer {
            file,
            options,
            connection: None,
            readers,
            gauges,
            salts: Salts::default(),
            chores: Chores::left(&connection),
            bell,
            appended,
            strikes: 0,
            frames: Arc::default(),
            frames_copied: 0,
            uncopied: true,
        };
        writer.connection = writer.watch(connection).inspect_err(|error| warn!(%error, "no log hook")).ok();
        writer
    }

    /// One job without a thread, with all the chores that come of it. False once it has closed the store.
    pub(crate) fn serve(&mut self, job: Job) -> bool {
        let mut group = Vec::new();
        let last = gather(&mut group, job);
        self.write(group);
        if let Some(waiting) = last.and_then(|job| self.do_apart(job)) {
            self.end();
            let _ = waiting.send(());
            return false;
        }
        while self.chores.any() {
            self.chore();
        }
        self.checkpoint_if_large();
        true
    }

    /// The thread's life. The clock is for waiting with a deadline; it runs no tasks.
    pub(crate) fn run(mut self, mut jobs: mpsc::Receiver<Job>, clock: &Runtime) {
        let mut closed = None;
        while let Some(job) = self.next(&mut jobs, clock) {
            let mut group = Vec::new();
            let mut last = gather(&mut group, job);
            while last.is_none() && group.len() < self.options.queued_appends {
                let Ok(job) = jobs.try_recv() else { break };
                last = gather(&mut group, job);
            }
            self.write(group);
            closed = last.and_then(|job| self.do_apart(job));
            if closed.is_some() {
                break;
            }
            self.chore();
            self.checkpoint_if_large();
        }
        self.close(jobs, closed);
    }

    /// Does a job that belongs to no group. The last one is given back: whoever waits for the store to be closed.
    fn do_apart(&mut self, job: Job) -> Option<oneshot::Sender<()>> {
        // Whoever asked may have gone; what was done stays done.
        match job {
            Job::Make(new, ticket) => self.chores.make(new, ticket),
            Job::Checkpoint(waiting) => drop(waiting.send(self.checkpoint())),
            Job::Scrub(waiting) => self.chores.scrub(waiting),
            Job::Tidy(tidy, waiting) => drop(waiting.send(self.tidy(tidy))),
            Job::Close(waiting) => return Some(waiting),
            Job::Write(_) | Job::WriteTogether(_) => unreachable!("they were gathered"),
        }
        None
    }

    /// The next job. While there is none, does chores; while waiting for one long enough, copies the log.
    fn next(&mut self, jobs: &mut mpsc::Receiver<Job>, clock: &Runtime) -> Option<Job> {
        loop {
            while self.chores.any() {
                match jobs.try_recv() {
                    Ok(job) => return Some(job),
                    Err(mpsc::error::TryRecvError::Disconnected) => return None,
                    Err(mpsc::error::TryRecvError::Empty) => {
                        self.chore();
                        self.checkpoint_if_large();
                    }
                }
            }
            if let Some(idle) = self.options.checkpoint_idle
                && self.uncopied
            {
                match clock.block_on(async { tokio::time::timeout(idle, jobs.recv()).await }) {
                    Ok(job) => return job,
                    Err(_elapsed) => {
                        // A failure is handled and told in there; nobody waits for this checkpoint.
                        let _ = self.checkpoint();
                        self.release_memory();
                        if self.chores.rest() {
                            continue;
                        }
                    }
                }
            }
            return clock.block_on(jobs.recv());
        }
    }

    /// Writes a group and answers it.
    fn write(&mut self, group: Vec<Write>) {
        if group.is_empty() {
            return;
        }
        let outcome = match &self.connection {
            None => Err(GroupFailure::Not(AppendError::ReadOnly)),
            Some(connection) => transaction(connection, &group, &self.options, &mut self.salts),
        };
        match outcome {
            Ok(outcomes) => {
                if outcomes.iter().any(Result::is_ok) {
                    self.strikes = 0;
                    self.uncopied = true;
                    count(&self.gauges.commits);
                    self.bell.ring();
                    self.chores.resume();
                    let appended = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Done::Appended(_)))).count();
                    self.tell_appended(appended as u64);
                }
                for (write, outcome) in group.into_iter().zip(outcomes) {
                    if let Write::Append(append, _) = &write
                        && outcome.is_ok()
                        && !append.forget.is_empty()
                    {
                        self.chores.forgot();
                    }
                    if let Some(removal) = write.answer(outcome) {
                        self.chores.remove(removal);
                    }
                }
            }
            Err(GroupFailure::Not(error)) => refuse(group, &error),
            Err(GroupFailure::Unknown(cause)) => {
                self.open_anew(&cause);
                refuse(group, &AppendError::OutcomeUnknown);
            }
        }
    }

    /// Tells whoever signs how many links there are more. Where nobody listens it costs nothing.
    fn tell_appended(&self, links: u64) {
        if links > 0 {
            self.appended.send_modify(|all| *all += links);
        }
    }

    /// After a failure whose outcome nobody knows: closes every connection, readers' too, opens the file again and makes
    /// one synced commit. Twice without a committed group between, or if that fails as well, there are no more writes.
    /// Readers stand still meanwhile, so nobody sees a head before it is settled.
    fn open_anew(&mut self, cause: &rusqlite::Error) {
        self.strikes += 1;
        warn!(%cause, strikes = self.strikes, "the journal failed; closing every connection");
        let paused = self.readers.pause();
        if let Some(connection) = self.connection.take()
            && let Err(error) = file::close(connection)
        {
            warn!(%error, "the journal's connection did not close cleanly");
        }
        if self.strikes < 2 {
            match self.file.writer_after_failure() {
                Ok(connection) => {
                    count(&self.gauges.reopened);
                    self.connection = self.watch(connection).inspect_err(|error| warn!(%error, "no log hook")).ok();
                }
                Err(error) => error!(%error, "the journal cannot be opened again"),
            }
        }
        if self.connection.is_none() {
            error!(path = %self.file.path().display(), "the journal is read-only until the daemon is restarted");
            self.gauges.read_only.store(true, Ordering::Relaxed);
        }
        // A removal whose outcome is unknown may have become true.
        self.chores.sweep();
        drop(paused);
    }

    /// Lets SQLite tell how long the log is after each commit.
    fn watch(&mut self, mut connection: Connection) -> rusqlite::Result<Connection> {
        self.frames = Arc::default();
        (self.frames_copied, self.uncopied) = (0, true);
        let frames = self.frames.clone();
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            frames.store(u64::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(connection)
    }

    /// Another log began, or this one was emptied.
    fn log_is_empty(&mut self) {
        self.frames.store(0, Ordering::Relaxed);
        (self.frames_copied, self.uncopied) = (0, false);
    }

    fn checkpoint_if_large(&mut self) {
        let frames = self.frames.load(Ordering::Relaxed);
        if frames < self.frames_copied {
            // The log was begun anew.
            self.frames_copied = 0;
        }
        if (frames - self.frames_copied) * FRAME_BYTES >= self.options.checkpoint_bytes {
            // A failure is handled and told in there; nobody waits for this checkpoint.
            let _ = self.checkpoint();
        }
    }

    /// Copies the log into the database as far as readers let it. PASSIVE: it waits for nobody and leaves the log's file
    /// as large as it is, because overwriting is faster than growing. If the disk is full, the log keeps everything and
    /// the next checkpoint tries again.
    fn checkpoint(&mut self) -> Result<(), AppendError> {
        let Some(connection) = &self.connection else { return Err(AppendError::ReadOnly) };
        self.uncopied = false;
        match connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(())) {
            Ok(()) => {
                self.frames_copied = self.frames.load(Ordering::Relaxed);
                count(&self.gauges.checkpoints);
                Ok(())
            }
            Err(cause) => match cause.into() {
                GroupFailure::Not(error) => {
                    warn!(%error, "the journal's log was not copied");
                    Err(error)
                }
                GroupFailure::Unknown(cause) => {
                    self.open_anew(&cause);
                    Err(AppendError::OutcomeUnknown)
                }
            },
        }
    }

    /// Gives the page cache back; it fills again when it is needed.
    fn release_memory(&self) {
        if let Some(connection) = &self.connection
            && let Err(error) = connection.release_memory()
        {
            warn!(%error, "the journal's memory was not released");
        }
    }

    /// Ends: the readers first, so that the writer's connection is the last and copies the log as it closes.
    fn close(mut self, mut jobs: mpsc::Receiver<Job>, closed: Option<oneshot::Sender<()>>) {
        jobs.close();
        self.end();
        drop(jobs);
        if let Some(closed) = closed {
            let _ = closed.send(());
        }
    }

    fn end(&mut self) {
        self.readers.end();
        if let Some(connection) = self.connection.take()
            && let Err(error) = file::close(connection)
        {
            warn!(%error, "the journal did not close cleanly; nothing acknowledged is lost");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_a_no_and_all_else_is_unknown() {
        let error = |code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        let no = |code| matches!(GroupFailure::from(error(code)), GroupFailure::Not(_));
        assert!(no(rusqlite::ffi::SQLITE_FULL) && no(rusqlite::ffi::SQLITE_BUSY));
        assert!(!no(rusqlite::ffi::SQLITE_IOERR_FSYNC) && !no(rusqlite::ffi::SQLITE_CORRUPT));
    }
}
