//! State directories of earlier versions, opened by this one: all that was kept is there to the byte of its hash, and
//! goes on. Data on disk is for ever, so no directory below `golden/` is ever changed; a version that keeps something
//! new adds one (`docs/golden-states.md`).

#![allow(clippy::print_stdout, reason = "a test of reliability says what it counted")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use serde_json::{Map, Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use world::{World, journal, project, wait_until};

const WORDS: &str = "correct horse battery";
const KEY: &str = "sk-of-a-golden-state";
const CONFIG: &str = "default_model = \"offline\"\n[daemon]\ndiscover = false\n[snapshots]\nevery_ms = 0\n\
                      [permissions]\nrules = [{ tool = \"*\", argument = \"*.secret\", decision = \"ask\" }]\n";
/// Beside the state: what it answered when it was made.
const EXPECTED: &str = "expected.json";

fn all() -> Vec<PathBuf> {
    let directory = project().join("crates/tinkerbell/tests/golden");
    let mut states: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    states.sort();
    states
}

/// Copies a directory, for its owner alone: git keeps no such modes.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, PermissionsExt::from_mode(0o700)).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
            std::fs::set_permissions(&to, PermissionsExt::from_mode(0o600)).unwrap();
        }
    }
}

/// A world with a copy of a state in it.
fn opened(state: &Path) -> World {
    let world = World::new();
    copy(&state.join("home"), &world.home.tinkerbell());
    world
}

/// What a state says that must stay as it is for ever.
fn told(world: &World) -> Value {
    let client = world.client();
    for archived in world.json(&["sessions", "ls", "--all", "--archived"])["sessions"].as_array().unwrap() {
        world.good(&["sessions", "unarchive", archived["id"].as_str().unwrap()]);
    }
    let sessions = world.json(&["sessions", "ls", "--all"])["sessions"].as_array().unwrap().clone();
    let mut told = Map::new();
    for session in &sessions {
        let id = session["id"].as_str().unwrap();
        let events = journal(&client, id);
        let canvas = client.get(&format!("/v1/sessions/{id}/canvas")).unwrap().json();
        told.insert(id.to_owned(), json!({ "title": session["title"], "events": events, "canvas": canvas }));
    }
    let schedule = world.json(&["schedule", "show", "news"]);
    json!({
        "sessions": told,
        "schedule": { "when": schedule["when"], "status": schedule["status"] },
        "keys": world.json(&["keys", "ls"]),
    })
}

/// Whatever a later version adds to an answer is no change of what was kept.
fn differs(at: &str, was: &Value, is: &Value) -> Option<String> {
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => was
            .iter()
            .find_map(|(name, was)| differs(&format!("{at}/{name}"), was, is.get(name).unwrap_or(&Value::Null))),
        (Value::Array(was), Value::Array(is)) if was.len() == is.len() => {
            was.iter().zip(is).enumerate().find_map(|(nth, (was, is))| differs(&format!("{at}/{nth}"), was, is))
        }
        (was, is) if was == is => None,
        (was, is) => Some(format!("{at} was {was} and is {is}")),
    }
}

#[test]
fn every_golden_state_is_as_it_was_and_goes_on() {
    let (mut states, mut sessions, mut events) = (0, 0, 0);
    for state in all() {
        let expected = std::fs::read_to_string(state.join(EXPECTED)).unwrap();
        let expected: Value = serde_json::from_str(&expected).unwrap();
        let world = opened(&state);
        let name = state.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(differs(&name, &expected, &told(&world)), None);
        world.good(&["audit", "verify"]);
        goes_on(&world, &expected);
        put_back(&world, &expected);
        states += 1;
        for session in expected["sessions"].as_object().unwrap().values() {
            sessions += 1;
            events += session["events"].as_array().unwrap().len();
        }
    }
    assert!(states > 0, "there is no golden state");
    println!("golden states: {states} opened, {sessions} sessions, {events} events, all as they were; each went on");
}

/// What was open can be answered, what is on a canvas accepted elsewhere, and what is new is kept.
fn goes_on(world: &World, expected: &Value) {
    let first = world.good(&["ask", "Create a file new.txt that contains the word new."]);
    assert!(first.contains("new.txt"), "{first}");
    assert!(world.good(&["accept"]).contains("A new.txt"));
    let here = world.home.workspace().display().to_string();
    for (id, session) in expected["sessions"].as_object().unwrap() {
        let file = world.home.path(&format!("{id}.session")).display().to_string();
        world.good(&["sessions", "export", id, "-o", &file]);
        let other = World::new();
        let there = other.home.workspace().display().to_string();
        let imported = other.good(&["sessions", "import", &file, "--workspace", &there]);
        assert_eq!(imported.trim(), id);
        let was = session["events"].as_array().unwrap();
        let is = journal(&other.client(), id);
        assert_eq!(differs(id, &json!(was), &json!(is[..was.len()])), None);
        assert_ne!(there, here);
    }
}

