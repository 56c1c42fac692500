//! What every backend keeps, whoever is behind it. Each function takes any backend; the tests run all of them on each.

use crate::server::*;
use agent::{Access, Stop, Tokens};
use models::{Backend, ChatConfig, Ended, Message, Offline, OpenAiChat, Reply, Request};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use wire::{DeltaKind, ToolSpec};

/// A request for which the backend answers in words alone.
const WORDS: &str = "tell me a story";
/// A request for which the backend asks for `write_file`.
const WORK: &str = "create a.txt with \"x\"; create b.txt with \"y\"";

fn asking(prompt: &str) -> Request {
    let tool = ToolSpec {
        name: "write_file".into(),
        description: "Writes a file.".into(),
        parameters: serde_json::json!({"type": "object"}),
        access: Access::Write,
    };
    Request { tools: [tool].into(), ..request(prompt) }
}

async fn call(backend: &dyn Backend, prompt: &str) -> Reply {
    finished(backend.call(asking(prompt), deaf(), CancellationToken::new()).await)
}

pub(crate) async fn keeps_the_contract(backend: Arc<dyn Backend>) {
    what_is_heard_is_what_is_said(&*backend).await;
    calls_are_whole(&*backend).await;
    a_stop_beforehand_says_nothing(&*backend).await;
    a_stop_in_mid_text_keeps_what_was_heard(&*backend).await;
    a_dropped_call_hurts_nobody(&*backend).await;
    many_calls_run_at_once(backend.clone()).await;
    the_same_request_has_the_same_hash(&*backend).await;
    the_description_says_where_it_goes(&*backend);
}

async fn what_is_heard_is_what_is_said(backend: &dyn Backend) {
    let (sink, heard) = keeping();
    let reply = finished(backend.call(asking(WORDS), sink, CancellationToken::new()).await);
    let heard = heard.lock().unwrap();
    let text = |kind| heard.iter().filter(|(k, _)| *k == kind).map(|(_, text)| text.as_str()).collect::<String>();
    assert_eq!(text(DeltaKind::Message), reply.text);
    assert_eq!(text(DeltaKind::Reasoning), reply.reasoning);
    assert!(heard.len() > 1 && heard.iter().all(|(_, text)| !text.is_empty()), "it streams");
    assert_eq!((reply.stop, reply.calls.len()), (Stop::End, 0));
    assert!(reply.usage.input_tokens > Tokens(0) && reply.usage.output_tokens > Tokens(0));
}

async fn calls_are_whole(backend: &dyn Backend) {
    let reply = call(backend, WORK).await;
    assert_eq!((reply.stop, reply.calls.len()), (Stop::ToolCalls, 2));
    let ids: BTreeSet<&str> = reply.calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(ids.len(), 2, "ids are unique within a reply");
    for call in &reply.calls {
        assert!(!call.id.is_empty() && call.name == "write_file");
        assert!(serde_json::from_str::<serde_json::Value>(&call.arguments).unwrap().is_object());
    }
}

async fn a_stop_beforehand_says_nothing(backend: &dyn Backend) {
    let (sink, heard) = keeping();
    let stop = CancellationToken::new();
    stop.cancel();
    let Ended::Interrupted { partial } = backend.call(asking(WORDS), sink, stop).await else {
        panic!("not interrupted")
    };
    assert!(partial.text.is_empty() && heard.lock().unwrap().is_empty());
}

async fn a_stop_in_mid_text_keeps_what_was_heard(backend: &dyn Backend) {
    let stop = CancellationToken::new();
    let (keep, heard) = keeping();
    let cancel = stop.clone();
    let sink: models::Sink = Arc::new(move |kind, text| {
        keep(kind, text);
        cancel.cancel();
    });
    let Ended::Interrupted { partial } = backend.call(asking(WORDS), sink, stop).await else {
        panic!("not interrupted")
    };
    let heard: String = heard.lock().unwrap().iter().map(|(_, text)| text.as_str()).collect();
    assert!(!heard.is_empty() && partial.text == heard, "{partial:?} but heard {heard:?}");
    assert!(partial.usage.estimated && partial.usage.input_tokens > Tokens(0));
}

async fn a_dropped_call_hurts_nobody(backend: &dyn Backend) {
    let mut pending = backend.call(asking(WORDS), deaf(), CancellationToken::new());
    std::future::poll_fn(|context| {
        let _ = pending.as_mut().poll(context);
        std::task::Poll::Ready(())
    })
    .await;
    drop(pending);
    assert!(!call(backend, WORDS).await.text.is_empty());
}

async fn many_calls_run_at_once(backend: Arc<dyn Backend>) {
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let backend = backend.clone();
        running.spawn(async move { call(&*backend, WORDS).await });
    }
    let replies = running.join_all().await;
    assert!(replies.len() == 30 && replies.windows(2).all(|pair| pair[0] == pair[1]));
}

async fn the_same_request_has_the_same_hash(backend: &dyn Backend) {
    let (first, again, other) = (call(backend, WORDS).await, call(backend, WORDS).await, call(backend, WORK).await);
    assert!(first.request == again.request && first.request != other.request);
    let longer =
        Request { messages: vec![Message::User { text: WORDS.into(), attachments: vec![] }; 2], ..asking(WORDS) };
    assert_ne!(finished(backend.call(longer, deaf(), CancellationToken::new()).await).request, first.request);
}

fn the_description_says_where_it_goes(backend: &dyn Backend) {
    let description = backend.describe();
    assert!(!description.remote, "both of these live on this machine");
    assert!(description.to_string().starts_with(description.provider));
}

#[tokio::test]
async fn the_offline_model_keeps_the_contract() {
    keeps_the_contract(Arc::new(Offline)).await;
}

#[tokio::test]
async fn the_chat_dialect_keeps_the_contract() {
    let words = vec![
        head(),
        piece(&format!("data: {}\n\n", serde_json::json!({"choices": [{"delta": {"content": "Once "}}]}))),
        piece(&says("upon a time")),
        piece(&(stops("stop") + DONE)),
        end(),
    ];
    let calls = serde_json::json!([
        {"index": 0, "id": "a", "function": {"name": "write_file", "arguments": "{\"path\":\"a.txt\"}"}},
        {"index": 1, "id": "b", "function": {"name": "write_file", "arguments": "{\"path\":\"b.txt\"}"}},
    ]);
    let work = vec![
        head(),
        piece(&format!("data: {}\n\n", serde_json::json!({"choices": [{"delta": {"tool_calls": calls}}]}))),
        piece(&(stops("tool_calls") + DONE)),
        end(),
    ];
    let server =
        Server::choosing(move |request| if request.contains("create a.txt") { work.clone() } else { words.clone() })
            .await;
    keeps_the_contract(Arc::new(OpenAiChat::new(ChatConfig::new(&server.base)).unwrap())).await;
}
