//! Finding servers: Ollama as two versions were recorded, llama.cpp as it describes itself, and things that are neither.

#![allow(clippy::unwrap_used, reason = "all of this crate is tests")]

#[path = "../backends/server.rs"]
#[allow(dead_code, reason = "another test of this crate uses the rest")]
mod server;

use agent::Tokens;
use models::{PROBE_TIMEOUT, Place, ServerKind, Tooling, discover};
use serde_json::{Value, json};
use server::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// Long enough for a machine that has much else to do.
const PATIENT: Duration = Duration::from_secs(10);

fn place(server: &Server) -> Place {
    Place::new(&server.base).unwrap()
}

fn answer(body: &str) -> Vec<Step> {
    vec![plain("200 OK", "application/json", "", body)]
}

fn missing() -> Vec<Step> {
    vec![plain("404 Not Found", "text/plain", "", "404 page not found")]
}

/// An Ollama that says about itself what was recorded of a version.
async fn ollama(recordings: &'static str) -> Server {
    let mut pages = BTreeMap::new();
    let mut shown = BTreeMap::new();
    for line in recordings.lines() {
        let recording: Value = serde_json::from_str(line).unwrap();
        let (name, body) = (recording["name"].as_str().unwrap(), recording["body"].as_str().unwrap().to_owned());
        match name {
            "version" => drop(pages.insert("GET /api/version ", body)),
            "tags" => drop(pages.insert("GET /api/tags ", body)),
            "ps_loaded" => drop(pages.insert("GET /api/ps ", body)),
            _ if recording["path"] == "/api/show" && recording["status"] == 200 => {
                shown.insert(recording["question"]["model"].as_str().unwrap().to_owned(), body);
            }
            _ => {}
        }
    }
    Server::choosing(move |request| {
        if let Some((_, page)) = pages.iter().find(|(start, _)| request.starts_with(**start)) {
            return answer(page);
        }
        let question: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap_or_default();
        let model = question["model"].as_str().unwrap_or_default().trim_end_matches(":latest");
        shown.get(model).map_or_else(missing, |body| answer(body))
    })
    .await
}

#[tokio::test]
async fn ollama_is_found_with_what_its_models_can_do() {
    for (version, recordings) in [
        ("0.24.0", include_str!("../recordings/ollama/0.24.0.jsonl")),
        ("0.33.0-rc2", include_str!("../recordings/ollama/0.33.0-rc2.jsonl")),
    ] {
        let server = ollama(recordings).await;
        let found = discover(&[place(&server)], PATIENT).await;
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((found.kind, found.version.as_deref()), (ServerKind::Ollama, Some(version)));
        assert_eq!(found.base_url, server.base.trim_end_matches("/v1"));
        let model = |name: &str| found.models.iter().find(|model| model.name == name).unwrap();
        let tools = model("tools:latest");
        assert_eq!((tools.abilities.tools, tools.trained_context_tokens), (Tooling::Native, Some(Tokens(4096))));
        let think = model("think:latest").abilities;
        assert_eq!((think.reasoning, think.images, think.documents), (Some(true), Some(false), Some(false)));
        let chat = model("chat:latest");
        assert_eq!((chat.context_tokens, chat.abilities.reasoning), (Some(Tokens(4096)), Some(false)));
        assert!(found.models.iter().all(|model| !model.name.starts_with("embed")), "one that cannot chat is none");
    }
}

