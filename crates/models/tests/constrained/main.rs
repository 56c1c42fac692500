//! `Constrained` and `Adaptive` on a chat server of our own that says what a model held to a schema would say.

#![allow(clippy::unwrap_used, reason = "all of this crate is tests")]

#[path = "../backends/server.rs"]
#[allow(dead_code, reason = "another test of this crate uses the rest")]
mod server;

use agent::{Access, Failure, Stop};
use models::{Adaptive, Backend, ChatConfig, Constrained, Ended, Message, OpenAiChat, ReplyCall, Request};
use serde_json::{Value, json};
use server::*;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use wire::{DeltaKind, ToolSpec};

fn tool(name: &str, fields: Value) -> ToolSpec {
    ToolSpec {
        name: name.into(),
        description: "Writes a file, all of it. And more.".into(),
        parameters: json!({"type": "object", "properties": fields, "required": ["path"]}),
        access: Access::Write,
    }
}

fn asking(prompt: &str) -> Request {
    let write = tool("write_file", json!({"path": {"type": "string"}, "mode": {"type": "integer"}}));
    let odd = tool("run", json!({"path": {"$ref": "#/$defs/p"}, "tool": {"type": "string"}}));
    Request { tools: [write, odd].into(), ..request(prompt) }
}

/// A server whose model writes these pieces and stops for this reason.
async fn writing(pieces: &[&str], reason: &str) -> Server {
    let steps = pieces.iter().map(|text| piece(&says(text)));
    let ending = [piece(&(stops(reason) + DONE)), end()];
    Server::start([std::iter::once(head()).chain(steps).chain(ending).collect()]).await
}

fn chat(server: &Server) -> Arc<dyn Backend> {
    Arc::new(OpenAiChat::new(ChatConfig::new(&server.base)).unwrap())
}

