//! What is sent: the body of each dialect, word for word where it matters.

use crate::scripts::*;
use crate::server::*;
use agent::{Access, Tokens};
use models::{Attachment, Backend, Carry, GenAiProvider, Message, Reply, ReplyCall, Request};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wire::{MediaType, ToolSpec};

/// Head and body of the last request.
async fn sent(provider: GenAiProvider, request: Request) -> (String, Value, Reply) {
    let server = serving(&words(provider)).await;
    let reply = finished(backend(provider, &server.base).call(request, deaf(), CancellationToken::new()).await);
    let raw = server.requests().pop().unwrap();
    let (head, body) = raw.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), serde_json::from_str(body).unwrap(), reply)
}

fn call(id: &str, arguments: &str) -> ReplyCall {
    ReplyCall { id: id.into(), name: "read_file".into(), arguments: arguments.into() }
}

fn result(id: &str, attachments: Vec<Attachment>) -> Message {
    Message::Tool { call_id: id.into(), name: "read_file".into(), text: format!("result of {id}"), attachments }
}

fn picture() -> Attachment {
    Attachment { name: "a.png".into(), media_type: MediaType::Png, bytes: b"\x89PNG".as_slice().into() }
}

fn paper() -> Attachment {
    Attachment { name: "b.pdf".into(), media_type: MediaType::Pdf, bytes: b"%PDF-".as_slice().into() }
}

fn conversation() -> Request {
    let tool = ToolSpec {
        name: "read_file".into(),
        description: String::new(),
        parameters: json!({"type": "object", "properties": {"path": {"type": "string"}}}),
        access: Access::Read,
    };
    Request {
        messages: vec![
            Message::User { text: "look".into(), attachments: vec![picture(), paper()] },
            Message::Assistant {
                text: String::new(),
                calls: vec![call("c1", r#"{"path":"a"}"#), call("call_0", "{\"pa")],
                carry: None,
            },
            result("c1", vec![picture()]),
            result("call_0", vec![]),
            Message::User { text: "and now?".into(), attachments: vec![] },
            Message::Assistant { text: String::new(), calls: vec![], carry: None },
            Message::User { text: "go on".into(), attachments: vec![] },
        ],
        tools: [tool].into(),
        ..request("")
    }
}

#[tokio::test]
async fn anthropic_gets_one_message_with_all_results() {
    let (head, body, _) = sent(GenAiProvider::Anthropic, conversation()).await;
    assert!(head.starts_with("post /v1/messages ") && head.contains("x-api-key: none"), "{head}");
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}});
    let document = json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}, "title": "b.pdf"});
    let text = |text: &str| json!({"type": "text", "text": text});
    let result = |id: &str, content: Value| json!({"type": "tool_result", "tool_use_id": id, "content": content});
    let used = |id: &str, input: Value| json!({"type": "tool_use", "id": id, "name": "read_file", "input": input});
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [image, document, text("look")]},
            {"role": "assistant", "content": [used("c1", json!({"path": "a"})), used("call_0", json!({}))]},
            {"role": "user", "content": [
                result("c1", json!([image, text("result of c1")])),
                result("call_0", json!([text("result of call_0")])),
                text("and now?"),
            ]},
            {"role": "assistant", "content": [text("(nothing was said)")]},
            {"role": "user", "content": [{"type": "text", "text": "go on", "cache_control": {"type": "ephemeral"}}]},
        ])
    );
    assert_eq!((&body["model"], &body["max_tokens"], &body["stream"]), (&json!("m"), &json!(100), &json!(true)));
    assert_eq!(body["system"], json!([{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}]));
    assert_eq!(body["tools"][0]["description"], "", "a null one makes llama.cpp answer 500");
    assert!(body.get("thinking").is_none() && body.get("output_config").is_none());
}

