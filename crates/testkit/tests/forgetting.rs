//! Forgetting, through the real daemon: a word that nobody else would say is put wherever words can go, then it is taken
//! away, and every byte below the state directory is looked at, while the daemon runs and after it has ended.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]
#![allow(clippy::print_stdout, reason = "the counts are what these tests are run for")]

use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use testkit::{Daemon, World};

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");
/// It is at the beginning of every word that is to go.
const CANARY: &str = "qzcanary";
/// Longer than what stands in a body, so that it goes into a blob; and hard enough to compress that some stay plain.
const LONG: usize = 20_000;

/// Words with the canary all over, of which each says where it stood.
fn words(place: &str, bytes: usize) -> String {
    let mut text = String::new();
    while text.len() < bytes {
        text += &format!("{CANARY}-{place}-{} ", text.len());
    }
    text
}

/// Where the canary is, in files below a directory; databases are read as files, and their packed blobs unpacked.
fn found(state: &Path, unpack: bool) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut directories = vec![state.to_owned()];
    while let Some(directory) = directories.pop() {
        // A picture may be thrown away while we look.
        for entry in std::fs::read_dir(directory).into_iter().flatten().map_while(Result::ok) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                directories.push(path);
                continue;
            }
            // The database itself is opened as a file by this process only: no lock of the daemon's goes by that.
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let count = bytes.windows(CANARY.len()).filter(|window| *window == CANARY.as_bytes()).count();
            if count > 0 {
                found.insert(path.strip_prefix(state).unwrap().display().to_string(), count);
            }
            if path.components().any(|part| part.as_os_str() == "objects") {
                let mut plain = Vec::new();
                let unpacked = std::io::Read::read_to_end(&mut flate2::read::ZlibDecoder::new(&bytes[..]), &mut plain);
                if unpacked.is_ok() && plain.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()) {
                    found.insert(format!("{} unpacked", path.display()), 1);
                }
            }
        }
    }
    if unpack {
        let connection = Connection::open(state.join("journal.db")).unwrap();
        let mut statement = connection.prepare("SELECT data FROM blobs WHERE coding = 'zlib'").unwrap();
        let blobs = statement.query_map((), |row| row.get::<_, Vec<u8>>(0)).unwrap();
        for data in blobs.map(Result::unwrap) {
            let mut plain = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::ZlibDecoder::new(&data[..]), &mut plain).unwrap();
            if plain.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()) {
                *found.entry("packed blobs".to_owned()).or_default() += 1;
            }
        }
    }
    found
}

fn events(world: &World, session: &str) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = world.client.get(&format!("/v1/sessions/{session}/events?after={after}")).unwrap().json();
        all.extend(page["events"].as_array().unwrap().iter().cloned());
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => return all,
        }
    }
}

fn seqs(events: &[Value], wanted: impl Fn(&Value) -> bool) -> Vec<u64> {
    events.iter().filter(|event| wanted(event)).map(|event| event["seq"].as_u64().unwrap()).collect()
}

fn sound(world: &World) -> Value {
    let report = world.client.get("/v1/audit/verify").unwrap().json();
    assert_eq!(report["sound"], true, "{report}");
    report
}

/// The parts of a view that are state, and may not change by forgetting.
fn state_of(world: &World) -> Value {
    let view = world.view();
    json!([view["turns"], view["usage"], view["cost_microusd"], view["status"], view["approvals"]])
}