async fn call(server: &Server, request: Request) -> (Ended, String, usize) {
    let (sink, heard) = keeping();
    let ended = Constrained::new(chat(server)).call(request, sink, CancellationToken::new()).await;
    let heard = heard.lock().unwrap();
    let text = heard.iter().filter(|(kind, _)| *kind == DeltaKind::Message).map(|(_, text)| text.as_str()).collect();
    (ended, text, heard.len())
}

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn an_object_becomes_a_call_and_no_json_is_heard() {
    let server = writing(&["{\"tool\": \"wri", "te_file\",\n\"path\":\"a\",\"mode\":7}"], "stop").await;
    let (ended, heard, _) = call(&server, asking("hi")).await;
    let reply = finished(ended);
    let expected =
        ReplyCall { id: "call_0".into(), name: "write_file".into(), arguments: r#"{"path":"a","mode":7}"#.into() };
    assert_eq!(
        (reply.calls, reply.stop, reply.text.as_str(), heard.as_str()),
        (vec![expected], Stop::ToolCalls, "", "")
    );

    let server = writing(&[r#"{"tool":"run","arguments":{"path":1,"tool":"x"}}"#], "stop").await;
    let reply = finished(call(&server, asking("hi")).await.0);
    assert_eq!(reply.calls[0].arguments, r#"{"path":1,"tool":"x"}"#);
}

#[tokio::test]
async fn words_are_heard_as_they_come() {
    let server = writing(&["{ \"rep", "ly\":\"On", "ce \\u00e", "9\\n", "end\"", " }"], "stop").await;
    let (ended, heard, pieces) = call(&server, asking("hi")).await;
    let reply = finished(ended);
    assert_eq!((reply.text.as_str(), heard.as_str(), reply.stop), ("Once é\nend", "Once é\nend", Stop::End));
    assert!(pieces >= 4, "it streams: {pieces}");
}

#[tokio::test]
async fn what_is_cut_or_of_no_form_is_never_a_call() {
    let mut tried = 0;
    let whole = r#"{"tool":"write_file","path":"a","mode":7}"#;
    for at in 0..whole.len() {
        if at % 2 == 0 {
            // By its limit: said and not tried again, since it would be cut at the same place.
            let server = writing(&[&whole[..at]], "length").await;
            let (ended, heard, _) = call(&server, asking("hi")).await;
            let reply = finished(ended);
            assert_eq!((reply.calls.len(), reply.stop, &reply.text), (0, Stop::Length, &heard), "cut at {at}");
            assert!(heard.contains("cut before it ended"), "cut at {at}: {heard}");
        } else {
            let server = writing(&[&whole[..at]], "stop").await;
            let (failure, ..) = failed(call(&server, asking("hi")).await.0);
            assert_eq!(failure, Failure::Broken, "cut at {at}");
        }
        tried += 1;
    }
    for odd in [
        "I will write it.",
        "[]",
        "{}",
        r#"{"tool":"delete_everything","path":"a"}"#,
        r#"{"tool":5}"#,
        r#"{"tool":"run","path":"a"}"#,
        r#"{"reply":"a","tool2":1}"#,
        r#"{"tool":"write_file"} {"tool":"write_file"}"#,
    ] {
        let server = writing(&[odd], "stop").await;
        let (failure, _, message, _) = failed(call(&server, asking("hi")).await.0);
        assert_eq!(failure, Failure::Broken, "{odd}");
        assert!(message.starts_with("openai at http://127.0.0.1"), "{message}");
        tried += 1;
    }
    println!("cuts and oddities {tried}, calls 0");
}

#[tokio::test]
async fn words_that_the_length_limit_cut_are_what_was_said() {
    let server = writing(&["{\"reply\":\"so lo", "ng"], "length").await;
    let (ended, heard, _) = call(&server, asking("hi")).await;
    let reply = finished(ended);
    assert_eq!((reply.text.as_str(), reply.stop, heard.as_str()), ("so long", Stop::Length, "so long"));
    // Cut otherwise they are a failure that keeps them.
    let server = writing(&["{\"reply\":\"so lo"], "stop").await;
    let (failure, _, _, partial) = failed(call(&server, asking("hi")).await.0);
    assert_eq!((failure, partial.text.as_str()), (Failure::Broken, "so lo"));
}

#[tokio::test]
async fn the_model_sees_plain_turns_and_a_schema() {
    let server = writing(&[r#"{"reply":"ok"}"#], "stop").await;
    let mut request = asking("write a");
    let call_of =
        |id: &str| ReplyCall { id: id.into(), name: "write_file".into(), arguments: r#"{"path":"a"}"#.into() };
    let result = |id: &str, text: &str| Message::Tool {
        call_id: id.into(),
        name: "write_file".into(),
        text: text.into(),
        attachments: vec![],
    };
    request.messages.extend([
        Message::Assistant { text: String::new(), calls: vec![call_of("1"), call_of("2")], carry: None },
        result("1", "Created a."),
        result("2", "a is there."),
        Message::Assistant { text: "Done.".into(), calls: vec![], carry: None },
        Message::User { text: "thanks".into(), attachments: vec![] },
    ]);
    finished(call(&server, request).await.0);
    let body = body(&server.requests()[0]);
    assert_eq!((body.get("tools"), &body["temperature"]), (None, &json!(0)));
    let system = body["messages"][0]["content"].as_str().unwrap();
    assert!(system.starts_with("be brief\n\nAnswer with one JSON object.\n"), "{system}");
    assert!(system.contains("Writes a file: {\"tool\":\"write_file\",\"path\":\"...\"}\n"), "{system}");
    assert!(system.contains("{\"tool\":\"run\",\"arguments\":{\"path\":\"...\"}}"), "{system}");
    let roles: Vec<_> = body["messages"].as_array().unwrap().iter().map(|one| one["role"].as_str().unwrap()).collect();
    let taking_turns = ["user", "assistant"].repeat(4);
    assert_eq!(roles, [&["system"], &taking_turns[..], &["user"]].concat(), "the sides take turns");
    assert_eq!(
        body["messages"][2]["content"], r#"{"tool":"write_file","path":"a.txt","content":"one"}"#,
        "an example stands before the first prompt"
    );
    assert_eq!(
        body["messages"][6]["content"],
        "{\"tool\":\"write_file\",\"path\":\"a\"}\n{\"tool\":\"write_file\",\"path\":\"a\"}"
    );
    assert!(
        body["messages"][7]["content"]
            .as_str()
            .unwrap()
            .contains("Created a.\n\nResult of write_file:\na is there.\n\nSay in words")
    );
    assert_eq!(body["messages"][8]["content"], r#"{"reply":"Done."}"#);
    let forms = &body["response_format"]["json_schema"]["schema"]["anyOf"];
    let first: Vec<_> = forms[0]["properties"].as_object().unwrap().keys().collect();
    assert_eq!((first[0].as_str(), &forms[0]["required"]), ("tool", &json!(["tool", "path"])));
    assert_eq!(forms[1]["properties"]["arguments"], json!({}), "what points elsewhere is left open");
    assert_eq!(forms[2]["required"], json!(["reply"]));
}

#[tokio::test]
async fn whether_tools_are_native_is_asked_once() {
    for (prompt, native) in [("…<tool>tinkerbell_mark_q7x</tool>…", true), ("<user>hi", false)] {
        let template = json!({ "prompt": prompt }).to_string();
        let server = Server::choosing(move |request| match request {
            request if request.starts_with("POST /apply-template ") => {
                vec![plain("200 OK", "application/json", "", &template)]
            }
            request if request.contains("response_format") => {
                vec![head(), piece(&(says(r#"{"reply":"held"}"#) + &stops("stop") + DONE)), end()]
            }
            _ => good("native"),
        })
        .await;
        let adaptive = Adaptive::new(chat(&server), None);
        for _ in 0..3 {
            let reply = finished(adaptive.call(asking("hi"), deaf(), CancellationToken::new()).await);
            assert_eq!(reply.text, if native { "native" } else { "held" });
        }
        let asked = server.requests().iter().filter(|request| request.starts_with("POST /apply-template ")).count();
        assert_eq!((asked, server.requests().len()), (1, 4));
        // Where no tools play a part nothing is asked and nothing is held.
        assert_eq!(finished(adaptive.call(request("hi"), deaf(), CancellationToken::new()).await).text, "native");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_not_asked_for_again_at_once() {
    let server = Server::choosing(move |request| match request {
        request if request.starts_with("POST /apply-template ") => vec![plain("200 OK", "text/html", "", "<html>")],
        _ => good("native"),
    })
    .await;
    let adaptive = Adaptive::new(chat(&server), None);
    for _ in 0..3 {
        assert_eq!(finished(adaptive.call(asking("hi"), deaf(), CancellationToken::new()).await).text, "native");
    }
    let asked = server.requests().iter().filter(|request| request.starts_with("POST /apply-template ")).count();
    assert_eq!((asked, server.requests().len()), (1, 4));
}

#[tokio::test]
async fn without_a_template_the_lengths_of_two_prompts_tell() {
    for (with, text) in [(50, "native"), (10, "held")] {
        let server = Server::choosing(move |request| match request {
            request if request.starts_with("POST /apply-template ") => {
                vec![plain("404 Not Found", "text/plain", "", "")]
            }
            request if request.contains("\"max_tokens\":1,") || request.contains("\"max_tokens\":1}") => {
                let tokens = if request.contains("\"tools\"") { with } else { 10 };
                vec![plain("200 OK", "application/json", "", &format!("{{\"usage\":{{\"prompt_tokens\":{tokens}}}}}"))]
            }
            request if request.contains("response_format") => {
                vec![head(), piece(&(says(r#"{"reply":"held"}"#) + &stops("stop") + DONE)), end()]
            }
            _ => good("native"),
        })
        .await;
        let adaptive = Adaptive::new(chat(&server), None);
        assert_eq!(finished(adaptive.call(asking("hi"), deaf(), CancellationToken::new()).await).text, text);
    }
}

#[tokio::test]
async fn a_stop_in_mid_words_keeps_what_was_heard() {
    let server = Server::start([vec![head(), piece(&says("{\"reply\":\"Hel")), Step::AwaitClose]]).await;
    let stop = CancellationToken::new();
    let cancel = stop.clone();
    let sink: models::Sink = Arc::new(move |_, _| cancel.cancel());
    let ended = Constrained::new(chat(&server)).call(asking("hi"), sink, stop).await;
    let Ended::Interrupted { partial } = ended else { panic!("{ended:?}") };
    assert_eq!(partial.text, "Hel");
}
