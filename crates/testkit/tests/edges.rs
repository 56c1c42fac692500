//! Corners of the daemon that somebody found to be wrong once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testkit::{Daemon, World};

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");
const PATIENCE: Duration = Duration::from_secs(20);

fn world(config: &str) -> (World, Daemon) {
    World::new(DAEMON, config)
}

/// Asks until the answer is what is waited for.
fn until(what: &str, mut ask: impl FnMut() -> bool) {
    let began = Instant::now();
    while !ask() {
        assert!(began.elapsed() < PATIENCE, "{what} never came");
        std::thread::yield_now();
    }
}

fn write(name: &str) -> String {
    format!("[[tool write_file {{\"path\":\"{name}\",\"content\":\"{name}\\n\"}}]]")
}

#[test]
fn an_undo_that_is_sent_twice_takes_one_accept_back() {
    let (world, _daemon) = world("");
    for (turn, name) in ["f1", "f2"].into_iter().enumerate() {
        world.prompt(&write(name));
        world.finished(&format!("trn_{}", turn + 1));
        assert_eq!(world.post("/canvas/accept", json!({})).json()["outcome"], "done");
    }
    let path = format!("/v1/sessions/{}/canvas/undo", world.session);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let send = || world.client.send("POST", &path, &[("idempotency-key", "k")], b"").unwrap();
        let threads = [scope.spawn(send), scope.spawn(send)];
        threads.map(|thread| thread.join().unwrap()).into_iter().map(|a| (a.status, a.json())).collect()
    });
    assert_eq!(answers[0], answers[1], "both hear of the same undo");
    assert_eq!(answers[0].0, 200);
    let there = |name: &str| world.home.workspace().join(name).exists();
    assert_eq!((there("f1"), there("f2")), (true, false));
}

#[test]
fn a_session_that_was_watched_leaves_memory_when_it_is_idle() {
    let (world, _daemon) = world("[daemon]\nidle_ms = 30\n");
    world.prompt("hello");
    world.finished("trn_1");
    let awake = || world.client.get("/v1/daemon").unwrap().json()["cache"]["awake"].as_u64().unwrap();
    until("rest", || awake() == 0);
    assert_eq!(world.view()["turns"], 1, "and wakes when it is asked");
}

#[test]
fn a_session_that_waits_for_a_person_leaves_memory_and_keeps_its_question() {
    let (world, daemon) = world("[daemon]\nidle_ms = 30\n");
    world.prompt("[[tool count {\"label\":\"x\"}]]");
    world.until(|update| update["kind"] == "approval.requested");
    let awake = || world.client.get("/v1/daemon").unwrap().json()["cache"]["awake"].as_u64().unwrap();
    until("rest", || awake() == 0);
    daemon.kill();
    let _daemon = world.home.start(DAEMON).unwrap();
    assert_eq!(awake(), 0, "nothing is woken that only waits");
    assert_eq!(world.answer("allow").status, 200);
    assert_eq!(world.finished("trn_1")["outcome"], "done");
    assert_eq!(world.counted(), 1);
}

#[test]
fn an_accept_that_cannot_be_settled_is_tried_again_and_can_be_given_up() {
    assert!((0..10).any(|_| was_cut_short_and_settled()), "no kill came before the end of the accept");
}

/// False where the kill came too late.
fn was_cut_short_and_settled() -> bool {
    let (world, daemon) = world("");
    let writes: String = (0..50).map(|n| write(&format!("f{n}"))).collect();
    world.prompt(&writes);
    world.finished("trn_1");
    let (client, path) = (world.client.clone(), format!("/v1/sessions/{}/canvas/accept", world.session));
    let accepting = std::thread::spawn(move || client.post(&path, &json!({})).is_ok());
    world.until(|update| update["kind"] == "accept.started");
    daemon.kill();
    accepting.join().unwrap();
    let events = || world.client.get(&format!("/v1/sessions/{}/events?after=0", world.session)).unwrap().json();
    // The workspace goes away while nobody looks, so nothing can be said of its files.
    let away = world.home.path("away");
    std::fs::rename(world.home.workspace(), &away).unwrap();
    let daemon = world.home.start(DAEMON).unwrap();
    if events()["events"].as_array().unwrap().iter().any(|event| event["kind"] == "accept.finished") {
        return false;
    }
    until("a refusal", || {
        world.post("/canvas/accept", json!({})).json()["detail"].as_str().unwrap().contains("neither")
    });
    let before = events()["events"].as_array().unwrap().len();
    let refused = world.post("/canvas/reject", json!({}));
    assert_eq!(refused.status, 409);
    assert!(refused.json()["remedy"].as_str().unwrap().contains("cancel"), "{:?}", refused.json());
    assert_eq!(events()["events"].as_array().unwrap().len(), before, "looking again writes nothing");
    // It comes back, and the accept is settled by itself.
    std::fs::rename(&away, world.home.workspace()).unwrap();
    drop(daemon);
    let _daemon = world.home.start(DAEMON).unwrap();
    let settled = world.until(|update| update["kind"] == "accept.finished").pop().unwrap();
    assert_eq!(settled["outcome"], "done");
    assert!((0..50).all(|n| world.home.workspace().join(format!("f{n}")).exists()));
    true
}

