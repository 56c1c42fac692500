//! A real llama.cpp server, with a model whose weights say a fixed script: what the product makes of a stranger's
//! dialect, from the prompt to the accepted file.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use world::{World, project, ran, server};

/// The server. It ends when its standard input closes.
struct Llama {
    child: Child,
    url: String,
}

impl Llama {
    /// Starts it with a model of its own, or says why it cannot be had.
    fn start(world: &World, more: &[&str]) -> Result<Llama, String> {
        let real =
            std::env::var_os("TINKERBELL_REAL").ok_or("TINKERBELL_REAL is not set; run `cargo xtask test --real`")?;
        let place = PathBuf::from(real).join("llama");
        let python = place.join("venv/bin/python");
        if !python.exists() {
            return Err(format!("there is no llama.cpp server in {}", place.display()));
        }
        let scripts = project().join("scripts/real");
        let model = world.home.path("model.gguf");
        let mut make = Command::new(&python);
        ran(make.arg(scripts.join("make_model.py")).arg(&model).args(["--arguments", ARGUMENTS])).good();
        let mut child = Command::new(python)
            .arg(scripts.join("llama_server.py"))
            .arg(model)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("listening ").map(str::to_owned));
        let url = url.expect("the server says where it listens");
        Ok(Llama { child, url })
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the model says to `write_file`: its parameters in the order of the tool table, which llama.cpp's grammar makes any
/// model keep to. So the path comes first, and a real model names the file before it writes it.
const ARGUMENTS: &str = r#"{"path": "notes/llama.txt", "content": "written through a real server"}"#;
const ANSWER: &str = "The file is très joli now 😀.";
const CONTENT: &str = "written through a real server";

#[test]
#[ignore = "real: needs a llama.cpp server"]
fn real_llama_writes_a_file_that_is_accepted() {
    let world = World::new();
    let llama = match Llama::start(&world, &["--key", "sesame"]) {
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
    assert!(streamed.contains("I will write it. ") && streamed.ends_with(ANSWER), "{streamed:?}");
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
    let llama = match Llama::start(&world, &["--key", "sesame", "--context", "2048"]) {
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
