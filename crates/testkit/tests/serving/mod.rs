//! A server of models that does exactly what a test tells it, request by request, and speaks every dialect.

#![allow(dead_code, reason = "each test program uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

pub(crate) mod dialect;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One thing that the server does in answer to a request.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Writes these bytes.
    Send(Vec<u8>),
    /// Writes these bytes again and again until the client goes.
    Flood(Vec<u8>),
    /// Does nothing until the client goes.
    Wait,
    /// Closes the connection with a reset; without it, it is closed in good order after the last step.
    Reset,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) head: String,
    pub(crate) body: String,
}

/// The server. Its threads end with the test program.
pub(crate) struct ModelServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl ModelServer {
    pub(crate) fn start(answer: impl Fn(&Asked) -> Vec<Step> + Send + Sync + 'static) -> ModelServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, asked) = (Arc::new(answer), Arc::new(Mutex::new(Vec::new())));
        let server = ModelServer { address, asked: asked.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, asked) = (answer.clone(), asked.clone());
                std::thread::spawn(move || {
                    // A client that goes away in the middle is what some of the tests are about.
                    let _ = serve(stream, &*answer, &asked);
                });
            }
        });
        server
    }

    /// Where it is, without a path.
    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: TcpStream,
    answer: &(dyn Fn(&Asked) -> Vec<Step> + Send + Sync),
    asked: &Mutex<Vec<Asked>>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Some(request) = read_request(&mut stream)? else { return Ok(()) };
    let steps = answer(&request);
    asked.lock().unwrap().push(request);
    for step in steps {
        match step {
            Step::Send(bytes) => stream.write_all(&bytes)?,
            Step::Flood(bytes) => loop {
                stream.write_all(&bytes)?;
            },
            Step::Wait => drop(stream.read(&mut [0; 1])?),
            Step::Reset => {
                return rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO))
                    .map_err(io::Error::from);
            }
        }
    }
    stream.shutdown(std::net::Shutdown::Write)
}

fn read_request(stream: &mut TcpStream) -> io::Result<Option<Asked>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 8192];
    loop {
        if let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
            let lower = text.to_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if bytes.len() >= head + 4 + length {
                let body = String::from_utf8_lossy(&bytes[head + 4..]).into_owned();
                return Ok(Some(Asked { head: text, body }));
            }
        }
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

/// An answer of known length, with further header fields.
pub(crate) fn plain(status: &str, media: &str, fields: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {media}\r\nconnection: close\r\n{fields}");
    vec![Step::Send(format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes())]
}

/// The head of a stream in chunks.
pub(crate) fn head(fields: &str) -> Step {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n";
    Step::Send(format!("{head}{fields}transfer-encoding: chunked\r\n\r\n").into_bytes())
}

/// A piece of a stream, as one chunk.
pub(crate) fn piece(bytes: &[u8]) -> Step {
    Step::Send(chunk(bytes))
}

pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// The last chunk.
pub(crate) fn end() -> Step {
    Step::Send(b"0\r\n\r\n".to_vec())
}

/// A whole stream out of its events.
pub(crate) fn whole(fields: &str, events: &[String]) -> Vec<Step> {
    let mut steps = vec![head(fields)];
    steps.extend(events.iter().map(|event| piece(event.as_bytes())));
    steps.push(end());
    steps
}
