//! The reader threads: every read happens on one of these, so that no disk is waited for on the async runtime.
//!
//! Each thread opens its connection at its first read and closes it when the writer says so.

use crate::error::ReadError;
use crate::file::File;
use crate::gate::{Gate, Shut};
use rusqlite::Connection;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc as sync};
use tokio::sync::{mpsc, oneshot};

/// One read. Given no connection, it tells whoever asked. It says whether the connection can still be trusted.
pub(crate) type Read = Box<dyn FnOnce(Result<&Connection, ReadError>) -> Trust + Send>;

/// Whether a connection goes on being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    Kept,
    Lost,
}

pub(crate) enum Job {
    /// Read something.
    Read(Read),
    /// Close the connection, say so, and stand still until the other end of `resume` is dropped.
    Pause {
        /// Dropped when it is closed.
        closed: sync::SyncSender<()>,
        /// Its other end is dropped when reading goes on.
        resume: sync::Receiver<()>,
    },
    /// Close the connection, say so, and end.
    End {
        /// Dropped when it is closed.
        closed: sync::SyncSender<()>,
    },
}

/// A handle on those who read.
#[derive(Clone)]
pub(crate) enum Readers {
    /// Threads of their own.
    Threads {
        /// Where they take their jobs from.
        queue: mpsc::Sender<Job>,
        /// How many there are.
        threads: usize,
        /// Before the one long reader that is none of these threads.
        gate: Arc<Gate>,
    },
    /// Whoever asks.
    Inline(Arc<Inline>),
}

/// The one connection of those who read without a thread.
pub(crate) struct Inline {
    file: File,
    /// Before the one long reader.
    gate: Arc<Gate>,
    /// `None` when the store is closed; in it, the connection, once there was a read.
    open: Mutex<Option<Option<Connection>>>,
}

impl Inline {
    fn read(&self, read: Read) -> Result<(), ReadError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = open.as_mut().ok_or(ReadError::Closed)?;
        *connection = serve(&self.file, connection.take(), read);
        Ok(())
    }

    fn close(&self, for_good: bool) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open = if for_good || open.is_none() { None } else { Some(None) };
    }
}

/// All readers have closed their connections and stand still until this is dropped.
pub(crate) struct Paused {
    _gate: Shut,
    _resume: Vec<sync::SyncSender<()>>,
}

impl Readers {
    /// Starts the threads. At most `queued` reads wait; whoever comes then waits to be let into the queue.
    pub(crate) fn start(file: &File, threads: usize, queued: usize) -> io::Result<Readers> {
        let (sender, receiver) = mpsc::channel(queued.max(1));
        let (receiver, threads) = (Arc::new(Mutex::new(receiver)), threads.max(1));
        for number in 0..threads {
            let (file, receiver) = (file.clone(), receiver.clone());
            std::thread::Builder::new().name(format!("journal-read-{number}")).spawn(move || run(&file, &receiver))?;
        }
        Ok(Readers::Threads { queue: sender, threads, gate: Arc::default() })
    }

    /// No threads: whoever asks reads.
    pub(crate) fn inline(file: &File) -> Readers {
        Readers::Inline(Arc::new(Inline { file: file.clone(), gate: Arc::default(), open: Mutex::new(Some(None)) }))
    }

    /// Hands a read in.
    pub(crate) async fn send(&self, read: Read) -> Result<(), ReadError> {
        match self {
            Readers::Threads { queue, .. } => queue.send(Job::Read(read)).await.map_err(|_| ReadError::Closed),
            Readers::Inline(inline) => {
                // Others get their turn, as they would while a thread reads.
                tokio::task::yield_now().await;
                inline.read(read)
            }
        }
    }

