//! Members one after the other, in both directions, with the running hash of all bytes.

use super::header::{self, BLOCK, END};
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};
use wire::BlobHash;
use wire::snapshot::SUM;

/// Bytes that are moved at once.
pub(super) const PIECE_BYTES: usize = 128 * 1024;

/// Writes members.
pub(super) struct Writer<W> {
    to: W,
    hash: Sha256,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(to: W) -> Writer<W> {
        Writer { to, hash: Sha256::new() }
    }

    /// Writes a member of exactly so many bytes.
    pub(super) fn member(&mut self, name: &str, bytes: u64, from: &mut dyn Read) -> io::Result<()> {
        self.put(&header::write(name, bytes))?;
        let (mut piece, mut left) = (vec![0; PIECE_BYTES], bytes);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
            let length = from.read(&mut piece[..most])?;
            if length == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{name} became shorter")));
            }
            self.put(&piece[..length])?;
            left -= length as u64;
        }
        self.put(&END[..header::padding(bytes) as usize])
    }

    /// Writes the hash and the end, and gives the hash.
    pub(super) fn finish(mut self) -> io::Result<BlobHash> {
        let sum = BlobHash(self.hash.clone().finalize().into());
        let text = format!("{sum}\n");
        self.member(SUM, text.len() as u64, &mut text.as_bytes())?;
        self.to.write_all(&END)?;
        self.to.flush()?;
        Ok(sum)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.to.write_all(bytes)
    }
}

/// Why a member cannot be read.
#[derive(Debug)]
pub(super) enum Fault {
    /// The file is not what was written; where, in bytes, and what.
    Damaged(u64, &'static str),
    /// It does not begin as a snapshot does.
    Foreign,
    /// The file cannot be read.
    Io(io::Error),
}

/// Reads members.
pub(super) struct Reader<R> {
    from: R,
    hash: Sha256,
    /// Bytes read.
    at: u64,
    /// Of the member at hand.
    left: u64,
    padding: u64,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(from: R) -> Reader<R> {
        Reader { from, hash: Sha256::new(), at: 0, left: 0, padding: 0 }
    }

    /// Begins the next member, which must have this name, and gives its size.
    pub(super) fn next(&mut self, name: &str) -> Result<u64, Fault> {
        let before = self.hash.clone();
        let at = self.at;
        let mut block = [0; BLOCK];
        match self.fill(&mut block) {
            Err(Fault::Damaged(..)) if at == 0 => return Err(Fault::Foreign),
            filled => filled?,
        }
        if at == 0 && !header::is_of(&block, name) {
            return Err(Fault::Foreign);
        }
        let (found, bytes) = header::read(&block).ok_or(Fault::Damaged(at, "there is no header of a plain file"))?;
        if found != name {
            return Err(Fault::Damaged(at, "another file stands there than the manifest says"));
        }
        if name == SUM {
            self.hash = before;
        }
        (self.left, self.padding) = (bytes, header::padding(bytes));
        Ok(bytes)
    }

    /// Reads what is left of the member.
    pub(super) fn read(&mut self, piece: &mut [u8]) -> Result<usize, Fault> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(piece.len());
        if most == 0 {
            return Ok(0);
        }
        let length = match self.from.read(&mut piece[..most]) {
            Ok(0) => return Err(Fault::Damaged(self.at, "it ends too early")),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(Fault::Io(error)),
        };
        self.hash.update(&piece[..length]);
        (self.at, self.left) = (self.at + length as u64, self.left - length as u64);
        if length == 0 { self.read(piece) } else { Ok(length) }
    }

    /// Ends a member that was read to its end.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        if self.left > 0 {
            return Err(Fault::Damaged(self.at, "more stands there than belongs to the file"));
        }
        let at = self.at;
        let mut padding = [0; BLOCK];
        let padding = &mut padding[..self.padding as usize];
        self.fill(padding)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(Fault::Damaged(at, "something stands between two files"));
        }
        Ok(())
    }

    /// Reads the hash and the end; nothing may come after.
    pub(super) fn finish(mut self) -> Result<BlobHash, Fault> {
        let bytes = self.next(SUM)?;
        let sum = BlobHash(self.hash.clone().finalize().into());
        let mut text = [0; 65];
        if bytes != text.len() as u64 {
            return Err(Fault::Damaged(self.at, "there is no hash at its end"));
        }
        let mut filled = 0;
        while filled < text.len() {
            filled += self.read(&mut text[filled..])?;
        }
        if text != *format!("{sum}\n").as_bytes() {
            return Err(Fault::Damaged(self.at, "its bytes do not have the hash that stands at its end"));
        }
        self.end()?;
        let at = self.at;
        let mut end = END;
        self.fill(&mut end)?;
        let mut more = [0; 1];
        let nothing = end == END && self.from.read(&mut more).map_err(Fault::Io)? == 0;
        if nothing { Ok(sum) } else { Err(Fault::Damaged(at, "something stands after its end")) }
    }

    /// How far it has been read.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Fault> {
        self.from.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Fault::Damaged(self.at, "it ends too early"),
            _ => Fault::Io(error),
        })?;
        self.hash.update(&*bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }
}
