//! A real llama.cpp server, with a model whose weights say a fixed script: what the product makes of a stranger's
//! dialect, from the prompt to the accepted file.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod counterpart;
mod world;

use counterpart::{ANSWER, Llama, OPENING, scripted_model};
use serde_json::{Value, json};
use world::{World, server};

/// What the model says to `write_file`: its parameters in the order of the tool table, which llama.cpp's grammar makes any
/// model keep to. So the path comes first, and a real model names the file before it writes it.
const ARGUMENTS: &str = r#"{"path": "notes/llama.txt", "content": "written through a real server"}"#;
const CONTENT: &str = "written through a real server";

/// The server with a model of its own, or why it cannot be had.
fn llama(world: &World, more: &[&str]) -> Result<Llama, String> {
    Llama::start(&scripted_model(world, &[ARGUMENTS])?, more)
}

#[test]
#[ignore = "real: needs a llama.cpp server"]
fn real_llama_writes_a_file_that_is_accepted() {
    let world = World::new();
    let llama = match llama(&world, &["--key", "sesame"]) {
        Ok(llama) => llama,
        Err(why) => return println!("skipped: {why}"),
    };
    let key = world.home.path("key");
    std::fs::write(&key, "sesame\n").unwrap();
    world.home.configure(&server(&llama.url, &format!("key = {{ file = {key:?} }}\ncontext_tokens = 16384")));
    let out = world.good(&["ask", "--json", "Write the note."]);
    let updates: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| updates.iter().filter(|update| update["kind"] == kind).collect::<Vec<_>>();
    let tools = of("tool.finished");
    assert_eq!((tools.len(), &tools[0]["outcome"]), (1, &json!("done")), "{updates:#?}");
    let mut streamed = String::new();
    for delta in of("message.delta") {
        streamed.push_str(delta["text"].as_str().unwrap());
    }
    assert!(of("message.delta").len() >= 5, "it streams, also characters of several bytes");
    assert!(streamed.contains(OPENING) && streamed.ends_with(ANSWER), "{streamed:?}");
    let end = updates.last().unwrap();
    assert_eq!((&end["outcome"], &end["steps"], &end["changed"]), (&json!("done"), &json!(2), &json!(1)));
    assert!(end["usage"]["input_tokens"].as_u64().unwrap() > 100, "the server counted: {end}");
    assert!(end["usage"]["estimated"].is_null(), "none of it was guessed: {end}");

    assert_eq!(world.read("notes/llama.txt"), None, "it is on the canvas alone");
    let patch = world.good(&["diff"]);
    assert!(patch.contains(&format!("+{CONTENT}")), "{patch}");
    world.good(&["accept"]);
    assert_eq!(world.read("notes/llama.txt").as_deref(), Some(CONTENT));
    world.good(&["accept", "--undo"]);
    assert_eq!(world.read("notes/llama.txt"), None);
    assert!(!world.path("notes").exists(), "the directory was made for it and goes with it");

    // People see the same words, and a second turn of the session goes to the same server.
    let asked = world.run(&["ask", "-c", "Write it again."]);
    assert!(asked.err.contains("write_file notes/llama.txt"), "{asked:?}");
    assert!(asked.good().contains(ANSWER));
    println!("llama.cpp: 2 turns, {} pieces in the first, the file accepted and taken back", of("message.delta").len());
}

#[test]
#[ignore = "real: needs a llama.cpp server"]
fn real_llama_refusals_are_told_in_its_words() {
    let world = World::new();
    let llama = match llama(&world, &["--key", "sesame", "--context", "2048"]) {
        Ok(llama) => llama,
        Err(why) => return println!("skipped: {why}"),
    };
    world.home.configure(&server(&llama.url, ""));
    let refused = world.run(&["ask", "Write the note."]);
    refused.refused(1, &["401"]);
    // Its window is 1,024 tokens a request, the configuration believes in more.
    world.good(&["daemon", "stop"]);
    let key = world.home.path("key");
    std::fs::write(&key, "sesame\n").unwrap();
    world.home.configure(&server(&llama.url, &format!("key = {{ file = {key:?} }}\ncontext_tokens = 200000")));
    let refused = world.run(&["ask", &"many words ".repeat(4000)]);
    refused.refused(1, &["context"]);
    println!("llama.cpp: a wrong key and a context too large were both told");
}