#[tokio::test]
async fn gemini_gets_results_by_name_and_pictures_beside_them() {
    let (head, body, _) = sent(GenAiProvider::Gemini, conversation()).await;
    assert!(
        head.starts_with("post /v1/models/m:streamgeneratecontent?alt=sse ") && head.contains("x-goog-api-key: none"),
        "{head}"
    );
    let image = json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}});
    let document = json!({"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}});
    let called = |name: Value| json!({ "functionCall": name });
    let answered = |name: Value| json!({ "functionResponse": name });
    assert_eq!(
        body["contents"],
        json!([
            {"role": "user", "parts": [image, document, {"text": "look"}]},
            {"role": "model", "parts": [
                called(json!({"name": "read_file", "args": {"path": "a"}, "id": "c1"})),
                called(json!({"name": "read_file", "args": {}})),
            ]},
            {"role": "user", "parts": [
                answered(json!({"name": "read_file", "response": {"result": "result of c1"}, "id": "c1"})),
                image,
                answered(json!({"name": "read_file", "response": {"result": "result of call_0"}})),
                {"text": "and now?"},
            ]},
            {"role": "model", "parts": [{"text": "(nothing was said)"}]},
            {"role": "user", "parts": [{"text": "go on"}]},
        ])
    );
    assert_eq!(body["generationConfig"], json!({"maxOutputTokens": 100}));
    assert_eq!(body["systemInstruction"], json!({"parts": [{"text": "be brief"}]}));
}

#[tokio::test]
async fn responses_get_items_and_pictures_behind_the_results() {
    let (head, body, _) = sent(GenAiProvider::OpenAiResponses, conversation()).await;
    assert!(head.starts_with("post /v1/responses ") && head.contains("authorization: bearer none"), "{head}");
    let image = json!({"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,iVBORw=="});
    let document =
        json!({"type": "input_file", "filename": "b.pdf", "file_data": "data:application/pdf;base64,JVBERi0="});
    let called = |id: &str, arguments: &str| json!({"type": "function_call", "call_id": id, "name": "read_file", "arguments": arguments});
    let answered =
        |id: &str| json!({"type": "function_call_output", "call_id": id, "output": format!("result of {id}")});
    assert_eq!(
        body["input"],
        json!([
            {"role": "user", "content": [image, document, {"type": "input_text", "text": "look"}]},
            called("c1", "{\"path\":\"a\"}"),
            called("call_0", "{}"),
            answered("c1"),
            answered("call_0"),
            {"role": "user", "content": [{"type": "input_text", "text": "This is what the tools read:"}, image]},
            {"role": "user", "content": "and now?"},
            {"role": "user", "content": "go on"},
        ])
    );
    assert_eq!((&body["model"], &body["max_output_tokens"], &body["store"]), (&json!("m"), &json!(100), &json!(false)));
    assert_eq!(body["instructions"], "be brief");
    assert!(body.get("reasoning").is_none() && body.get("include").is_none());
}

#[tokio::test]
async fn what_a_provider_gave_goes_back_to_it_in_its_place_and_to_nobody_else() {
    for provider in ALL {
        let server = serving(&rich(provider)).await;
        let reply =
            finished(backend(provider, &server.base).call(request("hi"), deaf(), CancellationToken::new()).await);
        let said = |carry: Option<Carry>| Request {
            messages: vec![
                Message::User { text: "hi".into(), attachments: vec![] },
                Message::Assistant { text: reply.text.clone(), calls: reply.calls.clone(), carry },
                result("call_a", vec![]),
                result("call_b", vec![]),
            ],
            ..request("")
        };
        let (_, body, with) = sent(provider, said(reply.carry.clone())).await;
        let expected = match provider {
            GenAiProvider::Anthropic | GenAiProvider::MiniMax => json!([
                {"type": "thinking", "thinking": "think ", "signature": "SIG1"},
                {"type": "redacted_thinking", "data": "RED1"},
                {"type": "text", "text": "Hello wörld"},
                {"type": "tool_use", "id": "call_a", "name": "f", "input": {"x": 1}},
                {"type": "tool_use", "id": "call_b", "name": "g", "input": {"y": 2}},
            ]),
            GenAiProvider::Gemini => json!([
                {"text": "Hello wörld"},
                {"functionCall": {"name": "f", "args": {"x": 1}, "id": "call_a"}, "thoughtSignature": "TS1"},
                {"functionCall": {"name": "g", "args": {"y": 2}, "id": "call_b"}},
            ]),
            GenAiProvider::OpenAiResponses => json!([
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "think "}], "encrypted_content": "ENC1"},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello wörld"}]},
                {"type": "function_call", "call_id": "call_a", "name": "f", "arguments": "{\"x\":1}"},
                {"type": "function_call", "call_id": "call_b", "name": "g", "arguments": "{\"y\":2}"},
            ]),
        };
        let got = match provider {
            GenAiProvider::Anthropic | GenAiProvider::MiniMax => body["messages"][1]["content"].clone(),
            GenAiProvider::Gemini => body["contents"][1]["parts"].clone(),
            GenAiProvider::OpenAiResponses => Value::Array(body["input"].as_array().unwrap()[1..5].to_vec()),
        };
        assert_eq!(got, expected, "{provider:?}");
        let foreign = Carry { from: "anthropic other".into(), ..reply.carry.clone().unwrap() };
        let (_, body, without) = sent(provider, said(Some(foreign))).await;
        let body = body.to_string();
        assert!(!["SIG1", "RED1", "TS1", "ENC1"].iter().any(|secret| body.contains(secret)), "{body}");
        assert_ne!(with.request, without.request, "the hash covers what is carried");
    }
}

