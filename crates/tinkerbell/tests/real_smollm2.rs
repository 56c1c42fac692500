//! A real language model in a real llama.cpp server that nobody told the daemon of: found, asked, held to a schema since
//! it was never taught tools, and its file accepted. Then the server goes, and the built-in model stands in.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod counterpart;
mod world;

use counterpart::{Llama, place};
use serde_json::{Value, json};
use std::net::TcpListener;
use world::{World, journal};

/// The usual ports of servers that speak as llama.cpp does.
const USUAL_PORTS: [u16; 4] = [8080, 8081, 1234, 8000];
const NAME: &str = "llamacpp::SmolLM2";
const WINDOW: u64 = 8192;
/// How a turn ends that this model began well: in words, or, where it says the same call again and again, at the limit of
/// calls that are alike.
const GOOD_ENDS: [i32; 2] = [0, 7];

/// The model on one of the usual ports, or why it cannot be had.
fn smollm2() -> Result<Llama, String> {
    let model = place("smollm2/model.gguf")?;
    let others = World::new().json(&["models", "ls"])["servers"].clone();
    if others != json!([]) && !others.is_null() {
        return Err(format!("this machine has model servers already, and a daemon would find those too: {others}"));
    }
    let is_free = |port: &&u16| TcpListener::bind(("127.0.0.1", **port)).is_ok();
    let port = USUAL_PORTS.iter().find(is_free).ok_or(format!("the ports {USUAL_PORTS:?} are all taken"))?;
    let (port, window) = (port.to_string(), WINDOW.to_string());
    Llama::start(&model, &["--port", &port, "--context", &window, "--parallel", "1", "--alias", "SmolLM2"])
}

/// The row of a model in `models ls`.
fn row<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list["models"].as_array().unwrap().iter().find(|model| model["name"] == name)
}

#[test]
#[ignore = "real: needs a llama.cpp server and SmolLM2"]
fn real_smollm2_is_found_by_itself_and_writes_a_file() {
    let server = match smollm2() {
        Ok(server) => server,
        Err(why) => return println!("skipped: {why}"),
    };
    let world = World::new();
    assert!(!world.home.tinkerbell().join("config.toml").exists(), "nothing is configured");
    let asked = world.run(&["ask", "Create a file hello.txt that contains the word hi."]);
    for word in [NAME, "nothing is configured", &server.url, "found by itself"] {
        assert!(asked.err.contains(word), "{word:?} is not in {asked:?}");
    }
    assert!(GOOD_ENDS.contains(&asked.code), "{asked:?}");
    assert_eq!(world.read("hello.txt"), None, "it is on the canvas alone");
    let log = world.good(&["log"]);
    assert!(log.contains("wrote hello.txt"), "{log}");
    let steps = world.json(&["log"])["steps"].as_array().unwrap().len();
    world.good(&["accept"]);
    let text = world.read("hello.txt").unwrap();
    assert!(text.contains("hi"), "{text:?}");

    let session = world.json(&["sessions", "ls"])["sessions"][0]["id"].as_str().unwrap().to_owned();
    let events = journal(&world.client(), &session);
    let replies: Vec<&Value> = events.iter().filter(|event| event["kind"] == "model.finished").collect();
    for reply in &replies {
        let usage = &reply["usage"];
        assert!(usage["output_tokens"].as_u64() > Some(0) && usage["estimated"].is_null(), "{reply}");
    }

    let list = world.json(&["models", "ls"]);
    let found = row(&list, NAME).unwrap();
    let told = [&found["source"], &found["health"], &found["abilities"]["tools"], &found["context_tokens"]];
    assert_eq!(told, [&json!("found"), &json!("up"), &json!("constrained"), &json!(WINDOW)], "{list:#}");
    assert_eq!(found["default"], true);
    let table = world.good(&["models", "ls"]);
    let line = table.lines().find(|line| line.contains(NAME)).unwrap();
    assert!(line.contains("constrained") && line.contains("up"), "{table}");
    println!("SmolLM2: {steps} micro-commit in {} replies, hello.txt holds {text:?}; {line:?}", replies.len());
    goes_away(&world, server);
}

/// The server ends, and the daemon, which does not, goes on without it.
fn goes_away(world: &World, server: Llama) {
    drop(server);
    let asked = world.run(&["ask", "Create a file two.txt that contains the word zwei."]);
    let said = "model offline: nothing is configured and no model server was found";
    assert!(asked.err.contains(said), "{asked:?}");
    assert!(asked.good().contains("no language model"), "the built-in model says what it is");
    let list = world.json(&["models", "ls"]);
    assert!(row(&list, NAME).is_none() && row(&list, "offline").unwrap()["default"] == true, "{list:#}");
    world.good(&["accept"]);
    assert_eq!(world.read("two.txt").as_deref(), Some("zwei\n"));
}