    /// Reads from a thread that may block, and waits for the answer.
    pub(crate) fn ask_blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (read, answer) = question(read);
        match self {
            Readers::Threads { queue, .. } => queue.blocking_send(Job::Read(read)).map_err(|_| ReadError::Closed)?,
            Readers::Inline(inline) => {
                inline.read(read)?;
                let mut answer = answer;
                return answer.try_recv().unwrap_or(Err(ReadError::Closed));
            }
        }
        answer.blocking_recv().unwrap_or(Err(ReadError::Closed))
    }

    /// The gate before long reads.
    pub(crate) fn gate(&self) -> &Arc<Gate> {
        match self {
            Readers::Threads { gate, .. } => gate,
            Readers::Inline(inline) => &inline.gate,
        }
    }

    /// Returns once every reader has closed its connection. A thread that stands still takes no second job, so as many
    /// jobs as there are threads reach each of them.
    pub(crate) fn pause(&self) -> Paused {
        let gate = self.gate().shut();
        let (queue, threads) = match self {
            Readers::Threads { queue, threads, .. } => (queue, *threads),
            Readers::Inline(inline) => {
                inline.close(false);
                return Paused { _gate: gate, _resume: Vec::new() };
            }
        };
        // Nothing is ever sent on these channels: that an end is dropped is the message, so they need no room.
        let (closed, all_closed) = sync::sync_channel(0);
        let mut resume = Vec::new();
        for _ in 0..threads {
            let (keep, wait) = sync::sync_channel(0);
            // If the threads have ended, their connections are closed as well.
            if queue.blocking_send(Job::Pause { closed: closed.clone(), resume: wait }).is_ok() {
                resume.push(keep);
            }
        }
        drop(closed);
        while all_closed.recv().is_ok() {}
        Paused { _gate: gate, _resume: resume }
    }

    /// Returns once every reader has closed its connection for good. Reads still queued are answered with
    /// [`ReadError::Closed`].
    pub(crate) fn end(&self) {
        self.gate().close();
        let (queue, threads) = match self {
            Readers::Threads { queue, threads, .. } => (queue, *threads),
            Readers::Inline(inline) => return inline.close(true),
        };
        let (closed, all_closed) = sync::sync_channel(0);
        for _ in 0..threads {
            // A failure means that the threads have ended already.
            let _ = queue.blocking_send(Job::End { closed: closed.clone() });
        }
        drop(closed);
        while all_closed.recv().is_ok() {}
    }
}

/// A read for the readers, and where its answer comes. If nobody waits any more, it is not done. After an error the
/// connection is not trusted again; opening another one costs a fraction of a millisecond.
pub(crate) fn question<T, E>(
    read: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
) -> (Read, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: From<ReadError> + Send + 'static,
{
    let (answer, waiting) = oneshot::channel();
    let job = move |connection: Result<&Connection, ReadError>| {
        if answer.is_closed() {
            return Trust::Kept;
        }
        let outcome = connection.map_err(E::from).and_then(read);
        let trust = if outcome.is_ok() { Trust::Kept } else { Trust::Lost };
        let _ = answer.send(outcome);
        trust
    };
    (Box::new(job), waiting)
}

/// A reader's life. The lock is held while waiting for a job: it only decides who waits in front.
fn run(file: &File, queue: &Mutex<mpsc::Receiver<Job>>) {
    let mut connection = None;
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        match job {
            Some(Job::Read(read)) => connection = serve(file, connection.take(), read),
            Some(Job::Pause { closed, resume }) => {
                drop(connection.take());
                drop(closed);
                // Nothing is ever sent: the call returns when the writer drops its end.
                let _ = resume.recv();
            }
            Some(Job::End { closed }) => {
                drop(connection.take());
                drop(closed);
                return;
            }
            None => return,
        }
    }
}

/// Reads by a connection, or by a new one, and gives it back if it can still be trusted.
fn serve(file: &File, connection: Option<Connection>, read: Read) -> Option<Connection> {
    match connection.map_or_else(|| file.reader(), Ok) {
        Ok(open) => (read(Ok(&open)) == Trust::Kept).then_some(open),
        Err(error) => {
            read(Err(error.into()));
            None
        }
    }
}
