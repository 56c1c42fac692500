//! R20: a key never leaves. Every way in by which a key can come that somebody thought of, and then a look into every place
//! where it could have been left behind.
//!
//! What is looked for is any ten bytes of a key, so that a key that was cut somewhere is found as well.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]
#![allow(clippy::print_stdout, reason = "the counts are what these tests are run for")]

#[path = "canary/inlets.rs"]
mod inlets;
#[path = "canary/search.rs"]
mod search;
mod serving;
#[path = "canary/treachery.rs"]
mod treachery;

use inlets::{tools_results, users_words};
use search::{Keys, Search};
use serde_json::{Value, json};
use serving::ModelServer;
use serving::dialect::Dialect;
use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use testkit::{Daemon, Home, World};
use treachery::{spoken, treacherous};
use wire::operation;

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");

/// The house under test.
struct House {
    world: World,
    keys: Keys,
    search: Search,
    sessions: Vec<String>,
    events: u64,
}

impl House {
    fn new(keys: &Keys, server: &ModelServer) -> (House, Daemon) {
        let home = Home::new();
        let (address, path) = (server.address(), |name: &str| home.path(name).display().to_string());
        let mut config = String::from(
            "[daemon]\nlog = \"trace\"\ndiscover = true\n[limits]\nattempts = 2\nbackoff_ms = 1\nmax_backoff_ms = 5\n\
             [permissions]\nrules = [{ tool = \"break_down\", decision = \"allow\" }]\n",
        );
        for (dialect, key) in [
            (Dialect::Chat, "key = { env = \"CANARY_CHAT\" }".to_owned()),
            (Dialect::Anthropic, format!("key = {{ file = {:?} }}", path("anthropic.key"))),
            (Dialect::Responses, String::new()),
            (Dialect::Gemini, String::new()),
            (Dialect::Ollama, format!("key = {{ file = {:?} }}", path("ollama.key"))),
        ] {
            config.push_str(&dialect.table(&address, &key));
        }
        home.configure(&config);
        for dialect in [Dialect::Anthropic, Dialect::Ollama] {
            std::fs::write(path(&format!("{}.key", dialect.provider())), format!("{}\n", keys.of(dialect))).unwrap();
        }
        // The shell lets the daemon leave a core file, if it would.
        let mut command = home.command("sh");
        command.args(["-c", "ulimit -c unlimited; exec \"$@\"", "sh", DAEMON, "daemon", "run", "--detached"]);
        command.env("CANARY_CHAT", keys.of(Dialect::Chat)).env("GEMINI_API_KEY", keys.of(Dialect::Gemini));
        command.env("OLLAMA_HOST", address.trim_start_matches("http://"));
        let daemon = home.start_as(&mut command).unwrap();
        let client = home.client();
        let world = World { home, client, session: String::new() };
        let mut house = House { world, keys: keys.clone(), search: Search::new(keys), sessions: Vec::new(), events: 0 };
        for name in [Dialect::Responses.provider(), "spare"] {
            let body = json!({ "key": keys.0[name] });
            house.ask("PUT", &format!("/v1/keys/{name}"), body);
        }
        (house, daemon)
    }

    /// Asks the daemon; its answer is searched.
    fn ask(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let headers = [("content-type", "application/json")];
        let answer = self.world.client.send(method, path, &headers, &bytes).unwrap();
        self.search.look("answers of REST", &format!("{method} {path}"), &answer.body);
        (answer.status, answer.json())
    }

    fn open(&mut self) -> String {
        let body = json!({ "workspace": self.world.home.workspace() });
        let (status, created) = self.ask("POST", "/v1/sessions", body);
        assert_eq!(status, 200, "{created}");
        let session = created["session"].as_str().unwrap().to_owned();
        self.sessions.push(session.clone());
        session
    }

