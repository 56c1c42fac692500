//! Verifying: the hashes are computed anew from what is stored.
//!
//! The journal of each session is a chain of its events; over all of them goes one chain of heads, a link for each
//! append, so that a journal that was removed, or whose end was cut off, shows too.

use crate::append::JournalId;
use crate::archive::IS_AWAY;
use crate::error::ReadError;
use crate::query::Head;
use crate::sql::{Hash, Int};
use agent::Seq;
use rusqlite::{Connection, OptionalExtension, Row};
use wire::ChainHash;
use wire::chain::{Salt, seal};

/// A journal whose chain is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// How many events it has.
    pub events: u64,
    /// How many of them were forgotten.
    pub forgotten: u64,
    /// The hash of the last one.
    pub hash: ChainHash,
}

/// A chain of heads that is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadsVerified {
    /// How many links it has.
    pub links: u64,
    /// How many journals it vouches for.
    pub journals: u64,
    /// How many sessions were removed, as the chain says itself.
    pub removed: u64,
    /// The hash of the last link: who notes it down can show later that nothing before it was changed.
    pub hash: ChainHash,
}

/// A chain is wrong, or could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// An event is not what was appended.
    #[error("event {seq} of {journal} {what}; somebody or something changed the journal, restore it from a snapshot")]
    Event {
        /// Whose journal.
        journal: String,
        /// The event.
        seq: Seq,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A link of the chain of heads is not what was written, or does not fit the journals.
    #[error("the chain of heads is wrong at link {place}: {what}; restore the journal from a snapshot")]
    Link {
        /// Which link.
        place: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A blob is not what its name says, or not held as it counts.
    #[error("blob {blob}: {what}; restore the journal from a snapshot")]
    Blob {
        /// Which.
        blob: wire::BlobHash,
        /// What is wrong with it.
        what: String,
    },
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Events verified in one read transaction, so that a long journal does not hold a checkpoint up.
const PAGE: u64 = 512;

/// How far a verification has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) seq: Seq,
    pub(crate) hash: ChainHash,
    pub(crate) forgotten: u64,
}

impl Progress {
    pub(crate) const START: Progress = Progress { seq: Seq(0), hash: ChainHash::START, forgotten: 0 };
}

struct Stored {
    seq: Seq,
    header: String,
    body: Option<String>,
    salt: Option<Salt>,
    seal: Option<Hash>,
    hash: ChainHash,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let (seq, hash) = (row.get::<_, Int>(0)?.into(), row.get::<_, Hash>(5)?.into());
    Ok(Stored { seq, header: row.get(1)?, body: row.get(2)?, salt: row.get(3)?, seal: row.get(4)?, hash })
}

/// Verifies the next page up to `head`.
pub(crate) fn verify_page(
    connection: &Connection,
    journal: JournalId,
    head: Head,
    mut at: Progress,
) -> Result<Progress, VerifyError> {
    let wrong = |seq, what| VerifyError::Event { journal: journal.to_string(), seq, what };
    let mut statement = connection
        .prepare_cached(
            "SELECT e.seq, e.header, e.body, e.salt, e.seal, e.hash FROM events e JOIN journals j ON j.id = e.journal
             WHERE j.name = ? AND e.seq > ? AND e.seq <= ? ORDER BY e.seq LIMIT ?",
        )
        .map_err(ReadError::from)?;
    let range = (journal.to_string(), Int(at.seq.0), Int(head.seq.0), Int(PAGE));
    let before = at.seq;
    for event in statement.query_map(range, stored).map_err(ReadError::from)? {
        let event = event.map_err(ReadError::from)?;
        if event.seq != at.seq.next() {
            return Err(wrong(at.seq.next(), "is missing"));
        }
        let sealed = match (&event.body, &event.salt, event.seal) {
            (Some(body), Some(salt), None) => seal(salt, body.as_bytes()),
            (None, None, Some(Hash(sealed))) => {
                at.forgotten += 1;
                sealed
            }
            _ => return Err(wrong(event.seq, "is neither whole nor forgotten")),
        };
        (at.seq, at.hash) = (event.seq, at.hash.next(event.header.as_bytes(), &sealed));
        if at.hash != event.hash {
            return Err(wrong(event.seq, "does not have the hash that was stored with it"));
        }
    }
    match at.seq {
        seq if seq == head.seq && at.hash != head.hash => Err(wrong(seq, "does not have the head's hash")),
        seq if seq == before && seq < head.seq => Err(wrong(seq.next(), "is missing")),
        _ => Ok(at),
    }
}

/// The link over a journal's new head: the text `name seq` is the header, the head's hash the sealed body.
fn link(last: ChainHash, journal: &str, seq: Seq, head: ChainHash) -> ChainHash {
    last.next(format!("{journal} {seq}").as_bytes(), &head.0)
}

/// Adds a link.
pub(crate) fn add_link(
    connection: &Connection,
    (journal, row): (JournalId, i64),
    seq: Seq,
    head: ChainHash,
) -> rusqlite::Result<()> {
    let last: Option<Hash> = connection
        .prepare_cached("SELECT hash FROM heads ORDER BY place DESC LIMIT 1")?
        .query_row((), |row| row.get(0))
        .optional()?;
    let hash = link(last.map_or(ChainHash::START, ChainHash::from), &journal.to_string(), seq, head);
    connection.prepare_cached("INSERT INTO heads (journal, seq, head, hash) VALUES (?, ?, ?, ?)")?.execute((
        row,
        Int(seq.0),
        Hash(head.0),
        Hash(hash.0),
    ))?;
    Ok(())
}

/// How far a verification of the heads has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadsProgress {
    pub(crate) place: u64,
    pub(crate) hash: ChainHash,
    pub(crate) ended: bool,
}

