//! The parser against everything that two real servers were recorded to send: whole, cut after every byte, cut into
//! pieces anywhere, and damaged by a seeded generator. No socket.

use super::answer::OllamaAnswer;
use crate::backend::{Partial, Reply, Sink};
use crate::damage::{Random, damaged};
use crate::http::{Answer, Fault, StreamLimits};
use agent::{Failure, Stop, Tokens};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use wire::BlobHash;

const HASH: BlobHash = BlobHash([7; 32]);
const RECORDINGS: [(&str, &str); 2] = [
    ("0.24.0", include_str!("../../tests/recordings/ollama/0.24.0.jsonl")),
    ("0.33.0-rc2", include_str!("../../tests/recordings/ollama/0.33.0-rc2.jsonl")),
];

#[derive(Deserialize)]
struct Recording {
    name: String,
    path: String,
    question: Option<Value>,
    status: u16,
    body: String,
}

impl Recording {
    /// Whether the model was only loaded, or only put away.
    fn only_moves(&self) -> bool {
        self.body.contains(r#""done_reason":"load""#) || self.body.contains(r#""done_reason":"unload""#)
    }

    /// Whether the server said that it failed.
    fn has_error(&self) -> bool {
        self.body.lines().any(|line| line.starts_with(r#"{"error""#))
    }

    /// Whether it ends with the line that ends a reply.
    fn is_whole(&self) -> bool {
        self.body.contains(r#""done":true"#) && !self.has_error() && !self.only_moves()
    }
}

/// The answers of `/api/chat` under status 200, with the version of their server.
fn answers() -> Vec<(&'static str, Recording)> {
    let recordings = RECORDINGS.iter().flat_map(|(version, text)| text.lines().map(move |line| (*version, line)));
    recordings
        .map(|(version, line)| (version, serde_json::from_str::<Recording>(line).unwrap()))
        .filter(|(_, recording)| recording.path == "/api/chat" && recording.status == 200)
        // One of them asked to see the prompt in place of an answer.
        .filter(|(_, recording)| !recording.body.contains("_debug_info"))
        .collect()
}

fn answer() -> OllamaAnswer {
    let sink: Sink = Arc::new(|_, _| {});
    OllamaAnswer::new("m", StreamLimits::default(), sink, 400)
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Reply, (Fault, Partial)> {
    let mut answer = answer();
    for piece in pieces {
        if let Err(fault) = answer.push(piece) {
            return Err((fault, answer.partial()));
        }
    }
    if !answer.is_done()
        && let Err(fault) = answer.end()
    {
        return Err((fault, answer.partial()));
    }
    answer.finish(HASH)
}

/// What a recording says, read in the plainest way: text, thoughts and calls of all its lines.
fn plainly(body: &str) -> (String, String, Vec<(String, Value)>) {
    let (mut text, mut thoughts, mut calls) = (String::new(), String::new(), Vec::new());
    for line in body.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let message = &line["message"];
        text += message["content"].as_str().unwrap_or_default();
        thoughts += message["thinking"].as_str().unwrap_or_default();
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            calls.push((function["name"].as_str().unwrap().to_owned(), function["arguments"].clone()));
        }
    }
    (text, thoughts, calls)
}

#[test]
fn every_recorded_answer_is_read_as_it_was_meant() {
    let (mut replies, mut with_calls, mut with_thoughts, mut failures) = (0, 0, 0, 0);
    for (version, recording) in answers() {
        let name = format!("{version} {}", recording.name);
        let ended = read([recording.body.as_bytes()]);
        if !recording.is_whole() {
            failures += 1;
            ended.expect_err(&name);
            continue;
        }
        let reply = ended.unwrap_or_else(|(fault, _)| panic!("{name}: {fault}"));
        let (text, thoughts, calls) = plainly(&recording.body);
        assert_eq!((&reply.text, &reply.reasoning), (&text, &thoughts), "{name}");
        let said: Vec<(String, Value)> = reply
            .calls
            .iter()
            .map(|call| (call.name.clone(), serde_json::from_str(&call.arguments).unwrap()))
            .collect();
        assert_eq!(said, calls, "{name}");
        let length = recording.body.contains(r#""done_reason":"length""#);
        let stop = if length {
            Stop::Length
        } else if calls.is_empty() {
            Stop::End
        } else {
            Stop::ToolCalls
        };
        assert_eq!(reply.stop, stop, "{name}");
        assert!(!reply.usage.estimated, "{name}: both servers count");
        assert_eq!(reply.carry.is_some(), !calls.is_empty() && !thoughts.is_empty(), "{name}");
        replies += 1;
        with_calls += usize::from(!calls.is_empty());
        with_thoughts += usize::from(!thoughts.is_empty());
    }
    println!("replies {replies} ({with_calls} with calls, {with_thoughts} with thoughts), failures told {failures}");
    assert!(replies > 150 && with_calls > 30 && with_thoughts > 30 && failures >= 3, "the recordings are all there");
}

#[test]
fn an_answer_cut_after_any_byte_is_no_success_and_has_no_open_call() {
    let (mut cuts, mut early, mut streams) = (0_usize, 0, 0);
    for (version, recording) in answers() {
        let name = format!("{version} {}", recording.name);
        let whole = recording.body.trim_end();
        let mut answer = answer();
        for (at, byte) in whole.bytes().enumerate() {
            // The connection ends here, in good order or not; nothing may look like a reply.
            let mut cut = answer.clone();
            assert!(!cut.is_done(), "{name} at {at}");
            cut.end().expect_err(&name);
            let (_, partial) = cut.finish(HASH).expect_err(&name);
            assert!(partial.usage.input_tokens > Tokens(0), "{name} at {at}");
            cuts += 1;
            if answer.push(&[byte]).is_err() {
                early += 1;
                break;
            }
        }
        streams += 1;
    }
    println!("streams {streams}, cuts {cuts}, ended by an error line {early}, false successes 0, open calls 0");
    assert!(cuts > 300_000, "the recordings are all there");
}

#[test]
fn a_call_that_the_length_limit_cut_never_runs() {
    let mut seen = Vec::new();
    for (version, recording) in
        answers().into_iter().filter(|(_, recording)| recording.name.contains("cut_in_tool_call"))
    {
        let asked = recording.question.as_ref().and_then(|question| question["options"]["num_predict"].as_u64());
        let ended = match read([recording.body.as_bytes()]) {
            Ok(reply) => {
                assert!(asked.is_some() && reply.stop == Stop::Length && reply.calls.is_empty(), "{}", recording.name);
                "length"
            }
            Err((fault, _)) => {
                assert_eq!(fault.failure(true), Failure::Broken);
                "an error line"
            }
        };
        seen.push((version, ended));
    }
    assert!(seen.contains(&("0.24.0", "length")) && seen.contains(&("0.33.0-rc2", "an error line")), "{seen:?}");
}

#[test]
fn odd_lines_are_read_or_refused_but_never_guessed() {
    let done = r#"{"message":{"content":""},"done":true,"done_reason":"stop","eval_count":3}"#;
    let reply = |call: &str| {
        let line = format!("{{\"message\":{{\"tool_calls\":[{call}]}},\"done\":false}}\n{done}");
        read([line.as_bytes()])
    };
    let calls = |call: &str| {
        let reply = reply(call).unwrap();
        reply.calls.into_iter().map(|call| (call.id, call.arguments)).collect::<Vec<_>>()
    };
    let own = |arguments: &str| vec![("call_0".to_owned(), arguments.to_owned())];
    assert_eq!(calls(r#"{"function":{"name":"f","arguments":{"a":1}}}"#), own(r#"{"a":1}"#));
    assert_eq!(calls(r#"{"id":"","function":{"name":"f","arguments":"{\"a\":1}"}}"#), own(r#"{"a":1}"#));
    assert_eq!(calls(r#"{"function":{"name":"f","arguments":null}}"#), own("{}"));
    assert_eq!(calls(r#"{"function":{"name":"f"}}"#), own("{}"));
    let twice =
        r#"{"id":"x","function":{"name":"f","arguments":{}}},{"id":"x","function":{"name":"f","arguments":{}}}"#;
    assert_eq!(calls(twice).into_iter().map(|(id, _)| id).collect::<Vec<_>>(), ["x", "call_1"]);
    for wrong in [r#"{"function":{"arguments":{}}}"#, r#"{"function":{"name":"f","arguments":[1]}}"#, r#"{"id":"x"}"#] {
        assert!(matches!(reply(wrong), Err((Fault::MalformedCall { .. }, _))), "{wrong}");
    }
    assert!(matches!(read([b"<html>".as_slice()]), Err((Fault::WebPage, _))));
    assert!(matches!(read([b"\n\xff\n".as_slice()]), Err((Fault::NotUtf8, _))));
    assert!(matches!(read([b"data: {}\n".as_slice()]), Err((Fault::NotTheDialect { .. }, _))));
    assert!(matches!(read([b"".as_slice()]), Err((Fault::Cut, _))));
    let zero = read([done.as_bytes()]).unwrap().usage;
    assert_eq!((zero.input_tokens, zero.output_tokens, zero.estimated), (Tokens(0), Tokens(3), false));
    let many = vec![r#"{"function":{"name":"f"}}"#; 129].join(",");
    assert!(matches!(reply(&many), Err((Fault::TooManyCalls { limit: 128 }, _))));
    let limits = StreamLimits { stream_bytes: 10, ..StreamLimits::default() };
    let mut short = OllamaAnswer::new("m", limits, Arc::new(|_, _| {}), 0);
    assert_eq!(short.push(&[b' '; 11]), Err(Fault::StreamTooLong { limit: 10 }));
}

const SPICE: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\n",
    "\r\n",
    ":",
    ",",
    "null",
    "{}",
    "[]",
    "0",
    "-1",
    "1e999",
    "\"done\":true",
    "\"done\":false",
    "\"error\":\"x\"",
    "{\"error\":{}}\n",
    "\"arguments\":\"{\"",
    "\u{0}",
    "\u{feff}",
    "\u{1f600}",
];

#[test]
fn damaged_answers_end_the_same_in_any_cutting_and_have_no_open_call() {
    let seed = std::env::var("TINKERBELL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_124);
    let mut random = Random(seed);
    let bases: Vec<_> =
        answers().into_iter().map(|(_, recording)| recording.body).filter(|body| body.len() < 8000).collect();
    let (trials, mut replies, mut returned) = (20_000, 0, 0);
    for trial in 0..trials {
        let base = &bases[random.below(bases.len())];
        let stream = damaged(&mut random, base.as_bytes(), SPICE);
        let whole = read([stream.as_slice()]);
        let size = 1 + random.below(60);
        let pieces = read(stream.chunks(size));
        match (&whole, &pieces) {
            (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces, "seed {seed}, trial {trial}"),
            (Err(whole), Err(pieces)) => assert_eq!(whole, pieces, "seed {seed}, trial {trial}"),
            _ => panic!("seed {seed}, trial {trial}: {whole:?} but in pieces {pieces:?}"),
        }
        if let Ok(reply) = whole {
            replies += 1;
            returned += reply.calls.len();
            for call in &reply.calls {
                let value: Value = serde_json::from_str(&call.arguments).unwrap();
                let good = value.is_object() && !call.id.is_empty() && !call.name.is_empty();
                assert!(good, "seed {seed}, trial {trial}");
            }
        }
    }
    println!("seed {seed}, trials {trials}, replies {replies}, calls {returned}, failures 0");
    assert!(replies > trials / 100 && returned > 0, "the generator damages too much to test anything");
}
