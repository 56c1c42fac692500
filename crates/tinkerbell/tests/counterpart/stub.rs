//! A scripted chat server (bench/stub_llm.py).

use crate::world::project;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// The server, ended when dropped.
pub(crate) struct Stub {
    child: Child,
    /// Where it listens.
    pub(crate) port: u16,
}

impl Stub {
    /// Starts it, or says why it cannot be had.
    pub(crate) fn start() -> Result<Stub, String> {
        Stub::start_at(0)
    }

    /// Starts it on a port; 0 is any free one.
    pub(crate) fn start_at(port: u16) -> Result<Stub, String> {
        let script = project().join("bench/stub_llm.py");
        let spawned =
            Command::new("python3").arg(script).args(["--port", &port.to_string()]).stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| format!("python3 cannot be run: {error}"))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("the server said {line:?}: {error}"));
        Ok(Stub { child, port: said["port"].as_u64().unwrap() as u16 })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the server itself says, over a connection of our own.
    pub(crate) fn asked(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while reader.read_line(&mut line).unwrap() > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Requests for an answer so far.
    pub(crate) fn served(&self) -> u64 {
        self.asked("/_stub/stats")["served"].as_u64().unwrap()
    }

    /// The local ports of a process's open connections to the server, from the kernel's table.
    pub(crate) fn connections_of(&self, pid: u32) -> Vec<u16> {
        let port = |address: &str| u16::from_str_radix(address.rsplit(':').next().unwrap(), 16).unwrap();
        let inodes: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()?.to_str().map(str::to_owned))
            .collect();
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        // The kernel may give a row twice, when the table changes while it is read.
        let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        let ours = rows.filter(|row| {
            row[3] == "01" && port(row[2]) == self.port && inodes.contains(&format!("socket:[{}]", row[9]))
        });
        let ports: BTreeSet<u16> = ours.map(|row| port(row[1])).collect();
        ports.into_iter().collect()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