    /// Says something and hears the whole turn, answering what is asked; every update is searched.
    fn turn(&mut self, session: &str, prompt: &Value) -> Vec<Value> {
        let updates = self.world.client.follow(session, 0).unwrap();
        let (status, said) = self.ask("POST", &format!("/v1/sessions/{session}/prompts"), prompt.clone());
        assert_eq!(status, 200, "{said}");
        let turn = said["turn"].as_str().unwrap().to_owned();
        let mut heard = Vec::new();
        for update in updates {
            self.search.look("updates of streams", session, update.to_string().as_bytes());
            let (kind, mine) = (update["kind"].clone(), update["turn"] == turn.as_str());
            if kind == "approval.requested" && mine {
                let (_, view) = self.ask("GET", &format!("/v1/sessions/{session}"), Value::Null);
                for question in view["approvals"].as_array().unwrap() {
                    let path = format!("/v1/sessions/{session}/approvals/{}", question["id"].as_str().unwrap());
                    self.ask("POST", &path, json!({ "answer": "allow" }));
                }
            }
            heard.push(update);
            if kind == "turn.finished" && mine {
                return heard;
            }
        }
        panic!("the stream ended before the turn")
    }

    fn end(heard: &[Value]) -> &Value {
        heard.last().unwrap()
    }

    /// Runs the product beside the test's own daemon, if it was built.
    fn command(&mut self, arguments: &[&str]) -> bool {
        let product = Path::new(DAEMON).with_file_name("tinkerbell");
        if !product.exists() {
            return false;
        }
        let output = self.world.home.command(product).args(arguments).stdin(Stdio::null()).output().unwrap();
        self.search.said(&arguments.join(" "), &output);
        true
    }
}

#[test]
fn no_key_is_left_anywhere() {
    let keys = Keys::new();
    let server = {
        let (keys, rounds) = (keys.clone(), Mutex::default());
        ModelServer::start(move |asked| treacherous(&keys, &rounds, asked))
    };
    let (mut house, daemon) = House::new(&keys, &server);
    treacherous_servers(&mut house, &server);
    users_words(&mut house);
    tools_results(&mut house);
    panics(&mut house);
    commits_and_children(&mut house);
    looks(&mut house);
    cores(&mut house, daemon);
    let home = house.world.home.tinkerbell();
    house.search.files("files", &home, &["keys"]);
    house.search.report();
    println!("events {}, sessions {}", house.events, house.sessions.len());
    assert!(house.events > 200 && house.search.places["updates of streams"].0 > 1_000, "this looked at too little");
    assert_eq!(house.search.hits, Vec::<String>::new());
}

fn treacherous_servers(house: &mut House, server: &ModelServer) {
    let scenarios = [
        "everywhere",
        "calls",
        "refuse401",
        "refuse429",
        "refuse500",
        "refusecut",
        "refuselong",
        "midcut",
        "midhalf",
        "miderror",
    ];
    for dialect in Dialect::ALL {
        for scenario in scenarios {
            let session = house.open();
            let prompt = json!({ "text": format!("SCENARIO {scenario}"), "model": dialect.provider() });
            let heard = house.turn(&session, &prompt);
            let end = House::end(&heard);
            let good = matches!(scenario, "everywhere" | "calls");
            assert_eq!(end["outcome"] == "done", good, "{dialect:?}, {scenario}: {end}");
            let masked = format!("{heard:?}").contains("[key");
            assert!(
                masked || matches!(scenario, "refusecut" | "midhalf" | "miderror" | "refuselong"),
                "{dialect:?}, {scenario}: {heard:#?}"
            );
        }
        house.ask("POST", &format!("/v1/models/{}/test", dialect.provider()), Value::Null);
    }
    let asked = server.asked();
    let with = |dialect: Dialect| asked.iter().filter(move |one| spoken(one) == Some(dialect));
    for dialect in Dialect::ALL {
        let key = house.keys.of(dialect);
        assert!(with(dialect).count() > 10 && with(dialect).all(|one| one.head.contains(key)), "{dialect:?}");
        let others: Vec<_> = house.keys.0.values().filter(|other| *other != key).collect();
        assert!(with(dialect).all(|one| others.iter().all(|other| !format!("{one:?}").contains(*other))));
        assert!(with(dialect).all(|one| !one.body.contains(key)), "{dialect:?} got its key back in a body");
    }
    println!("model server: requests {}", asked.len());
}

