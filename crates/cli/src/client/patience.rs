//! How long an answer is waited for, and what is said meanwhile.

use crate::http::{Connection, HttpError};
use crate::interrupt::Interrupt;
use crate::{screen, terminal, wait};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long an answer may take. An accept of many files is the longest.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(300);
/// How long a daemon that is well may take for a word about itself: what it is, and what counts in it.
pub(super) const PROMPT_LIMIT: Duration = Duration::from_secs(5);
/// After this long we say that we wait.
const QUIET: Duration = Duration::from_secs(1);

/// What is said while an answer takes long, and how long it may take.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) words: String,
    pub(super) limit: Duration,
    pub(super) tells: Tells,
    /// Processes, by their descriptors, one of which must live for an answer to come; `None` when nobody knows which.
    pub(super) processes: Option<Vec<OwnedFd>>,
}

/// What is said while an answer takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tells {
    /// That we wait, once.
    Once,
    /// How long it has been, in one line that is written again and again.
    Seconds,
    /// Nothing.
    Nothing,
}

impl Waiting {
    /// As it is for most requests.
    pub(super) fn usual() -> Waiting {
        Waiting { words: "waiting for the daemon".to_owned(), limit: ANSWER_LIMIT, tells: Tells::Once, processes: None }
    }

    /// The first of the processes that lives, and whether there is none left.
    fn living(&self) -> io::Result<(Option<BorrowedFd<'_>>, bool)> {
        let Some(processes) = &self.processes else { return Ok((None, false)) };
        for process in processes {
            if wait::readable([Some(process.as_fd())], Some(Duration::ZERO))? == [false] {
                return Ok((Some(process.as_fd()), false));
            }
        }
        Ok((None, true))
    }
}

/// Waits for an answer, within bounds, and says so when it takes long.
pub(super) struct Patience<'a> {
    began: Instant,
    /// How often it was said.
    told: u32,
    waiting: &'a Waiting,
    interrupt: Option<&'a Interrupt>,
}

impl<'a> Patience<'a> {
    /// It begins now.
    pub(super) fn new(waiting: &'a Waiting, interrupt: Option<&'a Interrupt>) -> Patience<'a> {
        Patience { began: Instant::now(), told: 0, waiting, interrupt }
    }

    /// Waits until there is something to read.
    pub(super) fn wait(&mut self, connection: &Connection) -> Result<(), HttpError> {
        loop {
            let is_silent_from_now = match self.waiting.tells {
                Tells::Once => self.told > 0,
                Tells::Seconds => false,
                Tells::Nothing => true,
            };
            let next = if is_silent_from_now { self.waiting.limit } else { QUIET * (self.told + 1) };
            let (living, all_have_ended) = self.waiting.living()?;
            let left = match all_have_ended {
                true => Duration::ZERO,
                false => next.min(self.waiting.limit).saturating_sub(self.began.elapsed()),
            };
            let interrupt = self.interrupt.map(AsFd::as_fd);
            match wait::readable([Some(connection.as_fd()), interrupt, living], Some(left))? {
                [true, ..] => return Ok(()),
                [false, true, _] => return Err(HttpError::Interrupted),
                [false, false, true] => {}
                [false, false, false] if all_have_ended => return Err(HttpError::Gone),
                [false, false, false] if self.began.elapsed() >= self.waiting.limit => {
                    return Err(HttpError::TimedOut { seconds: self.waiting.limit.as_secs() });
                }
                [false, false, false] => self.tell(),
            }
        }
    }

    fn tell(&mut self) {
        self.told += 1;
        let words = &self.waiting.words;
        match self.waiting.tells {
            Tells::Seconds => terminal::rewrite(&format!("{words}… {} s", self.began.elapsed().as_secs())),
            Tells::Once => screen::progress(&format!("{words}…")),
            Tells::Nothing => {}
        }
    }
}

impl Drop for Patience<'_> {
    fn drop(&mut self) {
        if self.waiting.tells == Tells::Seconds && self.told > 0 {
            terminal::rewrite("");
        }
    }
}
