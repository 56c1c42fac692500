//! `Ollama` against a server that replays what real servers of two versions were recorded to send, and against one that
//! misbehaves.

#![allow(clippy::unwrap_used, reason = "all of this crate is tests")]

mod calls;
mod recordings;
#[path = "../backends/server.rs"]
#[allow(dead_code, reason = "another test of this crate uses the rest")]
mod server;