fn panics(house: &mut House) {
    let file = house.world.home.path("anthropic.key");
    let (session, file) = (house.open(), file.display());
    let heard = house.turn(&session, &json!({ "text": format!("[[tool break_down {{\"label\":\"{file}\"}}]]") }));
    assert!(format!("{heard:?}").contains("broke down"), "{heard:#?}");
    let heard = house.turn(&session, &json!({ "text": format!("[[panic {file}]]") }));
    assert_eq!(House::end(&heard)["outcome"], "failed");
    let log = std::fs::read_to_string(log_file(&house.world.home)).unwrap();
    let panics = log.lines().filter(|line| line.contains("a thread panicked")).count();
    assert!(panics >= 2 && log.contains("broke down with") && log.contains("\"TRACE\""), "{panics} panics in the log");
}

fn log_file(home: &Home) -> PathBuf {
    let found = Command::new("find").arg(home.tinkerbell()).args(["-name", "daemon.log"]).output().unwrap();
    String::from_utf8(found.stdout).unwrap().trim().into()
}

fn commits_and_children(house: &mut House) {
    let home = &house.world.home;
    let git = |arguments: &[&str]| assert!(home.command("git").args(arguments).output().unwrap().status.success());
    let written = home.path("hook");
    git(&["init", "-q", "-b", "main"]);
    git(&["config", "user.name", "Ada"]);
    git(&["config", "user.email", "ada@example.org"]);
    let hook = home.workspace().join(".git/hooks/pre-commit");
    let (to, env) = (written.display(), home.workspace().join("env.txt"));
    let script = format!(
        "#!/bin/sh\n{{ env; cat /proc/self/environ /proc/$PPID/environ /proc/$PPID/cmdline; }} >> {to}\ncat {} >&2\n\
         test -e ../fail && exit 1\nexit 0\n",
        env.display()
    );
    std::fs::write(&hook, script).unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (workspace, key) = (home.workspace(), house.keys.0["spare"].clone());
    let session = house.open();
    let path = format!("/v1/sessions/{session}");
    for (at, fails) in [false, true].into_iter().enumerate() {
        if fails {
            std::fs::write(house.world.home.path("fail"), "").unwrap();
        }
        let script = format!("[[tool write_file {{\"path\":\"new{at}\",\"content\":\"one\\ntwo\\nthree\\n\"}}]]");
        house.turn(&session, &json!({ "text": script }));
        let accept = json!({ "commit": format!("Use {key}") });
        let (status, accepted) = house.ask("POST", &format!("{path}/canvas/accept"), accept);
        assert_eq!((status, accepted["commit"].is_null()), (200, fails), "{accepted}");
    }
    let told = std::fs::read(&written).unwrap();
    assert!(told.len() > 200 && told.windows(4).any(|four| four == b"PATH"));
    house.search.look("children's environments", "hook", &told);
    house.search.objects(&workspace.join(".git"));
    // A key that the user writes into a file of the canvas is not taken into the journal.
    house.turn(&session, &json!({ "text": "[[tool edit_file {\"path\":\"new0\",\"old\":\"one\",\"new\":\"1\"}]]" }));
    std::fs::write(workspace.join("new0"), format!("one\ntwo\nthree\n{key}\n")).unwrap();
    house.turn(&session, &json!({ "text": "work goes on all the same" }));
    for action in ["accept", "keep"] {
        assert_eq!(house.ask("POST", &format!("{path}/canvas/{action}"), json!({})).0, 409, "{action}");
    }
    house.ask("GET", &format!("{path}/canvas/files/env.txt"), Value::Null);
    house.ask("GET", &format!("{path}/canvas/files/new0"), Value::Null);
    assert_eq!(house.ask("POST", &format!("{path}/canvas/reject"), json!({ "paths": ["new0"] })).0, 200);
    house.turn(&session, &json!({ "text": "there is a way out" }));
}

