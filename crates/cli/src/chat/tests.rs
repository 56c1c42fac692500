//! Whole conversations on a real pseudo-terminal, against a daemon that answers over a real socket.
//!
//! The terminal is looked at as a person does: by what stands on its screen.

use super::*;
use crate::arguments::Globals;
use crate::client::{Client, VERSION};
use crate::fake;
use crate::run::{Context, Exit};
use crate::screen::testing;
use agent::{Seq, SessionId};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{self, LocalModes, Winsize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

mod answers;

const SESSION: &str = "ses_01kav9ft000000000000000007";
const HEAD: &str = r#""at":"2025-11-23T09:00:00.000000Z","session":"ses_01kav9ft000000000000000007""#;
const USAGE: &str = r#""usage":{"input_tokens":10,"output_tokens":2},"cost_microusd":0"#;
/// No step of a conversation takes longer, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(60);
/// How many messages may wait between the threads of a test.
const MAX_WAITING: usize = 1_000;
const ROWS: u16 = 24;
const COLUMNS: u16 = 60;

/// A daemon that tells the test what it was asked, and sends the updates that the test gives.
struct Daemon {
    dir: tempfile::TempDir,
    heard: Receiver<(String, String)>,
    updates: SyncSender<String>,
}

impl Daemon {
    fn new() -> Daemon {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        let (tell, heard) = sync_channel(MAX_WAITING);
        let (updates, to_send) = sync_channel(MAX_WAITING);
        std::thread::spawn(move || {
            let mut to_send = Some(to_send);
            while let Ok((stream, _)) = listener.accept() {
                serve(stream, &tell, &mut to_send);
            }
        });
        Daemon { dir, heard, updates }
    }

    /// The next request: its first line and its body.
    fn heard(&self) -> (String, serde_json::Value) {
        let (line, body) = self.heard.recv_timeout(LIMIT).expect("nothing was asked");
        (line, serde_json::from_str(&body).unwrap_or_default())
    }

    fn send(&self, seq: u64, rest: &str) {
        self.updates.send(format!("{{\"seq\":{seq},{HEAD},{rest}}}")).unwrap();
    }

    fn delta(&self, offset: usize, text: &str) {
        let text = serde_json::Value::from(text);
        self.updates
            .send(format!(
                r#"{{"kind":"message.delta","session":"{SESSION}","turn":"trn_1","effect":"trn_1.1.model.0.1","offset":{offset},"text":{text}}}"#
            ))
            .unwrap();
    }

    fn begin_turn(&self) {
        self.send(3, r#""kind":"prompt.accepted","turn":"trn_1","tokens":1,"data":{"text":"hello"}"#);
        self.send(4, r#""kind":"turn.started","turn":"trn_1","data":{}"#);
    }

    fn end_turn(&self, seq: u64, text: &str) {
        let text = serde_json::Value::from(text);
        self.send(
            seq,
            &format!(
                r#""kind":"model.finished","turn":"trn_1","effect":"trn_1.1.model.0.1","stop":"end","tokens":2,{USAGE},"data":{{"text":{text}}}"#
            ),
        );
        self.send(
            seq + 1,
            &format!(
                r#""kind":"turn.finished","turn":"trn_1","outcome":"done","steps":1,"changed":2,{USAGE},"data":{{}}"#
            ),
        );
    }
}

/// Answers the requests of one connection; a stream of updates goes on beside the other connections.
fn serve(stream: UnixStream, tell: &SyncSender<(String, String)>, updates: &mut Option<Receiver<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let (mut line, mut length) = (String::new(), 0);
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            if let Some(value) = header.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            if header.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        if line.contains("/events") {
            let updates = updates.take().expect("one stream is enough");
            std::thread::spawn(move || stream_updates(stream, &updates));
            return;
        }
        let turn = if body.windows(5).any(|window| window == b"queue") && line.contains("prompts") {
            "trn_1"
        } else {
            "trn_2"
        };
        let answer = if line.contains("/prompts") {
            format!(
                r#"{{"session":"{SESSION}","seq":3,"turn":"{turn}","model":"offline","why":"nothing else is there"}}"#
            )
        } else if line.contains("/cancel") {
            r#"{"turn":"trn_1","seq":9}"#.to_owned()
        } else if line.contains("/canvas/log") {
            answers::LOG.to_owned()
        } else if line.contains("/canvas/undo") {
            r#"{"outcome":"done","seq":5,"files":[]}"#.to_owned()
        } else {
            "{}".to_owned()
        };
        let head =
            format!("HTTP/1.1 200 OK\r\ntinkerbell-version: {VERSION}\r\ncontent-length: {}\r\n\r\n", answer.len());
        stream.write_all((head + &answer).as_bytes()).unwrap();
        // The test hears of it once it is answered, so that what it does next comes after.
        if tell.send((line.trim().to_owned(), String::from_utf8(body).unwrap())).is_err() {
            return;
        }
    }
}

fn stream_updates(mut stream: UnixStream, updates: &Receiver<String>) {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    while let Ok(update) = updates.recv() {
        let event = format!("data: {update}\n\n");
        if stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).is_err() {
            return;
        }
    }
}

/// A conversation that goes on, and the terminal it is on.
struct Talk {
    daemon: Daemon,
    keyboard: File,
    inner: OwnedFd,
    before: LocalModes,
    seen: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    thread: JoinHandle<Exit>,
}

impl Talk {
    fn begin() -> Talk {
        let daemon = Daemon::new();
        let (outer, inner) = terminal();
        let before = termios::tcgetattr(&inner).unwrap().local_modes;
        let places = fake::places(daemon.dir.path());
        let socket = daemon.dir.path().join("socket");
        let copy = |fd: &OwnedFd| fd.try_clone().unwrap();
        let (input, output, directory) = (copy(&inner), copy(&inner), PathBuf::from(daemon.dir.path()));
        let thread = std::thread::spawn(move || {
            let screen = testing::on_terminal(output.try_clone().unwrap().into());
            let globals = Globals { socket: Some(socket), no_start: true, ..Globals::default() };
            let mut context = Context::new(screen, globals);
            converse(&mut context, Client::new(places, None), (input, output), directory)
        });
        let (tell, seen) = sync_channel(MAX_WAITING);
        let mut output = File::from(outer.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = output.read(&mut bytes) {
                if length == 0 || tell.send(bytes[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let screen = vt100::Parser::new(ROWS, COLUMNS, 1_000);
        let mut talk = Talk { daemon, keyboard: outer.into(), inner, before, seen, screen, thread };
        talk.until("/help shows what there is", |text| text.contains("there is") && text.trim_end().ends_with('›'));
        talk
    }

    fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen is as it should be.
    fn until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) {
        let began = Instant::now();
        while !is_so(&self.screen.screen().contents()) {
            let left = LIMIT.saturating_sub(began.elapsed());
            match self.seen.recv_timeout(left) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(_) => panic!("waited in vain for {what}:\n{}", self.screen.screen().contents()),
            }
        }
    }

    fn shows(&mut self, words: &str) {
        self.until(words, |text| text.contains(words));
    }

    /// Leaves, and gives what is seen at the end.
    fn leave(mut self) -> String {
        self.type_in("\x04");
        self.ends(Exit::GOOD)
    }

    fn ends(mut self, expected: Exit) -> String {
        assert_eq!(self.thread.join().unwrap(), expected);
        let after = termios::tcgetattr(&self.inner).unwrap().local_modes;
        assert_eq!(after, self.before, "the terminal is as it was");
        // The last that is written gives the terminal back.
        while self.screen.screen().bracketed_paste() {
            let bytes = self.seen.recv_timeout(LIMIT).expect("the terminal is given back");
            self.screen.process(&bytes);
        }
        self.screen.screen().contents()
    }
}

fn converse(context: &mut Context, client: Client, terminal: (OwnedFd, OwnedFd), directory: PathBuf) -> Exit {
    let opening = Opening {
        session: SESSION.parse::<SessionId>().unwrap(),
        directory,
        workspace: "/w".into(),
        model: None,
        after: Seq(1),
        open: BTreeSet::new(),
        is_new: false,
    };
    let mut conversation = Conversation::open(context, client, terminal, opening).unwrap();
    conversation.greet(None, None).unwrap();
    conversation.run().unwrap()
}

pub(super) fn terminal() -> (OwnedFd, OwnedFd) {
    let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&outer).unwrap();
    unlockpt(&outer).unwrap();
    let name = ptsname(&outer, Vec::new()).unwrap();
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
    let inner = rustix::fs::open(name, flags, rustix::fs::Mode::empty()).unwrap();
    let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
    termios::tcsetwinsize(inner.as_fd(), size).unwrap();
    (outer, inner)
}

#[test]
fn a_prompt_is_sent_as_it_was_typed_and_its_reply_is_set() {
    let mut talk = Talk::begin();
    talk.type_in("hällo\x1b\rwörld 日本\x1b[D\x1b[D\x7f!\r");
    let (line, body) = talk.daemon.heard();
    assert!(line.starts_with("POST /v1/sessions/") && line.contains("/prompts"), "{line}");
    assert_eq!(body["text"], "hällo\nwörld!日本");
    talk.daemon.begin_turn();
    talk.daemon.delta(0, "# Title\n\nsome **bold** wor");
    talk.shows("some bold");
    talk.daemon.delta(26, "ds\n");
    talk.daemon.end_turn(6, "# Title\n\nsome **bold** words\n");
    talk.until("the editor again", |text| text.contains("/accept") && text.trim_end().ends_with('›'));
    let text = talk.leave();
    for line in ["> hällo", "> wörld!日本", "model offline: nothing else is there", "Title", "some bold words"] {
        assert!(text.contains(line), "{line:?} is not on the screen:\n{text}");
    }
    let flowing = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flowing.contains("1 step, 10 tokens in, 2 out, $0.00; 2 changes on the canvas: /diff shows them"),
        "{text}"
    );
}

#[test]
fn while_somebody_types_the_reply_waits_and_then_goes_on_where_it_was() {
    let mut talk = Talk::begin();
    talk.type_in("hello\r");
    talk.daemon.heard();
    talk.daemon.begin_turn();
    talk.daemon.delta(0, "The quick brown ");
    talk.shows("The quick brown");
    talk.type_in("and");
    talk.shows("queue › and");
    talk.daemon.delta(16, "fox jumps ");
    talk.type_in(" more\r");
    let (_, body) = talk.daemon.heard();
    assert_eq!((body["text"].as_str(), body["while_running"].as_str()), (Some("and more"), Some("queue")));
    talk.daemon.end_turn(6, "The quick brown fox jumps over.");
    talk.shows("2 changes");
    let text = talk.leave();
    let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words:?} is not on the screen:\n{text}"));
    assert!(at("The quick brown") < at("> and more") && at("> and more") < at("fox jumps over."), "{text}");
    assert!(!text.contains("queue ›"), "the editor has left nothing behind:\n{text}");
}