/// The snapshots in it open as well.
fn put_back(world: &World, expected: &Value) {
    let words = world.home.path("words");
    std::fs::write(&words, WORDS).unwrap();
    let words = words.display().to_string();
    let listed = world.json(&["snapshot", "ls"]);
    let snapshots = listed["snapshots"].as_array().unwrap();
    assert_eq!(snapshots.len(), 2, "{listed}");
    for snapshot in snapshots {
        let id = snapshot["id"].as_str().unwrap();
        let elsewhere = world.home.path(id);
        let mut restore = vec!["snapshot", "restore", id, "--to", elsewhere.to_str().unwrap()];
        if snapshot["sealed"] == true {
            restore.extend(["--passphrase-file", &words]);
        }
        world.good(&restore);
        let other = World::new();
        std::fs::remove_dir_all(other.home.tinkerbell()).unwrap();
        std::fs::rename(&elsewhere, other.home.tinkerbell()).unwrap();
        let mut told = told(&other);
        told["keys"] = expected["keys"].clone();
        assert_eq!(differs(id, expected, &told), None);
        let kept = std::fs::read_to_string(other.home.state().join("keys/golden")).ok();
        assert_eq!(kept.as_deref(), (snapshot["sealed"] == true).then_some(KEY));
    }
}

/// Makes a new golden state, at the end of a version: `GOLDEN_STATE=NAME cargo test --workspace --test golden_states --
/// --ignored makes`.
#[test]
#[ignore = "by hand: makes a golden state, once for each version that keeps something new"]
fn makes_a_golden_state() {
    let name = std::env::var("GOLDEN_STATE").expect("GOLDEN_STATE names it");
    let to = project().join("crates/tinkerbell/tests/golden").join(name);
    assert!(!to.exists(), "what is golden is never changed");
    let world = World::repository();
    world.home.configure(CONFIG);
    fill(&world);
    let told = told(&world);
    put_away(&world);
    world.good(&["daemon", "stop"]);
    wait_until("it is gone", || testkit::has_ended(world::process(world.announced().unwrap())));
    copy(&world.home.tinkerbell(), &to.join("home"));
    // What is drawn from the journal, and what is of one run, is not for ever.
    for name in ["search.db", "search.db-journal", "journal.db-shm", "daemon.lock"] {
        let _ = std::fs::remove_file(to.join("home/state").join(name));
    }
    for name in ["home/state/log", "home/state/pictures"] {
        let _ = std::fs::remove_dir_all(to.join(name));
    }
    std::fs::write(to.join(EXPECTED), serde_json::to_string_pretty(&told).unwrap() + "\n").unwrap();
}

/// Something of all that is kept.
fn fill(world: &World) {
    world.run_with_input(&["keys", "set", "golden"], KEY).good();
    world.good(&["ask", "Create a file hello.txt that contains the word hi."]);
    world.good(&["accept"]);
    world.good(&["ask", "-c", "Replace \"hi\" with \"ho\" in hello.txt."]);
    world.good(&["sessions", "fork"]);
    let asked = ["ask", "-d", "Create a file a.secret that contains the word hush."];
    world.good(&asked);
    wait_until("it is asked about", || {
        let list = world.json(&["sessions", "ls", "--all"]);
        list["sessions"].as_array().unwrap().iter().any(|session| session["status"] == "waiting")
    });
    world.good(&["ask", "say something that goes"]);
    world.good(&["sessions", "redact", "-y", "--reason", "golden", &of(world, "say something that goes"), "2"]);
    world.good(&["ask", "say nothing"]);
    world.good(&["sessions", "rm", "-y", &of(world, "say nothing")]);
    world.good(&["ask", "say put away"]);
    let news = ["schedule", "add", "--cron", "0 9 1 1 *", "--zone", "UTC", "--name", "news", "what is new?"];
    world.good(&news);
    world.good(&["schedule", "pause", "news"]);
}

/// What a look brings back, and copies of it all.
fn put_away(world: &World) {
    world.good(&["sessions", "archive", &of(world, "say put away")]);
    let words = world.home.path("words");
    std::fs::write(&words, WORDS).unwrap();
    world.good(&["snapshot", "create", "--note", "plain"]);
    world.good(&["snapshot", "create", "--passphrase-file", words.to_str().unwrap()]);
}

/// The session with this title.
fn of(world: &World, title: &str) -> String {
    let list = world.json(&["sessions", "ls", "--all"]);
    let sessions = list["sessions"].as_array().unwrap();
    let session = sessions.iter().find(|session| session["title"] == title).unwrap_or_else(|| panic!("{list}"));
    session["id"].as_str().unwrap().to_owned()
}
