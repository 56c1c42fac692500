//! Every fault that has a name, in every dialect: none looks like success, none hangs, none shows the key.

use crate::scripts::*;
use crate::server::*;
use agent::Failure;
use models::{Backend, Ended, GenAiProvider, StreamLimits};
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const CANARY: &str = "sk-canary-0123456789";

/// What a server does, and what must come of it.
struct Fault {
    name: &'static str,
    steps: Vec<Step>,
    failure: Failure,
    /// Whether the words before it are kept.
    keeps: bool,
}

fn raw(bytes: &[u8]) -> Step {
    Step::Send([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat())
}

fn faults(provider: GenAiProvider) -> Vec<Fault> {
    let all = rich(provider);
    let said = all.iter().position(|event| event.contains("wörld")).unwrap() + 1;
    let begun = || vec![head(), piece(&all[..said].concat())];
    let and = |steps: &[Step]| [begun(), steps.to_vec()].concat();
    let bytes = all.concat().into_bytes();
    let at = all.concat().find("wörld").unwrap();
    let broken = [&bytes[..at], b"w\xff\xferld", &bytes[at..]].concat();
    let alive = |text: &str| Step::Repeat(http_chunk(text), Duration::from_millis(2));
    let html = "<html>please log in</html>";
    let fault = |name, steps, failure, keeps| Fault { name, steps, failure, keeps };
    let close_delimited =
        |text: &str| Step::Send(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{text}").into_bytes());
    let promised = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999999\r\n\r\n{}",
        all[..said].concat()
    );
    let ping = match provider {
        GenAiProvider::Gemini => parts(json!([]), None),
        _ => event(&json!({"type": "ping"})),
    };
    vec![
        fault("no answer", vec![Step::AwaitClose], Failure::TimedOut, false),
        fault("a head alone", vec![head(), Step::AwaitClose], Failure::TimedOut, false),
        fault("closed before the head", vec![Step::Close], Failure::Broken, false),
        fault("reset before the head", vec![Step::Reset], Failure::Broken, false),
        fault("cut before the first token", vec![head(), piece(&all[0]), Step::Close], Failure::Broken, false),
        fault("an empty stream", vec![head(), end()], Failure::Broken, false),
        fault("cut after tokens", and(&[Step::Close]), Failure::Broken, true),
        fault("clean end after tokens", and(&[end()]), Failure::Broken, true),
        fault(
            "ended with the connection",
            vec![close_delimited(&all[..said].concat()), Step::Close],
            Failure::Broken,
            true,
        ),
        fault("reset after tokens", and(&[Step::Reset]), Failure::Broken, true),
        fault("stall after tokens", and(&[Step::AwaitClose]), Failure::TimedOut, true),
        fault("lying content-length", vec![Step::Send(promised.into_bytes()), Step::Close], Failure::Broken, true),
        fault("broken chunk", and(&[Step::Send(b"zz\r\n".to_vec())]), Failure::Broken, true),
        fault("error object at once", vec![head(), piece(&error(provider)), end()], Failure::Overloaded, false),
        fault("error object in mid stream", and(&[piece(&error(provider)), end()]), Failure::Broken, true),
        fault(
            "error object and then the rest",
            and(&[piece(&(error(provider) + &all[said..].concat())), end()]),
            Failure::Broken,
            true,
        ),
        fault("HTML with 200", vec![plain("200 OK", "text/html", "", html)], Failure::Broken, false),
        fault("HTML with 502", vec![plain("502 Bad Gateway", "text/html", "", html)], Failure::Overloaded, false),
        fault(
            "error as JSON with 200",
            vec![plain("200 OK", "application/json", "", r#"{"error":{"message":"nope"}}"#)],
            Failure::Broken,
            false,
        ),
        fault(
            "half of an object",
            vec![plain("200 OK", "application/json", "", r#"{"candidates":["#)],
            Failure::Broken,
            false,
        ),
        fault(
            "an event that is no JSON",
            and(&[piece("event: message_delta\ndata: {\"type\":\n\n"), end()]),
            Failure::Broken,
            true,
        ),
        fault("broken UTF-8", vec![head(), raw(&broken), end()], Failure::Broken, false),
        fault("comments for ever", vec![head(), alive(": alive\n\n")], Failure::TimedOut, false),
        fault("comments for ever after tokens", and(&[alive(": alive\n\n")]), Failure::TimedOut, true),
        fault("pings for ever after tokens", and(&[alive(&ping)]), Failure::TimedOut, true),
    ]
}

fn shown(ended: &Ended) -> String {
    format!("{ended:?}")
}

#[tokio::test]
async fn every_named_fault_is_a_failure_in_time() {
    for provider in ALL {
        let (mut tried, mut successes, mut hangs) = (0, 0, 0);
        for Fault { name, steps, failure, keeps } in faults(provider) {
            let server = Server::start([steps]).await;
            let backend = match failure {
                Failure::TimedOut => hurried(provider, &server.base),
                _ => keyed(provider, &server.base),
            };
            let call = backend.call(request("hi"), deaf(), CancellationToken::new());
            tried += 1;
            let Ok(ended) = tokio::time::timeout(Duration::from_secs(20), call).await else {
                hangs += 1;
                continue;
            };
            assert!(!shown(&ended).contains("canary"), "{provider:?}, {name}: {ended:?}");
            let Ended::Failed { failure: got, message, partial, .. } = ended else {
                successes += 1;
                continue;
            };
            assert_eq!((got, partial.text == "Hello wörld"), (failure, keeps), "{provider:?}, {name}: {message}");
            println!("{provider:?}: {name}: 1 of 1 {got:?}: {message}");
        }
        println!("{provider:?}: faults {tried}, false successes {successes}, hangs {hangs}, panics 0");
        assert_eq!((successes, hangs), (0, 0));
    }
}

#[tokio::test]
async fn a_flood_without_an_end_is_stopped_by_a_limit() {
    for provider in ALL {
        let all = words(provider);
        let first = all.iter().position(|event| event.contains("Once ")).unwrap();
        let limits = StreamLimits { stream_bytes: 100_000, event_bytes: 50_000, ..StreamLimits::default() };
        let steps = vec![
            head(),
            piece(&format!(": hi\n\n{}", all[..first].concat())),
            Step::Repeat(http_chunk(&all[first]), Duration::ZERO),
        ];
        let mut server = Server::start([steps]).await;
        let backend = with(provider, &server.base, |config| config.limits = limits);
        let (failure, _, message, partial) =
            failed(backend.call(request("hi"), deaf(), CancellationToken::new()).await);
        assert!(failure == Failure::Broken && message.contains("stream_bytes"), "{message}");
        assert!(partial.text.len() > 1_000);
        server.closed.recv().await.unwrap();

        let long = all[first].replace("Once ", &"x".repeat(60_000));
        let server = Server::start([vec![head(), piece(&(all[..first].concat() + &long)), Step::AwaitClose]]).await;
        let backend = with(provider, &server.base, |config| config.limits = limits);
        let (failure, _, message, _) = failed(backend.call(request("hi"), deaf(), CancellationToken::new()).await);
        assert!(failure == Failure::Broken && message.contains("event_bytes"), "{message}");

        // A line that never ends.
        let steps =
            vec![head(), piece("data: {\"x\":\""), Step::Repeat(http_chunk(&"x".repeat(16 << 10)), Duration::ZERO)];
        let mut server = Server::start([steps]).await;
        let backend = with(provider, &server.base, |config| config.line_work = SHORT);
        let (failure, _, message, _) = failed(backend.call(request("hi"), deaf(), CancellationToken::new()).await);
        assert!(failure == Failure::Broken && message.contains("line_work"), "{message}");
        server.closed.recv().await.unwrap();
        println!("{provider:?}: floods 3, stopped 3");
    }
}

#[tokio::test]
async fn too_many_calls_are_a_failure_and_large_arguments_are_not() {
    let big = "x".repeat(1 << 20);
    let arguments = json!({ "x": big }).to_string();
    for provider in ALL {
        let call = |n: usize| (format!("c{n}"), arguments.as_str());
        let events = |count: usize| -> Vec<String> {
            let calls: Vec<_> = (0..count).map(call).collect();
            match provider {
                GenAiProvider::Anthropic | GenAiProvider::MiniMax => {
                    let blocks = calls.iter().enumerate().map(|(index, (id, arguments))| {
                        let begun = json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
                        // In pieces, as makers send it.
                        let pieces = arguments.as_bytes().chunks(4096).map(|piece| {
                            json!({"type": "input_json_delta", "partial_json": std::str::from_utf8(piece).unwrap()})
                        });
                        block(index as u64, begun, &pieces.collect::<Vec<_>>()).concat()
                    });
                    std::iter::once(message_start()).chain(blocks).chain(message_end("tool_use")).collect()
                }
                GenAiProvider::Gemini => {
                    let part = |(id, arguments): &(String, &str)| {
                        let args: serde_json::Value = serde_json::from_str(arguments).unwrap();
                        json!([{"functionCall": {"id": id, "name": "f", "args": args}}])
                    };
                    calls.iter().map(|call| parts(part(call), None)).chain([parts(json!([]), Some("STOP"))]).collect()
                }
                GenAiProvider::OpenAiResponses => {
                    let added = |(id, arguments): &(String, &str)| {
                        event(&json!({"type": "response.output_item.added", "item": function(id, "f", arguments)}))
                    };
                    calls.iter().map(added).chain([completed(json!([]))]).collect()
                }
            }
        };
        let server = serving(&events(3)).await;
        let few = with(provider, &server.base, |config| config.limits = StreamLimits { calls: 2, ..config.limits });
        let (failure, _, message, _) = failed(few.call(request("hi"), deaf(), CancellationToken::new()).await);
        assert!(failure == Failure::Broken && message.contains("limit calls"), "{message}");
        let server = serving(&events(2)).await;
        let reply =
            finished(backend(provider, &server.base).call(request("hi"), deaf(), CancellationToken::new()).await);
        assert!(reply.calls.len() == 2 && reply.calls.iter().all(|call| call.arguments == arguments), "{provider:?}");
    }
}

#[tokio::test]
async fn refusals_are_read_with_their_wait() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let after = format!("retry-after: {date}\r\ndate: Sun, 06 Nov 1994 08:49:30 GMT\r\n");
    for provider in ALL {
        for (status, fields, body, failure, wait) in [
            (
                "401 Unauthorized",
                "",
                r#"{"error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
                Failure::Unauthorized,
                None,
            ),
            (
                "400 Bad Request",
                "",
                r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}"#,
                Failure::Unauthorized,
                None,
            ),
            (
                "404 Not Found",
                "",
                r#"{"error":{"type":"not_found_error","message":"model: m"}}"#,
                Failure::UnknownModel,
                None,
            ),
            ("404 Not Found", "", "404 page not found", Failure::Rejected, None),
            (
                "429 Too Many Requests",
                "retry-after: 7\r\n",
                r#"{"error":{"message":"slow down"}}"#,
                Failure::RateLimited,
                Some(7_000),
            ),
            ("429 Too Many Requests", after.as_str(), "", Failure::RateLimited, Some(7_000)),
            ("503 Service Unavailable", "retry-after-ms: 250\r\n", "{}", Failure::Overloaded, Some(250)),
            (
                "529 Overloaded",
                "",
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                Failure::Overloaded,
                None,
            ),
            (
                "400 Bad Request",
                "",
                r#"{"error":{"message":"prompt is too long: 300000 tokens > 200000 maximum"}}"#,
                Failure::ContextTooLong,
                None,
            ),
            ("400 Bad Request", "", r#"{"error":{"message":"bad temperature"}}"#, Failure::Rejected, None),
            ("302 Found", "location: http://127.0.0.1:9/\r\n", "", Failure::Rejected, None),
        ] {
            let server = Server::start([vec![plain(status, "application/json", fields, body)]]).await;
            let call = keyed(provider, &server.base).call(request("a secret prompt"), deaf(), CancellationToken::new());
            let (got, retry_after, message, partial) = failed(call.await);
            assert_eq!((got, retry_after), (failure, wait), "{provider:?}, {status}: {message}");
            assert_eq!(partial.usage, agent::Usage::default(), "a refusal costs nothing");
            assert!(!message.contains("secret prompt") && message.starts_with(&server.base), "{message}");
        }
    }
}

#[tokio::test]
async fn the_key_is_in_no_message() {
    let echo = json!({"error": {"message": format!("bad key {CANARY}!"), "code": 401}}).to_string();
    let long = json!({"error": {"message": format!("{}{CANARY}", "x".repeat(395))}}).to_string();
    let mut tried = 0;
    for provider in ALL {
        for steps in [
            vec![plain("401 Unauthorized", "application/json", "", &echo)],
            vec![plain("500 Internal Server Error", "text/plain", "", CANARY)],
            vec![plain("400 Bad Request", "application/json", "", &long)],
            vec![plain("200 OK", "application/json", "", &echo)],
            vec![head(), piece(&format!("event: error\ndata: {echo}\n\n")), end()],
            vec![head(), piece(&format!("data: {{\"type\":\"{CANARY}\n\n")), end()],
        ] {
            let server = Server::start([steps]).await;
            let backend = keyed(provider, &server.base);
            let ended = backend.call(request("hi"), deaf(), CancellationToken::new()).await;
            let out = format!("{ended:?} {backend:?} {}", backend.describe());
            assert!(matches!(ended, Ended::Failed { .. }) && !out.contains("canary"), "{out}");
            assert!(server.requests()[0].contains(CANARY), "it is sent");
            tried += 1;
        }
    }
    println!("messages {tried}, keys found 0");
}

/// Keeps every word that is logged on this thread.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<String>>);

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push_str(&format!("{value:?}\n"));
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn the_library_logs_nothing_of_what_servers_say() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let echo = json!({"error": {"message": format!("bad key {CANARY}!"), "code": 401}}).to_string();
    for provider in ALL {
        for steps in [
            vec![plain("401 Unauthorized", "application/json", "", &echo)],
            vec![head(), piece(&format!("event: error\ndata: {echo}\n\n")), end()],
            vec![head(), piece(&format!("event: {CANARY}\ndata: {{\"type\":\"{CANARY}\"}}\n\n")), end()],
        ] {
            let server = Server::start([steps]).await;
            let call = keyed(provider, &server.base).call(request("hi"), deaf(), CancellationToken::new());
            assert!(matches!(call.await, Ended::Failed { .. }));
        }
    }
    tracing::warn!("this is heard");
    let log = log.0.lock().unwrap();
    assert!(log.contains("this is heard") && !log.contains("canary"), "{log}");
}

#[tokio::test]
async fn ten_megabytes_of_arguments_in_pieces_come_whole() {
    let arguments = json!({ "x": "x".repeat(10 << 20) }).to_string();
    let pieces = arguments
        .as_bytes()
        .chunks(64 << 10)
        .map(|piece| json!({"type": "input_json_delta", "partial_json": std::str::from_utf8(piece).unwrap()}));
    let begun = json!({"type": "tool_use", "id": "a", "name": "f", "input": {}});
    let events =
        [vec![message_start()], block(0, begun, &pieces.collect::<Vec<_>>()), message_end("tool_use")].concat();
    let server = serving(&events).await;
    let call = backend(GenAiProvider::Anthropic, &server.base).call(request("hi"), deaf(), CancellationToken::new());
    assert_eq!(finished(call.await).calls[0].arguments, arguments);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    for provider in ALL {
        let call = keyed(provider, &base).call(request("hi"), deaf(), CancellationToken::new());
        let (failure, _, message, partial) = failed(call.await);
        assert_eq!((failure, partial.usage), (Failure::Unreachable, agent::Usage::default()), "{message}");
        assert!(message.contains("is it running"), "{message}");
    }
}
