//! One connection to the daemon: writes requests, keeps what has been read and not yet decoded.

use super::{BodyDecoder, Head, HttpError, MAX_BODY_BYTES, MAX_HEAD_BYTES};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How much is read at once, in bytes.
const READ_BYTES: usize = 64 * 1024;
/// How long the daemon may leave a request unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: UnixStream,
    /// Bytes read and not yet decoded.
    input: Vec<u8>,
}

impl Connection {
    /// Takes a connected stream whose peer has been checked.
    pub(crate) fn new(stream: UnixStream) -> Connection {
        Connection { stream, input: Vec::new() }
    }

    /// Writes a request. That the daemon hung up is no error yet: it may have answered early, and said why.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<(), HttpError> {
        self.stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        match self.stream.write_all(request) {
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(HttpError::TimedOut { seconds: WRITE_TIMEOUT.as_secs() })
            }
            other => Ok(other?),
        }
    }

    /// Reads what is there, waiting if nothing is; 0 means that the peer hung up.
    pub(crate) fn fill(&mut self) -> Result<usize, HttpError> {
        let held = self.input.len();
        self.input.resize(held + READ_BYTES, 0);
        let result = loop {
            match self.stream.read(&mut self.input[held..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.input.truncate(held + result.as_ref().copied().unwrap_or(0));
        Ok(result?)
    }

    /// Takes a head out of what has been read, if it is complete.
    pub(crate) fn take_head(&mut self) -> Result<Option<Head>, HttpError> {
        match Head::parse(&self.input)? {
            Some((head, length)) => {
                self.input.drain(..length);
                Ok(Some(head))
            }
            None if self.input.len() > MAX_HEAD_BYTES => {
                Err(HttpError::TooLong { part: "head", limit_bytes: MAX_HEAD_BYTES })
            }
            None => Ok(None),
        }
    }

    /// Decodes what has been read of a body into `out`.
    pub(crate) fn take_body(&mut self, decoder: &mut BodyDecoder, out: &mut Vec<u8>) -> Result<(), HttpError> {
        let taken = decoder.feed(&self.input, out)?;
        self.input.drain(..taken);
        if out.len() > MAX_BODY_BYTES {
            return Err(HttpError::TooLong { part: "body", limit_bytes: MAX_BODY_BYTES });
        }
        Ok(())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