#[test]
fn a_stuck_accept_that_is_given_up_frees_the_canvas() {
    let (world, daemon) = world("");
    world.prompt(&write("f"));
    world.finished("trn_1");
    let (client, path) = (world.client.clone(), format!("/v1/sessions/{}/canvas/accept", world.session));
    // Stopped dead while the accept is open, which is when its plan is on disk and its end is not.
    let accepting = std::thread::spawn(move || client.post(&path, &json!({})).is_ok());
    world.until(|update| update["kind"] == "accept.started");
    daemon.kill();
    accepting.join().unwrap();
    std::fs::rename(world.home.workspace(), world.home.path("away")).unwrap();
    let _daemon = world.home.start(DAEMON).unwrap();
    let finished = |events: &Value| events["events"].as_array().unwrap().iter().any(|e| e["kind"] == "accept.finished");
    let events = || world.client.get(&format!("/v1/sessions/{}/events?after=0", world.session)).unwrap().json();
    if finished(&events()) {
        return; // The kill came after the end was written: nothing is stuck.
    }
    until("giving up", || world.post("/cancel", json!({})).status == 200);
    assert!(finished(&events()));
    assert_eq!(world.post("/cancel", json!({})).status, 409, "there is nothing left to give up");
}

#[test]
fn what_may_not_be_read_is_found_by_no_search() {
    let deny = "[permissions]\nrules = [{ tool = \"*\", argument = \"secrets/*\", decision = \"deny\" }]\n";
    let (world, _daemon) = world(deny);
    std::fs::create_dir(world.home.workspace().join("secrets")).unwrap();
    std::fs::write(world.home.workspace().join("secrets/key"), "API=canary\n").unwrap();
    std::fs::write(world.home.workspace().join("open.txt"), "API=none\n").unwrap();
    world.prompt(
        "[[tool search_text {\"pattern\":\"API\"}]] [[tool search_text {\"pattern\":\"API\",\"path\":\"secrets\"}]] \
         [[tool find_files {\"pattern\":\"**/*\"}]] [[tool read_file {\"path\":\"./x/../secrets/key\"}]] \
         [[tool list_directory {\"path\":\"secrets\"}]]",
    );
    let events = world.until(|update| update["kind"] == "turn.finished");
    let told: Vec<String> =
        events.iter().filter(|e| e["kind"] == "tool.finished").map(|e| e["data"].to_string()).collect();
    assert_eq!(told.len(), 4, "reading is refused before it runs");
    assert!(told.iter().any(|text| text.contains("API=none")), "the search works");
    assert!(!told.iter().any(|text| text.contains("canary") || text.contains("secrets/key")), "{told:#?}");
}

#[test]
fn a_cursor_beyond_the_end_and_a_blob_of_another_session_are_refused() {
    let (world, _daemon) = world("");
    let path = format!("/v1/sessions/{}/events?after=99", world.session);
    let refused = world.client.send("GET", &path, &[("accept", "text/event-stream")], b"").unwrap();
    assert_eq!(refused.status, 400);
    let unknown = "/v1/sessions/ses_00000000000000000000000000/events?after=5";
    assert_eq!(world.client.get(unknown).unwrap().status, 404);
    world.prompt("hello");
    let started = world.until(|update| update["kind"] == "model.started").pop().unwrap();
    let system = started["data"]["system"].as_str().unwrap();
    let blob = |session: &str| world.client.get(&format!("/v1/sessions/{session}/blobs/{system}")).unwrap().status;
    let other = world.client.post("/v1/sessions", &json!({ "workspace": world.home.workspace() })).unwrap().json();
    assert_eq!((blob(&world.session), blob(other["session"].as_str().unwrap())), (200, 404));
}
