//! A daemon that says what a test tells it to, over a real socket.

use crate::client::Client;
use crate::start::Starter;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use wire::places::Places;

/// What one connection is told: an answer for each request on it, in order; then it is hung up.
pub(crate) type Connection = Vec<Vec<u8>>;

/// A daemon on a thread.
pub(crate) struct FakeDaemon {
    dir: tempfile::TempDir,
    thread: JoinHandle<Vec<String>>,
}

impl FakeDaemon {
    /// Takes so many connections, one after the other.
    pub(crate) fn new(connections: Vec<Connection>) -> FakeDaemon {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        let thread = std::thread::spawn(move || {
            let mut heard = Vec::new();
            for answers in connections {
                let (mut stream, _) = listener.accept().unwrap();
                for answer in answers {
                    heard.push(read_request(&mut stream));
                    // Split where it hurts: one byte, then the rest, so that nothing comes whole.
                    let (first, rest) = answer.split_at(answer.len().min(1));
                    stream.write_all(first).unwrap();
                    stream.write_all(rest).unwrap();
                }
            }
            heard
        });
        FakeDaemon { dir, thread }
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    /// A client of this daemon. What it would start does not exist, so that a test which starts anything fails.
    pub(crate) fn client(&self) -> Client {
        let starter = Starter::of(&self.dir.path().join("there-is-no-such-program"));
        Client::new(places(self.dir.path()), Some(starter))
    }

    /// What was asked, once all connections are over.
    pub(crate) fn heard(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

/// Places below a directory, with a socket in it.
pub(crate) fn places(dir: &Path) -> Places {
    Places {
        config_file: dir.join("config.toml"),
        state_dir: dir.to_owned(),
        sockets: vec![dir.join("socket")],
        socket_chosen: true,
    }
}

/// A good answer with a body of known length.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    answer("200 OK", body)
}

/// An answer with a status.
pub(crate) fn answer(status: &str, body: &str) -> Vec<u8> {
    let version = crate::client::VERSION;
    format!("HTTP/1.1 {status}\r\ntinkerbell-version: {version}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// A stream of updates in chunks; `ends` says whether it ends in good order.
pub(crate) fn stream(updates: &[&str], ends: bool) -> Vec<u8> {
    let mut text =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n".to_owned();
    for update in updates {
        let event = format!("data: {update}\n\n");
        // Each message in two chunks, so that none of them is whole.
        let (first, second) = event.split_at(event.len() / 2);
        for part in [first, second] {
            text.push_str(&format!("{:x}\r\n{part}\r\n", part.len()));
        }
    }
    if ends {
        text.push_str("0\r\n\r\n");
    }
    text.into_bytes()
}

fn read_request(stream: &mut UnixStream) -> String {
    let mut heard = Vec::new();
    let mut byte = [0];
    while !heard.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        heard.push(byte[0]);
    }
    let head = String::from_utf8(heard).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}
