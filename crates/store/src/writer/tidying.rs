//! A slice of tidying, in a transaction of its own.

use super::Writer;
use crate::error::AppendError;
use crate::gauges::count;
use crate::sql::{GroupFailure, Refusal};
use crate::tidy::{self, Tidied, Tidy};
use rusqlite::Connection;

impl Writer {
    /// Does one slice.
    pub(super) fn tidy(&mut self, tidy: Tidy) -> Result<Tidied, AppendError> {
        let Some(connection) = &self.connection else { return Err(AppendError::ReadOnly) };
        match transaction(connection, tidy) {
            Ok(tidied) => {
                (self.strikes, self.uncopied) = (0, true);
                count(&self.gauges.commits);
                Ok(tidied)
            }
            Err(Refusal::Job(error)) => Err(error),
            Err(Refusal::Group(GroupFailure::Not(error))) => Err(error),
            Err(Refusal::Group(GroupFailure::Unknown(cause))) => {
                self.open_anew(&cause);
                Err(AppendError::OutcomeUnknown)
            }
        }
    }
}

fn transaction(connection: &Connection, tidy: Tidy) -> Result<Tidied, Refusal> {
    let failed = |error: rusqlite::Error| Refusal::Group(error.into());
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    let done = tidy::slice(connection, tidy).and_then(|tidied| {
        let idle = tidied == Tidied::default();
        connection.execute_batch(if idle { "ROLLBACK" } else { "COMMIT" }).map_err(failed)?;
        Ok(tidied)
    });
    if done.is_err() && !connection.is_autocommit() {
        let undone = connection.execute_batch("ROLLBACK");
        undone.map_err(|error| Refusal::Group(GroupFailure::Unknown(error)))?;
    }
    done
}
