//! The parser against streams of servers that do odd things, against streams cut after every byte, and against streams
//! that a seeded generator damaged. No socket: the same bytes in every cutting must give the same reply.

use super::answer::ChatAnswer;
use crate::backend::{Partial, Reply, Sink};
use crate::damage::{Random, damaged};
use crate::http::{Answer, Fault, StreamLimits};
use agent::{Failure, Stop, Tokens};
use std::sync::{Arc, Mutex};
use wire::{BlobHash, DeltaKind};

const HASH: BlobHash = BlobHash([7; 32]);

type Heard = Arc<Mutex<(String, String)>>;

fn sink() -> (Sink, Heard) {
    let heard = Heard::default();
    let into = heard.clone();
    let sink: Sink = Arc::new(move |kind, text| {
        let mut heard = into.lock().unwrap();
        match kind {
            DeltaKind::Reasoning => heard.1.push_str(text),
            _ => heard.0.push_str(text),
        }
    });
    (sink, heard)
}

/// How the bytes of a stream end.
#[derive(Clone, Copy, PartialEq)]
enum Ending {
    Clean,
    Reset,
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, ending: Ending) -> Result<Reply, (Fault, Partial)> {
    let (sink, heard) = sink();
    let mut answer = ChatAnswer::new("m", StreamLimits::default(), sink, 400);
    for piece in pieces {
        if answer.is_done() {
            break;
        }
        if let Err(fault) = answer.push(piece) {
            return Err((fault, answer.partial()));
        }
    }
    if !answer.is_done() {
        if ending == Ending::Reset {
            return Err((Fault::Cut, answer.partial()));
        }
        if let Err(fault) = answer.end() {
            return Err((fault, answer.partial()));
        }
    }
    let ended = answer.finish(HASH);
    let heard = heard.lock().unwrap();
    let (text, reasoning) = match &ended {
        Ok(reply) => (&reply.text, &reply.reasoning),
        Err((_, partial)) => (&partial.text, &partial.reasoning),
    };
    assert_eq!((text, reasoning), (&heard.0, &heard.1), "what was heard is what is kept");
    ended
}

fn chunk(delta: &str, finish: &str) -> String {
    format!(
        r#"data: {{"id":"c1","object":"chat.completion.chunk","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
    ) + "\n\n"
}

