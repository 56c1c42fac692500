//! Blobs: bytes too large for a body, stored once under their plain SHA-256, compressed where that helps, and counted
//! by the events that hold them.

use crate::archive::IS_AWAY;
use crate::error::{Invalid, ReadError};
use crate::sql::{Hash, Int, Refusal};
use agent::{Seq, SessionId};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeSet;
use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;
use wire::BlobHash;

/// Smaller blobs are stored as they are: setting up the compressor costs more than they can save.
const COMPRESSED_FROM_BYTES: usize = 2048;

/// Bytes on their way to the store. Hashed and compressed when it is made, so that the writer, which everybody waits
/// for, does neither: make large ones (1 MiB takes about 10 ms) on a thread that may block.
#[derive(Clone)]
pub struct Blob {
    hash: BlobHash,
    bytes: u64,
    coding: Coding,
    data: Arc<[u8]>,
}

/// How the bytes of a blob are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Plain,
    Zlib,
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Coding::Plain => "plain",
            Coding::Zlib => "zlib",
        }
    }
}

impl Blob {
    /// A blob of these bytes. It is stored compressed when that saves at least an eighth.
    pub fn new(bytes: &[u8]) -> Blob {
        let hash = BlobHash::of(bytes);
        let worth_it = bytes.len() >= COMPRESSED_FROM_BYTES;
        let compressed = worth_it.then(|| compress(bytes)).flatten();
        let compressed = compressed.filter(|compressed| compressed.len() <= bytes.len() - bytes.len() / 8);
        let (coding, data) = match compressed {
            Some(compressed) => (Coding::Zlib, compressed.into()),
            None => (Coding::Plain, bytes.into()),
        };
        Blob { hash, bytes: bytes.len() as u64, coding, data }
    }

    /// Its name.
    pub fn hash(&self) -> BlobHash {
        self.hash
    }

    /// How many bytes it stands for.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many bytes it takes in the store.
    pub fn stored_bytes(&self) -> u64 {
        self.data.len() as u64
    }

    /// A blob as another store packed it. Nothing of it is known to be true before [`Blob::unpacked`] says so; `None` where
    /// the coding is not known.
    pub fn packed(hash: BlobHash, bytes: u64, coding: &str, data: Vec<u8>) -> Option<Blob> {
        let coding = [Coding::Plain, Coding::Zlib].into_iter().find(|known| known.name() == coding)?;
        Some(Blob { hash, bytes, coding, data: data.into() })
    }

    /// How it is packed: `plain` or `zlib`.
    pub fn coding(&self) -> &'static str {
        self.coding.name()
    }

    /// The packed bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The bytes that it stands for; `None` where they are not what its name and its length say, or more than the limit.
    pub fn unpacked(&self, limit_bytes: usize) -> Option<Vec<u8>> {
        let bytes = match self.coding {
            _ if self.bytes > limit_bytes as u64 => None,
            Coding::Plain => (self.data.len() as u64 == self.bytes).then(|| self.data.to_vec()),
            Coding::Zlib => unpack(&self.data, self.bytes),
        };
        bytes.filter(|bytes| BlobHash::of(bytes) == self.hash)
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({}, {} bytes)", self.hash, self.bytes)
    }
}

fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// Lets event `seq` hold `wanted`, storing what of it is not there yet and was given.
pub(crate) fn hold(
    connection: &Connection,
    journal: i64,
    seq: Seq,
    wanted: &[BlobHash],
    given: &[Blob],
) -> Result<(), Refusal> {
    for hash in wanted.iter().collect::<BTreeSet<_>>() {
        let known: Option<i64> = connection
            .prepare_cached("UPDATE blobs SET holders = holders + 1 WHERE hash = ? RETURNING id")?
            .query_row([Hash(hash.0)], |row| row.get(0))
            .optional()?;
        let blob = match known {
            Some(id) => id,
            None => {
                let missing = Invalid::MissingBlob { seq, blob: *hash };
                store(connection, given.iter().find(|blob| blob.hash == *hash).ok_or(missing)?)?
            }
        };
        connection.prepare_cached("INSERT INTO event_blobs (journal, seq, blob) VALUES (?, ?, ?)")?.execute((
            journal,
            Int(seq.0),
            blob,
        ))?;
    }
    Ok(())
}

fn store(connection: &Connection, blob: &Blob) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("INSERT INTO blobs (hash, bytes, coding, data, holders) VALUES (?, ?, ?, ?, 1)")?
        .insert((Hash(blob.hash.0), Int(blob.bytes), blob.coding.name(), &blob.data[..]))
}

