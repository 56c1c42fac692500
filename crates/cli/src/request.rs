//! Requests, made from the table of operations, so that no command knows a route by heart.

use crate::error::Error;
use std::fmt::{Display, Write};
use wire::operation::{self, Operation};
use wire::rest::IDEMPOTENCY_HEADER;
use wire::{Code, Problem};

/// A request on its way to the daemon.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The operation's.
    name: &'static str,
    method: &'static str,
    target: String,
    accept: &'static str,
    body: Vec<u8>,
    /// Makes a write happen once, however often it is sent.
    key: Option<String>,
    repeatable: bool,
}

/// Writes that the daemon does once for each idempotency key; other writes are never sent twice.
const KEYED: [&str; 4] = [
    operation::SESSION_CREATE.name,
    operation::SESSION_PROMPT.name,
    operation::CANVAS_ACCEPT.name,
    operation::CANVAS_UNDO.name,
];

impl Request {
    /// A request for an operation. A write that can be sent again gets an idempotency key.
    pub(crate) fn new(operation: &Operation) -> Result<Request, Error> {
        let key = if KEYED.contains(&operation.name) { Some(random_key()?) } else { None };
        let repeatable = matches!(operation.method, "GET" | "PUT") || key.is_some();
        Ok(Request {
            name: operation.name,
            method: operation.method,
            target: operation.path.to_owned(),
            accept: "application/json",
            body: Vec::new(),
            key,
            repeatable,
        })
    }

    /// Whether sending it twice does the same as sending it once.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    /// The commands that show whether it happened.
    pub(crate) fn seen_with(&self) -> &'static str {
        match self.name.split_once('.') {
            Some(("snapshots", _)) => "`tinkerbell snapshot ls`",
            Some(("schedules", _)) => "`tinkerbell schedule ls`",
            _ => "`tinkerbell status` and `tinkerbell sessions show`",
        }
    }

    /// Fills in a parameter of the route.
    pub(crate) fn at(mut self, parameter: &str, value: impl Display) -> Request {
        let value = value.to_string();
        self.target = self.target.replace(&format!("{{{parameter}}}"), &encode(&value, b""));
        self.target = self.target.replace(&format!("{{*{parameter}}}"), &encode(&value, b"/"));
        self
    }

    /// Adds a parameter to the query.
    pub(crate) fn query(mut self, name: &str, value: impl Display) -> Request {
        self.target.push(if self.target.contains('?') { '&' } else { '?' });
        self.target.push_str(name);
        self.target.push('=');
        self.target.push_str(&encode(&value.to_string(), b"/"));
        self
    }

    /// Gives it a body.
    pub(crate) fn json<T: serde::Serialize>(mut self, body: &T) -> Request {
        self.body = serde_json::to_vec(body).expect("a request is plain data");
        self
    }

    /// Asks for a stream of events.
    pub(crate) fn stream(mut self) -> Request {
        self.accept = "text/event-stream";
        self
    }

    /// The bytes that are sent.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let kind = (!self.body.is_empty()).then_some("application/json");
        let mut bytes = self.head(Some(self.body.len() as u64), kind);
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The bytes that are sent before a body of lines: of known length, or in chunks.
    pub(crate) fn before_lines(&self, length: Option<u64>) -> Vec<u8> {
        self.head(length, Some("application/x-ndjson"))
    }

    fn head(&self, length: Option<u64>, kind: Option<&str>) -> Vec<u8> {
        let mut head =
            format!("{} {} HTTP/1.1\r\nhost: localhost\r\naccept: {}\r\n", self.method, self.target, self.accept);
        let mut field = |name: &str, value: &dyn Display| {
            write!(head, "{name}: {value}\r\n").expect("a string takes whatever is written");
        };
        if let Some(key) = &self.key {
            field(IDEMPOTENCY_HEADER, key);
        }
        match length {
            Some(length) if self.method != "GET" => field("content-length", &length),
            Some(_) => {}
            None => field("transfer-encoding", &"chunked"),
        }
        if let Some(kind) = kind {
            field("content-type", &kind);
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// Percent-encodes all but unreserved characters (RFC 3986, section 2.3) and those of `also`.
fn encode(text: &str, also: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also.contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes whatever is written");
        }
    }
    out
}

/// 128 random bits in hexadecimal.
fn random_key() -> Result<String, Error> {
    let mut bits = [0_u8; 16];
    let got = rustix::rand::getrandom(&mut bits, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| Problem::new(Code::Internal, format!("the kernel gave no random numbers: {error}")))?;
    debug_assert_eq!(got, bits.len(), "getrandom gives up to 256 bytes at once (getrandom(2))");
    Ok(format!("{:032x}", u128::from_ne_bytes(bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(request: Request) -> String {
        String::from_utf8(request.to_bytes()).unwrap()
    }

    #[test]
    fn parameters_are_encoded_where_they_stand() {
        let file = Request::new(&operation::CANVAS_FILE).unwrap().at("session", "ses_1").at("path", "src/a b?.rs");
        assert!(text(file).starts_with("GET /v1/sessions/ses_1/canvas/files/src/a%20b%3F.rs HTTP/1.1\r\n"));
        let list = Request::new(&operation::SESSION_LIST).unwrap().query("workspace", "/home/ü&x").query("limit", 1);
        assert!(text(list).starts_with("GET /v1/sessions?workspace=/home/%C3%BC%26x&limit=1 HTTP/1.1\r\n"));
    }

    #[test]
    fn writes_say_their_length_and_those_that_may_be_repeated_carry_a_key() {
        let undo = Request::new(&operation::CANVAS_UNDO).unwrap();
        assert!(undo.is_repeatable());
        let undo = text(undo);
        assert!(undo.contains("\r\ncontent-length: 0\r\n") && undo.contains(IDEMPOTENCY_HEADER), "{undo}");
        assert_ne!(undo, text(Request::new(&operation::CANVAS_UNDO).unwrap()), "each has a key of its own");
        let rewind = Request::new(&operation::CANVAS_REWIND).unwrap();
        assert!(!rewind.is_repeatable() && !text(rewind).contains(IDEMPOTENCY_HEADER));
        let get = text(Request::new(&operation::STATUS).unwrap());
        assert!(!get.contains("content-length") && !get.contains(IDEMPOTENCY_HEADER), "{get}");
    }

    #[test]
    fn what_may_have_happened_is_seen_where_it_would_be() {
        let seen = |operation| Request::new(operation).unwrap().seen_with();
        assert_eq!(seen(&operation::SNAPSHOT_CREATE), "`tinkerbell snapshot ls`");
        assert_eq!(seen(&operation::SCHEDULE_CREATE), "`tinkerbell schedule ls`");
        assert!(seen(&operation::CANVAS_REWIND).contains("sessions show"));
    }

    #[test]
    fn every_route_is_filled() {
        for operation in operation::ALL {
            let filled = ["session", "schedule", "approval", "seq", "blob", "path", "model", "name", "snapshot"]
                .iter()
                .fold(Request::new(operation).unwrap(), |request, parameter| request.at(parameter, "x"));
            assert!(!filled.target.contains('{'), "{} has a parameter that no command fills", operation.path);
        }
    }
}
