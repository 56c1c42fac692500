//! A scripted chat server (bench/stub_llm.py): tools, streams and errors over HTTP as providers speak it. The server is
//! ours, but Python is not, so this belongs to the tests with real counterparts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod counterpart;
mod world;

use counterpart::Stub;
use serde_json::{Value, json};
use world::{World, journal, server};

/// A world whose prompts go to the server, or the reason why there is none.
fn world() -> Result<(World, Stub), String> {
    let stub = Stub::start()?;
    let world = World::new();
    // It counts every prompt as ten tokens, so a daemon that asks by itself concludes that it leaves tools out.
    world.home.configure(&server(&stub.url(), "tools = \"native\""));
    Ok((world, stub))
}

fn updates(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
#[ignore = "real: needs python3 for bench/stub_llm.py"]
fn real_stub_tools_go_round_and_reach_the_canvas() {
    let Ok((world, stub)) = world().inspect_err(|why| println!("skipped: {why}")) else { return };
    world.write("a.txt", "alpha\n");
    let prompt = "[[tool read_file {\"path\":\"a.txt\"}]] [[tool list_directory {}]] [[then]] \
                  [[tool edit_file {\"path\":\"a.txt\",\"old\":\"alpha\",\"new\":\"omega\"}]] \
                  [[tool write_file {\"path\":\"b/c.txt\",\"content\":\"grüße 😀\\n\"}]] [[then]] [[stub say=finished]]";
    let asked = updates(&world.good(&["ask", "--json", prompt]));
    let finished = |name: &str| {
        let tools = asked.iter().filter(|update| update["kind"] == "tool.finished");
        tools.filter(|update| update["data"]["name"] == name && update["outcome"] == "done").count()
    };
    let counts = ["read_file", "list_directory", "edit_file", "write_file"].map(finished);
    assert_eq!(counts, [1; 4], "{asked:#?}");
    let end = asked.last().unwrap();
    assert_eq!((&end["outcome"], &end["steps"], &end["changed"]), (&json!("done"), &json!(3), &json!(2)));
    let usage = &end["usage"];
    assert_eq!((&usage["input_tokens"], usage["estimated"].as_bool().unwrap_or(false)), (&json!(30), false), "{usage}");
    let log = stub.asked("/_stub/log");
    let calls: Vec<&Value> = log.as_array().unwrap().iter().filter(|record| record["model_call"] == true).collect();
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| call["stream"] == true && call["tools"] == 9), "{calls:#?}");
    assert_eq!(world.read("a.txt").as_deref(), Some("alpha\n"));
    world.good(&["accept"]);
    assert_eq!(world.read("a.txt").as_deref(), Some("omega\n"));
    assert_eq!(world.read("b/c.txt").as_deref(), Some("grüße 😀\n"));
}

#[test]
#[ignore = "real: needs python3 for bench/stub_llm.py"]
fn real_stub_words_come_as_they_are_said() {
    let Ok((world, stub)) = world().inspect_err(|why| println!("skipped: {why}")) else { return };
    let left = world.json(&["ask", "--detach", "[[stub tokens=80 tps=100]]"]);
    let session = left["session"].as_str().unwrap();
    let (mut text, mut deltas, mut spoke_on) = (String::new(), 0, false);
    for update in world.client().follow(session, 0).unwrap() {
        if update["kind"] == "message.delta" {
            assert_eq!(update["offset"].as_u64().unwrap() as usize, text.len(), "no gap and no overlap");
            text.push_str(update["text"].as_str().unwrap());
            deltas += 1;
            if deltas == 1 {
                spoke_on = stub.asked("/_stub/stats")["last"]["last"].is_null();
            }
        }
        if update["kind"] == "model.finished" {
            assert_eq!(update["data"]["text"], text.as_str());
            break;
        }
    }
    assert!(spoke_on, "the first words arrived when the server had not said its last");
    let said: String = (0..80).map(|word| format!("word{word} ")).collect();
    assert_eq!(text.trim_end(), said.trim_end());
    assert!(deltas > 10, "{deltas} pieces");
    println!("stub stream: {deltas} pieces of 80 words, the first before the server's last");
}

#[test]
#[ignore = "real: needs python3 for bench/stub_llm.py"]
fn real_stub_errors_end_the_turn_with_their_words() {
    let Ok((world, stub)) = world().inspect_err(|why| println!("skipped: {why}")) else { return };
    // Two attempts at what may pass, one at what would fail again.
    for (status, attempts) in [(500, 2), (503, 2), (429, 2), (400, 1), (401, 1), (404, 1)] {
        let before = stub.served();
        let asked = world.run(&["ask", &format!("[[stub status={status}]]")]);
        asked.refused(1, &[&status.to_string(), "scripted error"]);
        assert_eq!(stub.served() - before, attempts, "attempts at {status}");
    }
    let answered = world.good(&["ask", "-c", "[[stub say=recovered]]"]);
    assert!(answered.contains("recovered"), "the session lives on: {answered}");
}

#[test]
#[ignore = "real: needs python3 for bench/stub_llm.py"]
fn real_stub_serves_several_turns_over_one_connection() {
    let Ok((world, stub)) = world().inspect_err(|why| println!("skipped: {why}")) else { return };
    let daemon = world.daemon();
    let mut ports = Vec::new();
    for turn in 1..=5 {
        let arguments = ["ask", "-c", "[[tool list_directory {}]]"];
        world.good(&[&arguments[..1], if turn == 1 { &[][..] } else { &arguments[1..2] }, &arguments[2..]].concat());
        ports.push(stub.connections_of(daemon.pid()));
    }
    assert_eq!(stub.served(), 10, "two calls a turn");
    assert_eq!(ports[0].len(), 1, "{ports:?}");
    assert!(ports.iter().all(|port| *port == ports[0]), "the connection is kept: {ports:?}");
    let id = world.json(&["sessions", "ls"])["sessions"][0]["id"].as_str().unwrap().to_owned();
    let ends = journal(&world.client(), &id).iter().filter(|event| event["kind"] == "turn.finished").count();
    assert_eq!(ends, 5);
    println!("stub: 5 turns, 10 calls, 1 connection");
}

#[test]
#[ignore = "real: needs python3 for bench/stub_llm.py"]
fn real_stub_that_goes_away_is_named_and_comes_back() {
    let Ok((world, stub)) = world().inspect_err(|why| println!("skipped: {why}")) else { return };
    world.good(&["ask", "[[stub say=first]]"]);
    let port = stub.port;
    drop(stub);
    world.run(&["ask", "-c", "again"]).refused(1, &[&format!("127.0.0.1:{port}")]);
    let _stub = Stub::start_at(port).unwrap();
    assert!(world.good(&["ask", "-c", "[[stub say=back]]"]).contains("back"));
}
