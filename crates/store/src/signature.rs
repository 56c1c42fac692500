//! Signatures over the chain of heads: kept here, made and checked by whoever has the key.
//!
//! A signature is a row of its own and no part of an append: it is written like any other job, after the link that it is
//! about, and the store only looks whether that link is the one that is there. Which text is signed stands in
//! [`wire::audit`].

use crate::error::{Invalid, ReadError};
use crate::sql::{Hash, Int, Refusal, Time};
use agent::{Micros, Seq};
use rusqlite::{Connection, OptionalExtension, Row};
use wire::ChainHash;

/// A link of the chain of heads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its place, from 1.
    pub place: u64,
    /// The journal whose head it gives, by its name.
    pub journal: String,
    /// The last event of that journal then; 0 says that it was removed.
    pub seq: Seq,
    /// The hash of that event; of a removed journal, the last one that it had.
    pub head: ChainHash,
    /// The link's own hash.
    pub hash: ChainHash,
}

/// A signature over a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// The link.
    pub place: u64,
    /// That link's hash, when the signature was made.
    pub hash: ChainHash,
    /// When that was.
    pub at: Micros,
    /// The name of the state: the hash of its first link.
    pub state: ChainHash,
    /// The public key.
    pub key: [u8; 32],
    /// The signature.
    pub signature: [u8; 64],
}

const LINKS: &str = "SELECT h.place, coalesce(j.name, ''), h.seq, h.head, h.hash FROM heads h
     LEFT JOIN journals j ON j.id = h.journal";

fn link(row: &Row<'_>) -> rusqlite::Result<Link> {
    Ok(Link {
        place: row.get::<_, Int>(0)?.0,
        journal: row.get(1)?,
        seq: row.get::<_, Int>(2)?.into(),
        head: row.get::<_, Hash>(3)?.into(),
        hash: row.get::<_, Hash>(4)?.into(),
    })
}

/// The newest link.
pub(crate) fn last_link(connection: &Connection) -> rusqlite::Result<Option<Link>> {
    connection.prepare_cached(&format!("{LINKS} ORDER BY h.place DESC LIMIT 1"))?.query_row((), link).optional()
}

/// Links after a place, up to another one.
pub(crate) fn links(connection: &Connection, after: u64, upto: u64, limit: u64) -> Result<Vec<Link>, ReadError> {
    let mut statement =
        connection.prepare_cached(&format!("{LINKS} WHERE h.place > ? AND h.place <= ? ORDER BY h.place LIMIT ?"))?;
    let found = statement.query_map((Int(after), Int(upto), Int(limit)), link)?.collect::<rusqlite::Result<_>>()?;
    Ok(found)
}

/// The name of the state: the hash of its first link, which no other state has.
pub(crate) fn state_name(connection: &Connection) -> rusqlite::Result<Option<ChainHash>> {
    let mut first = connection.prepare_cached("SELECT hash FROM heads ORDER BY place LIMIT 1")?;
    let hash: Option<Hash> = first.query_row((), |row| row.get(0)).optional()?;
    Ok(hash.map(ChainHash::from))
}

const SIGNATURES: &str = "SELECT s.place, coalesce(h.hash, zeroblob(32)), s.at, s.state, s.key, s.signature
     FROM signatures s LEFT JOIN heads h ON h.place = s.place";

fn signature(row: &Row<'_>) -> rusqlite::Result<Signature> {
    Ok(Signature {
        place: row.get::<_, Int>(0)?.0,
        hash: row.get::<_, Hash>(1)?.into(),
        at: row.get::<_, Time>(2)?.0,
        state: row.get::<_, Hash>(3)?.into(),
        key: row.get::<_, Hash>(4)?.0,
        signature: row.get(5)?,
    })
}

/// The newest signature, with the hash that its link has now.
pub(crate) fn last(connection: &Connection) -> Result<Option<Signature>, ReadError> {
    let mut statement = connection.prepare_cached(&format!("{SIGNATURES} ORDER BY s.place DESC LIMIT 1"))?;
    Ok(statement.query_row((), signature).optional()?)
}

/// Signatures after a place, up to another one; each has the hash that its link has now (zeros, if that is gone).
pub(crate) fn page(
    connection: &Connection,
    after: Option<u64>,
    upto: u64,
    limit: u64,
) -> Result<Vec<Signature>, ReadError> {
    let mut statement = connection
        .prepare_cached(&format!("{SIGNATURES} WHERE s.place > ? AND s.place <= ? ORDER BY s.place LIMIT ?"))?;
    // From the very beginning, so that one that was moved to where no link is shows as well.
    let after = after.map_or(i64::MIN, |after| i64::try_from(after).unwrap_or(i64::MAX));
    let found = statement.query_map((after, Int(upto), Int(limit)), signature)?.collect::<rusqlite::Result<_>>()?;
    Ok(found)
}

/// Keeps a signature, provided that its link is the one that is there. One that is there for this place stays: should it
/// be of another link, it is what shows that the end of the chain was cut off and grew again.
pub(crate) fn keep(connection: &Connection, new: &Signature) -> Result<(), Refusal> {
    let place = Int::checked(new.place, "the place of a link")?;
    let hash: Option<Hash> = connection
        .prepare_cached("SELECT hash FROM heads WHERE place = ?")?
        .query_row([place], |row| row.get(0))
        .optional()?;
    if hash.map(ChainHash::from) != Some(new.hash) {
        return Err(Invalid::NoLink { place: new.place }.into());
    }
    connection
        .prepare_cached("INSERT OR IGNORE INTO signatures (place, at, state, key, signature) VALUES (?, ?, ?, ?, ?)")?
        .execute((place, Time(new.at), Hash(new.state.0), Hash(new.key), &new.signature[..]))?;
    Ok(())
}
