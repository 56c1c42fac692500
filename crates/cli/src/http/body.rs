//! The body of an answer, whichever way it is framed, decoded from bytes as they come.

use super::{Framing, HttpError};

/// The longest line that announces a chunk, extensions included, in bytes.
const MAX_CHUNK_LINE_BYTES: usize = 1024;

/// Decodes one body.
#[derive(Debug)]
pub(crate) struct BodyDecoder {
    state: State,
    /// The part of a chunk's announcement, or of a trailer, that has come so far.
    line: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Counted(u64),
    UntilClose,
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailer,
    Done,
}

impl BodyDecoder {
    /// A decoder at the beginning of a body.
    pub(crate) fn new(framing: Framing) -> BodyDecoder {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Counted(length),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        };
        BodyDecoder { state, line: Vec::new() }
    }

    /// Whether the body is complete.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Decodes `input` into `out` and says how many bytes of it belonged to this body.
    pub(crate) fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, HttpError> {
        let mut taken = 0;
        while taken < input.len() && !self.is_done() {
            taken += self.step(&input[taken..], out)?;
        }
        Ok(taken)
    }

    /// The connection has ended: an error, unless that is how this body ends.
    pub(crate) fn end(&mut self) -> Result<(), HttpError> {
        match self.state {
            State::UntilClose | State::Done => {
                self.state = State::Done;
                Ok(())
            }
            _ => Err(HttpError::Closed),
        }
    }

    fn step(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, HttpError> {
        match self.state {
            State::Counted(left) => {
                let taken = copy(input, left, out);
                self.state = if taken as u64 == left { State::Done } else { State::Counted(left - taken as u64) };
                Ok(taken)
            }
            State::UntilClose => Ok(copy(input, u64::MAX, out)),
            State::ChunkData(left) => {
                let taken = copy(input, left, out);
                self.state = if taken as u64 == left { State::ChunkEnd } else { State::ChunkData(left - taken as u64) };
                Ok(taken)
            }
            State::ChunkSize | State::ChunkEnd | State::Trailer => self.take_line(input),
            State::Done => Ok(0),
        }
    }

    fn take_line(&mut self, input: &[u8]) -> Result<usize, HttpError> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(input.len(), |at| at + 1);
        self.line.extend_from_slice(&input[..taken]);
        if self.line.len() > MAX_CHUNK_LINE_BYTES {
            return Err(HttpError::TooLong { part: "chunk line", limit_bytes: MAX_CHUNK_LINE_BYTES });
        }
        if end.is_some() {
            self.state = self.next_after_line()?;
            self.line.clear();
        }
        Ok(taken)
    }

    fn next_after_line(&self) -> Result<State, HttpError> {
        let is_empty = matches!(self.line.as_slice(), b"\r\n" | b"\n");
        match self.state {
            State::ChunkEnd if is_empty => Ok(State::ChunkSize),
            State::ChunkEnd => Err(HttpError::Malformed("a chunk is longer than it said")),
            State::Trailer if is_empty => Ok(State::Done),
            State::Trailer => Ok(State::Trailer),
            _ => match httparse::parse_chunk_size(&self.line) {
                Ok(httparse::Status::Complete((_, 0))) => Ok(State::Trailer),
                Ok(httparse::Status::Complete((_, size))) => Ok(State::ChunkData(size)),
                _ => Err(HttpError::Malformed("a chunk does not say how long it is")),
            },
        }
    }
}

/// Copies at most `left` bytes and says how many.
fn copy(input: &[u8], left: u64, out: &mut Vec<u8>) -> usize {
    let taken = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
    out.extend_from_slice(&input[..taken]);
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] = b"5\r\nhello\r\n7;name=value\r\n, world\r\n0\r\nTrailer: x\r\n\r\nHTTP/1.1 next";

    #[test]
    fn a_chunked_body_may_be_cut_anywhere() {
        for first in 0..=CHUNKED.len() {
            for second in first..=CHUNKED.len() {
                let (mut decoder, mut out, mut taken) = (BodyDecoder::new(Framing::Chunked), Vec::new(), 0);
                for part in [&CHUNKED[..first], &CHUNKED[first..second], &CHUNKED[second..]] {
                    taken += decoder.feed(part, &mut out).unwrap();
                }
                assert_eq!(
                    (out.as_slice(), decoder.is_done()),
                    (&b"hello, world"[..], true),
                    "cut at {first}, {second}"
                );
                assert_eq!(&CHUNKED[taken..], b"HTTP/1.1 next", "cut at {first}, {second}");
            }
        }
    }

    #[test]
    fn a_counted_body_leaves_the_next_answer_alone() {
        let (mut decoder, mut out) = (BodyDecoder::new(Framing::Length(3)), Vec::new());
        assert_eq!(decoder.feed(b"abcdef", &mut out).unwrap(), 3);
        assert_eq!((out.as_slice(), decoder.is_done()), (&b"abc"[..], true));
    }

    #[test]
    fn a_body_that_breaks_off_is_an_error_where_its_end_was_told() {
        for framing in [Framing::Length(3), Framing::Chunked] {
            let mut decoder = BodyDecoder::new(framing);
            assert!(matches!(decoder.end(), Err(HttpError::Closed)));
        }
        assert!(BodyDecoder::new(Framing::UntilClose).end().is_ok());
        assert!(BodyDecoder::new(Framing::Length(0)).is_done());
    }

    #[test]
    fn chunks_that_lie_are_refused() {
        for wrong in [&b"zz\r\n"[..], b"3\r\nabcd\r\n", b"ffffffffffffffffff\r\n"] {
            assert!(BodyDecoder::new(Framing::Chunked).feed(wrong, &mut Vec::new()).is_err(), "{wrong:?}");
        }
        let long = [b"1;".to_vec(), vec![b'x'; MAX_CHUNK_LINE_BYTES]].concat();
        assert!(BodyDecoder::new(Framing::Chunked).feed(&long, &mut Vec::new()).is_err());
    }
}
