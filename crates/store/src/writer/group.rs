//! A group: what is written in one transaction, and what was done of it before the commit made it true.

use super::chores::Removal;
use super::{Job, Partial, Write};
use crate::append::Appended;
use crate::error::AppendError;
use crate::options::Options;
use crate::sql::{GroupFailure, Refusal};
use crate::transact::{self, Salts};
use crate::{archive, removal, signature};
use rusqlite::Connection;

/// What was done, before the commit made it true.
pub(super) enum Done {
    Appended(Appended),
    Saved,
    /// It was removed or archived: the journal's row, and how many events it had.
    Removed(i64, u64),
}

impl Write {
    /// Answers, unless it is a removal that was done: that is given back.
    pub(super) fn answer(self, outcome: Result<Done, AppendError>) -> Option<Removal> {
        // Whoever asked may have gone; what was written stays written.
        match self {
            Write::Append(_, waiting) => {
                let _ = waiting.send(outcome.map(|done| match done {
                    Done::Appended(appended) => appended,
                    Done::Saved | Done::Removed(..) => unreachable!("an append is answered as an append"),
                }));
            }
            Write::Remove(_, ticket) | Write::Archive(_, ticket) => match outcome {
                Ok(Done::Removed(journal, events)) => return Some(Removal { journal, events, ticket }),
                Ok(Done::Appended(_) | Done::Saved) => unreachable!("a removal is answered as a removal"),
                Err(error) => ticket.answer(Err(error)),
            },
            Write::Partial(_, waiting) | Write::Sign(_, waiting) => {
                let _ = waiting.send(outcome.map(|_| ()));
            }
        }
        None
    }
}

/// Answers all of a group with the same error.
pub(super) fn refuse(group: Vec<Write>, error: &AppendError) {
    for write in group {
        let removal = write.answer(Err(error.clone()));
        debug_assert!(removal.is_none(), "nothing was removed");
    }
}

/// Puts a job into the group, or gives it back if the group ends with it.
pub(super) fn gather(group: &mut Vec<Write>, job: Job) -> Option<Job> {
    match job {
        Job::Write(write) => group.push(write),
        Job::WriteTogether(writes) => group.extend(writes),
        last => return Some(last),
    }
    None
}

/// Writes a group in one transaction. What is said of each is true once this has returned.
pub(super) fn transaction(
    connection: &Connection,
    group: &[Write],
    options: &Options,
    salts: &mut Salts,
) -> Result<Vec<Result<Done, AppendError>>, GroupFailure> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let written = write_all(connection, group, options, salts).and_then(|outcomes| {
        // Where all were refused there is nothing to sync.
        let end = if outcomes.iter().any(Result::is_ok) { "COMMIT" } else { "ROLLBACK" };
        connection.prepare_cached(end)?.execute(())?;
        Ok(outcomes)
    });
    if written.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK").map_err(GroupFailure::Unknown)?;
    }
    written
}

fn write_all(
    connection: &Connection,
    group: &[Write],
    options: &Options,
    salts: &mut Salts,
) -> Result<Vec<Result<Done, AppendError>>, GroupFailure> {
    let mut outcomes = Vec::with_capacity(group.len());
    for write in group {
        connection.prepare_cached("SAVEPOINT one")?.execute(())?;
        let outcome = match write_one(connection, write, options, salts) {
            Ok(done) => Ok(done),
            Err(Refusal::Job(error)) => {
                connection.prepare_cached("ROLLBACK TO one")?.execute(())?;
                Err(error)
            }
            Err(Refusal::Group(failure)) => return Err(failure),
        };
        connection.prepare_cached("RELEASE one")?.execute(())?;
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn write_one(connection: &Connection, write: &Write, options: &Options, salts: &mut Salts) -> Result<Done, Refusal> {
    match write {
        Write::Append(append, _) => transact::append(connection, append, &options.limits, salts).map(Done::Appended),
        Write::Partial(partial, _) => {
            let Partial { session, epoch, effect, text } = &**partial;
            transact::save_partial(connection, *session, *epoch, *effect, text, &options.limits).map(|()| Done::Saved)
        }
        Write::Sign(new, _) => signature::keep(connection, new).map(|()| Done::Saved),
        Write::Remove(remove, _) => {
            removal::mark(connection, remove).map(|(journal, events)| Done::Removed(journal, events))
        }
        Write::Archive(archive, _) => {
            archive::mark(connection, archive).map(|(journal, events)| Done::Removed(journal, events))
        }
    }
}
