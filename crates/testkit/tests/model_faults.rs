//! R27 through the whole house: servers that cut, lie and flood, in every dialect. A stream that was not whole ends no turn
//! as done and runs no call; what was said until then is kept. Pauses that end by a timeout are left to the models' room,
//! since a daemon's timeouts are not configured; here such a pause ends by the user's cancel.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]
#![allow(clippy::print_stdout, reason = "the counts are what these tests are run for")]

mod serving;

use serde_json::{Value, json};
use serving::dialect::{Call, Dialect, Said};
use serving::{ModelServer, Step, chunk, end, head, piece, plain, whole};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use testkit::{Daemon, Home, Rng, World};

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");
const SEED: u64 = 27;
/// Random cuts of each dialect's stream.
const CUTS: u64 = 24;
const WORDS: &str = "Hello wörld";

/// A daemon whose models are a server with a list of answers; when they are used up it says that it is sorry.
struct House {
    world: World,
    answers: Arc<Mutex<VecDeque<Vec<Step>>>>,
    _daemon: Daemon,
}

/// What came of a turn.
struct Turn {
    outcome: String,
    /// Calls that were begun.
    ran: usize,
    /// The words of failed attempts.
    kept: Vec<String>,
    all: Vec<Value>,
}

impl House {
    fn new(attempts: u32) -> House {
        let answers: Arc<Mutex<VecDeque<Vec<Step>>>> = Arc::default();
        let queue = answers.clone();
        let server = ModelServer::start(move |asked| {
            let sorry = || Said { text: vec!["sorry".into()], ..Said::default() };
            let dialect = spoken(&asked.head);
            queue.lock().unwrap().pop_front().unwrap_or_else(|| whole("", &dialect.events(&sorry())))
        });
        let home = Home::new();
        let mut config = format!(
            "[daemon]\ndiscover = false\n[limits]\nattempts = {attempts}\nbackoff_ms = 1\nmax_backoff_ms = 1\n\
             [permissions]\nrules = [{{ tool = \"*\", decision = \"allow\" }}]\n"
        );
        for dialect in Dialect::ALL {
            // Somewhere to read a key from, so that no provider is refused for want of one.
            config.push_str(&dialect.table(&server.address(), "key = { env = \"FAULTS_KEY\" }"));
        }
        home.configure(&config);
        let mut command = home.command(DAEMON);
        command.args(["daemon", "run", "--detached"]).current_dir("/").env("FAULTS_KEY", "sk-of-the-faults-0123");
        let daemon = home.start_as(&mut command).unwrap();
        let client = home.client();
        House { world: World { home, client, session: String::new() }, answers, _daemon: daemon }
    }

    /// A session of its own with one turn, before which the server got its answers.
    fn begin(&mut self, dialect: Dialect, answers: Vec<Vec<Step>>) {
        *self.answers.lock().unwrap() = answers.into();
        let prompt = json!({ "text": "go", "model": dialect.provider() });
        let body = json!({ "workspace": self.world.home.workspace(), "prompt": prompt });
        let created = self.world.client.post("/v1/sessions", &body).unwrap().json();
        self.world.session = created["session"].as_str().unwrap().to_owned();
    }

    fn turn(&mut self, dialect: Dialect, answers: Vec<Vec<Step>>) -> Turn {
        self.begin(dialect, answers);
        self.rest()
    }

    fn rest(&self) -> Turn {
        let all = self.world.until(|update| update["kind"] == "turn.finished");
        let of = |kind: &str| all.iter().filter(move |update| update["kind"] == kind).cloned().collect::<Vec<_>>();
        let failed = [of("model.failed"), of("model.interrupted")].concat();
        let kept = failed.iter().map(|end| end["data"]["text"].as_str().unwrap_or_default().to_owned());
        let outcome = all.last().unwrap()["outcome"].as_str().unwrap().to_owned();
        Turn { outcome, ran: of("tool.started").len(), kept: kept.collect(), all }
    }
}

fn spoken(head: &str) -> Dialect {
    let paths = ["/chat/completions", "/messages", "/responses", "GenerateContent", "/api/chat"];
    Dialect::ALL[paths.iter().position(|path| head.contains(path)).unwrap()]
}

/// Words, and a call whose effect would be seen.
fn said() -> Said {
    let call = Call::new("call_1", "count", &json!({ "label": "ran" }));
    Said { reasoning: vec!["hm".into()], text: vec!["Hello ".into(), "wörld".into()], calls: vec![call], finish: None }
}

/// How many of the events must have come before a stream may count as whole.
fn least(dialect: Dialect, events: &[String]) -> usize {
    let marks = ["finish_reason\":\"", "message_delta", "response.completed", "finishReason", "\"done\":true"];
    let at = Dialect::ALL.iter().position(|one| *one == dialect).unwrap();
    events.iter().position(|event| event.contains(marks[at])).unwrap() + 1
}

