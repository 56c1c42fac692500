//! Damaged streams: whatever comes, the call ends, and what leaves is whole.

use crate::damage::{Random, damaged};
use crate::scripts::*;
use crate::server::*;
use models::{Backend, Ended, GenAiProvider};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const SPICE: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\n",
    "\n\n",
    "\r\n",
    ":",
    "data: ",
    "event: error\n",
    "null",
    "{}",
    "[]",
    "0",
    "-1",
    "1e999",
    "\"index\":9",
    "\"output_index\":0",
    "\"error\":{}",
    "\"finishReason\":\"STOP\"",
    "\"stop_reason\":\"max_tokens\"",
    "\"status\":\"incomplete\"",
    "\u{0}",
    "\u{feff}",
    "\u{1f600}",
];

fn chunked(bytes: &[u8]) -> Vec<Step> {
    let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n0\r\n\r\n"].concat();
    if bytes.is_empty() { vec![head(), end()] } else { vec![head(), Step::Send(chunk)] }
}

/// Replies and the calls in them.
async fn fuzz(provider: GenAiProvider, seed: u64, trials: usize) -> (usize, usize) {
    let next: Arc<Mutex<Vec<u8>>> = Arc::default();
    let sent = next.clone();
    let server = Server::choosing(move |_| chunked(&sent.lock().unwrap())).await;
    let backend = keyed(provider, &server.base);
    let mut random = Random(seed);
    let base = rich(provider).concat().into_bytes();
    let (mut replies, mut returned) = (0, 0);
    for trial in 0..trials {
        *next.lock().unwrap() = damaged(&mut random, &base, SPICE);
        let (sink, heard) = keeping();
        let call = backend.call(request("hi"), sink, CancellationToken::new());
        let ended = tokio::time::timeout(Duration::from_secs(20), call).await;
        let ended = ended.unwrap_or_else(|_| panic!("{provider:?}, seed {seed}, trial {trial}: it hangs"));
        let text = match &ended {
            Ended::Finished(reply) => {
                replies += 1;
                returned += reply.calls.len();
                for call in &reply.calls {
                    let value: serde_json::Value = serde_json::from_str(&call.arguments).unwrap();
                    let whole = value.is_object() && !call.id.is_empty() && !call.name.is_empty();
                    assert!(whole, "{provider:?}, seed {seed}, trial {trial}: {call:?}");
                }
                &reply.text
            }
            Ended::Failed { partial, .. } | Ended::Interrupted { partial } => &partial.text,
        };
        let heard = heard.lock().unwrap();
        let said: String =
            heard.iter().filter(|(kind, _)| *kind == wire::DeltaKind::Message).map(|(_, text)| text.as_str()).collect();
        assert_eq!(&said, text, "{provider:?}, seed {seed}, trial {trial}: what is heard is what is kept");
    }
    (replies, returned)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_streams_end_and_nothing_open_leaves() {
    let seed = std::env::var("TINKERBELL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_124);
    for provider in ALL {
        let trials = 1_500;
        let (replies, calls) = fuzz(provider, seed, trials).await;
        println!("{provider:?}: seed {seed}, trials {trials}, replies {replies}, calls {calls}, failures 0");
        assert!(replies > trials / 100 && calls > 0, "the generator damages too much to test anything");
    }
}
