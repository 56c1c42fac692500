//! The handle's side of archiving.

use crate::append::{Appended, JournalId};
use crate::archive::{self, Archive, Archived, Fate};
use crate::error::{AppendError, ReadError};
use crate::import::Unarchive;
use crate::list::{self, ListCursor, ListRow};
use crate::query::{self, Head};
use crate::store::Store;
use crate::writer::{Job, New, Write};
use agent::{Micros, SessionId};

/// Archived sessions read in one page.
const PAGE: u64 = 512;

impl Store {
    /// Lets a session leave the tables for the file that the caller has written, read back and synced. It is true from the
    /// first moment on; the answer comes when the rows are gone, and says whether the log is empty, too. A store that is
    /// killed before goes on when it is opened again.
    pub async fn archive(&self, archive: Archive) -> Result<bool, AppendError> {
        let (ticket, waiting) = self.ticket().await?;
        Ok(self.ask(Job::Write(Write::Archive(archive, ticket)), waiting).await?.cleared)
    }

    /// Lets a session come back from its file, and answers when it is whole and on disk. Until then it is archived; if its
    /// file ends too early or is not right, it stays so.
    pub async fn unarchive(&self, unarchive: Unarchive) -> Result<Appended, AppendError> {
        let (ticket, waiting) = self.ticket().await?;
        self.ask(Job::Make(New::Return(Box::new(unarchive)), ticket), waiting).await
    }

    /// A session, if it is archived.
    pub async fn archived(&self, session: SessionId) -> Result<Option<Archived>, ReadError> {
        self.read(move |c| archive::one(c, session)).await
    }

    /// All archived sessions, oldest first.
    pub async fn all_archived(&self) -> Result<Vec<Archived>, ReadError> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let page = self.read(move |c| archive::page(c, after, PAGE)).await?;
            let Some((last, _)) = page.last() else { return Ok(all) };
            after = *last;
            all.extend(page.into_iter().map(|(_, archived)| archived));
        }
    }

    /// How many sessions are archived, and the bytes of their files.
    pub async fn archive_sum(&self) -> Result<(u64, u64), ReadError> {
        self.read(archive::sum).await
    }

    /// What became of a session.
    pub async fn fate(&self, session: SessionId) -> Result<Fate, ReadError> {
        self.read(move |c| archive::fate(c, session)).await
    }

    /// The head of a session, archived or not; `None` if there is none.
    pub async fn any_head(&self, session: SessionId) -> Result<Option<Head>, ReadError> {
        self.read(move |c| {
            let found = query::any_head(c, JournalId::Session(session)).map_err(ReadError::from)?;
            Ok::<_, ReadError>(found.map(|(_, head)| head))
        })
        .await
    }

    /// Sessions without work in which nothing happened since a moment, and that did not come back since; the longest idle
    /// first, after a place in the list.
    pub async fn idle(
        &self,
        since: Micros,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<ListRow>, ReadError> {
        let limit = limit.min(self.shared.limits.rows_per_page);
        self.read(move |c| list::idle(c, since, after, limit)).await
    }
}
