//! The head of an answer: status, the few header fields that matter, and how the body is framed.

use super::{HttpError, MAX_HEADERS};
use wire::rest::VERSION_HEADER;

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// The status.
    pub(crate) status: u16,
    /// The version of the daemon that answers.
    pub(crate) version: Option<String>,
    /// Whether the connection can be used again.
    pub(crate) keep_alive: bool,
    /// How long the body is, or how it says so.
    pub(crate) framing: Framing,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With a chunk of no bytes.
    Chunked,
    /// With the connection.
    UntilClose,
}

impl Head {
    /// Reads a head from the beginning of `input`: the head and its length, or `None` when more must come.
    pub(crate) fn parse(input: &[u8]) -> Result<Option<(Head, usize)>, HttpError> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut answer = httparse::Response::new(&mut fields);
        let length = match answer.parse(input) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => {
                return Err(HttpError::TooLong { part: "list of header fields", limit_bytes: MAX_HEADERS });
            }
            Err(_) => return Err(HttpError::Malformed("its head cannot be read")),
        };
        let status = answer.code.ok_or(HttpError::Malformed("it has no status"))?;
        if status < 200 {
            return Err(HttpError::Malformed("it is an interim answer, which nobody asked for"));
        }
        let mut head = Head {
            status,
            version: None,
            keep_alive: answer.version == Some(1),
            framing: if matches!(status, 204 | 304) { Framing::Length(0) } else { Framing::UntilClose },
        };
        for field in answer.headers.iter() {
            head.take(field)?;
        }
        head.keep_alive &= head.framing != Framing::UntilClose;
        Ok(Some((head, length)))
    }

    fn take(&mut self, field: &httparse::Header<'_>) -> Result<(), HttpError> {
        let value = || std::str::from_utf8(field.value).map(str::trim).unwrap_or_default();
        if field.name.eq_ignore_ascii_case(VERSION_HEADER) {
            self.version = Some(value().to_owned());
        } else if field.name.eq_ignore_ascii_case("connection") {
            self.keep_alive &= !value().eq_ignore_ascii_case("close");
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            if !value().eq_ignore_ascii_case("chunked") {
                return Err(HttpError::Malformed("its transfer encoding is not chunked"));
            }
            self.framing = Framing::Chunked;
        } else if field.name.eq_ignore_ascii_case("content-length") && self.framing != Framing::Chunked {
            let length = value().parse().map_err(|_| HttpError::Malformed("its length is not a number"))?;
            self.framing = Framing::Length(length);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Head {
        Head::parse(text.as_bytes()).unwrap().unwrap().0
    }

    #[test]
    fn a_head_says_how_the_body_ends_and_who_answers() {
        let counted = parse("HTTP/1.1 200 OK\r\nContent-Length: 12\r\nTinkerbell-Version: 0.1.0\r\n\r\n");
        assert_eq!(counted.framing, Framing::Length(12));
        assert_eq!((counted.version.as_deref(), counted.keep_alive), (Some("0.1.0"), true));
        let chunked = parse("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n");
        assert_eq!(chunked.framing, Framing::Chunked, "chunked wins over a length (RFC 9112, section 6.3)");
        let closed = parse("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        assert!(!closed.keep_alive);
        assert_eq!(parse("HTTP/1.0 200 OK\r\n\r\n").framing, Framing::UntilClose);
    }

    #[test]
    fn half_a_head_is_no_head_and_nonsense_is_an_error() {
        assert_eq!(Head::parse(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap(), None);
        assert!(Head::parse(b"SSH-2.0-OpenSSH_9.6\r\n\r\n").is_err());
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n").is_err());
        assert!(Head::parse(b"HTTP/1.1 100 Continue\r\n\r\n").is_err());
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        assert!(matches!(Head::parse(many.as_bytes()), Err(HttpError::TooLong { .. })));
    }
}
