//! A tool for every day, through the real daemon: routes, limits, instructions, attachments, keys, forks, removal, search,
//! hunks, commits, the cache of awake sessions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use testkit::{Daemon, World};

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");

fn world(config: &str) -> (World, Daemon) {
    World::new(DAEMON, config)
}

fn kinds(world: &World, kind: &str) -> Vec<Value> {
    let events = world.get("/events").json();
    events["events"].as_array().unwrap().iter().filter(|event| event["kind"] == kind).cloned().collect()
}

#[test]
fn a_route_falls_back_before_the_first_word_and_says_so() {
    let (world, _daemon) = world(
        "[models.down]\nprovider = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\nmodel = \"x\"\n\
         [routes.both]\nmodels = [\"down\", \"offline\"]",
    );
    let body = json!({ "text": "create a.txt with the text hi", "model": "both" });
    let turn = world.post("/prompts", body).json()["turn"].as_str().unwrap().to_owned();
    assert_eq!(world.finished(&turn)["outcome"], "done");
    let started = kinds(&world, "model.started");
    let models: Vec<_> = started.iter().map(|event| event["model"].as_str().unwrap()).collect();
    assert_eq!(models[..2], ["down", "offline"]);
    let why = started[1]["data"]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("down failed (unreachable)"), "{why}");
    assert_eq!(kinds(&world, "timer.fired"), Vec::<Value>::new(), "nobody waits while another model is left");
}

#[test]
fn the_same_call_again_and_again_ends_the_turn_with_a_way_on() {
    let (world, _daemon) = world("[limits]\nalike_calls = 3");
    let again = "[[tool list_directory {}]] [[then]]".repeat(5);
    let end = world.ask(&again);
    assert_eq!((&end["outcome"], &end["limit"]), (&json!("limit"), &json!("alike_calls")));
    assert!(end["data"]["message"].as_str().unwrap().contains("limits.alike_calls"), "{end}");
    assert_eq!(kinds(&world, "tool.finished").len(), 2);
    assert_eq!(world.ask("go on")["outcome"], "done");
}

#[test]
fn a_turn_stops_before_it_costs_more_than_it_may() {
    let (world, _daemon) = world("[budget]\nper_turn_usd = 0.001");
    let end = world.ask("hello");
    assert_eq!((&end["outcome"], &end["limit"], &end["cost_microusd"]), (&json!("limit"), &json!("budget"), &json!(0)));
    let exhausted = kinds(&world, "budget.exhausted").remove(0);
    assert_eq!(exhausted["scope"], "turn");
    assert!(exhausted["data"]["message"].as_str().unwrap().contains("budget.per_turn_usd"), "{exhausted}");
}

#[test]
fn what_does_not_fit_the_window_is_a_limit_and_not_a_failure() {
    let (world, _daemon) = world("");
    let end = world.ask(&"word ".repeat(200_000));
    assert_eq!((&end["outcome"], &end["limit"]), (&json!("limit"), &json!("context")));
    assert!(kinds(&world, "model.started").is_empty());
    assert_eq!(world.ask("shorter")["outcome"], "done", "the session goes on");
}

#[test]
fn instructions_of_the_workspace_are_read_named_by_hash_and_shown() {
    let (world, _daemon) = world("");
    std::fs::write(world.home.workspace().join("AGENTS.md"), "Answer in French.").unwrap();
    world.ask("[[echo]]");
    let said = world.reply();
    assert!(said.contains("=== AGENTS.md ===\nAnswer in French."), "{said}");
    let named = kinds(&world, "model.started").remove(0)["data"]["instructions"].clone();
    let blob = named[0]["blob"].as_str().unwrap();
    assert_eq!((&named[0]["path"], &named[0]["bytes"]), (&json!("AGENTS.md"), &json!(17)));
    assert_eq!(world.get(&format!("/blobs/{blob}")).body, b"Answer in French.");
    std::fs::write(world.home.workspace().join("AGENTS.md"), "Answer in German.").unwrap();
    world.ask("[[echo]]");
    assert!(world.reply().starts_with("Notes") && world.reply().contains("=== AGENTS.md ===\nAnswer in German."));
    let context = world.get("/context").json();
    assert_eq!(context["instructions"][0]["path"], "AGENTS.md");
    assert_eq!(context["messages"].as_array().unwrap().len(), 4);
}

