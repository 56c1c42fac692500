//! Carrying a journal out of the store: its events exactly as they are stored, with what their chain is made of, and the
//! blobs that they hold. What of it becomes a file is `wire`'s and the daemon's business.

use crate::append::JournalId;
use crate::archive::IS_AWAY;
use crate::blob;
use crate::error::ReadError;
use crate::sql::{Hash, Int};
use agent::Seq;
use rusqlite::{Connection, OptionalExtension, Row};
use wire::chain::{Salt, seal};
use wire::{BlobHash, ChainHash};

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its place.
    pub seq: Seq,
    /// The header's bytes.
    pub header: String,
    /// What its words are, or what is left of them.
    pub body: StoredBody,
    /// The hash that it has in its chain.
    pub hash: ChainHash,
    /// The blobs that it holds.
    pub blobs: Vec<BlobHash>,
}

/// The body of a stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredBody {
    /// The words, with their salt.
    Whole {
        /// The body's bytes.
        text: String,
        /// The random bytes beside it.
        salt: Salt,
    },
    /// They were forgotten; this is `SHA-256(salt ‖ body)`.
    Forgotten {
        /// The seal.
        seal: [u8; 32],
    },
}

impl StoredBody {
    /// What the chain is made over.
    pub fn seal(&self) -> [u8; 32] {
        match self {
            StoredBody::Whole { text, salt } => seal(salt, text.as_bytes()),
            StoredBody::Forgotten { seal } => *seal,
        }
    }

    /// The words, if they are there.
    pub fn text(&self) -> Option<&str> {
        match self {
            StoredBody::Whole { text, .. } => Some(text),
            StoredBody::Forgotten { .. } => None,
        }
    }
}

type Columns = (Int, String, Option<String>, Option<Salt>, Option<Hash>, Hash);

/// Events after a place up to another one, at most `limit` of them and, after the first, at most `page_bytes` of text.
pub(crate) fn events(
    connection: &Connection,
    journal: JournalId,
    (after, upto): (Seq, Seq),
    limit: usize,
    page_bytes: usize,
) -> Result<Vec<Stored>, ReadError> {
    let moment = connection.unchecked_transaction()?;
    let row: Option<i64> = moment
        .prepare_cached(&format!("SELECT id FROM journals j WHERE name = ? AND seq > 0 AND NOT {IS_AWAY}"))?
        .query_row([journal.to_string()], |row| row.get(0))
        .optional()?;
    let missing = || ReadError::Missing { journal: journal.to_string(), seq: after.next() };
    let row = row.ok_or_else(missing)?;
    let mut statement = moment.prepare_cached(
        "SELECT seq, header, body, salt, seal, hash FROM events
         WHERE journal = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
    )?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    let mut rows = statement.query((row, Int(after.0), Int(upto.0), Int(limit as u64)))?;
    while let Some(columns) = rows.next()? {
        let mut event = stored(columns)?;
        bytes += event.header.len() + event.body.text().map_or(0, str::len);
        if bytes > page_bytes && !page.is_empty() {
            break;
        }
        event.blobs = blob::held(&moment, row, event.seq)?;
        page.push(event);
    }
    Ok(page)
}

fn stored(row: &Row<'_>) -> Result<Stored, ReadError> {
    let (seq, header, body, salt, seal, hash): Columns =
        (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
    let body = match (body, salt, seal) {
        (Some(text), Some(salt), _) => StoredBody::Whole { text, salt },
        (None, None, Some(Hash(seal))) => StoredBody::Forgotten { seal },
        _ => return Err(ReadError::Damaged { what: format!("event {} is neither whole nor forgotten", seq.0) }),
    };
    Ok(Stored { seq: seq.into(), header, body, hash: hash.into(), blobs: Vec::new() })
}