#[tokio::test]
async fn a_models_name_is_sent_as_it_is() {
    for name in ["qwen3-max", "org/some-high", "ns::m:7b", "gemini-2.0-flash-none", "claude-x-zero", "o-minimal"] {
        for provider in ALL {
            let (head, body, _) = sent(provider, Request { model: name.into(), ..request("hi") }).await;
            match provider {
                GenAiProvider::Gemini => assert!(head.contains(&format!("/models/{name}:stream")), "{head}"),
                _ => assert_eq!(body["model"], *name),
            }
            let body = body.to_string();
            assert!(!["effort", "thinking", "reasoning"].iter().any(|word| body.contains(word)), "{name}: {body}");
        }
    }
}

#[tokio::test]
async fn thoughts_are_asked_of_models_that_have_them() {
    let named = |name: &str| Request { model: name.into(), ..request("hi") };
    for name in ["gpt-5.1", "o3-mini"] {
        let (_, body, _) = sent(GenAiProvider::OpenAiResponses, named(name)).await;
        assert_eq!(body["include"], json!(["reasoning.encrypted_content"]), "{name}");
    }
    let (_, body, _) = sent(GenAiProvider::OpenAiResponses, named("gpt-4.1")).await;
    assert!(body.get("reasoning").is_none(), "it would refuse the request");
    let (_, body, _) = sent(GenAiProvider::Gemini, named("gemini-2.5-pro")).await;
    assert_eq!(body["generationConfig"]["thinkingConfig"], json!({"includeThoughts": true}));
}

#[tokio::test]
async fn a_schema_is_sent_where_the_dialect_has_it() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let asked = Request { schema: Some(schema.clone().into()), ..request("hi") };
    let (_, body, _) = sent(GenAiProvider::Anthropic, asked.clone()).await;
    assert_eq!(body["output_config"]["format"]["schema"]["required"], json!(["a"]));
    let (_, body, _) = sent(GenAiProvider::Gemini, asked.clone()).await;
    assert_eq!(body["generationConfig"]["responseJsonSchema"], schema);
    let (_, body, reply) = sent(GenAiProvider::OpenAiResponses, asked).await;
    assert_eq!(body["text"]["format"]["type"], "json_schema");
    let (_, _, plain) = sent(GenAiProvider::OpenAiResponses, request("hi")).await;
    assert_ne!(reply.request, plain.request, "the hash covers the schema");
}

#[tokio::test]
async fn the_same_request_has_the_same_hash_and_every_change_another() {
    let hash = async |request: Request| sent(GenAiProvider::Anthropic, request).await.2.request;
    let base = hash(conversation()).await;
    assert_eq!(base, hash(conversation()).await);
    let mut seen = std::collections::BTreeSet::from([base.to_string()]);
    for other in [
        Request { model: "n".into(), ..conversation() },
        Request { system: "other".into(), ..conversation() },
        Request { tools: [].into(), ..conversation() },
        Request { max_output_tokens: Tokens(99), ..conversation() },
        Request { messages: conversation().messages[..3].to_vec(), ..conversation() },
    ] {
        assert!(seen.insert(hash(other).await.to_string()));
    }
}
