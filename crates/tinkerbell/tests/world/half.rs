//! A chat server that says half of an answer and waits, and programs that run while it does.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use super::{LOOK, Ran, World, server, wait_until};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What is asked. Other calls are the daemon's own, which tries out what a server can do.
pub(crate) const PROMPT: &str = "say the words";
/// What the model says, in pieces.
pub(crate) const WORDS: [&str; 6] = ["alpha ", "bravo ", "charlie ", "delta ", "echo ", "foxtrot"];
/// How many of them come before the model waits.
pub(crate) const BEFORE: usize = 3;
/// A chat server that says half of an answer and waits until the test lets it go on.
#[derive(Clone)]
pub(crate) struct Model {
    url: String,
    goes_on: Arc<AtomicBool>,
    /// How often it was asked for the words.
    asked: Arc<AtomicUsize>,
}

impl Model {
    /// Serves on a port of its own.
    pub(crate) fn start() -> Model {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let model = Model { url, goes_on: Arc::default(), asked: Arc::default() };
        let serving = model.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (serving, stream) = (serving.clone(), stream.unwrap());
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        model
    }

    /// Answers one request; a caller that is gone is no matter.
    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut line, mut length, mut first) = (String::new(), 0, String::new());
        while reader.read_line(&mut line).unwrap_or(0) > 2 {
            if first.is_empty() {
                first.clone_from(&line);
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; length];
        let _ = reader.read_exact(&mut body);
        if !first.contains("/chat/completions") {
            let _ = write!(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            return;
        }
        let is_asked = String::from_utf8_lossy(&body).contains(PROMPT);
        self.asked.fetch_add(usize::from(is_asked), Ordering::SeqCst);
        let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n");
        for (at, words) in WORDS.iter().enumerate() {
            while is_asked && at == BEFORE && !self.goes_on.load(Ordering::SeqCst) {
                std::thread::sleep(LOOK);
            }
            let _ = write!(stream, "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{words}\"}}}}]}}\n\n");
        }
        let end = "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\
                   \"usage\":{\"prompt_tokens\":10,\"completion_tokens\":6}}";
        let _ = write!(stream, "data: {end}\n\ndata: [DONE]\n\n");
    }

    /// Lets it say the rest, now and from now on.
    pub(crate) fn go_on(&self) {
        self.goes_on.store(true, Ordering::SeqCst);
    }

    /// How often it was asked for the words.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// What a program has said so far.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<String>>);

impl Heard {
    /// Listens until nobody speaks any more.
    pub(crate) fn listen(mut from: impl Read + Send + 'static) -> (Heard, JoinHandle<()>) {
        let heard = Heard::default();
        let noting = heard.clone();
        let listening = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut piece) {
                noting.0.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..count]));
            }
        });
        (heard, listening)
    }

    /// All of it.
    pub(crate) fn so_far(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    /// Waits until it has said this.
    #[track_caller]
    pub(crate) fn has(&self, words: &str) {
        wait_until(words, || self.so_far().contains(words));
    }
}

/// A command that runs, and what it says. It goes with this.
pub(crate) struct Watching {
    pub(crate) child: Child,
    pub(crate) out: Heard,
    pub(crate) err: Heard,
    listening: Vec<JoinHandle<()>>,
}

impl Watching {
    /// Starts the product in the workspace.
    pub(crate) fn start(world: &World, arguments: &[&str]) -> Watching {
        let mut command = world.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, listening_out) = Heard::listen(child.stdout.take().unwrap());
        let (err, listening_err) = Heard::listen(child.stderr.take().unwrap());
        Watching { child, out, err, listening: vec![listening_out, listening_err] }
    }

    /// Waits until half of the answer is printed.
    #[track_caller]
    pub(crate) fn has_half(&self) {
        self.out.has(WORDS[BEFORE - 1]);
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ran {
        let code = self.child.wait().unwrap().code().unwrap();
        self.listening.drain(..).for_each(|listening| listening.join().unwrap());
        Ran { code, out: self.out.so_far(), err: self.err.so_far() }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A world whose prompts go to the model, with that much time for turns to end. No daemon runs yet.
pub(crate) fn world(grace_ms: u64) -> (World, Model) {
    let (world, model) = (World::new(), Model::start());
    world.home.configure(&format!("{}\n[daemon]\ngrace_ms = {grace_ms}\n", server(&model.url, "")));
    (world, model)
}

/// Waits until the daemon has begun to hand over.
pub(crate) fn hands_over(world: &World) {
    let log = world.home.state().join("log/daemon.log");
    wait_until("it hands over", || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("handing over")));
}