impl HeadsProgress {
    pub(crate) const START: HeadsProgress = HeadsProgress { place: 0, hash: ChainHash::START, ended: false };
}

/// Verifies the next page of links: each follows from the one before, and names an event that has the hash it gives.
/// The events of a removed session are gone; that the removal was meant is what its last link says, which
/// [`compare_heads`] demands. Those of an archived one are in its file, whose chain must end with the head that is here.
pub(crate) fn verify_links(connection: &Connection, mut at: HeadsProgress) -> Result<HeadsProgress, VerifyError> {
    let wrong = |place, what| VerifyError::Link { place, what };
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT h.place, j.name, h.seq, h.head, h.hash, e.hash, j.seq = 0 OR {IS_AWAY} FROM heads h
             LEFT JOIN journals j ON j.id = h.journal
             LEFT JOIN events e ON e.journal = h.journal AND e.seq = h.seq
             WHERE h.place > ? ORDER BY h.place LIMIT ?",
        ))
        .map_err(ReadError::from)?;
    let mut rows = statement.query((Int(at.place), Int(PAGE))).map_err(ReadError::from)?;
    at.ended = true;
    while let Some(row) = rows.next().map_err(ReadError::from)? {
        at.ended = false;
        let Link { place, name, seq, head, hash, event, elsewhere } = columns(row).map_err(ReadError::from)?;
        if place != at.place + 1 {
            return Err(wrong(at.place + 1, "it is missing"));
        }
        let name = name.ok_or_else(|| wrong(place, "its journal is gone"))?;
        if event != Some(head) && !elsewhere {
            return Err(wrong(place, "its event is gone or has another hash"));
        }
        (at.place, at.hash) = (place, link(at.hash, &name, seq, head));
        if at.hash != hash {
            return Err(wrong(place, "it does not have the hash that was stored with it"));
        }
    }
    Ok(at)
}

struct Link {
    place: u64,
    name: Option<String>,
    seq: Seq,
    head: ChainHash,
    hash: ChainHash,
    event: Option<ChainHash>,
    /// Its journal was removed, or is archived.
    elsewhere: bool,
}

fn columns(row: &Row<'_>) -> rusqlite::Result<Link> {
    let hash = |column| row.get::<_, Hash>(column).map(ChainHash::from);
    Ok(Link {
        place: row.get::<_, Int>(0)?.0,
        name: row.get(1)?,
        seq: row.get::<_, Int>(2)?.into(),
        head: hash(3)?,
        hash: hash(4)?,
        event: row.get::<_, Option<Hash>>(5)?.map(ChainHash::from),
        elsewhere: row.get::<_, Option<bool>>(6)? == Some(true),
    })
}

/// Whether every journal's head is the one that its newest link gives (0 for a session that was removed), and how many
/// journals there are and were removed. A fork that is not whole yet has no link and stands in the waking table.
pub(crate) fn compare_heads(connection: &Connection) -> Result<(u64, u64), VerifyError> {
    let moment = connection.unchecked_transaction().map_err(ReadError::from)?;
    let stray: Option<Int> = moment
        .query_row(
            "SELECT coalesce(h.place, 0) FROM journals j
             LEFT JOIN (SELECT journal, max(place) AS place FROM heads GROUP BY journal) newest ON newest.journal = j.id
             LEFT JOIN heads h ON h.place = newest.place
             WHERE h.seq <> j.seq OR h.head <> j.hash OR h.place IS NULL AND NOT
                   (j.seq = 0 AND j.hash = zeroblob(32) AND j.id IN (SELECT journal FROM waking)) LIMIT 1",
            (),
            |row| row.get(0),
        )
        .optional()
        .map_err(ReadError::from)?;
    if let Some(Int(place)) = stray {
        return Err(VerifyError::Link { place, what: "it is not the head that its journal has" });
    }
    let counts = "SELECT count(*) FILTER (WHERE seq > 0), count(*) FILTER (WHERE seq = 0 AND hash <> zeroblob(32))
                  FROM journals";
    let counts = moment.query_row(counts, (), |row| Ok((row.get::<_, Int>(0)?.0, row.get::<_, Int>(1)?.0)));
    Ok(counts.map_err(ReadError::from)?)
}