fn call(fields: &str) -> String {
    chunk(&format!(r#"{{"tool_calls":[{{{fields}}}]}}"#), "null")
}

const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":7,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// What a well-behaved server sends: reasoning, text, two calls in mixed pieces, usage.
fn good() -> String {
    [
        chunk(r#"{"role":"assistant","content":""}"#, "null"),
        chunk(r#"{"reasoning_content":"think "}"#, "null"),
        chunk(r#"{"content":"Hello "}"#, "null"),
        ": keep-alive\n\n".into(),
        chunk(r#"{"content":"wörld"}"#, "null"),
        call(r#""index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":""}"#),
        call(r#""index":0,"function":{"arguments":"{\"x\":"}"#),
        call(r#""index":1,"id":"call_b","type":"function","function":{"name":"g","arguments":"{\"y\""}"#),
        chunk(
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}},{"index":1,"function":{"arguments":":2}"}}]}"#,
            "null",
        ),
        chunk("{}", r#""tool_calls""#),
        USAGE.into(),
        DONE.into(),
    ]
    .concat()
}

fn calls(reply: &Reply) -> Vec<(&str, &str, &str)> {
    reply.calls.iter().map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.as_str())).collect()
}

const BOTH: [(&str, &str, &str); 2] = [("call_a", "f", r#"{"x":1}"#), ("call_b", "g", r#"{"y":2}"#)];

fn assert_whole(reply: &Reply) {
    assert_eq!((reply.text.as_str(), reply.reasoning.as_str()), ("Hello wörld", "think "));
    assert_eq!(calls(reply), BOTH);
    assert_eq!((reply.stop, reply.request), (Stop::ToolCalls, HASH));
    let carry = reply.carry.as_ref().map(|carry| (carry.from.as_str(), carry.data.as_str()));
    assert_eq!(carry, Some(("chat m", r#""think ""#)), "what was thought before calls goes back");
}

#[test]
fn a_good_stream_gives_the_whole_reply_however_it_is_cut_into_pieces() {
    let lf = good();
    for text in [lf.replace('\n', "\r\n"), lf.replace('\n', "\r"), lf.replace("data: ", "data:"), lf] {
        let bytes = text.as_bytes();
        for size in [1, 2, 3, 7, 64, bytes.len()] {
            let reply = read(bytes.chunks(size), Ending::Reset).unwrap();
            assert_whole(&reply);
            let usage = reply.usage;
            assert_eq!(
                (usage.input_tokens, usage.output_tokens, usage.cached_tokens),
                (Tokens(11), Tokens(7), Tokens(4))
            );
            assert!(!usage.estimated);
        }
        for at in 0..bytes.len() {
            assert_whole(&read([&bytes[..at], &bytes[at..]], Ending::Reset).unwrap());
        }
    }
}

#[test]
fn a_stream_cut_after_any_byte_never_looks_like_success() {
    let whole = good();
    let whole_json = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello wörld","reasoning_content":"think ","tool_calls":[{"id":"call_a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"call_b","function":{"name":"g","arguments":{"y":2}}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":11,"completion_tokens":7}}"#;
    let (mut cuts, mut successes, mut partials) = (0, 0, 0);
    for text in [whole.as_str(), whole_json] {
        // A stream is whole when its reason for stopping has come in a chunk that ended, an object when it ended.
        let reason = r#""tool_calls"}]}"#;
        let safe = text.find(reason).map_or(text.len(), |at| at + reason.len());
        let done = text.find("[DONE]").map(|at| at + "[DONE]".len());
        for at in 0..text.len() {
            for ending in [Ending::Clean, Ending::Reset] {
                cuts += 1;
                match read([&text.as_bytes()[..at]], ending) {
                    Ok(reply) => {
                        successes += 1;
                        // After a reset only `[DONE]` and its line vouch for the end.
                        assert!(
                            at >= safe && (ending == Ending::Clean || done.is_some_and(|done| at > done)),
                            "at {at}"
                        );
                        assert_whole(&reply);
                    }
                    Err((_, partial)) => {
                        partials += 1;
                        assert!("Hello wörld".starts_with(&partial.text) && "think ".starts_with(&partial.reasoning));
                        assert!(partial.usage.input_tokens > Tokens(0), "the model read the request");
                    }
                }
            }
        }
    }
    println!(
        "cuts {cuts}, kept partial {partials}, whole after the reason for stopping {successes}, false successes 0"
    );
    assert!(successes > 0 && partials > 1000);
}

#[test]
fn odd_servers_lose_and_double_no_call() {
    let finish = chunk("{}", r#""tool_calls""#);
    let one = [("call_a", "f", r#"{"x":1}"#)];
    for (name, stream, expected) in [
        ("no index", call(r#""id":"call_a","function":{"name":"f","arguments":"{\"x\":1}"}"#), &one[..]),
        ("index from 1", call(r#""index":1,"id":"call_a","function":{"name":"f","arguments":"{\"x\":1}"}"#), &one),
        ("index as text", call(r#""index":"0","id":"call_a","function":{"name":"f","arguments":"{\"x\":1}"}"#), &one),
        ("an object", call(r#""index":0,"id":"call_a","function":{"name":"f","arguments":{"x":1}}"#), &one),
        (
            "an empty id again",
            call(r#""index":0,"id":"call_a","function":{"name":"f","arguments":"{\"x\""}"#)
                + &call(r#""index":0,"id":"","function":{"name":"f","arguments":":1}"}"#),
            &one,
        ),
        (
            "null id and name",
            call(r#""index":0,"id":"call_a","function":{"name":"f","arguments":"{\"x\""}"#)
                + &call(r#""index":0,"id":null,"type":null,"function":{"name":null,"arguments":":1}"}"#),
            &one,
        ),
        (
            "all at 0",
            call(r#""index":0,"id":"call_a","function":{"name":"f","arguments":"{\"x\":1}"}"#)
                + &call(r#""index":0,"id":"call_b","function":{"name":"g","arguments":"{\"y\":2}"}"#),
            &BOTH,
        ),
        (
            "two in one delta",
            chunk(
                r#"{"tool_calls":[{"index":0,"id":"call_a","function":{"name":"f","arguments":"{\"x\":1}"}},{"index":1,"id":"call_b","function":{"name":"g","arguments":"{\"y\":2}"}}]}"#,
                "null",
            ),
            &BOTH,
        ),
        (
            "the old form",
            chunk(r#"{"function_call":{"name":"f","arguments":"{\"x\""}}"#, "null")
                + &chunk(r#"{"function_call":{"arguments":":1}"}}"#, "null"),
            &[("call_0", "f", r#"{"x":1}"#)],
        ),
    ] {
        for finish in [&finish, &chunk("{}", r#""stop""#)] {
            let reply = read([stream.as_bytes(), finish.as_bytes(), DONE.as_bytes()], Ending::Clean).unwrap();
            assert_eq!((calls(&reply).as_slice(), reply.stop), (expected, Stop::ToolCalls), "{name}");
            assert!(reply.usage.estimated, "{name}: nothing was said about usage");
        }
    }
}

#[test]
fn a_call_that_the_length_limit_cut_is_left_out() {
    let open = call(r#""index":0,"id":"call_a","function":{"name":"f","arguments":"{\"x\":1}"}"#)
        + &call(r#""index":1,"id":"call_b","function":{"name":"g","arguments":"{\"y\":\"un"}"#);
    let reply = read([open.as_bytes(), chunk("{}", r#""length""#).as_bytes(), DONE.as_bytes()], Ending::Clean).unwrap();
    assert_eq!((reply.stop, calls(&reply).as_slice()), (Stop::Length, &BOTH[..1]));
    let ended = read([open.as_bytes(), chunk("{}", r#""tool_calls""#).as_bytes(), DONE.as_bytes()], Ending::Clean);
    assert_eq!(ended.unwrap_err().0, Fault::MalformedCall { name: "g".into() });
}

#[test]
fn an_error_in_mid_answer_keeps_what_was_said() {
    let error = r#"{"error":{"message":"Overloaded","type":"server_error","code":429}}"#;
    for said in
        [format!("data: {error}\n\n"), format!("event: error\ndata: {error}\n\n"), format!("error: {error}\n\n")]
    {
        let stream = chunk(r#"{"content":"Hel"}"#, "null") + &said + &chunk(r#"{"content":"lo"}"#, r#""stop""#) + DONE;
        let (fault, partial) = read([stream.as_bytes()], Ending::Clean).unwrap_err();
        assert_eq!((fault.failure(true), partial.text.as_str()), (Failure::Broken, "Hel"), "{said}");
        assert!(fault.to_string().contains("Overloaded"));
        // Before the first word the error is what it says it is.
        let (fault, _) = read([said.as_bytes()], Ending::Clean).unwrap_err();
        assert_eq!(fault.failure(false), Failure::RateLimited);
    }
}

#[test]
fn the_end_is_known_by_the_reason_for_stopping_alone() {
    let text = chunk(r#"{"content":"Hello"}"#, "null");
    let stop = chunk("{}", r#""stop""#);
    assert_eq!(read([text.as_bytes(), stop.as_bytes()], Ending::Clean).unwrap().stop, Stop::End);
    // Without an empty line after it, and with empty reasons before it.
    let early = chunk(r#"{"content":"Hello"}"#, "\"\"");
    assert_eq!(read([early.as_bytes(), stop.trim_end().as_bytes()], Ending::Clean).unwrap().text, "Hello");
    for stream in [text.clone(), text + DONE, DONE.to_owned(), String::new(), ": hi\n\n".to_owned(), "\n \n".to_owned()]
    {
        assert_eq!(read([stream.as_bytes()], Ending::Clean).unwrap_err().0, Fault::Cut, "{stream}");
    }
}

#[test]
fn what_is_no_answer_is_told_apart() {
    let fault = |text: &[u8]| read([text], Ending::Clean).unwrap_err().0;
    assert_eq!(fault(b"\n <html>login</html>"), Fault::WebPage);
    assert!(matches!(fault(b"{\"choices\":["), Fault::NotTheDialect { .. }));
    assert!(matches!(fault(b"data: nonsense\n\n"), Fault::NotTheDialect { .. }));
    assert!(matches!(fault(b"data: {\"choices\":5}\n\n"), Fault::NotTheDialect { .. }));
    assert!(matches!(fault(b"{\"error\":{\"message\":\"nope\"}}"), Fault::Said { kind: None, .. }));
    assert_eq!(fault(b"data: {\"choices\":[{\"delta\":{\"content\":\"He\xff\xfeo\"}}]}\n\n"), Fault::NotUtf8);
    assert!(matches!(fault(chunk("{}", "\"error\"").as_bytes()), Fault::Said { .. }));
}

#[test]
fn limits_have_names_and_large_arguments_below_them_pass() {
    let limits = StreamLimits { event_bytes: 100, stream_bytes: 250, ..StreamLimits::default() };
    let answer = || ChatAnswer::new("m", limits, sink().0, 0);
    assert_eq!(answer().push(&[b'd'; 101]), Err(Fault::EventTooLong { limit: 100 }));
    assert_eq!(answer().push(&[b'{'; 101]), Err(Fault::EventTooLong { limit: 100 }));
    let mut long = answer();
    long.push(b": 1\n\n".repeat(50).as_slice()).unwrap();
    assert_eq!(long.push(b":"), Err(Fault::StreamTooLong { limit: 250 }));
    let big = "x".repeat(10 << 20);
    let stream = call(&format!(r#""index":0,"id":"a","function":{{"name":"f","arguments":"{{\"x\":\"{big}\"}}"}}"#))
        + &chunk("{}", r#""tool_calls""#)
        + DONE;
    let reply = read(stream.as_bytes().chunks(16 << 10), Ending::Clean).unwrap();
    assert_eq!(reply.calls[0].arguments.len(), big.len() + r#"{"x":""}"#.len());
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
    "\r",
    ":",
    "data: ",
    "data: [DONE]\n\n",
    "null",
    "{}",
    "[]",
    "0",
    "-1",
    "1e999",
    "\"finish_reason\":\"stop\"",
    "\"finish_reason\":\"length\"",
    "\"error\":{}",
    "\"index\":9",
    "\u{0}",
    "\u{feff}",
    "\u{1f600}",
];

#[test]
fn damaged_streams_give_the_same_end_in_any_cutting_and_no_open_call() {
    let seed = std::env::var("TINKERBELL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_124);
    let mut random = Random(seed);
    let base = good().into_bytes();
    let (trials, mut replies, mut returned) = (20_000, 0, 0);
    for trial in 0..trials {
        let stream = damaged(&mut random, &base, SPICE);
        let ending = if random.below(2) == 0 { Ending::Clean } else { Ending::Reset };
        let whole = read([stream.as_slice()], ending);
        let size = 1 + random.below(17);
        let pieces = read(stream.chunks(size), ending);
        match (&whole, &pieces) {
            (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces, "seed {seed}, trial {trial}"),
            (Err((fault, partial)), Err((other, other_partial))) => {
                assert_eq!(std::mem::discriminant(fault), std::mem::discriminant(other), "seed {seed}, trial {trial}");
                assert_eq!(partial.text, other_partial.text, "seed {seed}, trial {trial}");
            }
            _ => panic!("seed {seed}, trial {trial}: {whole:?} but in pieces {pieces:?}"),
        }
        if let Ok(reply) = whole {
            replies += 1;
            returned += reply.calls.len();
            for call in &reply.calls {
                let value: serde_json::Value = serde_json::from_str(&call.arguments).unwrap();
                assert!(
                    value.is_object() && !call.id.is_empty() && !call.name.is_empty(),
                    "seed {seed}, trial {trial}"
                );
            }
        }
    }
    println!("seed {seed}, trials {trials}, replies {replies}, calls {returned}, failures 0");
    assert!(replies > trials / 100 && returned > 0, "the generator damages too much to test anything");
}
