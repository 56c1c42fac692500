//! Calls over HTTP: what is sent, what a stop and a stall do, and what is never said.

use crate::server::*;
use agent::{Failure, Stop, Tokens};
use models::{Backend, ConfigError, Ended, Key, Ollama, OllamaConfig, Timeouts};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const CANARY: &str = "sk-canary-4f1d7c90aa";
/// Short enough to wait for, long enough for a machine that has much else to do.
const SHORT: Duration = Duration::from_millis(800);

fn with(server: &Server, change: impl FnOnce(&mut OllamaConfig)) -> Ollama {
    let mut config = OllamaConfig::new(server.base.trim_end_matches("/v1"));
    config.key = Some(Key::new(CANARY).unwrap());
    change(&mut config);
    Ollama::new(config).unwrap()
}

async fn call(ollama: &Ollama) -> Ended {
    ollama.call(request("hi"), deaf(), CancellationToken::new()).await
}

fn says(text: &str) -> Step {
    piece(&format!("{}\n", serde_json::json!({"message": {"role": "assistant", "content": text}, "done": false})))
}

fn done() -> Step {
    piece(
        "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":5,\"eval_count\":2}\n",
    )
}

fn good() -> Vec<Step> {
    vec![head(), says("Hel"), says("lo"), done(), end()]
}

fn body(request: &str) -> serde_json::Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn a_reply_streams_over_one_warm_connection() {
    let server = Server::start([good()]).await;
    let ollama = with(&server, |config| {
        config.context_tokens = Some(Tokens(8192));
        config.keep_alive = Some("90".into());
        config.timeouts.drain = Duration::from_secs(60);
    });
    for _ in 0..10 {
        let (sink, heard) = keeping();
        let reply = finished(ollama.call(request("hi"), sink, CancellationToken::new()).await);
        assert_eq!((reply.text.as_str(), reply.stop, heard.lock().unwrap().len()), ("Hello", Stop::End, 2));
        assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens), (Tokens(5), Tokens(2)));
    }
    assert_eq!(server.connections(), 1);
    let request = &server.requests()[0];
    assert!(request.starts_with("POST /api/chat ") && request.contains(&format!("authorization: Bearer {CANARY}")));
    let body = body(request);
    assert_eq!(body["options"], serde_json::json!({"num_ctx": 8192, "num_predict": 100}));
    assert_eq!((&body["truncate"], &body["keep_alive"]), (&false.into(), &90.into()));
    assert_eq!(body.get("think"), None);
}

