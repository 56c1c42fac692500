//! Recorded sessions, run again: what the brain of this version decides is what was decided, in journals made just now and
//! in those that earlier versions left.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use serde_json::{Value, json};
use std::path::PathBuf;
use testkit::{Client, Daemon, Home, World, session_file};
use wire::ChainHash;
use wire::export::{self, Line};

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn replay(client: &Client, session: &str, body: Value) -> Value {
    let answer = client.post(&format!("/v1/sessions/{session}/replay"), &body).unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    answer.json()
}

fn export(world: &World) -> Vec<u8> {
    world.get("/export").body
}

/// Imports a file into a daemon of its own and gives the session's name.
fn taken_in(home: &Home, client: &Client, file: &[u8]) -> String {
    let path = format!("/v1/sessions/import?workspace={}", home.workspace().display());
    let answer = client.send("POST", &path, &[], file).unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    answer.json()["session"].as_str().unwrap().to_owned()
}

fn elsewhere() -> (Home, Daemon, Client) {
    let home = Home::new();
    home.configure("");
    let daemon = home.start(DAEMON).unwrap();
    let client = home.client();
    (home, daemon, client)
}

const LONG: &str = "[[pause 20]] word word word word word word word word word word word word word word word word word word \
                    word word word word word word word word word word word word word word word word word word word word";

/// Tools, a refusal, a wrong call, a queued and a steered prompt, a cancel.
fn everyday() -> (World, Daemon) {
    let (world, daemon) = World::new(DAEMON, "");
    world.ask("[[tool write_file {\"path\":\"a\",\"content\":\"1\\n\"}]] [[tool read_file {\"path\":\"a\"}]]");
    world.ask("[[tool nonsense {}]] [[tool read_file {\"wrong\":1}]] [[then]] well");
    world.prompt("[[tool count {\"label\":\"x\"}]] [[tool count {\"label\":\"y\"}]]");
    world.until(|update| update["kind"] == "approval.requested");
    assert_eq!(world.answer("allow").status, 200);
    world.until(|update| update["kind"] == "approval.requested" && update["effect"] == "trn_3.1.ask.1.1");
    assert_eq!(world.answer("deny").status, 200);
    world.finished("trn_3");
    world.prompt("[[pause 30]] one two three four [[tool list_directory {}]]");
    world.prompt("and this afterwards");
    world.post("/prompts", json!({ "text": "look here too", "while_running": "steer" }));
    world.finished("trn_5");
    world.prompt(LONG);
    world.until(|update| update["kind"] == "message.delta" && update["turn"] == "trn_6");
    assert_eq!(world.post("/cancel", json!({})).status, 200);
    world.finished("trn_6");
    assert_eq!(world.post("/canvas/accept", json!({})).status, 200);
    world.post("/canvas/rewind", json!({}));
    (world, daemon)
}

/// Kills, a stop, a fall to another model of a route, a limit, a fork.
fn hurt() -> (World, Daemon) {
    let config = "[limits]\nalike_calls = 3\n[models.down]\nprovider = \"openai\"\nmodel = \"x\"\n\
                  base_url = \"http://127.0.0.1:1/v1\"\n[routes.both]\nmodels = [\"down\", \"offline\"]\n";
    let (world, mut daemon) = World::new(DAEMON, config);
    world.prompt(&format!("{LONG} [[tool write_file {{\"path\":\"b\",\"content\":\"2\"}}]]"));
    world.until(|update| update["kind"] == "message.delta");
    daemon.kill();
    daemon = world.home.start(DAEMON).unwrap();
    world.until(|update| update["kind"] == "turn.resumed");
    assert!(daemon.stop().unwrap());
    daemon = world.home.start(DAEMON).unwrap();
    world.finished("trn_1");
    world.prompt("[[tool stall {\"label\":\"x\"}]]");
    world.until(|update| update["kind"] == "approval.requested");
    assert_eq!(world.answer("allow").status, 200);
    world.until(|update| update["kind"] == "tool.started" && update["turn"] == "trn_2");
    daemon.kill();
    daemon = world.home.start(DAEMON).unwrap();
    world.until(|update| update["question"] == "unknown_outcome");
    assert_eq!(world.answer("skip").status, 200);
    world.finished("trn_2");
    let both = json!({ "text": "create a.txt with the text hi", "model": "both" });
    let turn = world.post("/prompts", both).json()["turn"].as_str().unwrap().to_owned();
    world.finished(&turn);
    world.ask(&"[[tool list_directory {}]] [[then]]".repeat(5));
    let forked = world.post("/fork", json!({})).json();
    let fork = World { session: forked["session"].as_str().unwrap().to_owned(), ..world };
    fork.ask("[[echo]]");
    (fork, daemon)
}

