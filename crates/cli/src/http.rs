//! Just enough HTTP/1.1 for one trusted peer on a Unix socket: requests out, heads, bodies and server-sent events in.
//!
//! The decoders are fed bytes as they come and never read themselves, so that a test can cut a stream anywhere, and a
//! caller can wait for the socket, a signal and the keyboard at once. Everything that is kept in memory is bounded.
//!
//! Deliberately absent: redirects, compression, `Expect`, pipelining, proxies; the daemon uses none of them.

mod body;
mod connection;
mod events;
mod head;

pub(crate) use body::BodyDecoder;
pub(crate) use connection::Connection;
pub(crate) use events::{EventDecoder, ServerEvent};
pub(crate) use head::{Framing, Head};

use std::io;

/// The longest head of an answer, in bytes.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The most header fields of an answer.
pub(crate) const MAX_HEADERS: usize = 64;
/// The largest body that is kept in memory, in bytes. A diff of a large canvas is the largest there is.
pub(crate) const MAX_BODY_BYTES: usize = 256 * 1024 * 1024;
/// The largest single event of a stream, in bytes.
pub(crate) const MAX_EVENT_BYTES: usize = 32 * 1024 * 1024;

/// What can go wrong between the request and the end of its answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The socket failed.
    #[error("the connection to the daemon failed: {0}")]
    Io(#[from] io::Error),
    /// The peer hung up before the answer was complete.
    #[error("the daemon hung up before its answer was complete")]
    Closed,
    /// The answer is not HTTP as we know it.
    #[error("the answer is not the daemon's: {0}")]
    Malformed(&'static str),
    /// A bound was reached.
    #[error("the answer's {part} is longer than {limit_bytes} bytes")]
    TooLong {
        /// Which part.
        part: &'static str,
        /// The bound.
        limit_bytes: usize,
    },
    /// Nothing came for too long.
    #[error("the daemon did not answer within {seconds} s")]
    TimedOut {
        /// How long we waited.
        seconds: u64,
    },
    /// Nothing came for longer than a daemon that is well takes for a word about itself.
    #[error("{} has not answered for {seconds} s", listener(.process))]
    Silent {
        /// Who listens, where that is known.
        process: Option<u32>,
        /// How long we waited.
        seconds: u64,
    },
    /// Whoever could have answered has ended.
    #[error("the daemon ended before it had answered")]
    Gone,
    /// The user pressed Ctrl-C while we waited.
    #[error("interrupted while waiting for the daemon")]
    Interrupted,
}

fn listener(process: &Option<u32>) -> String {
    process.map_or_else(|| "the daemon".to_owned(), |pid| format!("the daemon (process {pid})"))
}

impl HttpError {
    /// Whether the same request may succeed on a new connection.
    pub(crate) fn is_broken_connection(&self) -> bool {
        matches!(self, HttpError::Io(_) | HttpError::Closed)
    }
}