/// A session that says the canary everywhere: title, prompts short and long, under a key; replies; a partial reply that
/// was saved before a kill; arguments, files and outputs of tools; a fork, and a fork of the fork; the picture; search.
fn furnished() -> (World, Daemon, [String; 2]) {
    let (mut world, daemon) = World::new(DAEMON, "[daemon]\nlog = \"trace\"\n");
    let prompt = format!("{} please", words("title", 30));
    let body = json!({ "workspace": world.home.workspace(), "prompt": { "text": prompt } }).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "one")];
    let created = world.client.send("POST", "/v1/sessions", &headers, body.as_bytes()).unwrap().json();
    world.session = created["session"].as_str().unwrap().to_owned();
    world.finished(created["turn"].as_str().unwrap());
    std::fs::write(world.home.workspace().join("read.txt"), words("file", 300)).unwrap();
    let write = |path: &str, content: &str| {
        let arguments = json!({ "path": path, "content": content });
        format!("[[tool write_file {arguments}]]")
    };
    let (long, short) = (words("canvas-long", LONG), words("canvas", 50));
    world.ask(&format!("{} {} [[then]] all is written", write("a.txt", &short), write("b.txt", &long)));
    world.ask("[[tool read_file {\"path\":\"read.txt\"}]] [[then]] I read it");
    world.ask(&words("long prompt", LONG));
    world.ask(&format!(
        "[[tool edit_file {{\"path\":\"a.txt\",\"old\":\"{CANARY}-canvas-0\",\"new\":\"{CANARY}-edited\"}}]]"
    ));
    assert!(!world.get("/canvas/log").json()["steps"].as_array().unwrap().is_empty());
    // A reply that takes longer than it takes to save a part of it; then the daemon is killed.
    world.prompt(&format!("[[pause 300]] {} and more and more words to say", words("partial", 60)));
    let saved = || {
        let connection = Connection::open(world.home.state().join("journal.db")).unwrap();
        connection.query_row("SELECT count(*) FROM partials", (), |row| row.get::<_, i64>(0)).unwrap_or(0) > 0
    };
    while !saved() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    daemon.kill();
    let daemon = world.home.start(DAEMON).unwrap();
    world.client = world.home.client();
    world.until(|update| update["kind"] == "turn.finished" && update["turn"] == "trn_6");
    let fork = |of: &str| {
        let forked = world.client.post(&format!("/v1/sessions/{of}/fork"), &json!({})).unwrap().json();
        forked["session"].as_str().unwrap().to_owned()
    };
    let first = fork(&world.session);
    let second = fork(&first);
    let hits = world.client.get("/v1/sessions/search?q=qzcanary").unwrap().json();
    assert!(hits["hits"].as_array().is_some_and(|hits| hits.len() == 3), "{hits}");
    (world, daemon, [first, second])
}

#[test]
fn words_that_were_redacted_are_nowhere() {
    let (world, daemon, [first, second]) = furnished();
    let before = found(&world.home.state(), false);
    let placed: usize = before.values().sum();
    assert!(placed > 20 && before.contains_key("search.db"), "{before:?}");
    let told = events(&world, &world.session);
    let kinds: std::collections::BTreeSet<&str> = told
        .iter()
        .filter(|event| event["data"].to_string().contains(CANARY))
        .map(|e| e["kind"].as_str().unwrap())
        .collect();
    for kind in ["session.created", "prompt.accepted", "model.finished", "tool.finished", "owner.began"] {
        assert!(kinds.contains(kind), "{kind} does not say it: {kinds:?}");
    }
    let state = state_of(&world);
    let all = seqs(&told, |_| true);
    let answer = world.post("/redact", json!({ "seqs": all, "reason": "a canary" }));
    let redacted = answer.json();
    assert_eq!((answer.status, &redacted["cleared"]), (200, &json!(true)), "{redacted}");
    assert_eq!(redacted["forgotten"].as_array().unwrap().len(), all.len(), "{redacted}");
    assert_eq!(redacted["paths_left"], 2, "{redacted}");
    assert_eq!(redacted["forks"].as_array().unwrap().len(), 2, "{redacted}");
    assert_eq!(redacted["still_held"], json!([]), "{redacted}");
    let running = found(&world.home.state(), false);
    assert_eq!(running, BTreeMap::new(), "while the daemon runs; it was {placed} times in {before:?}");
    assert_eq!(state_of(&world), state);
    let report = sound(&world);
    assert!(report["forgotten"].as_u64().unwrap() >= 3 * all.len() as u64, "{report}");
    for session in [&world.session, &first, &second] {
        let view = world.client.get(&format!("/v1/sessions/{session}")).unwrap().json();
        assert!(!view.to_string().contains(CANARY), "{view}");
        let canvas = world.client.get(&format!("/v1/sessions/{session}/canvas")).unwrap().json();
        assert_eq!(canvas["files"], json!([]), "{canvas}");
        world.client.get(&format!("/v1/sessions/{session}/canvas/log")).unwrap();
    }
    // The key stays taken, and neither does the same again nor gives the old answer.
    let body = json!({ "workspace": world.home.workspace(), "prompt": { "text": "other" } }).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "one")];
    assert_eq!(world.client.send("POST", "/v1/sessions", &headers, body.as_bytes()).unwrap().status, 422);
    // The conversation goes on without the words.
    assert_eq!(world.ask("[[echo]]")["outcome"], "done");
    assert!(world.reply().contains("forgotten at the user's wish") && !world.reply().contains(CANARY));
    assert!(daemon.stop().unwrap());
    let ended = found(&world.home.state(), true);
    assert_eq!(ended, BTreeMap::new(), "after its end");
    let daemon = world.home.start(DAEMON).unwrap();
    assert_eq!(state_of(&world)[0], 7, "replayed from the journal");
    drop(daemon);
    let (sessions, verified) = testkit::verify_chains(&world.home);
    println!(
        "redacted: canary placed {placed} times in {} files, {} kinds of events; {} events of 3 sessions forgotten, found 0; {sessions} sessions with {verified} events verify",
        before.len(),
        kinds.len(),
        3 * all.len()
    );
}

