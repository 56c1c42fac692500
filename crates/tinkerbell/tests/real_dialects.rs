//! Every dialect that llama.cpp's server speaks, from the prompt to the accepted files: a stranger's server, a model
//! whose weights call a tool twice in one reply, and a daemon that is configured with nothing but `base_url` and `key`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]
#![allow(clippy::print_stdout, reason = "the numbers are what one runs it for")]

mod counterpart;
mod world;

use counterpart::{ANSWER, Llama, OPENING, scripted_model};
use serde_json::{Value, json};
use world::World;

/// The providers that stand for the dialects, and the paths they use.
const PROVIDERS: [(&str, &str); 3] =
    [("openai", "/v1/chat/completions"), ("anthropic", "/v1/messages"), ("openai-responses", "/v1/responses")];
const FILES: [(&str, &str); 2] = [("notes/one.txt", "the first of two"), ("notes/two.txt", "and the second")];
/// The window that the server has, and the one that the configuration believes in.
const WINDOW: &str = "32768";
const BELIEVED: u64 = 400_000;
/// A prompt that is larger than the server's window and smaller than the other: the model's tokens are bytes.
const TOO_MANY_WORDS: usize = 6_000;

/// A world in which a model of each provider is configured, named like it, and once more with a wrong key.
fn world_of_dialects() -> Result<(World, Llama), String> {
    let world = World::repository();
    let arguments = FILES.map(|(path, content)| format!(r#"{{"path": "{path}", "content": "{content}"}}"#));
    let model = scripted_model(&world, &arguments.each_ref().map(String::as_str))?;
    let server = Llama::start(&model, &["--key", "sesame", "--context", WINDOW, "--parallel", "1"])?;
    let mut text = "[daemon]\ndiscover = false\n[limits]\nattempts = 2\nbackoff_ms = 5\n".to_owned();
    for (key, words) in [("right", "sesame\n"), ("wrong", "mustard\n")] {
        let file = world.home.path(key);
        std::fs::write(&file, words).unwrap();
        for (provider, _) in PROVIDERS {
            text += &format!(
                "[models.{key}-{provider}]\nprovider = \"{provider}\"\nmodel = \"scripted\"\nbase_url = \"{}/v1\"\n\
                 key = {{ file = {file:?} }}\ncontext_tokens = {BELIEVED}\n",
                server.url
            );
        }
    }
    world.home.configure(&text);
    Ok((world, server))
}

/// All updates of one prompt to a model, with the exit code.
fn ask(world: &World, model: &str, prompt: &str) -> (i32, Vec<Value>) {
    let ran = world.run(&["ask", "--json", "--model", model, prompt]);
    (ran.code, ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn of<'a>(updates: &'a [Value], kind: &str) -> Vec<&'a Value> {
    updates.iter().filter(|update| update["kind"] == kind).collect()
}

/// One turn: two calls in one reply, two micro-commits, an answer; streamed, counted, accepted.
fn a_whole_turn(world: &World, provider: &str) {
    let (code, updates) = ask(world, &format!("right-{provider}"), "Write the notes.");
    assert_eq!(code, 0, "{updates:#?}");
    let replies = of(&updates, "model.finished");
    let calls: Vec<usize> = replies.iter().map(|reply| reply["calls"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(calls, [FILES.len(), 0], "both calls stand in the first reply: {updates:#?}");
    let tools = of(&updates, "tool.finished");
    assert_eq!(tools.len(), FILES.len());
    assert!(tools.iter().all(|tool| tool["outcome"] == "done" && tool["changed"] == 1), "{tools:#?}");

    let mut pieces = Vec::new();
    for (reply, words) in replies.iter().zip([OPENING, ANSWER]) {
        let deltas = of(&updates, "message.delta").into_iter().filter(|delta| delta["effect"] == reply["effect"]);
        let texts: Vec<&str> = deltas.map(|delta| delta["text"].as_str().unwrap()).collect();
        assert!(texts.len() > 1, "it streams: {texts:?}");
        assert_eq!((texts.concat().as_str(), &reply["data"]["text"]), (words, &json!(words)));
        let usage = &reply["usage"];
        let counted = ["input_tokens", "output_tokens"].map(|count| usage[count].as_u64().unwrap());
        assert!(counted[0] > 1000 && counted[1] > 1, "the server counted: {usage}");
        assert!(usage["estimated"].is_null(), "none of it was guessed: {usage}");
        pieces.push(texts.len());
    }
    let end = updates.last().unwrap();
    assert_eq!((&end["outcome"], &end["steps"], &end["changed"]), (&json!("done"), &json!(2), &json!(2)));

    let steps = world.json(&["log"])["steps"].as_array().unwrap().len();
    assert_eq!(steps, FILES.len(), "a micro-commit for each call");
    let read = || FILES.map(|(path, _)| world.read(path));
    assert_eq!(read(), [None, None], "they are on the canvas alone");
    world.good(&["accept"]);
    assert_eq!(read(), FILES.map(|(_, content)| Some(content.to_owned())));
    world.good(&["accept", "--undo"]);
    assert_eq!(read(), [None, None]);
    println!("{provider}: pieces {pieces:?}, calls {calls:?}, {steps} micro-commits, usage {}", end["usage"]);
}

/// A prompt that the server refuses, and the kind and the words by which the turn says so.
fn a_refusal(world: &World, model: &str, prompt: &str, failure: &str, word: &str) {
    let (code, updates) = ask(world, model, prompt);
    let end = updates.last().unwrap();
    assert_eq!((code, &end["outcome"], &end["failure"]), (1, &json!("failed"), &json!(failure)), "{end}");
    let message = end["data"]["message"].as_str().unwrap();
    assert!(message.contains(word), "{message}");
    assert!(!format!("{updates:?}").contains("mustard"), "no key is told");
    assert_eq!(of(&updates, "model.started").len(), 1, "what would fail again is not tried again");
    println!("{model}: {failure}: {message}");
}

#[test]
#[ignore = "real: needs a llama.cpp server"]
fn real_dialects_of_llama_go_from_prompt_to_files() {
    let (world, server) = match world_of_dialects() {
        Ok(both) => both,
        Err(why) => return println!("skipped: {why}"),
    };
    let too_long = "many words ".repeat(TOO_MANY_WORDS);
    for (provider, path) in PROVIDERS {
        println!("{provider}: {}{path}", server.url);
        a_whole_turn(&world, provider);
        a_refusal(&world, &format!("wrong-{provider}"), "Write the notes.", "unauthorized", "401");
        a_refusal(&world, &format!("right-{provider}"), &too_long, "context_too_long", "exceeds");
        // The daemon and the server are none the worse for it.
        a_whole_turn(&world, provider);
    }
}
