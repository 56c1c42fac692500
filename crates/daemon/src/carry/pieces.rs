//! A file that was found right, as the pieces that the store makes a journal of.

use super::damage::Damage;
use super::lines::Lines;
use std::io::Read;
use store::{Piece, Stored, StoredBody};
use wire::export::{ExportEvent, Line};

/// The pieces, in order. Reading comes to its end only where the file's last line vouches for all others once more.
pub(crate) struct Pieces<R> {
    pub(crate) lines: Lines<R>,
    pub(crate) blob_bytes: usize,
    pub(crate) seq: agent::Seq,
}

impl<R: Read> Iterator for Pieces<R> {
    type Item = Result<Piece, String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.piece().map_err(|damage| damage.to_string()).transpose()
    }
}

impl<R: Read> Pieces<R> {
    fn piece(&mut self) -> Result<Option<Piece>, Damage> {
        loop {
            match self.lines.next()? {
                Line::Blob(line) => return self.lines.blob(line, self.blob_bytes).map(|blob| Some(Piece::Blob(blob))),
                Line::Event(line) => {
                    self.seq = self.seq.next();
                    let event = stored(line, self.seq).ok_or_else(|| self.lines.wrong("it is half forgotten"))?;
                    return Ok(Some(Piece::Event(Box::new(event))));
                }
                Line::TinkerbellSession(_) | Line::Part(_) | Line::Partial(_) => {}
                Line::End(_) => return Ok(None),
            }
        }
    }
}

/// An event as it is stored; `None` where it is neither whole nor forgotten.
pub(super) fn stored(line: ExportEvent, seq: agent::Seq) -> Option<Stored> {
    let body = match (line.body, line.salt, line.seal) {
        (Some(text), Some(salt), None) => StoredBody::Whole { text, salt: salt.0 },
        (None, None, Some(seal)) => StoredBody::Forgotten { seal: seal.0 },
        _ => return None,
    };
    Some(Stored { seq, header: line.header, body, hash: line.hash, blobs: line.blobs })
}