#[test]
fn images_come_in_with_a_prompt_and_out_to_a_model_that_takes_them() {
    let (world, _daemon) = world("");
    let png = [b"\x89PNG\r\n\x1a\n".as_slice(), &[0; 100]].concat();
    let attach = |bytes: &[u8]| json!([{ "name": "shot.png", "data": BASE64.encode(bytes) }]);
    let prompt = |bytes: &[u8]| world.post("/prompts", json!({ "text": "[[echo]]", "attachments": attach(bytes) }));
    let turn = prompt(&png).json()["turn"].as_str().unwrap().to_owned();
    world.finished(&turn);
    assert!(world.reply().contains("[image/png 108 bytes]"), "{}", world.reply());
    let pdf = prompt(b"%PDF-1.7").json()["turn"].as_str().unwrap().to_owned();
    world.finished(&pdf);
    assert!(world.reply().contains("this model does not take it"), "{}", world.reply());
    let refused = prompt(b"plain text");
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("invalid_request")));
}

#[test]
fn a_key_is_masked_wherever_it_comes_from_and_whatever_it_is_cut_into() {
    let secret = "sk-canary-0123456789abcdef";
    let (world, _daemon) = world("");
    let set = world.client.send("PUT", "/v1/keys/anthropic", &[], json!({ "key": secret }).to_string().as_bytes());
    assert_eq!(set.unwrap().status, 200);
    std::fs::write(world.home.workspace().join("env"), format!("KEY={secret}\n")).unwrap();
    for bytes in [1, 3, 7, 26, 100] {
        world
            .ask(&format!("[[pieces {bytes}]] it is {secret}, I say [[echo]] [[tool read_file {{\"path\":\"env\"}}]]"));
    }
    let end = world.ask(
        "[[tool read_file {\"path\":\"env\"}]] [[then]] \
         [[tool edit_file {\"path\":\"env\",\"old\":\"KEY=\",\"new\":\"TOKEN=\"}]] [[then]] [[echo]]",
    );
    assert_eq!(end["changed"], 0, "a file that holds a key is not changed");
    assert!(world.reply().contains("key of the user"), "{}", world.reply());
    let events = String::from_utf8(world.get("/events").body).unwrap();
    assert!(!events.contains(secret) && events.contains("[key anthropic]"));
    let streamed = world.client.follow(&world.session, 0).unwrap();
    let replayed: Vec<_> = streamed.take_while(|update| update["turn"] != "trn_6").collect();
    assert!(!format!("{replayed:?}").contains(secret));
    let listed = world.client.get("/v1/keys").unwrap();
    assert!(!String::from_utf8_lossy(&listed.body).contains("canary"));
    assert_eq!(found_in(&world.home.tinkerbell(), "canary", &["keys"]), Vec::<String>::new());
}

