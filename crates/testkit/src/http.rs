//! A client for tests: one request a connection, over the daemon's socket, with nothing of the product's in it.

use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// Where to send requests.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

/// A stream of updates.
#[derive(Debug)]
pub struct Events {
    lines: BufReader<UnixStream>,
}

/// Longer than anything in a test takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

impl Client {
    /// A client of the daemon behind a socket.
    pub fn new(socket: &Path) -> Client {
        Client { socket: socket.to_owned() }
    }

    /// Sends a request with headers and reads the whole answer.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        let mut stream = self.open(method, path, headers, body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer was cut");
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(cut)?;
        let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
        let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(cut)?;
        let mut body = answer[head + 4..].to_vec();
        if text.contains("transfer-encoding: chunked") {
            body = unchunked(&body).ok_or_else(cut)?;
        }
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        if length.is_some_and(|length: usize| body.len() < length) {
            return Err(cut());
        }
        Ok(Answer { status, body })
    }

    /// A GET.
    pub fn get(&self, path: &str) -> io::Result<Answer> {
        self.send("GET", path, &[], b"")
    }

    /// A POST of JSON.
    pub fn post(&self, path: &str, body: &Value) -> io::Result<Answer> {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// Follows a session from a cursor.
    pub fn follow(&self, session: &str, after: u64) -> io::Result<Events> {
        self.stream(&format!("/v1/sessions/{session}/events?after={after}"), &[])
    }

    /// Follows whatever streams at a path.
    pub fn stream(&self, path: &str, headers: &[(&str, &str)]) -> io::Result<Events> {
        let headers = [&[("accept", "text/event-stream")], headers].concat();
        let stream = self.open("GET", path, &headers, b"")?;
        Ok(Events { lines: BufReader::new(stream) })
    }

    fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<UnixStream> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: tinkerbell\r\nconnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        Ok(stream)
    }
}

/// The body without the sizes of its chunks; none when it broke off.
fn unchunked(mut raw: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = raw.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&raw[..end]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(raw.get(end + 2..end + 2 + size)?);
        raw = raw.get(end + 4 + size..)?;
    }
}

impl Iterator for Events {
    type Item = Value;

    /// The next update; `None` when the stream ends, however it does. Reads past heads, chunk sizes and heartbeats.
    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return serde_json::from_str(data.trim_end()).ok();
            }
        }
    }
}