/// Lets the events after `range.0` up to `range.1` of the second journal hold what those of the first one hold.
pub(crate) fn hold_as(connection: &Connection, (from, to): (i64, i64), range: (Seq, Seq)) -> rusqlite::Result<()> {
    let held: Vec<(Int, i64)> = connection
        .prepare_cached("SELECT seq, blob FROM event_blobs WHERE journal = ? AND seq > ? AND seq <= ?")?
        .query_map((from, Int(range.0.0), Int(range.1.0)), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (seq, blob) in held {
        connection
            .prepare_cached("INSERT INTO event_blobs (journal, seq, blob) VALUES (?, ?, ?)")?
            .execute((to, seq, blob))?;
        connection.prepare_cached("UPDATE blobs SET holders = holders + 1 WHERE id = ?")?.execute([blob])?;
    }
    Ok(())
}

/// Lets event `seq` hold nothing any more; blobs that nobody else holds are deleted.
pub(crate) fn release(connection: &Connection, journal: i64, seq: Seq) -> rusqlite::Result<()> {
    let held: Vec<i64> = connection
        .prepare_cached("DELETE FROM event_blobs WHERE journal = ? AND seq = ? RETURNING blob")?
        .query_map((journal, Int(seq.0)), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for blob in held {
        let deleted = connection.prepare_cached("DELETE FROM blobs WHERE id = ? AND holders = 1")?.execute([blob])?;
        if deleted == 0 {
            connection.prepare_cached("UPDATE blobs SET holders = holders - 1 WHERE id = ?")?.execute([blob])?;
        }
    }
    Ok(())
}

/// The length, the coding and the packed bytes of a blob.
fn row(connection: &Connection, hash: BlobHash) -> rusqlite::Result<Option<(u64, String, Vec<u8>)>> {
    connection
        .prepare_cached("SELECT bytes, coding, data FROM blobs WHERE hash = ?")?
        .query_row([Hash(hash.0)], |row| Ok((row.get::<_, Int>(0)?.0, row.get(1)?, row.get(2)?)))
        .optional()
}

/// Reads a blob and checks that it is what its name says; `limit_bytes` bounds what is unpacked.
pub(crate) fn read(connection: &Connection, hash: BlobHash, limit_bytes: usize) -> Result<Option<Vec<u8>>, ReadError> {
    let Some((bytes, coding, data)) = row(connection, hash)? else { return Ok(None) };
    let damaged = |what: &str| ReadError::Damaged { what: format!("blob {hash} {what}") };
    let unpacked = match coding.as_str() {
        "plain" => data,
        "zlib" if bytes <= limit_bytes as u64 => {
            unpack(&data, bytes).ok_or_else(|| damaged("does not unpack to its length"))?
        }
        "zlib" => return Err(damaged("claims to be larger than the limit blob_bytes")),
        _ => return Err(damaged("is stored in an unknown way")),
    };
    match BlobHash::of(&unpacked) == hash {
        true => Ok(Some(unpacked)),
        false => Err(damaged("has other bytes than its name says")),
    }
}

/// Reads a blob as it is packed, and checks that it is what its name says.
pub(crate) fn read_packed(
    connection: &Connection,
    hash: BlobHash,
    limit_bytes: usize,
) -> Result<Option<Blob>, ReadError> {
    let Some((bytes, coding, data)) = row(connection, hash)? else { return Ok(None) };
    let blob = Blob::packed(hash, bytes, &coding, data).filter(|blob| blob.unpacked(limit_bytes).is_some());
    let damaged = || ReadError::Damaged { what: format!("blob {hash} is not what its name says") };
    blob.ok_or_else(damaged).map(Some)
}

/// The blobs that an event holds.
pub(crate) fn held(connection: &Connection, journal: i64, seq: Seq) -> rusqlite::Result<Vec<BlobHash>> {
    connection
        .prepare_cached(
            "SELECT b.hash FROM event_blobs h JOIN blobs b ON b.id = h.blob
             WHERE h.journal = ? AND h.seq = ? ORDER BY h.blob",
        )?
        .query_map((journal, Int(seq.0)), |row| row.get::<_, Hash>(0).map(BlobHash::from))?
        .collect()
}

/// Whether an event of this session holds the blob.
pub(crate) fn is_held(connection: &Connection, session: SessionId, hash: BlobHash) -> Result<bool, ReadError> {
    let held = connection
        .prepare_cached(&format!(
            "SELECT EXISTS (SELECT 1 FROM event_blobs e JOIN journals j ON j.id = e.journal JOIN blobs b ON b.id = e.blob
             WHERE j.name = ? AND j.seq > 0 AND NOT {IS_AWAY} AND b.hash = ?)",
        ))?
        .query_row((session.to_string(), Hash(hash.0)), |row| row.get(0))?;
    Ok(held)
}

fn unpack(data: &[u8], bytes: u64) -> Option<Vec<u8>> {
    let mut unpacked = Vec::with_capacity(usize::try_from(bytes).ok()?);
    ZlibDecoder::new(data).take(bytes + 1).read_to_end(&mut unpacked).ok()?;
    (unpacked.len() as u64 == bytes).then_some(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_compressed_only_where_that_helps() {
        let text = Blob::new("all work and no play\n".repeat(1000).as_bytes());
        assert!(text.coding == Coding::Zlib && text.stored_bytes() < text.bytes() / 10);
        let mut noise = vec![0; 20_000];
        getrandom::fill(&mut noise).unwrap();
        let noise = Blob::new(&noise);
        assert!(noise.coding == Coding::Plain && noise.stored_bytes() == noise.bytes());
        assert_eq!(Blob::new(b"").hash(), BlobHash::of(b""));
    }

    #[test]
    fn unpacking_stops_at_the_length_that_was_promised() {
        let bomb = compress(&vec![0; 10 << 20]).unwrap();
        assert!(bomb.len() < 100_000);
        assert_eq!(unpack(&bomb, 1000), None);
        assert_eq!(unpack(&bomb, 10 << 20).map(|bytes| bytes.len()), Some(10 << 20));
    }
}
