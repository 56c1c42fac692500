//! Lines of a file, read one at a time, each within bounds; the last one must vouch for all before it.

use super::damage::Damage;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use std::io::{BufRead, BufReader, Read};
use store::Blob;
use wire::export::{self, ExportBlob, Line, PART_BYTES, Voucher};

/// The longest line. A partial text of a model call is the longest there is, and each of its bytes may take six.
const LINE_BYTES: u64 = 32 << 20;
/// Read from the disk at once.
const READ_BYTES: usize = 256 << 10;

/// The lines.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: BufReader<R>,
    voucher: Voucher,
    /// The line that was read last, from 1.
    number: u64,
    buffer: Vec<u8>,
}

impl<R: Read> Lines<R> {
    /// Lines from the beginning of a file.
    pub(crate) fn new(input: R) -> Lines<R> {
        let input = BufReader::with_capacity(READ_BYTES, input);
        Lines { input, voucher: Voucher::default(), number: 0, buffer: Vec::new() }
    }

    /// What is wrong with the line that was read last.
    pub(super) fn wrong(&self, what: impl Into<String>) -> Damage {
        Damage::Line { line: self.number, what: what.into() }
    }

    /// The next line. The last one is only given when it vouches for all others and nothing follows.
    pub(super) fn next(&mut self) -> Result<Line, Damage> {
        self.number += 1;
        self.buffer.clear();
        let read = (&mut self.input).take(LINE_BYTES + 1).read_until(b'\n', &mut self.buffer)?;
        if read as u64 > LINE_BYTES {
            return Err(Damage::TooLarge { what: "a line".to_owned(), limit_name: "LINE_BYTES", limit: LINE_BYTES });
        }
        let Some(text) = self.buffer.strip_suffix(b"\n") else { return Err(self.wrong("the file ends too early")) };
        let line = export::read(text).map_err(|error| self.wrong(format!("it cannot be read ({error})")))?;
        match &line {
            Line::End(_) => {
                if *text != *self.voucher.end().as_bytes() {
                    return Err(self.wrong("the file is not what was written: its hash is another one"));
                }
                if !self.input.fill_buf()?.is_empty() {
                    return Err(self.wrong("something follows the end"));
                }
            }
            _ => self.voucher.take(&self.buffer),
        }
        Ok(line)
    }

    /// The bytes of a blob whose line was read just now. What they are is not checked here.
    pub(super) fn blob(&mut self, line: ExportBlob, limit_bytes: usize) -> Result<Blob, Damage> {
        let ExportBlob { blob, bytes, coding, parts } = line;
        let limit = limit_bytes as u64;
        if bytes > limit || parts > limit.div_ceil(PART_BYTES as u64) {
            return Err(Damage::TooLarge { what: format!("blob {blob}"), limit_name: "blob_bytes", limit });
        }
        let mut data = Vec::new();
        for _ in 0..parts {
            let Line::Part(text) = self.next()? else { return Err(self.wrong("it is no part of the blob before it")) };
            let part = BASE64.decode(text).map_err(|_| self.wrong("it is not base64"))?;
            if part.len() > PART_BYTES {
                return Err(self.wrong(format!("a part has more than {PART_BYTES} bytes")));
            }
            data.extend_from_slice(&part);
        }
        Blob::packed(blob, bytes, &coding, data).ok_or_else(|| self.wrong(format!("{coding:?} is no known coding")))
    }
}