#[test]
fn a_line_that_is_dropped_leaves_the_reply_whole() {
    let mut talk = Talk::begin();
    talk.type_in("hello\r");
    talk.daemon.heard();
    talk.daemon.begin_turn();
    talk.daemon.delta(0, "The quick brown ");
    talk.shows("The quick brown");
    talk.type_in("x");
    talk.shows("queue › x");
    talk.daemon.delta(16, "fox jumps over.");
    talk.type_in("\x7f");
    talk.daemon.end_turn(6, "The quick brown fox jumps over.");
    talk.shows("2 changes");
    let text = talk.leave();
    assert!(text.contains("The quick brown fox jumps over."), "in one line:\n{text}");
}

#[test]
fn control_c_cancels_the_turn_and_not_the_program() {
    let mut talk = Talk::begin();
    talk.type_in("\x03");
    talk.shows("Ctrl-D or /quit leaves");
    talk.type_in("half a line\x03");
    talk.type_in("hello\r");
    assert_eq!(talk.daemon.heard().1["text"], "hello");
    talk.daemon.begin_turn();
    talk.daemon.delta(0, "Well, ");
    talk.shows("Well,");
    talk.type_in("\x03");
    let (line, _) = talk.daemon.heard();
    assert!(line.contains("/cancel"), "{line}");
    talk.daemon.send(7, r#""kind":"turn.ending","turn":"trn_1","outcome":"cancelled","data":{}"#);
    talk.shows("cancelling…");
    talk.daemon.send(
        8,
        &format!(
            r#""kind":"turn.finished","turn":"trn_1","outcome":"cancelled","steps":1,"changed":0,{USAGE},"data":{{}}"#
        ),
    );
    talk.until("the editor again", |text| text.contains("cancelled") && text.trim_end().ends_with('›'));
    talk.leave();
}

#[test]
fn a_question_is_answered_with_one_key_and_another_clients_answer_is_shown() {
    let mut talk = Talk::begin();
    talk.type_in("hello\r");
    talk.daemon.heard();
    talk.daemon.begin_turn();
    let asked = |ordinal: u32| {
        format!(
            r#""kind":"approval.requested","turn":"trn_1","effect":"trn_1.1.ask.{ordinal}.1","question":"permission","data":{{"message":"May write_file run?","call":{{"id":"1","name":"write_file","arguments":"{{\"path\":\"a.txt\"}}"}}}}"#
        )
    };
    let answered = |ordinal: u32| {
        format!(
            r#""kind":"approval.resolved","turn":"trn_1","effect":"trn_1.1.ask.{ordinal}.1","answer":"allow","data":{{}}"#
        )
    };
    talk.daemon.send(6, &asked(0));
    talk.shows("[y] allow, [n] deny:");
    talk.shows("write_file {\"path\":\"a.txt\"}");
    talk.type_in("y");
    let (line, body) = talk.daemon.heard();
    assert!(line.contains("/approvals/trn_1.1.ask.0.1") && body["answer"] == "allow", "{line} {body}");
    talk.daemon.send(7, &answered(0));
    talk.shows("answered: allow");
    talk.daemon.send(8, &asked(1));
    talk.until("the second question", |text| text.matches("[n] deny:").count() == 2);
    // What is no answer begins a line, and the question comes back after it.
    talk.type_in("/");
    talk.shows("queue › /");
    talk.type_in("\x03");
    talk.until("the question again", |text| text.matches("[n] deny:").count() == 3);
    talk.daemon.send(9, &answered(1));
    talk.shows("answered elsewhere: allow");
    talk.daemon.end_turn(10, "Done.");
    talk.shows("2 changes");
    talk.leave();
}

#[test]
fn leaving_says_that_the_turn_goes_on_and_a_wrong_command_names_the_nearest() {
    let mut talk = Talk::begin();
    talk.type_in("/dif\r");
    talk.shows("did you mean /diff?");
    talk.type_in("/attach nothing.png\r");
    talk.shows("cannot take");
    talk.type_in("/while-running steer\rhello\r");
    talk.daemon.heard();
    talk.daemon.begin_turn();
    talk.daemon.delta(0, "Hm ");
    talk.shows("Hm");
    talk.type_in("go on\r");
    let (_, body) = talk.daemon.heard();
    assert_eq!((body["text"].as_str(), body["while_running"].as_str()), (Some("go on"), Some("steer")));
    let text = talk.leave();
    let flowing = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flowing.contains("left; the turn goes on. See: tinkerbell attach -s 00000007"), "{text}");
}

#[test]
fn every_key_arrives_however_fast_they_come() {
    let mut talk = Talk::begin();
    let seed = 11_u64;
    let mut random = seed;
    let mut failures = 0;
    let trials = 40;
    for _ in 0..trials {
        let mut text = String::new();
        for _ in 0..60 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            text.push(['a', 'Z', '9', 'ü', '日', '👩', '-', '.'][usize::try_from(random % 8).unwrap()]);
        }
        // In pieces that end within characters.
        for piece in format!("{text}\r").as_bytes().chunks(7) {
            talk.keyboard.write_all(piece).unwrap();
        }
        talk.daemon.begin_turn();
        talk.daemon.end_turn(6, "ok");
        failures += usize::from(talk.daemon.heard().1["text"] != text.as_str());
    }
    println!("seed {seed}, {trials} lines of 60 keys, {failures} failures");
    assert_eq!(failures, 0);
    talk.leave();
}