fn same(replayed: &Value) {
    assert_eq!(replayed["divergence"], Value::Null, "{replayed:#}");
    assert!(replayed["decisions"].as_u64() > Some(0), "{replayed:#}");
}

#[test]
fn what_was_decided_is_decided_again() {
    for (name, (world, _daemon)) in [("everyday", everyday()), ("hurt", hurt())] {
        let replayed = replay(&world.client, &world.session, json!({}));
        println!("{name}: {replayed}");
        same(&replayed);
        assert!(replayed["requests"].as_u64() >= Some(4) && replayed["unchecked"] == 0, "{replayed:#}");
        let head = world.view()["head"].as_u64().unwrap();
        assert_eq!((&replayed["until"], &replayed["events"]), (&json!(head), &json!(head)), "nothing was written");
        for until in 1..head {
            same_up_to(&world, until);
        }
        // Elsewhere it is the same, and what is said there is too.
        let (home, _daemon, client) = elsewhere();
        let session = taken_in(&home, &client, &export(&world));
        same(&replay(&client, &session, json!({})));
        let here = World { home, client, session };
        here.ask("and on");
        same(&replay(&here.client, &here.session, json!({})));
    }
}

fn same_up_to(world: &World, until: u64) {
    let replayed = replay(&world.client, &world.session, json!({ "until": until }));
    assert_eq!((&replayed["divergence"], &replayed["events"]), (&Value::Null, &json!(until)), "{replayed:#}");
}

/// The same file with other headers and bodies, and all that vouches for them.
fn rewritten(file: &[u8], change: impl Fn(&str, String) -> String) -> Vec<u8> {
    let mut lines: Vec<Line> = file.split(|byte| *byte == b'\n').filter_map(|line| export::read(line).ok()).collect();
    let mut hash = ChainHash::START;
    for line in &mut lines {
        let Line::Event(event) = line else { continue };
        event.header = change("header", std::mem::take(&mut event.header));
        event.body = event.body.take().map(|body| change("body", body));
        let sealed = match (&event.body, event.salt) {
            (Some(body), Some(salt)) => wire::chain::seal(&salt.0, body.as_bytes()),
            _ => event.seal.unwrap().0,
        };
        hash = hash.next(event.header.as_bytes(), &sealed);
        event.hash = hash;
    }
    lines.retain(|line| !matches!(line, Line::End(_)));
    for line in &mut lines {
        if let Line::TinkerbellSession(head) = line {
            head.head = hash;
        }
    }
    session_file(&lines)
}

#[test]
fn the_first_divergence_is_shown() {
    let (world, _daemon) = World::new(DAEMON, "");
    world.ask("[[tool write_file {\"path\":\"a\",\"content\":\"1\"}]] [[then]] done");
    let file = export(&world);
    // What is changed, and what a replay then says of it.
    let cases: [(&str, &str, &str, &str); 6] = [
        (
            "header",
            "\"outcome\":\"done\",\"steps\"",
            "\"outcome\":\"limit\",\"steps\"",
            "turn.finished says something else now",
        ),
        (
            "header",
            "\"kind\":\"tool.started\",\"turn\":\"trn_1\",\"effect\":\"trn_1.1.tool.0.1\"",
            "\"kind\":\"tool.started\",\"turn\":\"trn_1\",\"effect\":\"trn_1.1.tool.1.1\"",
            "is not wanted",
        ),
        ("header", "\"model\":\"scripted\",\"reserve", "\"model\":\"backup\",\"reserve", "begins otherwise now"),
        ("header", "\"reserve_microusd\":2", "\"reserve_microusd\":3", "has another price"),
        ("body", "\"message_count\":3", "\"message_count\":2", "is given other messages"),
        ("body", "\"text\":\"wrote a", "\"text\":\"wrote b", "sent another request now"),
    ];
    for (part, from, to, what) in cases {
        let changed = rewritten(&file, |of, text| if of == part { text.replace(from, to) } else { text });
        assert_ne!(changed, file, "{from} stands in the file");
        let (home, _daemon, client) = elsewhere();
        let session = taken_in(&home, &client, &changed);
        let divergence = &replay(&client, &session, json!({}))["divergence"];
        println!("{divergence:#}");
        assert!(divergence["what"].as_str().is_some_and(|told| told.contains(what)), "{from}: {divergence:#}");
        assert!(!divergence["diff"].as_array().unwrap().is_empty(), "{divergence:#}");
    }
}

