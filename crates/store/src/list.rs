//! Lists of sessions: what they show is a row kept in the same transactions as the events.

use crate::error::ReadError;
use crate::query::session_of;
use crate::sql::{Int, Time};
use agent::{Micros, ModelName, Money, Seq, SessionId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What lists show of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The workspace's real path.
    pub workspace: String,
    /// What people call the session.
    pub title: Option<String>,
    /// A word for what it is doing.
    pub state: String,
    /// The model last used.
    pub model: Option<ModelName>,
    /// Spent so far.
    pub cost: Money,
    /// When it was made.
    pub created: Micros,
    /// When something last happened in it; lists are ordered by this.
    pub updated: Micros,
}

/// Which sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Those of one workspace only.
    pub workspace: Option<String>,
    /// Those that come after this one in the list.
    pub before: Option<ListCursor>,
    /// Those that are archived, in place of those that are not; `None` for both.
    pub archived: Option<bool>,
    /// How many at most; [`Limits::rows_per_page`](crate::Limits::rows_per_page) holds as well.
    pub limit: usize,
}

/// A place in a list; what comes earlier in it is greater. Its text form is for the doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListCursor {
    updated: Micros,
    journal: i64,
}

impl fmt::Display for ListCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.updated.0, self.journal)
    }
}

impl FromStr for ListCursor {
    type Err = agent::ParseIdError;
    fn from_str(text: &str) -> Result<ListCursor, agent::ParseIdError> {
        let parse = || {
            let (updated, journal) = text.split_once('.')?;
            Some(ListCursor { updated: Micros(updated.parse().ok()?), journal: journal.parse().ok()? })
        };
        parse().ok_or(agent::ParseIdError { expected: "a place in a list, as an earlier page gave it" })
    }
}

/// A session in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRow {
    /// Which.
    pub session: SessionId,
    /// What is shown.
    pub row: SessionRow,
    /// Its last event.
    pub head: Seq,
    /// Its place in the list, for asking for what comes after it.
    pub cursor: ListCursor,
    /// Since when its events lie in a file, and how large that is; `None` where they are in the journal.
    pub archived: Option<(Micros, u64)>,
}

/// Writes the row.
pub(crate) fn write(connection: &Connection, journal: i64, row: &SessionRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO sessions (journal, workspace, title, state, model, cost, created, updated)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (journal) DO UPDATE SET workspace = ?2, title = ?3, state = ?4, model = ?5, cost = ?6,
                 created = ?7, updated = ?8",
        )?
        .execute(params![
            journal,
            row.workspace,
            row.title,
            row.state,
            row.model.as_ref().map(ModelName::as_str),
            Int(row.cost.0),
            Time(row.created),
            Time(row.updated),
        ])?;
    Ok(())
}

const COLUMNS: &str =
    "SELECT j.name, j.seq, s.workspace, s.title, s.state, s.model, s.cost, s.created, s.updated, s.journal, a.at, a.bytes
     FROM sessions s JOIN journals j ON j.id = s.journal
     LEFT JOIN archives a ON a.journal = s.journal AND a.state <> 'back'";
const ORDER: &str = "ORDER BY s.updated DESC, s.journal DESC LIMIT ?3";

/// A page of the list, newest first.
pub(crate) fn read(connection: &Connection, query: &ListQuery, most: usize) -> Result<Vec<ListRow>, ReadError> {
    let before = query.before.unwrap_or(ListCursor { updated: Micros(i64::MAX), journal: i64::MAX });
    let limit = Int(query.limit.min(most) as u64);
    let place = match query.archived {
        None => "(s.updated, s.journal) < (?1, ?2)",
        Some(false) => "(s.updated, s.journal) < (?1, ?2) AND a.journal IS NULL",
        Some(true) => "(s.updated, s.journal) < (?1, ?2) AND a.journal IS NOT NULL",
    };
    let rows: Vec<_> = match &query.workspace {
        None => connection
            .prepare_cached(&format!("{COLUMNS} WHERE {place} {ORDER}"))?
            .query_map(params![Time(before.updated), before.journal, limit], columns)?
            .collect::<rusqlite::Result<_>>()?,
        Some(workspace) => connection
            .prepare_cached(&format!("{COLUMNS} WHERE s.workspace = ?4 AND {place} {ORDER}"))?
            .query_map(params![Time(before.updated), before.journal, limit, workspace], columns)?
            .collect::<rusqlite::Result<_>>()?,
    };
    rows.into_iter().map(listed).collect()
}