#[tokio::test]
async fn only_a_model_that_can_think_is_asked_to() {
    for (capabilities, think) in [
        (r#"["completion","thinking"]"#, Some(true)),
        (r#"["completion"]"#, None),
        // A server that says nothing about it.
        ("[]", None),
    ] {
        let shown = format!("{{\"capabilities\":{capabilities}}}");
        let server = Server::choosing(move |request| {
            if request.starts_with("POST /api/show ") {
                vec![plain("200 OK", "application/json", "", &shown)]
            } else {
                good()
            }
        })
        .await;
        let ollama = with(&server, |config| config.think = Some(true));
        finished(call(&ollama).await);
        finished(call(&ollama).await);
        let requests = server.requests();
        let sent: Vec<_> =
            requests.iter().filter(|request| request.starts_with("POST /api/chat ")).map(|one| body(one)).collect();
        assert!(
            sent.len() == 2 && sent.iter().all(|body| body.get("think").and_then(|value| value.as_bool()) == think)
        );
        let questions = requests.iter().filter(|request| request.starts_with("POST /api/show ")).count();
        assert_eq!(questions, if capabilities == "[]" { 2 } else { 1 }, "what was found out is remembered");
    }
}

#[tokio::test]
async fn what_ends_early_is_a_failure_that_keeps_what_was_said() {
    let error = "{\"error\":\"an error was encountered while running the model: unexpected EOF\"}\n";
    for (ending, words) in [
        (vec![Step::Reset], "broke the answer off"),
        (vec![Step::Close], "broke the answer off"),
        (vec![end()], "before the model had finished"),
        (vec![piece(error), end()], "unexpected EOF"),
        (vec![piece("<html>\n"), end()], "web page"),
    ] {
        let server = Server::start([[vec![head(), says("Hel")], ending].concat()]).await;
        let ended = call(&with(&server, |_| {})).await;
        assert!(!format!("{ended:?}").contains(CANARY));
        let (failure, _, message, partial) = failed(ended);
        assert_eq!((failure, partial.text.as_str()), (Failure::Broken, "Hel"), "{message}");
        assert!(message.contains(words), "{message}");
        assert!(partial.usage.estimated && partial.usage.input_tokens > Tokens(0));
    }
}

#[tokio::test]
async fn a_stall_is_given_up_and_says_which_timeout_it_was() {
    let hurried = |config: &mut OllamaConfig| {
        config.timeouts = Timeouts { first_token: SHORT, between_tokens: SHORT, ..Timeouts::default() };
    };
    for (steps, name) in [
        (vec![Step::AwaitClose], "first_token"),
        (vec![head(), Step::AwaitClose], "first_token"),
        (vec![head(), says("Hel"), Step::AwaitClose], "between_tokens"),
        // Lines without a word in them keep nothing alive.
        (vec![head(), Step::Repeat(http_chunk("{\"done\":false}\n"), SHORT / 8)], "first_token"),
    ] {
        let server = Server::start([steps]).await;
        let (failure, _, message, _) = failed(call(&with(&server, hurried)).await);
        assert_eq!(failure, Failure::TimedOut, "{message}");
        assert!(message.contains(name), "{message}");
    }
}

#[tokio::test]
async fn a_stop_closes_the_connection_at_once() {
    let mut server = Server::start([vec![head(), says("Hel"), Step::AwaitClose]]).await;
    let ollama = with(&server, |_| {});
    let stop = CancellationToken::new();
    let cancel = stop.clone();
    let sink: models::Sink = std::sync::Arc::new(move |_, _| cancel.cancel());
    let Ended::Interrupted { partial } = ollama.call(request("hi"), sink, stop).await else {
        panic!("not interrupted")
    };
    assert_eq!(partial.text, "Hel");
    assert!(tokio::time::timeout(Duration::from_secs(5), server.closed.recv()).await.unwrap().is_some());
}

#[tokio::test]
async fn the_key_is_masked_in_what_a_server_says() {
    let echo = format!("{{\"error\":\"bad key {CANARY}\"}}");
    let server = Server::start([vec![plain("401 Unauthorized", "application/json", "", &echo)]]).await;
    let ollama = with(&server, |_| {});
    let ended = call(&ollama).await;
    let let_out = format!("{ended:?} {ollama:?} {}", ollama.describe());
    assert!(!let_out.contains(CANARY) && let_out.contains("[key]"), "{let_out}");
    assert_eq!(failed(ended).0, Failure::Unauthorized);
}

#[test]
fn a_base_of_another_dialect_is_refused() {
    let error = |base: &str| Ollama::new(OllamaConfig::new(base)).unwrap_err();
    assert_eq!(error("http://127.0.0.1:11434/v1/"), ConfigError::OtherDialect);
    assert_eq!(error("http://127.0.0.1:11434/api"), ConfigError::WholePath { path: "/api" });
    assert_eq!(error("http://127.0.0.1:11434/api/chat"), ConfigError::WholePath { path: "/api/chat" });
    let ollama = Ollama::new(OllamaConfig::default()).unwrap();
    assert_eq!(ollama.describe().to_string(), "ollama at http://127.0.0.1:11434");
}

#[tokio::test]
async fn no_server_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (failure, ..) = failed(call(&Ollama::new(OllamaConfig::new(base)).unwrap()).await);
    assert_eq!(failure, Failure::Unreachable);
}