#[test]
fn a_turn_is_run_otherwise_and_nothing_is_run_in_the_world() {
    let (world, _daemon) = World::new(DAEMON, "");
    world.ask("before");
    // Arguments and words that are too long to stand in the journal's lines are compared in full as well.
    let long = "1".repeat(20_000);
    let write = format!("[[tool write_file {{\"path\":\"a\",\"content\":\"{long}\"}}]]");
    world.prompt(&format!("{write} [[then]] [[tool count {{\"label\":\"x\"}}]] [[then]] fin"));
    world.until(|update| update["kind"] == "approval.requested");
    assert_eq!(world.answer("allow").status, 200);
    world.finished("trn_2");
    let head = world.view()["head"].clone();

    let with = |body: Value| replay(&world.client, &world.session, body);
    let announced = with(json!({ "with": { "model": "backup" } }));
    let rerun = &announced["rerun"];
    assert_eq!((&rerun["turn"], &rerun["steps"], &rerun["end"]), (&json!("trn_2"), &json!([]), &Value::Null));
    assert!(rerun["call_microusd"].as_u64() > Some(0), "{rerun}");

    let again = with(json!({ "with": { "model": "backup" }, "agreed": true }))["rerun"].clone();
    println!("{again:#}");
    let as_recorded: Vec<_> =
        again["steps"].as_array().unwrap().iter().map(|step| step["as_recorded"].clone()).collect();
    assert_eq!(as_recorded, [json!(true), json!(true), json!(true)], "another name for the same model: {again:#}");
    assert_eq!(again["end"], "The turn ends: done.");
    assert!(again["steps"][1]["calls"][0]["answered_by"].as_u64() > Some(0), "{again:#}");
    assert!(again["cost_microusd"].as_u64() > Some(0));

    let write = format!("[[tool write_file {{\"content\":\"{long}\",\"path\":\"a\"}}]]");
    let prompt = format!("{write} [[then]] [[tool write_file {{\"path\":\"b\",\"content\":\"2\"}}]]");
    let other = with(json!({ "with": { "prompt": prompt }, "agreed": true }))["rerun"].clone();
    let steps = other["steps"].as_array().unwrap();
    assert_eq!((&steps[0]["as_recorded"], &steps[1]["as_recorded"]), (&json!(true), &json!(false)), "{other:#}");
    assert!(steps[0]["calls"][0]["answered_by"].as_u64() > Some(0), "the same call in another order of words");
    assert_eq!(steps[1]["calls"][0]["answered_by"], Value::Null);
    assert!(other["end"].as_str().unwrap().contains("Nothing is run, so it stops here"), "{other:#}");

    let earlier = with(json!({ "with": { "prompt": "[[echo]]", "turn": "trn_1" }, "agreed": true }))["rerun"].clone();
    assert_eq!((&earlier["turn"], &earlier["steps"][0]["text"]), (&json!("trn_1"), &json!("((echo]]")));
    assert_eq!((world.counted(), &world.view()["head"]), (1, &head), "nothing ran, nothing was written");
    let none = world.post("/replay", json!({ "with": { "model": "backup", "turn": "trn_9" } }));
    assert_eq!(none.status, 404);
    assert_eq!(world.post("/replay", json!({ "until": 9999 })).status, 400);
    assert_eq!(world.post("/replay", json!({ "wiht": {} })).status, 400);
}

fn journals() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/journals")
}

/// Journals that were made by this version and by earlier ones. `TINKERBELL_JOURNALS=write` adds those of this version where
/// they are not there yet; what is there is never written again.
#[test]
fn journals_of_every_version_are_decided_again() {
    if std::env::var_os("TINKERBELL_JOURNALS").is_some() {
        for (name, make) in [("everyday", everyday as fn() -> (World, Daemon)), ("hurt", hurt)] {
            let path = journals().join(format!("{VERSION}-{name}.session"));
            if !path.exists() {
                let (world, _daemon) = make();
                std::fs::write(path, export(&world)).unwrap();
            }
        }
    }
    let (home, _daemon, client) = elsewhere();
    let mut files: Vec<PathBuf> = std::fs::read_dir(journals()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut journals, mut events, mut requests) = (0, 0, 0);
    for path in files.iter().filter(|path| path.extension().is_some_and(|kind| kind == "session")) {
        let session = taken_in(&home, &client, &std::fs::read(path).unwrap());
        let replayed = replay(&client, &session, json!({}));
        assert_eq!(replayed["divergence"], Value::Null, "{}: {replayed:#}", path.display());
        journals += 1;
        events += replayed["events"].as_u64().unwrap();
        requests += replayed["requests"].as_u64().unwrap();
    }
    println!(
        "golden journals: {journals} replayed, {events} events, {requests} requests the same to the byte, 0 divergences"
    );
    assert!(journals >= 2, "there are journals in {}", self::journals().display());
}
