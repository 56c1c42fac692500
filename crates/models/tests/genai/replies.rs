//! What is understood: whole replies in each dialect, and the odd servers over which the library alone loses calls.

use crate::contract::keeps_the_contract;
use crate::scripts::*;
use crate::server::*;
use agent::{Stop, Tokens};
use models::{Backend, GenAiProvider, Reply};
use serde_json::json;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

async fn ask(provider: GenAiProvider, events: &[String]) -> models::Ended {
    let server = serving(events).await;
    backend(provider, &server.base).call(request("hi"), deaf(), CancellationToken::new()).await
}

fn calls(reply: &Reply) -> Vec<(&str, &str, &str)> {
    reply.calls.iter().map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.as_str())).collect()
}

const BOTH: [(&str, &str, &str); 2] = [("call_a", "f", r#"{"x":1}"#), ("call_b", "g", r#"{"y":2}"#)];

#[tokio::test]
async fn all_dialects_keep_the_contract() {
    for provider in ALL {
        let told = words(provider);
        let called = rich(provider).concat().replace("\"name\":\"f\"", "\"name\":\"write_file\"");
        let called = [called.replace("\"name\":\"g\"", "\"name\":\"write_file\"")];
        let server = Server::choosing(
            move |request| {
                if request.contains("create a.txt") { answer(&called) } else { answer(&told) }
            },
        )
        .await;
        keeps_the_contract(Arc::new(backend(provider, &server.base))).await;
    }
}

#[tokio::test]
async fn a_rich_reply_is_whole_in_every_dialect() {
    for provider in ALL {
        let reply = finished(ask(provider, &rich(provider)).await);
        assert_eq!((reply.text.as_str(), reply.reasoning.as_str()), ("Hello wörld", "think "), "{provider:?}");
        assert_eq!((calls(&reply).as_slice(), reply.stop), (BOTH.as_slice(), Stop::ToolCalls), "{provider:?}");
        let usage = reply.usage;
        assert_eq!(
            (usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.estimated),
            (Tokens(11), Tokens(4), Tokens(7), false),
            "{provider:?}"
        );
        let carry = reply.carry.unwrap();
        assert_eq!(carry.from, format!("{} m", provider.word()));
    }
}

#[tokio::test]
async fn blocks_that_stop_at_the_end_give_every_call_its_own_arguments() {
    let mut events = rich(GenAiProvider::Anthropic);
    let (stops, others): (Vec<String>, Vec<String>) = events.drain(..).partition(|event| event.contains("_block_stop"));
    let (rest, last) = others.split_at(others.len() - 2);
    let late = [rest.to_vec(), stops, last.to_vec()].concat();
    let reply = finished(ask(GenAiProvider::Anthropic, &late).await);
    assert_eq!(calls(&reply), BOTH);
    // And pieces that come by turns.
    let delta = |index: u64, json: &str| {
        event(
            &json!({"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": json}}),
        )
    };
    let begin = |index: u64, id: &str, name: &str| {
        event(
            &json!({"type": "content_block_start", "index": index, "content_block": {"type": "tool_use", "id": id, "name": name, "input": {}}}),
        )
    };
    let turns = [
        vec![message_start(), begin(0, "call_a", "f"), begin(1, "call_b", "g")],
        vec![delta(0, "{\"x\""), delta(1, "{\"y\""), delta(0, ":1}"), delta(1, ":2}")],
        message_end("tool_use"),
    ]
    .concat();
    assert_eq!(calls(&finished(ask(GenAiProvider::Anthropic, &turns).await)), BOTH);
}

#[tokio::test]
async fn items_without_an_index_give_every_call_its_own_arguments() {
    let bare: Vec<String> = rich(GenAiProvider::OpenAiResponses)
        .iter()
        .map(|event| event.replace("\"output_index\"", "\"no_index\""))
        .collect();
    let reply = finished(ask(GenAiProvider::OpenAiResponses, &bare).await);
    assert_eq!(calls(&reply), BOTH, "the last event's list is right whatever the pieces were");
    // llama.cpp's order: item, its pieces, the next item, and an empty list or none at the end.
    let item = |kind: &str, item: serde_json::Value| {
        event(&json!({"type": format!("response.output_item.{kind}"), "item": item}))
    };
    let piece = |id: &str, delta: &str| {
        event(&json!({"type": "response.function_call_arguments.delta", "item_id": id, "delta": delta}))
    };
    for ids in [["fc_call_a", "fc_call_b"], ["", ""]] {
        let events = [
            item("added", function("call_a", "f", "")),
            piece(ids[0], "{\"x\":"),
            piece(ids[0], "1}"),
            item("done", function("call_a", "f", "{\"x\":1}")),
            item("added", function("call_b", "g", "")),
            piece(ids[1], "{\"y\":2}"),
            item("done", function("call_b", "g", "{\"y\":2}")),
            completed(json!([])),
        ];
        assert_eq!(calls(&finished(ask(GenAiProvider::OpenAiResponses, &events).await)), BOTH, "{ids:?}");
    }
}

#[tokio::test]
async fn gemini_without_ids_gets_ids_of_ours() {
    let call = |name: &str, args: serde_json::Value| json!({"functionCall": {"name": name, "args": args}});
    let events =
        [parts(json!([call("g", json!({"x": 1})), call("g", json!({})), call("h", json!(null))]), Some("STOP"))];
    let reply = finished(ask(GenAiProvider::Gemini, &events).await);
    assert_eq!(calls(&reply), [("call_0", "g", r#"{"x":1}"#), ("call_1", "g", "{}"), ("call_2", "h", "{}")]);
    assert_eq!(reply.stop, Stop::ToolCalls, "Gemini says STOP with calls too");
}

#[tokio::test]
async fn two_calls_with_one_index_are_two_calls() {
    let one = |id: &str, name: &str, json: &str| {
        block(
            0,
            json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
            &[json!({"type": "input_json_delta", "partial_json": json})],
        )
    };
    let events = [
        vec![message_start()],
        one("call_a", "f", "{\"x\":1}"),
        one("call_b", "g", "{\"y\":2}"),
        message_end("tool_use"),
    ]
    .concat();
    assert_eq!(calls(&finished(ask(GenAiProvider::Anthropic, &events).await)), BOTH);
    let added = |item| event(&json!({"type": "response.output_item.added", "output_index": 0, "item": item}));
    let events = [
        added(function("call_a", "f", "{\"x\":1}")),
        added(function("call_b", "g", "{\"y\":2}")),
        completed(json!([])),
    ];
    assert_eq!(calls(&finished(ask(GenAiProvider::OpenAiResponses, &events).await)), BOTH);
    // The same id twice: the second call gets one of ours, since results are told apart by it.
    let events = [
        vec![message_start()],
        one("call_a", "f", "{\"x\":1}"),
        one("call_a", "g", "{\"y\":2}"),
        message_end("tool_use"),
    ]
    .concat();
    let reply = finished(ask(GenAiProvider::Anthropic, &events).await);
    assert_eq!(calls(&reply), [BOTH[0], ("call_1", "g", r#"{"y":2}"#)]);
}

#[tokio::test]
async fn arguments_that_did_not_end_never_leave() {
    let cut = |reason: &str| {
        let deltas = [json!({"type": "input_json_delta", "partial_json": "{\"y\":\"un"})];
        let open = block(1, json!({"type": "tool_use", "id": "call_b", "name": "g", "input": {}}), &deltas);
        let whole = block(
            0,
            json!({"type": "tool_use", "id": "call_a", "name": "f", "input": {}}),
            &[json!({"type": "input_json_delta", "partial_json": "{\"x\":1}"})],
        );
        [vec![message_start()], whole, open, message_end(reason)].concat()
    };
    let reply = finished(ask(GenAiProvider::Anthropic, &cut("max_tokens")).await);
    assert_eq!((calls(&reply).as_slice(), reply.stop), (&BOTH[..1], Stop::Length));
    let (failure, _, message, _) = failed(ask(GenAiProvider::Anthropic, &cut("tool_use")).await);
    assert!(failure == agent::Failure::Broken && message.contains("\"g\""), "{message}");

    let incomplete = |output| {
        let details = json!({"reason": "max_output_tokens"});
        event(
            &json!({"type": "response.incomplete", "response": {"id": "r", "status": "incomplete", "model": "m", "output": output, "incomplete_details": details}}),
        )
    };
    let added = |item| event(&json!({"type": "response.output_item.added", "output_index": 0, "item": item}));
    let events = [
        added(function("call_a", "f", "{\"x\":1}")),
        added(function("call_b", "g", "{\"y\":\"un")),
        incomplete(json!([])),
    ];
    let reply = finished(ask(GenAiProvider::OpenAiResponses, &events).await);
    assert_eq!((calls(&reply).as_slice(), reply.stop), (&BOTH[..1], Stop::Length));

    let args = |args| json!([{"functionCall": {"name": "f", "args": args}}]);
    let ended = ask(GenAiProvider::Gemini, &[parts(args(json!("{\"cut")), Some("STOP"))]).await;
    assert_eq!(failed(ended).0, agent::Failure::Broken);
    let reply = finished(ask(GenAiProvider::Gemini, &[parts(args(json!([1])), Some("MAX_TOKENS"))]).await);
    assert_eq!((reply.calls.len(), reply.stop), (0, Stop::Length));
}

#[tokio::test]
async fn reasons_for_stopping_are_understood() {
    use GenAiProvider::{Anthropic, Gemini};
    for (reason, stop) in [
        ("end_turn", Stop::End),
        ("stop_sequence", Stop::End),
        ("max_tokens", Stop::Length),
        ("model_context_window_exceeded", Stop::Length),
        ("refusal", Stop::Filtered),
        ("something_new", Stop::End),
    ] {
        let events = [vec![message_start()], message_end(reason)].concat();
        assert_eq!(finished(ask(Anthropic, &events).await).stop, stop, "{reason}");
    }
    for (reason, stop) in [("STOP", Stop::End), ("MAX_TOKENS", Stop::Length), ("SAFETY", Stop::Filtered)] {
        assert_eq!(finished(ask(Gemini, &[parts(json!([{"text": "a"}]), Some(reason))]).await).stop, stop, "{reason}");
    }
    let (failure, _, message, partial) =
        failed(ask(Gemini, &[parts(json!([{"text": "a"}]), Some("MALFORMED_FUNCTION_CALL"))]).await);
    assert_eq!((failure, partial.text.as_str()), (agent::Failure::Broken, "a"), "{message}");
    let blocked =
        event(&json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}));
    let (failure, _, message, _) = failed(ask(Gemini, &[blocked]).await);
    assert!(failure == agent::Failure::Rejected && message.contains("SAFETY"), "{message}");
    let response = json!({"id": "r", "status": "failed", "model": "m", "output": [], "error": {"code": "rate_limit_exceeded", "message": "slow down"}});
    let ended =
        ask(GenAiProvider::OpenAiResponses, &[event(&json!({"type": "response.failed", "response": response}))]).await;
    let (failure, _, message, _) = failed(ended);
    assert!(failure == agent::Failure::RateLimited && message.contains("slow down"), "{message}");
}

#[tokio::test]
async fn a_server_that_lists_its_words_only_at_the_end_is_heard() {
    let message = json!({"type": "message", "content": [{"type": "output_text", "text": "Hello"}]});
    let reply = finished(ask(GenAiProvider::OpenAiResponses, &[completed(json!([message]))]).await);
    assert_eq!(reply.text, "Hello");
}

#[tokio::test]
async fn both_the_library_and_our_reader_must_have_seen_the_end() {
    let all = words(GenAiProvider::Anthropic);
    // Known of the library: it goes by the names of events, which every maker sends. Our reader alone is not enough.
    let nameless: Vec<String> = all
        .iter()
        .map(|event| event.lines().filter(|line| !line.starts_with("event:")).collect::<String>() + "\n\n")
        .collect();
    let (failure, _, message, partial) = failed(ask(GenAiProvider::Anthropic, &nameless).await);
    assert_eq!((failure, partial.text.as_str()), (agent::Failure::Broken, "Once upon a time"), "{message}");
    // Nor is the library.
    let renamed: Vec<String> =
        all.iter().map(|event| event.replace("{\"type\":\"message_stop\"", "{\"type\":\"ping\"")).collect();
    let (failure, _, message, partial) = failed(ask(GenAiProvider::Anthropic, &renamed).await);
    assert_eq!((failure, partial.text.as_str()), (agent::Failure::Broken, "Once upon a time"), "{message}");
    // An end without a reason for stopping is none.
    let reasonless: Vec<String> =
        all.iter().map(|event| event.replace("\"stop_reason\":\"end_turn\"", "\"stop_reason\":null")).collect();
    assert_eq!(failed(ask(GenAiProvider::Anthropic, &reasonless).await).0, agent::Failure::Broken);
}
