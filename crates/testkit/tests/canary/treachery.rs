//! A server of models that puts the key which it was sent wherever there is room for words.

use super::search::{FRAGMENT, Keys};
use super::serving::dialect::{Call, Dialect, Said};
use super::serving::{Asked, Step, head, piece, plain, whole};
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;

/// Bytes of a refusal that are read; the default of the models' room.
const REFUSAL_BYTES: usize = 64 << 10;
/// Characters of a refusal that are shown.
const REFUSAL_WORDS: usize = 400;

/// The dialect that a request speaks.
pub(crate) fn spoken(asked: &Asked) -> Option<Dialect> {
    let line = asked.head.lines().next().unwrap_or_default();
    let paths = ["/chat/completions", "/messages", "/responses", "GenerateContent", "/api/chat"];
    paths.iter().position(|path| line.starts_with("POST") && line.contains(path)).map(|at| Dialect::ALL[at])
}

/// What a server does that has it in for whoever calls it: it knows the key that it was sent, and puts it everywhere.
pub(crate) fn treacherous(keys: &Keys, rounds: &Mutex<BTreeMap<String, u32>>, asked: &Asked) -> Vec<Step> {
    let Some(dialect) = spoken(asked) else { return listed(keys, asked) };
    let key = keys.of(dialect).to_owned();
    let echo = format!("x-echo: {key}\r\nset-cookie: k={key}\r\nretry-after-words: {key}\r\n");
    if !asked.head.contains(&key) {
        return plain("401 Unauthorized", "text/plain", "", "who are you?");
    }
    let scenario = asked.body.rsplit("SCENARIO ").next().unwrap_or_default();
    let scenario: String = scenario.chars().take_while(char::is_ascii_alphanumeric).collect();
    let error =
        |words: &str| json!({"error": {"message": words, "type": format!("no_{key}"), "code": key}}).to_string();
    let refuse =
        |status: &str| plain(status, "application/json", &echo, &error(&format!("{key} is wrong: ?key={key}")));
    match scenario.as_str() {
        "refuse401" => refuse("401 Unauthorized"),
        "refuse429" => refuse("429 Too Many Requests"),
        "refuse500" => refuse("500 Internal Server Error"),
        "refusecut" => {
            let (half, rest) = (FRAGMENT + 5, 2 * FRAGMENT);
            let body = format!("bad{}{key}{}", " ".repeat(REFUSAL_BYTES - 3 - half), "x".repeat(rest));
            plain("500 Internal Server Error", "text/plain", &echo, &body)
        }
        "refuselong" => {
            let words = format!("{}{key} and so on", "y".repeat(REFUSAL_WORDS - FRAGMENT - 5));
            plain("400 Bad Request", "application/json", &echo, &error(&words))
        }
        "midcut" => {
            let said = Said { text: vec!["so ".into(), key[..20].into(), key[20..].into()], ..Said::default() };
            let events = dialect.events(&said);
            let cut = events.iter().position(|event| event.contains(&key[20..])).unwrap() + 1;
            vec![head(&echo), piece(events[..cut].concat().as_bytes())]
        }
        "midhalf" => {
            let said = Said { text: vec!["so ".into(), key[..20].into(), key[20..].into()], ..Said::default() };
            let events = dialect.events(&said);
            let cut = events.iter().position(|event| event.contains(&key[20..])).unwrap();
            vec![head(&echo), piece(events[..cut].concat().as_bytes())]
        }
        "miderror" => {
            let events = dialect.events(&Said { text: vec!["so ".into(), "far".into()], ..Said::default() });
            let begun = events.iter().position(|event| event.contains("far")).unwrap() + 1;
            let mut all = events[..begun].to_vec();
            all.push(dialect.error(&format!("the key {key} is too busy")));
            whole(&echo, &all)
        }
        "calls" => {
            let mut rounds = rounds.lock().unwrap();
            let round = rounds.entry(dialect.provider().to_owned()).or_default();
            *round += 1;
            match *round {
                1 => whole(&echo, &dialect.events(&calls(&key))),
                _ => whole(&echo, &dialect.events(&Said { text: vec!["done".into()], ..Said::default() })),
            }
        }
        _ => whole(&echo, &dialect.events(&everywhere(&key))),
    }
}

/// The key in text and reasoning, cut at every place, and as the reason for stopping.
pub(crate) fn everywhere(key: &str) -> Said {
    let mut text = Vec::new();
    for cut in 1..key.len() {
        text.extend([format!("{cut}: "), key[..cut].to_owned(), key[cut..].to_owned(), " or ".to_owned()]);
    }
    text.extend(key.chars().map(String::from));
    text.extend([
        " and ".to_owned(),
        BASE64.encode(key),
        format!("?key={}", key.replace('/', "%2F").replace('+', "%2B")),
    ]);
    Said { reasoning: text.clone(), text, ..Said::default() }
}

/// The key in ids, names and arguments of calls.
pub(crate) fn calls(key: &str) -> Said {
    let call = |id: &str, name: &str, arguments: Value| Call::new(&format!("{id}-{key}"), name, &arguments);
    let escaped: String = key.chars().fold(String::new(), |mut text, letter| {
        write!(text, "\\u{:04x}", u32::from(letter)).unwrap();
        text
    });
    let calls = vec![
        call("a", "read_file", json!({ "path": key })),
        call("b", key, json!({ "x": 1 })),
        call("c", &format!("{}{key}", "n".repeat(256 - FRAGMENT - 5)), json!({})),
        call("d", "write_file", json!({ "path": "made.txt", "content": format!("it is {key}\n") })),
        call("e", "write_file", json!({ "path": format!("dir/{key}"), "content": "x\n" })),
        Call {
            id: "f".into(),
            name: "write_file".into(),
            arguments: format!("{{\"path\":\"esc-{escaped}\",\"content\":\"{escaped}\"}}"),
        },
        call("g", "search_text", json!({ "pattern": key })),
        call("h", "count", json!({ "label": key })),
        call("i", "read_file", json!({ "path": "env.txt", "also": key })),
    ];
    Said { reasoning: vec![key.to_owned()], text: vec!["I call".to_owned()], calls, finish: None }
}

/// What a server that is only looked at says: its models are named by the key.
pub(crate) fn listed(keys: &Keys, asked: &Asked) -> Vec<Step> {
    let key = keys.of(Dialect::Ollama);
    let line = asked.head.lines().next().unwrap_or_default();
    let body = match line {
        _ if line.contains("/api/version") => json!({ "version": key }),
        _ if line.contains("/api/tags") => {
            json!({ "models": [{ "name": format!("{key}:latest"), "model": key, "size": 1 }] })
        }
        _ if line.contains("/api/show") => json!({ "capabilities": ["completion", "tools", key], "model_info": {} }),
        _ => json!({ "object": "list", "data": [{ "id": key, "object": "model" }] }),
    };
    plain("200 OK", "application/json", "", &body.to_string())
}
