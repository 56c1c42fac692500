//! Long work in slices: forks, imports, returns from the archive, sweeping what was removed or archived, and blanking the
//! gaps of pages once words went. A slice is a transaction of its own, done when nothing is queued and after each group
//! otherwise, so that no append waits for more than one slice.

use super::Writer;
use crate::append::Appended;
use crate::error::AppendError;
use crate::fork::{self, Copying, Fork};
use crate::gaps::{self, Due, Pass};
use crate::gauges::count;
use crate::import::{self, Import, Importing, Unarchive};
use crate::options::Limits;
use crate::removal::{self, Removed};
use crate::sql::{GroupFailure, Refusal};
use crate::transact::Salts;
use rusqlite::Connection;
use std::collections::VecDeque;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::warn;

/// Who waits for a chore. While it is held, one chore less can be asked for: that bounds the lines below.
pub(crate) struct Ticket<T> {
    waiting: oneshot::Sender<Result<T, AppendError>>,
    _permit: OwnedSemaphorePermit,
}

impl<T> Ticket<T> {
    pub(crate) fn new(waiting: oneshot::Sender<Result<T, AppendError>>, permit: OwnedSemaphorePermit) -> Ticket<T> {
        Ticket { waiting, _permit: permit }
    }

    pub(super) fn answer(self, outcome: Result<T, AppendError>) {
        // Whoever asked may have gone; what was done stays done.
        let _ = self.waiting.send(outcome);
    }
}

/// A removal or an archiving that is true, and who waits until it is swept.
pub(super) struct Removal {
    pub(super) journal: i64,
    pub(super) events: u64,
    pub(super) ticket: Ticket<Removed>,
}

impl Removal {
    fn answer(self, cleared: bool) {
        self.ticket.answer(Ok(Removed { events: self.events, cleared }));
    }
}

/// Who waits until no file holds a byte of what went, and is told whether that is so.
enum Waiting {
    Removal(Removal),
    Scrub(oneshot::Sender<bool>),
}

impl Waiting {
    fn answer(self, cleared: bool) {
        match self {
            Waiting::Removal(removal) => removal.answer(cleared),
            Waiting::Scrub(waiting) => drop(waiting.send(cleared)),
        }
    }
}

/// A journal that is to be made of another one.
pub(crate) enum New {
    Fork(Box<Fork>),
    Import(Box<Import>),
    Return(Box<Unarchive>),
}

/// A journal that is being made.
enum Making {
    Fork(Copying),
    Import(Importing),
}

impl New {
    fn begin(self, connection: &Connection, limits: &Limits) -> Result<Making, Refusal> {
        match self {
            New::Fork(fork) => fork::begin(connection, fork, limits).map(Making::Fork),
            New::Import(import) => import::begin(connection, import, limits).map(Making::Import),
            New::Return(unarchive) => import::begin_return(connection, *unarchive).map(Making::Import),
        }
    }
}

impl Making {
    fn slice(&mut self, connection: &Connection, salts: &mut Salts) -> Result<Option<Appended>, Refusal> {
        match self {
            Making::Fork(copying) => copying.slice(connection, salts),
            Making::Import(importing) => importing.slice(connection, salts),
        }
    }
}

/// What is to be done, one after the other: the journal at hand to its end, then what is to be swept (nothing else has a
/// head of 0 by then), then the next journal, and then the gaps.
#[derive(Default)]
pub(super) struct Chores {
    new: VecDeque<(New, Ticket<Appended>)>,
    making: Option<(Making, Ticket<Appended>)>,
    removals: Vec<Removal>,
    /// Whether something may be left to sweep.
    sweeping: bool,
    /// Whether gaps may be left to blank, or the log to empty.
    blanking: bool,
    /// Whether words went that nobody asked to blank yet.
    forgot: bool,
    /// The pass over the gaps that is under way.
    pass: Option<Pass>,
    /// Whether the slice at hand is one of a pass.
    at_gaps: bool,
    waiting: Vec<Waiting>,
    /// How many of those that wait were there when the pass began: it is theirs.
    served: usize,
    /// Whether sweeping and blanking wait until something was written again: the disk was full.
    postponed: bool,
}

/// What a slice did.
enum Slice {
    Copied,
    Made(Appended),
    Swept,
    /// The last slice of this journal.
    Cleared(i64),
    Blanked(gaps::Slice),
    /// The gaps of this file cannot be blanked.
    Unable,
    Nothing,
}

impl Slice {
    fn wrote(&self) -> bool {
        match self {
            Slice::Copied | Slice::Made(_) | Slice::Swept | Slice::Cleared(_) => true,
            Slice::Blanked(slice) => slice.wrote,
            Slice::Unable | Slice::Nothing => false,
        }
    }
}

