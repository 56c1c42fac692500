//! `OpenAiChat` against a raw server that misbehaves in every way a server, a proxy or a network can.

use crate::server::*;
use agent::{Failure, Stop};
use models::{Backend, ChatConfig, Ended, Key, OpenAiChat, StreamLimits, Timeouts};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const CANARY: &str = "sk-canary-4f1d7c90aa";
/// Short enough to wait for, long enough for a machine that has much else to do.
const SHORT: Duration = Duration::from_millis(800);

fn chat(base: &str) -> OpenAiChat {
    with(base, |_| {})
}

fn with(base: &str, change: impl FnOnce(&mut ChatConfig)) -> OpenAiChat {
    let mut config = ChatConfig::new(base);
    config.key = Some(Key::new(CANARY).unwrap());
    change(&mut config);
    OpenAiChat::new(config).unwrap()
}

fn hurried(base: &str) -> OpenAiChat {
    with(base, |config| config.timeouts = Timeouts { first_token: SHORT, between_tokens: SHORT, ..Timeouts::default() })
}

async fn call(chat: &OpenAiChat) -> Ended {
    chat.call(request("hi"), deaf(), CancellationToken::new()).await
}

/// Everything that a call lets out, to look for the key in.
fn let_out(ended: &Ended, chat: &OpenAiChat) -> String {
    format!("{ended:?} {chat:?} {}", chat.describe())
}

