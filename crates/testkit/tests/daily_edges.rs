//! Where a tool for every day is under pressure: refused starts beside lost accepts, full caches, slow hooks, long titles.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};
use testkit::{Daemon, World};

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");

fn world(config: &str) -> (World, Daemon) {
    World::new(DAEMON, config)
}

fn git(world: &World, arguments: &[&str]) {
    let output = world.home.command("git").args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn kinds(world: &World) -> Vec<Value> {
    world.get("/events").json()["events"].as_array().unwrap().clone()
}

/// A lost accept and a model call that the session itself refuses are wanted in one append: the fact that stands in the
/// call's place is written before the start of the look at the accept, and both have the other's number.
#[test]
fn a_lost_accept_beside_a_call_that_the_budget_refuses_is_settled() {
    let (world, daemon) = world("[budget]\nper_turn_usd = 0.03\n");
    git(&world, &["init", "-q", "-b", "main"]);
    git(&world, &["config", "user.name", "Ada"]);
    git(&world, &["config", "user.email", "ada@example.org"]);
    let hook = world.home.workspace().join(".git/hooks/pre-commit");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\nsleep 3\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(world.ask("[[tool write_file {\"path\":\"f\",\"content\":\"f\\n\"}]]")["outcome"], "done");
    world.prompt("[[pause 60000]] slow words");
    world.until(|update| update["kind"] == "model.started" && update["turn"] == "trn_2");
    let (client, path) = (world.client.clone(), format!("/v1/sessions/{}/canvas/accept", world.session));
    let accepting = std::thread::spawn(move || client.post(&path, &json!({ "commit": "f" })).is_ok());
    world.until(|update| update["kind"] == "accept.started");
    daemon.kill();
    accepting.join().unwrap();
    let _daemon = world.home.start(DAEMON).unwrap();
    let began = Instant::now();
    let settled = || kinds(&world).iter().any(|event| event["kind"] == "accept.finished");
    while !settled() && began.elapsed() < Duration::from_secs(12) {
        std::thread::sleep(Duration::from_millis(200));
    }
    let prompted = world.post("/prompts", json!({ "text": "hello" }));
    let log = std::fs::read_to_string(world.home.path("tinkerbell/state/daemon.log")).unwrap_or_default();
    let last: Vec<_> = kinds(&world).iter().rev().take(4).map(|event| event["kind"].clone()).collect();
    assert!(settled(), "{:?} {}; last events {last:?}; {log}", prompted.status, prompted.json());
}

/// A session that is watched rests and does not leave. Asked to make room it stays, weighs itself, and asks itself again.
#[test]
fn a_watched_session_over_the_bound_of_the_cache_does_not_spin() {
    let (world, _daemon) = world("[daemon]\nawake_bytes = 1048576\n");
    for text in ["a", "b"] {
        assert_eq!(world.ask(&text.repeat(600_000))["outcome"], "done");
    }
    let mut updates = world.client.follow(&world.session, 0).unwrap();
    updates.next();
    world.view();
    let pid = world.client.get("/v1/daemon").unwrap().json()["pid"].as_u64().unwrap();
    let ticks = || -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    // What came of the prompts is done first: the index of search, the copying of the log.
    let began = Instant::now();
    let mut used = u64::MAX;
    while used > 5 && began.elapsed() < Duration::from_secs(30) {
        let before = ticks();
        std::thread::sleep(Duration::from_secs(1));
        used = ticks() - before;
    }
    assert!(used <= 5, "a daemon with nothing to do uses {used} of 100 ticks of a core each second");
}

/// Hooks of four commits take all the threads for looks, and each prompt reads the notes of its workspace on one of them.
#[test]
fn commits_whose_hooks_take_their_time_hold_up_no_prompt_of_another_session() {
    let (world, _daemon) = world("");
    let accepting: Vec<_> = (0..4)
        .map(|n| {
            let workspace = world.home.path(&format!("repository{n}"));
            std::fs::create_dir(&workspace).unwrap();
            let at = workspace.to_str().unwrap();
            git(&world, &["-C", at, "init", "-q", "-b", "main"]);
            git(&world, &["-C", at, "config", "user.name", "Ada"]);
            git(&world, &["-C", at, "config", "user.email", "ada@example.org"]);
            let hook = workspace.join(".git/hooks/pre-commit");
            std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
            std::fs::write(&hook, "#!/bin/sh\nsleep 6\n").unwrap();
            std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
            let body = json!({ "workspace": at, "prompt": {
                "text": "[[tool write_file {\"path\":\"f\",\"content\":\"f\\n\"}]]"
            }});
            let session =
                world.client.post("/v1/sessions", &body).unwrap().json()["session"].as_str().unwrap().to_owned();
            let done = |update: &Value| update["kind"] == "turn.finished";
            assert!(world.client.follow(&session, 0).unwrap().any(|update| done(&update)));
            let client = world.client.clone();
            std::thread::spawn(move || {
                let answer = client.post(&format!("/v1/sessions/{session}/canvas/accept"), &json!({ "commit": "f" }));
                answer.unwrap().json()
            })
        })
        .collect();
    std::thread::sleep(Duration::from_secs(1));
    world.prompt("hello");
    let ended = accepting.iter().filter(|accepting| accepting.is_finished()).count();
    assert_eq!(ended, 0, "a prompt of another session waited for commits");
    for accepting in accepting {
        let accepted = accepting.join().unwrap();
        assert!(accepted["commit"].is_object(), "{accepted}");
    }
}

/// A title is bounded where it is changed, and not where a session or a fork begins.
#[test]
fn a_title_that_is_too_long_is_the_askers_fault_everywhere() {
    let (world, _daemon) = world("");
    world.ask("hello");
    let title = "t".repeat(20_000);
    let created = world.client.post("/v1/sessions", &json!({ "workspace": world.home.workspace(), "title": title }));
    let forked = world.post("/fork", json!({ "title": title }));
    assert_eq!((created.unwrap().status, forked.status), (400, 400), "{:?}", forked.json());
}