/// After how many of the events all words have come.
fn spoken_out(events: &[String]) -> usize {
    events.iter().position(|event| event.contains("wörld")).unwrap() + 1
}

/// A way in which a server fails.
struct Fault {
    name: &'static str,
    steps: Vec<Step>,
    /// Whether all words had come by then.
    spoke: bool,
}

fn faults(dialect: Dialect) -> Vec<Fault> {
    let events = dialect.events(&said());
    let (spoke, least) = (spoken_out(&events), least(dialect, &events));
    let begun = |count: usize| vec![head(""), piece(events[..count].concat().as_bytes())];
    let and = |steps: &[Step]| [begun(spoke), steps.to_vec()].concat();
    let in_call = |steps: &[Step]| [begun(least - 1), steps.to_vec()].concat();
    let fault = |name, steps, spoke| Fault { name, steps, spoke };
    let html = "<html>please log in</html>";
    let before = events[..spoke - 1].concat();
    let broken = [before.as_bytes(), b"data: {\"w\xff\xferld", events[spoke - 1].as_bytes()].concat();
    let promised = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999999\r\n\r\n{}",
        events[..spoke].concat()
    );
    let line = if dialect == Dialect::Ollama { "{\"message\":{\"content\":\"" } else { "data: {\"x\":\"" };
    // The library behind the others gives an endless line up by time, which the models' own tests shorten.
    let flood = match dialect {
        Dialect::Chat | Dialect::Ollama => Step::Flood(chunk(&[b'x'; 1 << 16])),
        Dialect::Anthropic | Dialect::Responses | Dialect::Gemini => piece(&[b'x'; 1 << 18]),
    };
    vec![
        fault("closed before the head", vec![], false),
        fault("reset before the head", vec![Step::Reset], false),
        fault("an empty stream", vec![head(""), end()], false),
        fault("cut after the words", and(&[]), true),
        fault("clean end after the words", and(&[end()]), true),
        fault("reset after the words", and(&[Step::Reset]), false),
        fault("cut before the finish", in_call(&[]), true),
        fault("clean end before the finish", in_call(&[end()]), true),
        fault("error object at once", vec![head(""), piece(dialect.error("no").as_bytes()), end()], false),
        fault("error object after the words", and(&[piece(dialect.error("no").as_bytes()), end()]), true),
        fault("error object before the finish", in_call(&[piece(dialect.error("no").as_bytes()), end()]), true),
        fault("lying content-length", vec![Step::Send(promised.into_bytes())], true),
        fault("broken chunk", and(&[Step::Send(b"zz\r\n".to_vec())]), true),
        fault("broken UTF-8", vec![head(""), piece(&broken), end()], false),
        fault("HTML with 200", plain("200 OK", "text/html", "", html), false),
        fault("HTML with 502", plain("502 Bad Gateway", "text/html", "", html), false),
        fault(
            "error as JSON with 200",
            plain("200 OK", "application/json", "", r#"{"error":{"message":"no"}}"#),
            false,
        ),
        fault("half of an object", plain("200 OK", "application/json", "", r#"{"choices":["#), false),
        fault("a line without an end", and(&[piece(line.as_bytes()), flood]), true),
    ]
}

#[test]
fn no_named_fault_ends_a_turn_as_done_or_runs_a_call() {
    let mut house = House::new(1);
    for dialect in Dialect::ALL {
        for Fault { name, steps, spoke } in faults(dialect) {
            let turn = house.turn(dialect, vec![steps]);
            assert_eq!((turn.outcome.as_str(), turn.ran), ("failed", 0), "{dialect:?}, {name}: {:#?}", turn.all.last());
            assert_eq!(turn.kept.len(), 1, "{dialect:?}, {name}: {:#?}", turn.all);
            let all = turn.kept[0] == WORDS;
            // A reset may overtake what was sent before it.
            assert!(all == spoke || name.starts_with("reset"), "{dialect:?}, {name}: kept {:?}", turn.kept);
            println!("{dialect:?}: {name}: 1 of 1 failed, calls run 0, bytes kept {}", turn.kept[0].len());
        }
    }
    assert_eq!(house.world.counted(), 0);
}

#[test]
fn a_stream_that_is_cut_anywhere_is_never_a_reply() {
    let mut house = House::new(1);
    for dialect in Dialect::ALL {
        let events = dialect.events(&said());
        let (bytes, whole) = (events.concat().into_bytes(), events[..least(dialect, &events) - 1].concat().len());
        let mut random = Rng::new(SEED);
        let mut cuts: Vec<usize> = (0..CUTS).map(|_| random.below(whole as u64) as usize).collect();
        let mut so_far = 0;
        cuts.extend(events.iter().map(|event| {
            so_far += event.len();
            so_far.min(whole)
        }));
        let (mut done, mut ran) = (0, 0);
        for cut in &cuts {
            let turn = house.turn(dialect, vec![vec![head(""), piece(&bytes[..*cut])]]);
            (done, ran) = (done + u64::from(turn.outcome == "done"), ran + turn.ran);
            assert!(
                turn.kept.iter().all(|kept| WORDS.starts_with(kept.as_str())),
                "{dialect:?}, {cut}: {:?}",
                turn.kept
            );
        }
        println!("{dialect:?}: cuts {}, seed {SEED}, done {done}, calls run {ran}", cuts.len());
        assert_eq!((done, ran), (0, 0));
    }
    assert_eq!(house.world.counted(), 0);
}

#[test]
fn a_call_whose_arguments_did_not_end_is_not_run() {
    let mut house = House::new(1);
    let wrong = |arguments: &str, finish: Option<&str>| {
        let call = Call { id: "call_1".into(), name: "count".into(), arguments: arguments.into() };
        Said { text: vec![WORDS.into()], calls: vec![call], finish: finish.map(str::to_owned), ..Said::default() }
    };
    // The others give arguments as objects, which cannot be in part.
    for (dialect, length) in
        [(Dialect::Chat, "length"), (Dialect::Anthropic, "max_tokens"), (Dialect::Responses, "incomplete")]
    {
        let halves = ["{\"label\":\"ra", "{\"label\":", "{", "[1]", "\"x\"", "{\"label\":\"ran\"}}", "{\"label\":1}"];
        for arguments in halves {
            let rounds = [None, Some(length)]
                .map(|finish| house.turn(dialect, vec![whole("", &dialect.events(&wrong(arguments, finish)))]));
            for turn in rounds {
                let valid = arguments == "{\"label\":1}";
                assert!(turn.ran == 0 || valid, "{dialect:?}, {arguments}: {:#?}", turn.all);
            }
        }
        let large = json!({ "label": "x".repeat(10 << 20) }).to_string();
        let turn = house.turn(dialect, vec![whole("", &dialect.events(&wrong(&large, None)))]);
        println!(
            "{dialect:?}: unended arguments {}, calls run 0; arguments of 10 MiB: {}, calls run {}",
            2 * halves.len(),
            turn.outcome,
            turn.ran
        );
    }
    let index = |id: &str, arguments: &str| {
        let function = json!({ "name": "count", "arguments": arguments });
        let calls = json!([{ "index": 0, "id": id, "type": "function", "function": function }]);
        format!(
            "data: {}\n\n",
            json!({ "choices": [{ "index": 0, "delta": { "tool_calls": calls }, "finish_reason": null }] })
        )
    };
    let mut events = vec![index("a", "{\"label\":"), index("b", "{\"label\":\"ran\"}"), index("a", "\"mixed\"}")];
    events.extend(Dialect::Chat.events(&Said { finish: Some("tool_calls".into()), ..Said::default() }));
    let turn = house.turn(Dialect::Chat, vec![whole("", &events)]);
    println!("Chat: two calls with one index: {}, calls run {}", turn.outcome, turn.ran);
    let counted = std::fs::read_to_string(house.world.home.path("count")).unwrap_or_default();
    let labels: Vec<_> = counted.lines().filter(|label| *label != "unnamed").collect();
    assert_eq!(labels, ["mixed", "ran"], "each has its own arguments, whole: {:#?}", turn.all);
}

#[test]
fn a_fault_that_passes_is_tried_again_and_one_that_waits_ends_by_a_cancel() {
    let mut house = House::new(2);
    for dialect in Dialect::ALL {
        let events = dialect.events(&said());
        let cut = vec![head(""), piece(events[..spoken_out(&events)].concat().as_bytes())];
        let turn = house.turn(dialect, vec![cut.clone(), whole("", &events)]);
        assert_eq!((turn.outcome.as_str(), turn.ran), ("done", 1), "{dialect:?}: {:#?}", turn.all);
        assert_eq!(turn.kept, [WORDS], "{dialect:?}");
        house.begin(dialect, vec![[cut, vec![Step::Wait]].concat()]);
        house.world.until(|update| update.to_string().contains("wörld"));
        assert_eq!(house.world.post("/cancel", json!({})).status, 200);
        let turn = house.rest();
        assert_eq!(
            (turn.outcome.as_str(), turn.ran, turn.kept),
            ("cancelled", 0, vec![WORDS.to_owned()]),
            "{dialect:?}"
        );
        println!("{dialect:?}: cut and tried again: 1 of 1 done, calls run 1; a pause: 1 of 1 cancelled, words kept");
    }
    assert_eq!(house.world.counted(), Dialect::ALL.len());
}