#[test]
fn words_of_a_removed_session_are_nowhere_once_its_copies_are_gone_too() {
    let (world, daemon, forks) = furnished();
    let placed: usize = found(&world.home.state(), false).values().sum();
    let remove = |session: &str| {
        let path = format!("/v1/sessions/{session}");
        world.client.send("DELETE", &path, &[], b"").unwrap().json()
    };
    let removed = remove(&world.session);
    assert_eq!((&removed["cleared"], &removed["forks"]), (&json!(true), &json!(forks)), "{removed}");
    assert!(!found(&world.home.state(), false).is_empty(), "the copies still hold it");
    for fork in &forks {
        assert_eq!(remove(fork)["cleared"], true);
    }
    assert_eq!(found(&world.home.state(), false), BTreeMap::new(), "while the daemon runs");
    sound(&world);
    assert!(daemon.stop().unwrap());
    assert_eq!(found(&world.home.state(), true), BTreeMap::new(), "after its end");
    println!("removed: canary placed {placed} times, 3 sessions removed, found 0");
}

#[test]
fn a_removal_goes_to_its_end_when_nobody_waits_for_it() {
    use std::io::Write;
    let (mut world, _daemon) = World::new(DAEMON, "");
    let removed = |session: &str| world.client.get(&format!("/v1/sessions/{session}")).unwrap().status == 404;
    let mut sessions = Vec::new();
    for number in 0..12 {
        let workspace = world.home.path(&format!("work-{number}"));
        std::fs::create_dir(&workspace).unwrap();
        let created = world.client.post("/v1/sessions", &json!({ "workspace": workspace })).unwrap().json();
        world.session = created["session"].as_str().unwrap().to_owned();
        let arguments = json!({ "path": "a.txt", "content": words("canvas", 50) });
        world.ask(&format!("[[tool write_file {arguments}]]"));
        assert!(!world.get("/canvas/log").json()["steps"].as_array().unwrap().is_empty());
        sessions.push(world.session.clone());
    }
    assert!(found(&world.home.state(), false).keys().any(|path| path.contains("unpacked")), "the control");
    for (session, ms) in sessions.iter().zip([0, 1, 1, 2, 2, 3, 3, 4, 5, 7, 10, 15]) {
        let socket = world.home.tinkerbell().join("tinkerbell.sock");
        let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
        write!(stream, "DELETE /v1/sessions/{session} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        std::thread::sleep(Duration::from_millis(ms));
    }
    // One that was cut before it was read at all removes nothing.
    let began = Instant::now();
    while !sessions.iter().all(|session| removed(session)) && began.elapsed() < Duration::from_secs(3) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let (cut, unread): (Vec<_>, Vec<_>) = sessions.iter().partition(|session| removed(session));
    assert!(cut.len() > 4, "{cut:?}");
    for session in unread {
        world.client.send("DELETE", &format!("/v1/sessions/{session}"), &[], b"").unwrap();
    }
    while !found(&world.home.state(), false).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", found(&world.home.state(), false));
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("removals cut: {} of {}, nothing left of any", cut.len(), sessions.len());
}

/// The file of an archived session.
fn archived(world: &World, session: &str) -> PathBuf {
    assert_eq!(world.client.post(&format!("/v1/sessions/{session}/archive"), &json!({})).unwrap().status, 200);
    let mut files = std::fs::read_dir(world.home.state().join("archive")).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(session)).unwrap()
}