/// Every route that only looks, for everything that there is, and every command that does.
fn looks(house: &mut House) {
    let sessions: BTreeSet<String> = house.sessions.iter().cloned().collect();
    let gets: Vec<&str> = operation::ALL.iter().filter(|one| one.method == "GET").map(|one| one.path).collect();
    for path in gets.iter().filter(|path| !path.contains('{')) {
        house.ask("GET", path, Value::Null);
    }
    for session in &sessions {
        let mut after = 0;
        let mut blobs = BTreeSet::new();
        loop {
            let (_, page) = house.ask("GET", &format!("/v1/sessions/{session}/events?after={after}"), Value::Null);
            let events = page["events"].as_array().unwrap();
            let Some(last) = events.last() else { break };
            (after, house.events) = (last["seq"].as_u64().unwrap(), house.events + events.len() as u64);
            named_blobs(&page, &mut blobs);
        }
        for path in gets.iter().filter(|path| path.contains("{session}") && !path.ends_with("/events")) {
            let path = path.replace("{session}", session).replace("{*path}", "env.txt");
            let filled: Vec<String> = match path {
                path if path.contains("{blob}") => blobs.iter().map(|blob| path.replace("{blob}", blob)).collect(),
                path if path.contains("{seq}") => {
                    (1..=after).map(|seq| path.replace("{seq}", &seq.to_string())).collect()
                }
                path => vec![path],
            };
            for path in filled {
                house.ask("GET", &path, Value::Null);
            }
        }
    }
    let some = sessions.iter().next_back().unwrap().clone();
    let commands: [&[&str]; 12] = [
        &["status"],
        &["sessions", "ls"],
        &["sessions", "show", &some],
        &["sessions", "search", "key"],
        &["models", "ls"],
        &["keys", "ls"],
        &["keys", "ls", "--json"],
        &["context", "show", "--session", &some],
        &["diff"],
        &["log"],
        &["daemon", "logs"],
        &["doctor"],
    ];
    let ran = commands.iter().filter(|arguments| house.command(arguments)).count();
    match ran {
        0 => println!("commands: skipped, since target/debug/tinkerbell is not built"),
        ran => println!("commands: {ran} of {} ran", commands.len()),
    }
}

/// The hashes of blobs that something names, wherever in it.
fn named_blobs(value: &Value, blobs: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            blobs.insert(text.clone());
        }
        Value::Array(list) => list.iter().for_each(|value| named_blobs(value, blobs)),
        Value::Object(fields) => fields.values().for_each(|value| named_blobs(value, blobs)),
        _ => {}
    }
}

/// What a daemon leaves behind that ends by a fault.
fn cores(house: &mut House, daemon: Daemon) {
    let process = format!("/proc/{}", daemon.pid());
    house.search.look(
        "the daemon's own command line",
        "cmdline",
        &std::fs::read(format!("{process}/cmdline")).unwrap(),
    );
    let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core")).unwrap().to_owned();
    let dies = ["-c", "ulimit -c unlimited; kill -ABRT $$"];
    let dir = house.world.home.path("x");
    let control = Command::new("sh").args(dies).current_dir(&dir).status().unwrap();
    let left = daemon.abort().unwrap();
    assert_eq!(left.signal(), Some(6));
    match control.core_dumped() {
        true => assert!(!left.core_dumped(), "the daemon left a core file ({core})"),
        false => println!("core files: skipped, since this machine writes none ({core})"),
    }
}