#[tokio::test]
async fn a_model_that_runs_elsewhere_is_not_a_model_of_this_machine() {
    let server = Server::choosing(|request| match request {
        request if request.contains("/api/version") => answer(r#"{"version":"9"}"#),
        request if request.contains("/api/tags") => answer(
            r#"{"models":[{"name":"big-cloud","remote_host":"https://x.example"},{"name":"here","remote_host":""}]}"#,
        ),
        _ => missing(),
    })
    .await;
    let found = discover(&[place(&server)], PATIENT).await;
    let names: Vec<_> = found[0].models.iter().map(|model| model.name.as_str()).collect();
    assert_eq!((names.as_slice(), found[0].models[0].abilities.tools), (["here"].as_slice(), Tooling::Unknown));
}

/// What llama.cpp's server says about itself, as recorded of xllamacpp 2026.10.11549.
async fn llama(prompt: &'static str) -> Server {
    Server::choosing(move |request| match request {
        request if request.starts_with("GET /v1/models ") => answer(
            &json!({"object": "list", "data": [{"id": "m", "owned_by": "llamacpp", "meta": {"n_ctx": 8192, "n_ctx_train": 8192}}]})
                .to_string(),
        ),
        request if request.starts_with("GET /props ") => answer(
            &json!({"default_generation_settings": {"n_ctx": 4096}, "modalities": {"vision": true}, "build_info": "b1"})
                .to_string(),
        ),
        request if request.starts_with("POST /apply-template ") => answer(&json!({ "prompt": prompt }).to_string()),
        _ => missing(),
    })
    .await
}

#[tokio::test]
async fn llama_is_found_and_its_prompt_is_looked_into() {
    for (prompt, tools) in [("tools: tinkerbell_mark_q7x", Tooling::Native), ("hi", Tooling::Constrained)] {
        let server = llama(prompt).await;
        let found = discover(&[place(&server)], PATIENT).await;
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            (found.kind, &found.base_url, found.version.as_deref()),
            (ServerKind::LlamaCpp, &server.base, Some("b1"))
        );
        let model = &found.models[0];
        assert_eq!((model.context_tokens, model.trained_context_tokens), (Some(Tokens(4096)), Some(Tokens(8192))));
        assert_eq!((model.abilities.tools, model.abilities.images), (tools, Some(true)));
        assert!(server.requests().iter().all(|request| !request.contains("completions")), "no model is made to speak");
    }
}

#[tokio::test]
async fn another_server_is_told_apart() {
    let list = r#"{"data":[{"id":"a","owned_by":"vllm","max_model_len":1000},{"name":"no id"},{"id":"b"}]}"#;
    let server =
        Server::choosing(move |request| if request.contains("/v1/models") { answer(list) } else { missing() }).await;
    let found = discover(&[place(&server)], PATIENT).await;
    assert_eq!((found[0].kind, found[0].models.len()), (ServerKind::OpenAiCompatible, 2));
    assert_eq!(found[0].models[0].context_tokens, Some(Tokens(1000)));
}

#[tokio::test]
async fn what_is_no_model_server_is_left_alone() {
    let redirect = vec![plain("302 Found", "text/plain", "location: http://192.0.2.1/\r\n", "")];
    let endless = vec![head(), Step::Repeat(http_chunk(&" ".repeat(64 << 10)), Duration::ZERO)];
    let page = vec![plain("200 OK", "text/html", "", "<html>")];
    let mut servers = vec![Server::start([vec![Step::AwaitClose]]).await, llama("hi").await];
    for steps in [redirect, endless, page, missing(), vec![Step::Reset]] {
        servers.push(Server::start([steps]).await);
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut places: Vec<_> = servers.iter().map(place).collect();
    places.push(Place::new(&closed.to_string()).unwrap());
    places.extend(places.clone());
    let found = discover(&places, Duration::from_secs(2)).await;
    assert_eq!(found.len(), 1, "each server is told once: {found:?}");
    assert_eq!(found[0].kind, ServerKind::LlamaCpp);
    assert_eq!(servers[2].requests().len(), 2, "a redirect is an answer and nothing else");
}

#[tokio::test]
async fn nobody_there_is_nothing_found() {
    assert_eq!(Place::usual()[0].to_string(), "127.0.0.1:11434");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(discover(&[Place::new(&closed.to_string()).unwrap()], PROBE_TIMEOUT).await.is_empty());
    assert!(discover(&[], PROBE_TIMEOUT).await.is_empty());
}