#[test]
fn a_file_that_is_left_of_the_archive_goes_or_is_told() {
    let (world, _daemon) = World::new(DAEMON, "");
    world.ask("hello");
    let file = archived(&world, &world.session);
    let bytes = std::fs::read(&file).unwrap();
    let _ = events(&world, &world.session);
    assert!(!file.exists(), "it came back");
    // As a disk that failed would have left it.
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(world.post("/redact", json!({ "seqs": [1] })).json()["cleared"], true);
    assert!(!file.exists());
    // One that cannot be taken away.
    std::fs::create_dir(&file).unwrap();
    assert_eq!(world.post("/redact", json!({ "seqs": [2] })).json()["cleared"], false);
    let removed = world.client.send("DELETE", &format!("/v1/sessions/{}", world.session), &[], b"").unwrap();
    assert_eq!(removed.json()["cleared"], false, "{:?}", removed.json());
}

#[test]
fn a_snapshot_that_is_being_made_is_named_and_what_it_still_reads_is_not_said_to_be_cleared() {
    let (world, _daemon) = World::new(DAEMON, "");
    world.ask("hello");
    let created = world.client.post("/v1/sessions", &json!({ "workspace": world.home.workspace() })).unwrap().json();
    let (file, other) = (archived(&world, &world.session), created["session"].as_str().unwrap());
    // The snapshot stands still where it reads this one, with the journal copied.
    let slow = archived(&world, other);
    std::fs::remove_file(&slow).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&slow).status().unwrap().success());
    let client = world.client.clone();
    let making = std::thread::spawn(move || client.post("/v1/snapshots", &json!({})).unwrap().json());
    let mut writer = std::fs::OpenOptions::new();
    writer.write(true).custom_flags(libc::O_NONBLOCK);
    let began = Instant::now();
    let writer = loop {
        match writer.open(&slow) {
            Ok(writer) => break writer,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(30), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let redacted = world.post("/redact", json!({ "seqs": [1] })).json();
    drop(writer);
    let made = making.join().unwrap();
    assert_eq!(redacted["snapshots"], json!([made["id"]]), "{redacted} {made}");
    assert_eq!((&redacted["cleared"], file.exists()), (&json!(false), false), "{redacted}");
    let again = world.post("/redact", json!({ "seqs": [1] })).json();
    assert_eq!((&again["cleared"], &again["snapshots"]), (&json!(true), &json!([made["id"]])), "{again}");
}

#[test]
fn a_path_stays_on_the_canvas_as_long_as_its_bytes_do() {
    let (world, daemon) = World::new(DAEMON, "");
    // A state that a restore has replaced may hold it, and is named, too.
    let kept = world.home.state().join("before-restore-20261123T090000Z");
    std::fs::create_dir(&kept).unwrap();
    std::fs::write(kept.join("journal.db"), "").unwrap();
    std::fs::write(world.home.workspace().join("b.txt"), "users\n").unwrap();
    world.ask("[[tool write_file {\"path\":\"a.txt\",\"content\":\"one\\n\"}]]");
    world.ask("[[tool read_file {\"path\":\"b.txt\"}]] [[tool edit_file {\"path\":\"b.txt\",\"old\":\"users\",\"new\":\"ours\"}]]");
    world.ask("[[tool edit_file {\"path\":\"a.txt\",\"old\":\"one\",\"new\":\"two\"}]]");
    let told = events(&world, &world.session);
    let edits = seqs(&told, |event| event["changed"] == 1 && event["kind"] == "tool.finished");
    let files = || world.get("/canvas").json()["files"].clone();
    let before = files();
    assert_eq!((before.as_array().unwrap().len(), edits.len()), (2, 3), "{before}");

    // A snapshot that was made before holds what goes, and the answer names it.
    let snapshot = world.client.post("/v1/snapshots", &json!({})).unwrap().json();
    let id = snapshot["id"].as_str().unwrap_or_else(|| panic!("{snapshot}")).to_owned();

    // The first edit of a.txt goes; what it made is gone over by the third, which holds the bytes before and after.
    let redacted = world.post("/redact", json!({ "seqs": [edits[0]] })).json();
    assert_eq!((&redacted["paths_left"], &redacted["cleared"]), (&json!(0), &json!(true)), "{redacted}");
    assert_eq!((&redacted["snapshots"], &redacted["kept_states"]), (&json!([id]), &json!([kept])), "{redacted}");
    assert_eq!(redacted["still_held"], json!([{ "session": world.session, "seq": edits[2] }]), "{redacted}");
    assert_eq!(files(), before, "added and edited, as it was");
    assert_eq!(world.get("/canvas/files/a.txt").body, b"two\n");
    // The same after a start, from the journal.
    assert!(daemon.stop().unwrap());
    let _daemon = world.home.start(DAEMON).unwrap();
    assert_eq!(files(), before);

    // With the third it leaves the canvas; b.txt stays.
    let redacted = world.post("/redact", json!({ "seqs": [edits[2]] })).json();
    assert_eq!(redacted["paths_left"], 1, "{redacted}");
    assert_eq!(files().as_array().unwrap().len(), 1);
    assert_eq!(world.get("/canvas/files/a.txt").status, 404);
    // And b.txt is read live again when its own edit goes.
    assert_eq!(world.post("/redact", json!({ "seqs": [edits[1]] })).json()["paths_left"], 1);
    assert_eq!(world.get("/canvas/files/b.txt").body, b"users\n");
    assert_eq!(world.get("/canvas/log").status, 200);
    assert_eq!(world.ask("[[tool read_file {\"path\":\"b.txt\"}]]")["outcome"], "done");
    sound(&world);
    let removed = world.client.send("DELETE", &format!("/v1/sessions/{}", world.session), &[], b"").unwrap().json();
    assert_eq!((&removed["snapshots"], &removed["kept_states"]), (&json!([id]), &json!([kept])), "{removed}");
}

#[test]
fn what_is_needed_is_refused_with_the_way_out() {
    let (world, _daemon) = World::new(DAEMON, "[permissions]\nrules = [{ tool = \"count\", decision = \"ask\" }]\n");
    world.ask("hello");
    let code = |body: Value| {
        let answer = world.post("/redact", body);
        (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(code(json!({ "seqs": [] })), (400, "invalid_request".to_owned()));
    assert_eq!(code(json!({ "seqs": [99] })), (404, "not_found".to_owned()));
    assert_eq!(code(json!({ "seqs": [0] })), (404, "not_found".to_owned()));
    assert_eq!(code(json!({ "seqs": [1], "reason": "x".repeat(2000) })), (400, "invalid_request".to_owned()));
    assert_eq!(code(json!({ "seqs": (1..=300).collect::<Vec<u64>>() })), (400, "invalid_request".to_owned()));
    let head = world.view()["head"].as_u64().unwrap();

    let fork = world.post("/fork", json!({})).json()["session"].as_str().unwrap().to_owned();
    world.client.post(&format!("/v1/sessions/{fork}/prompts"), &json!({ "text": "[[tool count {}]]" })).unwrap();
    for update in world.client.follow(&fork, 0).unwrap() {
        if update["kind"] == "approval.requested" {
            break;
        }
    }
    let redacted = world.post("/redact", json!({ "seqs": [3] })).json();
    assert_eq!(redacted["forgotten"], json!([3]), "{redacted}");
    let refused = redacted["forks"][0]["refused"].as_str().unwrap().to_owned();
    assert!(refused.contains("a turn is open") && refused.contains("tinkerbell cancel"), "{refused}");
    assert_eq!(world.view()["head"], head + 1, "one event says so");
    // What was left is taken when it is asked for again; nothing is forgotten twice.
    world.client.post(&format!("/v1/sessions/{fork}/cancel"), &json!({})).unwrap();
    for update in world.client.follow(&fork, 0).unwrap() {
        if update["kind"] == "turn.finished" && update["outcome"] == "cancelled" {
            break;
        }
    }
    let again = world.post("/redact", json!({ "seqs": [3] })).json();
    assert_eq!((&again["seq"], &again["forgotten"]), (&Value::Null, &json!([])), "{again}");
    // The fork's own event repeats the title that event 3 gave.
    assert_eq!(again["forks"], json!([{ "session": fork, "forgotten": [3, head + 1] }]), "{again}");
    assert_eq!(code(json!({ "seqs": [head + 1] })), (409, "conflict".to_owned()), "the note of it stays");

    // Down to copies, not up; and not at all where that is wished.
    let up = world.client.post(&format!("/v1/sessions/{fork}/redact"), &json!({ "seqs": [2] })).unwrap().json();
    assert_eq!(up["originals"], json!([{ "session": world.session, "seq": 2 }]), "{up}");
    let kept = world.post("/redact", json!({ "seqs": [4], "keep_forks": true })).json();
    assert_eq!((&kept["forks"], &kept["forgotten"]), (&json!([]), &json!([4])), "{kept}");
    sound(&world);
}
