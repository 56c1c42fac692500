//! A slice of tidying, in a transaction of its own.

use super::Writer;
use super::chores::transaction;
use crate::error::AppendError;
use crate::gauges::count;
use crate::sql::{GroupFailure, Refusal};
use crate::tidy::{self, Tidied, Tidy};

impl Writer {
    /// Does one slice.
    pub(super) fn tidy(&mut self, tidy: Tidy) -> Result<Tidied, AppendError> {
        let Some(connection) = &self.connection else { return Err(AppendError::ReadOnly) };
        let nothing = |tidied: &Tidied| *tidied == Tidied::default();
        match transaction(connection, nothing, || tidy::slice(connection, tidy)) {
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