/// Sessions without work in which nothing happened since a moment, the longest idle first, after a place in the list.
pub(crate) fn idle(
    connection: &Connection,
    since: Micros,
    after: Option<ListCursor>,
    limit: usize,
) -> Result<Vec<ListRow>, ReadError> {
    let after = after.unwrap_or(ListCursor { updated: Micros(i64::MIN), journal: i64::MIN });
    let rows: Vec<_> = connection
        .prepare_cached(&format!(
            "{COLUMNS} LEFT JOIN archives b ON b.journal = s.journal AND b.state = 'back'
             WHERE s.updated < ?1 AND (s.updated, s.journal) > (?2, ?3) AND a.journal IS NULL
                 AND coalesce(b.at, ?2) < ?1 AND s.journal NOT IN (SELECT journal FROM waking)
             ORDER BY s.updated, s.journal LIMIT ?4"
        ))?
        .query_map(params![Time(since), Time(after.updated), after.journal, Int(limit as u64)], columns)?
        .collect::<rusqlite::Result<_>>()?;
    rows.into_iter().map(listed).collect()
}

/// What lists show of one session.
pub(crate) fn session(connection: &Connection, session: SessionId) -> Result<Option<ListRow>, ReadError> {
    let found = connection
        .prepare_cached(&format!("{COLUMNS} WHERE j.name = ?1"))?
        .query_row([session.to_string()], columns)
        .optional()?;
    found.map(listed).transpose()
}

/// What lists show of each of these journals, by their rows; nothing of those that were removed.
pub(crate) fn rows(connection: &Connection, journals: &[i64]) -> Result<Vec<Option<ListRow>>, ReadError> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} WHERE s.journal = ?1"))?;
    let mut rows = Vec::with_capacity(journals.len());
    for journal in journals {
        rows.push(match statement.query_row([journal], columns).optional()? {
            Some(found) => Some(listed(found)?),
            None => None,
        });
    }
    Ok(rows)
}

/// How many sessions there are. Walks an index, so it is for `status` and not for hot paths.
pub(crate) fn count(connection: &Connection) -> Result<u64, ReadError> {
    Ok(connection.prepare_cached("SELECT count(*) FROM sessions")?.query_row((), |row| row.get::<_, Int>(0))?.0)
}

/// How many sessions there are in each state; archived ones are in none.
pub(crate) fn states(connection: &Connection) -> Result<BTreeMap<String, u64>, ReadError> {
    let mut statement = connection.prepare_cached(
        "SELECT s.state, count(*) FROM sessions s
         WHERE s.journal NOT IN (SELECT journal FROM archives WHERE state <> 'back') GROUP BY s.state",
    )?;
    let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get::<_, Int>(1)?.0)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What is read of a session: its name, and the rest of what is listed.
type Columns = (String, Seq, SessionRow, ListCursor, Option<(Micros, u64)>);

fn listed((name, head, row, cursor, archived): Columns) -> Result<ListRow, ReadError> {
    Ok(ListRow { session: session_of(&name)?, row, head, cursor, archived })
}

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    let updated = row.get::<_, Time>(8)?.0;
    let shown = SessionRow {
        workspace: row.get(2)?,
        title: row.get(3)?,
        state: row.get(4)?,
        model: row.get::<_, Option<String>>(5)?.map(|name| ModelName::new(&name)),
        cost: row.get::<_, Int>(6)?.into(),
        created: row.get::<_, Time>(7)?.0,
        updated,
    };
    let archived =
        row.get::<_, Option<Time>>(10)?.map(|at| at.0).zip(row.get::<_, Option<Int>>(11)?.map(|bytes| bytes.0));
    Ok((row.get(0)?, row.get::<_, Int>(1)?.into(), shown, ListCursor { updated, journal: row.get(9)? }, archived))
}
