//! The ways in by which users and their files bring keys.

use super::House;
use super::search::FRAGMENT;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Keys that users paste where no key belongs.
pub(crate) fn users_words(house: &mut House) {
    let keys: Vec<String> = house.keys.0.values().cloned().collect();
    let png = [b"\x89PNG\r\n\x1a\n".as_slice(), &[0; 64]].concat();
    for key in &keys {
        // The first words become a title, which is cut.
        let cut = format!("{}{key} is my key [[echo]]", "w".repeat(60 - FRAGMENT - 5));
        let session = house.open();
        let names = [key.clone(), format!("{}{key}", "n".repeat(256 - FRAGMENT - 5))];
        let attachments: Vec<_> =
            names.iter().map(|name| json!({ "name": name, "data": BASE64.encode(&png) })).collect();
        let heard = house.turn(&session, &json!({ "text": cut, "attachments": attachments }));
        assert_eq!(House::end(&heard)["outcome"], "done");
        let spoiled = json!([{ "name": "a.png", "data": BASE64.encode([&png, key.as_bytes()].concat()) }]);
        let path = format!("/v1/sessions/{session}");
        let prompts = format!("{path}/prompts");
        assert_eq!(house.ask("POST", &prompts, json!({ "text": "see", "attachments": spoiled })).0, 400);
        house.ask("POST", &prompts, json!({ "text": "x", "attachments": [{ "name": key, "data": "!" }] }));
        house.ask("POST", &prompts, json!({ "text": "x", "model": format!("openai::{key}") }));
        house.ask("POST", &prompts, json!({ "text": "x", "model": key }));
        house.ask("POST", &prompts, json!({ key: "x" }));
        house.ask("PATCH", &path, json!({ "title": format!("about {key}") }));
        let (_, forked) = house.ask("POST", &format!("{path}/fork"), json!({ "title": key }));
        house.sessions.push(forked["session"].as_str().unwrap().to_owned());
        let slow = house.world.client.post(&prompts, &json!({ "text": "[[pause 20]] so slow that you can steer" }));
        assert_eq!(slow.unwrap().status, 200);
        house.turn(&session, &json!({ "text": format!("rather {key} [[echo]]"), "while_running": "steer" }));
        let workspace = house.world.home.path("x").join(key);
        std::fs::create_dir_all(&workspace).unwrap();
        if !key.contains('/') {
            let refused = house.ask("POST", "/v1/sessions", json!({ "workspace": workspace, "title": key }));
            assert_eq!(refused.0, 422, "{}", refused.1);
        }
        house.ask("POST", "/v1/sessions", json!({ "workspace": house.world.home.workspace(), "title": key }));
        let once = house.world.client.send("POST", "/v1/sessions", &[("idempotency-key", key)], b"{}").unwrap();
        house.search.look("answers of REST", "idempotency key", &once.body);
        for path in [format!("/v1/sessions/search?q={key}"), format!("/v1/sessions?limit={key}"), format!("/v1/{key}")]
        {
            house.ask("GET", &path.replace('+', "%2B"), Value::Null);
        }
        let place = house.world.home.workspace();
        let daily = |prompt: &str| json!({ "prompt": prompt, "name": key, "every_s": 86_400, "workspace": place });
        assert_eq!(house.ask("POST", "/v1/schedules", daily(&format!("say {key}"))).0, 200);
        for wrong in ["cron", "zone", "at", "model", "missed"] {
            let mut request = daily("x");
            request[wrong] = json!(key);
            assert_ne!(house.ask("POST", "/v1/schedules", request).0, 200, "{wrong}");
        }
        house.command(&["ask", "--model", "scripted", &format!("mine is {key} [[echo]]")]);
    }
}