#[tokio::test]
async fn twenty_calls_use_one_connection_even_when_the_end_comes_late() {
    let late =
        vec![head(), piece(&(says("hi") + &stops("stop") + DONE)), Step::Pause(Duration::from_millis(20)), end()];
    let server = Server::start([good("hi"), late]).await;
    let chat = with(&server.base, |config| config.timeouts.drain = Duration::from_secs(60));
    for _ in 0..20 {
        assert_eq!(finished(call(&chat).await).text, "hi");
    }
    assert_eq!(server.connections(), 1);
    let first = &server.requests()[0];
    assert!(first.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{first}");
    assert!(first.contains(&format!("authorization: Bearer {CANARY}\r\n")));
    let body = first.split("\r\n\r\n").nth(1).unwrap();
    let reply = finished(call(&chat).await);
    assert_eq!(reply.request, wire::BlobHash::of(body.as_bytes()), "the hash is that of the bytes sent");
}

#[tokio::test]
async fn refusals_become_failures_with_their_wait() {
    let date = "Date: Sun, 06 Nov 1994 08:49:30 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    for (status, fields, body, failure, wait) in [
        ("401 Unauthorized", "", r#"{"error":{"message":"bad key"}}"#, Failure::Unauthorized, None),
        ("404 Not Found", "", r#"{"error":{"message":"model m not found"}}"#, Failure::UnknownModel, None),
        ("404 Not Found", "", "nothing here", Failure::Rejected, None),
        (
            "400 Bad Request",
            "",
            r#"{"error":{"type":"exceed_context_size_error","message":"too big"}}"#,
            Failure::ContextTooLong,
            None,
        ),
        ("429 Too Many Requests", "Retry-After: 7\r\n", "{}", Failure::RateLimited, Some(7000)),
        ("429 Too Many Requests", date, "{}", Failure::RateLimited, Some(7000)),
        ("503 Service Unavailable", "Retry-After: 2\r\n", "<html>", Failure::Overloaded, Some(2000)),
        ("307 Temporary Redirect", "Location: http://127.0.0.1:9/\r\n", "", Failure::Rejected, None),
    ] {
        let server = Server::start([vec![plain(status, "application/json", fields, body)]]).await;
        let (found, found_wait, message, partial) = failed(call(&chat(&server.base)).await);
        assert_eq!((found, found_wait), (failure, wait), "{message}");
        assert!(message.starts_with(&format!("{} answered {status}: ", server.base)), "{message}");
        assert_eq!(partial, models::Partial::default(), "a refused request costs nothing");
    }
}

#[tokio::test]
async fn the_key_never_leaves_by_a_message() {
    let echo = format!(r#"{{"error":{{"message":"who is Bearer {CANARY}? {CANARY}"}}}}"#);
    let at_the_cut = format!("{}{CANARY}", "x".repeat(100 - 7));
    let at_the_shortening = format!(r#"{{"error":{{"message":"{} {CANARY}"}}}}"#, "y".repeat(390));
    let mut tried = 0;
    for answer in [
        vec![plain("401 Unauthorized", "application/json", "", &echo)],
        vec![plain("500 Internal Server Error", "text/plain", "", &at_the_cut)],
        vec![plain("400 Bad Request", "application/json", "", &at_the_shortening)],
        vec![plain("200 OK", "application/json", "", &at_the_shortening)],
        vec![plain("200 OK", "application/json", "", &echo)],
        vec![head(), piece(&says("so")), piece(&format!("data: {echo}\n\n")), end()],
        vec![head(), piece(&format!("data: {{\"choices\":\"{CANARY}\"}}\n\n")), end()],
    ] {
        let server = Server::start([answer]).await;
        let chat = with(&server.base, |config| config.limits = StreamLimits { refusal_bytes: 1000, ..config.limits });
        let ended = call(&chat).await;
        let out = let_out(&ended, &chat);
        assert!(matches!(ended, Ended::Failed { .. }) && !out.contains("canary"), "{out}");
        tried += 1;
    }
    let chat = with("http://127.0.0.1:9/v1?key=canary-in-the-query", |_| {});
    let out = let_out(&call(&chat).await, &chat);
    assert!(out.contains("127.0.0.1:9/v1") && !out.contains("canary"), "{out}");
    println!("messages {tried}, keys found 0");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let (failure, _, message, partial) = failed(call(&chat(&base)).await);
    assert_eq!((failure, partial.usage), (Failure::Unreachable, agent::Usage::default()), "{message}");
    assert!(message.contains("is it running"), "{message}");
}

#[tokio::test]
async fn every_wait_has_an_end() {
    let alive = Step::Repeat(http_chunk(": alive\n\n"), Duration::from_millis(5));
    let empty = Step::Repeat(http_chunk(&says("")), Duration::from_millis(5));
    for (name, steps, said, limit) in [
        ("no head", vec![Step::AwaitClose], "", "first_token"),
        ("a head alone", vec![head(), Step::AwaitClose], "", "first_token"),
        ("comments alone", vec![head(), alive.clone()], "", "first_token"),
        ("a stall", vec![head(), piece(&says("Hel")), Step::AwaitClose], "Hel", "between_tokens"),
        ("comments after text", vec![head(), piece(&says("Hel")), alive], "Hel", "between_tokens"),
        ("empty tokens", vec![head(), piece(&says("Hel")), empty], "Hel", "between_tokens"),
        ("no end", vec![head(), piece(&(says("Hel") + &stops("stop"))), Step::AwaitClose], "Hel", "between_tokens"),
    ] {
        let mut server = Server::start([steps]).await;
        let (failure, _, message, partial) = failed(call(&hurried(&server.base)).await);
        assert_eq!((failure, partial.text.as_str()), (Failure::TimedOut, said), "{name}: {message}");
        assert!(message.contains(limit), "{name}: {message}");
        assert!(partial.usage.estimated && partial.usage.input_tokens.0 > 0, "{name}: the provider may have worked");
        server.closed.recv().await.unwrap();
    }
}

#[tokio::test]
async fn tokens_that_come_slowly_are_waited_for() {
    let slow = ["a", "b", "c", "d", "e", "f"].map(|text| [piece(&says(text)), Step::Pause(SHORT / 5)]).concat();
    let steps = [vec![head()], slow, vec![piece(&(stops("stop") + DONE)), end()]].concat();
    let server = Server::start([steps]).await;
    assert_eq!(finished(call(&hurried(&server.base)).await).text, "abcdef");
}

#[tokio::test]
async fn a_refusal_whose_body_stalls_is_still_a_refusal() {
    let stalled =
        Step::Send(b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 3\r\ncontent-length: 100\r\n\r\nslow".to_vec());
    let server = Server::start([vec![stalled, Step::AwaitClose]]).await;
    let chat = with(&server.base, |config| config.timeouts.refusal_body = SHORT);
    let (failure, wait, message, _) = failed(call(&chat).await);
    assert_eq!((failure, wait), (Failure::RateLimited, Some(3000)), "{message}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_keeps_what_was_said() {
    let begun = vec![head(), piece(&says("Hel"))];
    let close_delimited =
        Step::Send(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", says("Hel")).into_bytes());
    let with = |steps: &[Step]| [begun.clone(), steps.to_vec()].concat();
    let error = piece("data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\n");
    for (name, steps) in [
        ("a reset", with(&[Step::Reset])),
        ("a close in mid body", with(&[Step::Close])),
        ("a clean end too early", with(&[end()])),
        ("done without a reason", with(&[piece(DONE), end()])),
        ("a body that ends with the connection", vec![close_delimited, Step::Close]),
        ("an error object", with(&[error, end()])),
        ("a broken chunk", with(&[Step::Send(b"zz\r\n".to_vec())])),
        ("a reset after the reason", with(&[piece(&stops("stop")), Step::Reset])),
    ] {
        let server = Server::start([steps]).await;
        let (failure, _, message, partial) = failed(call(&chat(&server.base)).await);
        assert_eq!((failure, partial.text.as_str()), (Failure::Broken, "Hel"), "{name}: {message}");
        assert!(partial.usage.estimated && partial.usage.output_tokens.0 == 1, "{name}");
    }
}

#[tokio::test]
async fn a_reply_without_done_is_whole_when_the_body_ends_well() {
    let text = says("hi") + &stops("stop");
    let by_connection = Step::Send(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{text}").into_bytes());
    for steps in [vec![head(), piece(&text), end()], vec![by_connection, Step::Close]] {
        let server = Server::start([steps]).await;
        assert_eq!(finished(call(&chat(&server.base)).await).stop, Stop::End);
    }
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let body = r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
    let server = Server::start([vec![plain("200 OK", "application/json", "", body)]]).await;
    let reply = finished(call(&chat(&server.base)).await);
    assert_eq!((reply.text.as_str(), reply.usage.estimated), ("hi", false));
    let server = Server::start([vec![plain("200 OK", "text/html", "", "<html>please log in</html>")]]).await;
    let (failure, _, message, _) = failed(call(&chat(&server.base)).await);
    assert!(failure == Failure::Broken && message.contains("web page"), "{message}");
}

#[tokio::test]
async fn a_pooled_connection_that_was_just_closed_is_replaced_once_and_silently() {
    // The server takes the second request on the old connection and closes without a byte, as one does whose
    // keep-alive ended at that moment.
    let server = Server::start([good("one"), vec![Step::Reset], good("two")]).await;
    let chat = chat(&server.base);
    assert_eq!(finished(call(&chat).await).text, "one");
    assert_eq!(finished(call(&chat).await).text, "two");
    assert_eq!((server.connections(), server.requests().len()), (2, 3));
}

#[tokio::test]
async fn a_fresh_connection_that_closes_is_never_tried_again() {
    let server = Server::start([vec![Step::Close], good("never")]).await;
    let (failure, _, message, _) = failed(call(&chat(&server.base)).await);
    assert_eq!((failure, server.requests().len()), (Failure::Broken, 1), "{message}");
}

#[tokio::test]
async fn cancelling_closes_the_connection_at_once_and_keeps_what_was_said() {
    let stalls = [
        (vec![Step::AwaitClose], false),
        (vec![head(), Step::AwaitClose], false),
        (vec![head(), piece(&says("Hel")), Step::AwaitClose], true),
        (vec![head(), Step::Repeat(http_chunk(&says("Hel")), Duration::from_millis(1))], true),
    ];
    for (steps, speaks) in stalls {
        let mut server = Server::start([steps]).await;
        let stop = CancellationToken::new();
        let cancel = stop.clone();
        let sink: models::Sink = std::sync::Arc::new(move |_, _| cancel.cancel());
        let chat = chat(&server.base);
        let running = tokio::spawn(chat.call(request("hi"), sink, stop.clone()));
        if !speaks {
            while server.requests().is_empty() {
                tokio::task::yield_now().await;
            }
            stop.cancel();
        }
        let begun = Instant::now();
        let Ended::Interrupted { partial } = running.await.unwrap() else { panic!("not interrupted") };
        assert_eq!(partial.text.starts_with("Hel"), speaks);
        assert!(partial.usage.estimated && partial.usage.input_tokens.0 > 0, "never settled at nothing");
        server.closed.recv().await.unwrap();
        println!("connection closed {:?} after the cancel", begun.elapsed());
    }
}

#[tokio::test]
async fn a_server_that_never_stops_is_stopped() {
    let steps = vec![head(), Step::Repeat(http_chunk(&says(&"x".repeat(1000))), Duration::ZERO)];
    let mut server = Server::start([steps]).await;
    let chat = with(&server.base, |config| config.limits = StreamLimits { stream_bytes: 100_000, ..config.limits });
    let (failure, _, message, partial) = failed(call(&chat).await);
    assert!(failure == Failure::Broken && message.contains("stream_bytes"), "{message}");
    assert!(partial.text.len() > 50_000);
    server.closed.recv().await.unwrap();
}

#[tokio::test]
async fn a_stream_cut_after_any_byte_ends_in_time_and_never_in_success() {
    let body = says("Hel")
        + &format!(
            "data: {}\n\n",
            serde_json::json!({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"x\":1}"}}]}}]})
        )
        + &stops("tool_calls")
        + DONE;
    let reason = body.find("\"finish_reason\":\"tool_calls\"").unwrap();
    let (mut cuts, mut successes) = (0, 0);
    for at in 0..body.len() {
        // By turns a clean end of the chunked body, a close and a reset.
        let ending = [end(), Step::Close, Step::Reset][at % 3].clone();
        let pieces = if at == 0 { vec![head()] } else { vec![head(), piece(&body[..at])] };
        let server = Server::start([[pieces, vec![ending]].concat()]).await;
        let ended = tokio::time::timeout(Duration::from_secs(10), call(&chat(&server.base))).await.expect("no hang");
        cuts += 1;
        if let Ended::Finished(reply) = ended {
            successes += 1;
            assert!(at > reason && reply.calls.len() == 1, "at {at}: {reply:?}");
        }
    }
    println!("cuts {cuts}, hangs 0, whole after the reason for stopping {successes}, false successes 0");
    assert!(successes < cuts / 3);
}