/// Files below a directory that hold a text, apart from those in directories of these names.
fn found_in(directory: &Path, text: &str, apart: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() && !apart.iter().any(|name| entry.file_name() == **name) {
            found.extend(found_in(&path, text, apart));
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[test]
fn a_fork_begins_as_its_parent_and_goes_its_own_way() {
    let (world, _daemon) = world("");
    world.ask("[[tool write_file {\"path\":\"a\",\"content\":\"one\\n\"}]]");
    let middle = world.view()["head"].as_u64().unwrap();
    world.ask("[[tool write_file {\"path\":\"b\",\"content\":\"two\\n\"}]]");
    let forked = world.post("/fork", json!({ "at_seq": middle, "title": "another way" })).json();
    let fork = World {
        session: forked["session"].as_str().unwrap().to_owned(),
        home: testkit::Home::new(),
        client: world.client.clone(),
    };
    assert_eq!(fork.view()["title"], "another way");
    let files = |world: &World| world.get("/canvas").json()["files"].as_array().unwrap().len();
    assert_eq!((files(&world), files(&fork)), (2, 1));
    fork.ask("[[tool write_file {\"path\":\"c\",\"content\":\"three\\n\"}]] [[then]] [[echo]]");
    assert!(fork.reply().contains("\"path\":\"a\"") && !fork.reply().contains("\"path\":\"b\""), "{}", fork.reply());
    assert_eq!((files(&world), files(&fork)), (2, 2));
    let events = fork.get("/events").json();
    let seqs: Vec<u64> = events["events"].as_array().unwrap().iter().map(|e| e["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    assert_eq!(world.post("/fork", json!({ "at_seq": 9_999 })).status, 400);
}

#[test]
fn a_removed_session_is_gone_and_a_running_one_needs_force() {
    let (world, daemon) = world("");
    world.ask("an unmistakable canary phrase");
    let remove =
        |query: &str| world.client.send("DELETE", &format!("/v1/sessions/{}{query}", world.session), &[], b"").unwrap();
    world.prompt("[[pause 50]] slow slow slow slow slow slow slow slow slow slow slow slow");
    assert_eq!(remove("").status, 409);
    let removed = remove("?force=true");
    assert_eq!(removed.status, 200, "{:?}", removed.json());
    assert!(removed.json()["events"].as_u64().unwrap() > 5);
    assert_eq!((remove("").status, world.get("").status), (404, 404));
    let found = world.client.get("/v1/sessions/search?q=unmistakable").unwrap().json();
    assert_eq!(found["hits"], json!([]));
    assert!(daemon.stop().unwrap());
    assert_eq!(found_in(&world.home.state(), "unmistakable", &[]), Vec::<String>::new());
    let (_, sessions) = testkit::verify_chains(&world.home);
    assert_eq!(sessions, 0);
}

#[test]
fn words_are_found_again_with_the_session_they_stand_in() {
    let (world, _daemon) = world("");
    world.ask("please look after the Größenordnung of carrots");
    world.ask("and the turnips");
    let found = |words: &str| world.client.get(&format!("/v1/sessions/search?q={words}")).unwrap().json();
    let hits = found("carrots");
    assert_eq!((&hits["hits"][0]["session"]["id"], &hits["hits"][0]["kind"]), (&json!(world.session), &json!("title")));
    let turnips = found("turni");
    assert_eq!(turnips["hits"][0]["kind"], "prompt", "a beginning of a word is enough: {turnips}");
    assert_eq!(found("grossenordnung%20OR%20%22%29")["hits"], json!([]));
    let patched =
        world.client.send("PATCH", &format!("/v1/sessions/{}", world.session), &[], b"{\"title\":\"Vegetables\"}");
    assert_eq!(patched.unwrap().json()["title"], "Vegetables");
    assert_eq!(found("vegetables")["hits"][0]["kind"], "title");
}

fn git(world: &World, arguments: &[&str]) -> String {
    let output = world.home.command("git").args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn repository(world: &World) {
    git(world, &["init", "-q", "-b", "main"]);
    for (key, value) in [("user.name", "Ada"), ("user.email", "ada@example.org")] {
        git(world, &["config", key, value]);
    }
}

#[test]
fn hunks_are_accepted_one_by_one_and_a_commit_is_made_of_them() {
    let (world, _daemon) = world("");
    repository(&world);
    let lines: String = (1..=30).map(|n| format!("line {n}\n")).collect();
    std::fs::write(world.home.workspace().join("text"), &lines).unwrap();
    git(&world, &["add", "text"]);
    git(&world, &["commit", "-qm", "begin"]);
    world.ask(
        "[[tool read_file {\"path\":\"text\"}]] [[then]] \
         [[tool edit_file {\"path\":\"text\",\"old\":\"line 2\\n\",\"new\":\"line two\\n\"}]] \
         [[tool edit_file {\"path\":\"text\",\"old\":\"line 29\\n\",\"new\":\"line twenty-nine\\n\"}]]",
    );
    let hunks = world.get("/canvas/hunks").json();
    let file = &hunks["files"][0];
    assert_eq!(file["hunks"].as_array().unwrap().len(), 2);
    let choice = json!({ "context_lines": hunks["context_lines"], "files": [
        { "path": "text", "before": file["before"], "after": file["after"], "take": [1] }
    ]});
    let accepted = world.post("/canvas/accept", json!({ "hunks": choice, "commit": "The second hunk" })).json();
    assert_eq!(accepted["outcome"], "done", "{accepted}");
    assert_eq!(accepted["commit"]["branch"], "main");
    assert_eq!(
        git(&world, &["log", "-1", "--format=%s %H"]),
        format!("The second hunk {}", accepted["commit"]["id"].as_str().unwrap())
    );
    let written = std::fs::read_to_string(world.home.workspace().join("text")).unwrap();
    assert!(written.contains("line 2\n") && written.contains("line twenty-nine\n"));
    assert_eq!(git(&world, &["status", "--porcelain"]), "");
    let again = world.post("/canvas/accept", json!({ "hunks": choice }));
    assert_eq!(again.status, 409, "the choice is of a list that is no more: {:?}", again.json());
    let left = world.get("/canvas/hunks").json();
    assert_eq!(left["files"][0]["hunks"].as_array().unwrap().len(), 1);
    let staged = std::fs::write(world.home.workspace().join("text"), "other\n");
    staged.unwrap();
}

#[test]
fn a_conflict_is_settled_for_the_canvas_only_by_saying_so() {
    let (world, _daemon) = world("");
    let file = world.home.workspace().join("note");
    std::fs::write(&file, "mine\n").unwrap();
    world.ask(
        "[[tool read_file {\"path\":\"note\"}]] [[then]] \
         [[tool write_file {\"path\":\"note\",\"content\":\"the model's\\n\"}]]",
    );
    std::fs::write(&file, "mine, changed\n").unwrap();
    assert_eq!(world.post("/canvas/accept", json!({})).status, 409);
    let kept = world.post("/canvas/keep", json!({ "paths": ["note"] }));
    assert_eq!(kept.status, 200, "{:?}", kept.json());
    assert_eq!(world.post("/canvas/accept", json!({})).json()["outcome"], "done");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "the model's\n");
    assert_eq!(world.post("/canvas/undo", json!({})).json()["outcome"], "done");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine, changed\n");
}

#[test]
fn awake_sessions_are_bounded_by_bytes_and_wake_with_all_they_had() {
    let (world, _daemon) = world("[daemon]\nawake_bytes = 1048576");
    let open = |n: u32| {
        let text = format!("number {n} {}", "x".repeat(15_000));
        let body = json!({ "workspace": world.home.workspace(), "prompt": { "text": text } });
        world.client.post("/v1/sessions", &body).unwrap().json()["session"].as_str().unwrap().to_owned()
    };
    let sessions: Vec<_> = (0..100).map(open).collect();
    let of =
        |session: &str| World { session: session.to_owned(), home: testkit::Home::new(), client: world.client.clone() };
    for session in &sessions {
        assert_eq!(of(session).finished("trn_1")["outcome"], "done");
    }
    // A bound holds as soon as whoever is asked to leave has left.
    let cache = || world.client.get("/v1/daemon").unwrap().json()["cache"].clone();
    let bounded = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        cache()["bytes"].as_u64().unwrap() <= 1_048_576
    });
    assert!(bounded && cache()["evicted"].as_u64().unwrap() >= 20, "{}", cache());
    let first = of(&sessions[0]);
    first.ask("[[echo]]");
    assert!(first.reply().contains("number 0 xxx"), "it wakes with what was said");
}

#[test]
fn a_prompt_that_names_nothing_says_which_model_it_went_to_and_why() {
    let (world, _daemon) = world("");
    let answer = world.post("/prompts", json!({ "text": "hello" })).json();
    assert_eq!((&answer["model"], &answer["why"]), (&json!("scripted"), &json!("it was given at assembly")));
    let unknown = world.post("/prompts", json!({ "text": "hello", "model": "antropic::claude" }));
    assert_eq!((unknown.status, &unknown.json()["code"]), (422, &json!("unknown_model")));
    let named = world.post("/prompts", json!({ "text": "hello", "model": "anthropic::claude-sonnet-4-5" })).json();
    let end = world.finished(named["turn"].as_str().unwrap());
    assert_eq!((&end["outcome"], &end["failure"]), (&json!("failed"), &json!("unauthorized")));
    assert!(end["data"]["message"].as_str().unwrap().contains("tinkerbell keys set anthropic"), "{end}");
}

#[test]
fn a_hook_that_refuses_leaves_the_files_accepted_and_says_its_words() {
    let (world, _daemon) = world("");
    repository(&world);
    let hook = world.home.workspace().join(".git/hooks/pre-commit");
    std::fs::write(&hook, "#!/bin/sh\necho 'no commits on Tuesdays' >&2\nenv >&2\nexit 1\n").unwrap();
    Command::new("chmod").args(["+x", hook.to_str().unwrap()]).status().unwrap();
    world.ask("[[tool write_file {\"path\":\"a\",\"content\":\"one\\n\"}]]");
    let accepted = world.post("/canvas/accept", json!({ "commit": "try" })).json();
    assert_eq!(accepted["outcome"], "done");
    let message = accepted["message"].as_str().unwrap();
    assert!(message.contains("not committed") && message.contains("no commits on Tuesdays"), "{message}");
    assert!(world.home.workspace().join("a").exists());
}