/// Keys that lie in the workspace.
pub(crate) fn tools_results(house: &mut House) {
    let workspace = house.world.home.workspace();
    let write = |name: &str, text: String| std::fs::write(workspace.join(name), text).unwrap();
    let keys: Vec<String> = house.keys.0.values().cloned().collect();
    let all = keys.join(" and ");
    write("AGENTS.md", format!("{}{all}", "i".repeat((32 << 10) - FRAGMENT - 5)));
    write("env.txt", keys.iter().map(|key| format!("KEY={key}\n")).collect());
    for (at, key) in keys.iter().enumerate() {
        write(if key.contains('/') { "plain-name" } else { key }, "x\n".to_owned());
        write(
            &format!("long{at}.txt"),
            format!("{}{key}{}\n", "l".repeat((64 << 10) - FRAGMENT - 5), "m".repeat(1 << 16)),
        );
        write(
            &format!("line{at}.txt"),
            format!("NEEDLE{}{key}{}\n", "l".repeat(500 - 6 - FRAGMENT - 5), "m".repeat(900)),
        );
        write(&format!("before{at}.txt"), format!("{key}{} NEEDLE {}\n", "l".repeat(250 - FRAGMENT), "m".repeat(900)));
        write(&format!("doc{at}.pdf"), format!("%PDF-1.7 {key}"));
        std::os::unix::fs::symlink(format!("{}{key}", "t/".repeat(93)), workspace.join(format!("link{at}"))).unwrap();
    }
    let session = house.open();
    let mut script = String::new();
    let tool = |script: &mut String, name: &str, arguments: Value| {
        write!(script, "[[tool {name} {arguments}]] [[then]] ").unwrap();
    };
    tool(&mut script, "read_file", json!({ "path": "env.txt" }));
    tool(&mut script, "list_directory", json!({}));
    tool(&mut script, "find_files", json!({ "pattern": "*" }));
    tool(&mut script, "search_text", json!({ "pattern": "KEY=" }));
    tool(&mut script, "search_text", json!({ "pattern": "NEEDLE" }));
    for (at, key) in keys.iter().enumerate() {
        tool(&mut script, "read_file", json!({ "path": format!("long{at}.txt") }));
        tool(&mut script, "read_file", json!({ "path": format!("doc{at}.pdf") }));
        tool(&mut script, "read_file", json!({ "path": format!("link{at}") }));
        let first = &key[..4];
        tool(&mut script, "edit_file", json!({ "path": "env.txt", "old": format!("KEY={first}"), "new": "K" }));
        tool(&mut script, "edit_file", json!({ "path": "env.txt", "old": format!("KEY={first}!"), "new": "K" }));
    }
    tool(&mut script, "write_file", json!({ "path": "env.txt", "content": "x" }));
    tool(&mut script, "move_file", json!({ "from": "env.txt", "to": "other.txt" }));
    tool(&mut script, "delete_file", json!({ "path": "env.txt" }));
    script.push_str("[[echo]]");
    let heard = house.turn(&session, &json!({ "text": script }));
    assert_eq!((&House::end(&heard)["outcome"], &House::end(&heard)["changed"]), (&json!("done"), &json!(0)));
    guessing(house, &keys[0]);
    let (_, context) = house.ask("GET", &format!("/v1/sessions/{session}/context"), Value::Null);
    assert!(context.to_string().contains("AGENTS.md"), "{context}");
    std::fs::remove_file(workspace.join("AGENTS.md")).unwrap();
}

/// Whoever may search among keys could guess one letter after the other, if right and wrong guesses looked different.
pub(crate) fn guessing(house: &mut House, key: &str) {
    let session = house.open();
    let mut answers = BTreeSet::new();
    for guess in [&key[..1], &key[..6], "~", "nothing like it"] {
        let call = |name: &str, arguments: Value| format!("[[tool {name} {arguments}]]");
        let search =
            call("search_text", json!({ "pattern": format!("KEY={}", guess.replace('+', "\\+")), "path": "env.txt" }));
        let edit = call("edit_file", json!({ "path": "env.txt", "old": format!("KEY={guess}"), "new": "K" }));
        let heard = house.turn(&session, &json!({ "text": format!("{search} {edit}") }));
        let told = heard.iter().filter(|update| update["kind"] == "tool.finished").rev().take(2);
        let told: Vec<String> = told.map(|end| end["data"]["text"].to_string().replace(guess, "?")).collect();
        answers.insert(told.join(" | "));
    }
    assert_eq!(answers.len(), 1, "guesses can be told apart: {answers:#?}");
}