impl Chores {
    /// Those that an earlier run of the store left.
    pub(super) fn left(connection: &Connection) -> Chores {
        // If this cannot be read, then the slice that looks again meets the failure where it is handled.
        Chores {
            sweeping: removal::unswept(connection).map_or(true, |journal| journal.is_some()),
            blanking: gaps::due(connection).map_or(true, |due| matches!(due, Due::Pass(_))),
            ..Chores::default()
        }
    }

    pub(super) fn any(&self) -> bool {
        self.sweeping || self.blanking || self.making.is_some() || !self.new.is_empty()
    }

    pub(super) fn make(&mut self, new: New, ticket: Ticket<Appended>) {
        // What is to come back may have rows here that could not be swept for want of room: they are tried first.
        self.resume();
        self.new.push_back((new, ticket));
    }

    pub(super) fn remove(&mut self, removal: Removal) {
        self.removals.push(removal);
        self.sweeping = true;
    }

    /// Blanks the gaps and empties the log, then answers.
    pub(super) fn scrub(&mut self, waiting: oneshot::Sender<bool>) {
        self.waiting.push(Waiting::Scrub(waiting));
        self.blanking = true;
    }

    /// Words went: their gaps are blanked once nobody writes, if nobody asks for it before.
    pub(super) fn forgot(&mut self) {
        self.forgot = true;
    }

    /// Nobody writes. Says whether there is something to do now.
    pub(super) fn rest(&mut self) -> bool {
        let forgot = std::mem::take(&mut self.forgot);
        self.blanking |= forgot;
        forgot
    }

    /// Looks anew whether something is left to sweep.
    pub(super) fn sweep(&mut self) {
        self.sweeping = true;
    }

    /// There is room again.
    pub(super) fn resume(&mut self) {
        let again = std::mem::take(&mut self.postponed);
        self.sweeping |= again;
        self.blanking |= again;
    }

    fn slice(&mut self, connection: &Connection, limits: &Limits, salts: &mut Salts) -> Result<Slice, Refusal> {
        self.at_gaps = false;
        if let Some((making, _)) = &mut self.making {
            return Ok(making.slice(connection, salts)?.map_or(Slice::Copied, Slice::Made));
        }
        if self.sweeping {
            return match removal::unswept(connection)? {
                Some(journal) if removal::sweep(connection, journal)? => Ok(Slice::Cleared(journal)),
                Some(_) => Ok(Slice::Swept),
                None => {
                    self.sweeping = false;
                    Ok(Slice::Nothing)
                }
            };
        }
        let Some((new, ticket)) = self.new.pop_front() else {
            return if self.blanking { self.blank(connection) } else { Ok(Slice::Nothing) };
        };
        match new.begin(connection, limits) {
            Ok(making) => {
                self.making = Some((making, ticket));
                Ok(Slice::Copied)
            }
            Err(Refusal::Job(error)) => {
                ticket.answer(Err(error));
                Ok(Slice::Nothing)
            }
            Err(Refusal::Group(failure)) => {
                ticket.answer(Err(outcome(&failure)));
                Err(Refusal::Group(failure))
            }
        }
    }

    fn blank(&mut self, connection: &Connection) -> Result<Slice, Refusal> {
        self.at_gaps = true;
        let pass = match self.pass {
            Some(pass) => pass,
            None => {
                self.served = self.waiting.len();
                match gaps::due(connection)? {
                    Due::Pass(pass) => pass,
                    Due::Nothing => return Ok(Slice::Blanked(gaps::Slice { rest: None, wrote: false })),
                    Due::Unable => return Ok(Slice::Unable),
                }
            }
        };
        gaps::slice(connection, pass).map(Slice::Blanked)
    }

    /// A pass is through. Those who came while it was under way wait for the next one.
    fn blanked(&mut self, cleared: bool) {
        self.waiting.drain(..self.served).for_each(|waiting| waiting.answer(cleared));
        self.served = 0;
        self.blanking = !self.waiting.is_empty();
    }

    /// The chore at hand failed: what was copied is swept, a removal stays true and is swept later, a pass is made anew.
    fn fail(&mut self, error: AppendError, later: bool) {
        (self.pass, self.served) = (None, 0);
        if let Some((_, ticket)) = self.making.take() {
            ticket.answer(Err(error));
            self.sweeping = true;
        } else if later || self.at_gaps {
            // What cannot be read stays so: a pass is not tried again before somebody asks, or the next start.
            self.postponed = later;
            (self.sweeping, self.blanking) = (false, false);
            self.removals.drain(..).for_each(|removal| removal.answer(false));
            self.waiting.drain(..).for_each(|waiting| waiting.answer(false));
        }
    }

    fn give_up(&mut self, error: &AppendError) {
        self.new.drain(..).for_each(|(_, ticket)| ticket.answer(Err(error.clone())));
        self.fail(error.clone(), false);
        self.fail(error.clone(), true);
        self.postponed = false;
    }
}

/// What is known of a chore whose transaction failed.
fn outcome(failure: &GroupFailure) -> AppendError {
    match failure {
        GroupFailure::Not(error) => error.clone(),
        GroupFailure::Unknown(_) => AppendError::OutcomeUnknown,
    }
}

impl Writer {
    /// Does one slice, if there is something to do.
    pub(super) fn chore(&mut self) {
        if !self.chores.any() {
            return;
        }
        let Writer { connection, chores, options, salts, .. } = self;
        let Some(connection) = connection else { return chores.give_up(&AppendError::ReadOnly) };
        match transaction(connection, |done: &Slice| !done.wrote(), || chores.slice(connection, &options.limits, salts))
        {
            Ok(done) => {
                if done.wrote() {
                    (self.strikes, self.uncopied) = (0, true);
                    count(&self.gauges.commits);
                }
                self.conclude(done);
            }
            Err(Refusal::Job(error)) => chores.fail(error, true),
            Err(Refusal::Group(failure)) => {
                let at_gaps = chores.at_gaps;
                chores.fail(outcome(&failure), matches!(failure, GroupFailure::Not(_)));
                match failure {
                    GroupFailure::Unknown(cause) => self.open_anew(&cause),
                    // Without room for a pass the log can be emptied all the same, which gives room.
                    GroupFailure::Not(_) if at_gaps => drop(self.clear_log()),
                    GroupFailure::Not(_) => {}
                }
            }
        }
    }

    fn conclude(&mut self, done: Slice) {
        if matches!(done, Slice::Copied | Slice::Made(_) | Slice::Swept | Slice::Cleared(_)) {
            // It may have moved pages that were still to come among those that were looked at.
            self.chores.pass = None;
        }
        match done {
            Slice::Made(appended) => {
                if let Some((_, ticket)) = self.chores.making.take() {
                    ticket.answer(Ok(appended));
                }
                self.bell.ring();
            }
            Slice::Cleared(journal) => {
                let swept = self.chores.removals.extract_if(.., |removal| removal.journal == journal);
                self.chores.waiting.extend(swept.map(Waiting::Removal));
                self.chores.blanking = true;
            }
            Slice::Blanked(slice) => {
                self.chores.pass = slice.rest;
                if slice.rest.is_none() {
                    let cleared = self.clear_log();
                    self.chores.blanked(cleared);
                }
            }
            Slice::Unable => {
                warn!(
                    "single pages of this journal cannot be written, so copies of forgotten words may be left in gaps"
                );
                self.clear_log();
                self.chores.blanked(false);
            }
            Slice::Copied | Slice::Swept | Slice::Nothing => {}
        }
    }

    /// Copies the whole log into the database and empties it, so that nothing of what was swept is left there. Readers
    /// stand still meanwhile. Says whether that could be done: another program's reader may be in the way.
    fn clear_log(&mut self) -> bool {
        let paused = self.readers.pause();
        let Some(connection) = &self.connection else { return false };
        let outcome = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get::<_, i64>(0));
        drop(paused);
        match outcome.map_err(GroupFailure::from) {
            Ok(busy) => {
                if busy == 0 {
                    self.log_is_empty();
                }
                busy == 0
            }
            Err(GroupFailure::Not(error)) => {
                warn!(%error, "the journal's log was not emptied");
                false
            }
            Err(GroupFailure::Unknown(cause)) => {
                self.open_anew(&cause);
                false
            }
        }
    }
}

/// One slice in a transaction of its own.
pub(super) fn transaction<T>(
    connection: &Connection,
    is_nothing: impl FnOnce(&T) -> bool,
    slice: impl FnOnce() -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let begin = || connection.execute_batch("BEGIN IMMEDIATE");
    begin().map_err(|error| Refusal::Group(error.into()))?;
    let done = slice().and_then(|done| {
        let end = if is_nothing(&done) { "ROLLBACK" } else { "COMMIT" };
        connection.execute_batch(end).map_err(|error| Refusal::Group(error.into()))?;
        Ok(done)
    });
    if done.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK").map_err(|error| Refusal::Group(GroupFailure::Unknown(error)))?;
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_for_a_pass_that_cannot_be_made_is_told_and_it_is_not_tried_for_ever() {
        for later in [false, true] {
            let mut chores = Chores { at_gaps: true, ..Chores::default() };
            let (answer, mut waiting) = oneshot::channel();
            chores.scrub(answer);
            chores.fail(AppendError::OutcomeUnknown, later);
            assert_eq!(waiting.try_recv(), Ok(false), "{later}");
            assert!(!chores.any(), "{later}");
            chores.resume();
            assert_eq!(chores.any(), later, "it is tried again where there is room again");
        }
    }
}
