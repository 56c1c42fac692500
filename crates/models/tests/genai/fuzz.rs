//! Damaged streams: whatever comes, the call ends, and what leaves is whole.

use crate::scripts::*;
use crate::server::*;
use models::{Backend, Ended, GenAiProvider};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A small generator of its own, so that a printed seed gives the same streams for ever.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

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

fn damaged(random: &mut Random, base: &[u8]) -> Vec<u8> {
    let mut bytes = base.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        let to = (at + random.below(40)).min(bytes.len());
        match random.below(6) {
            0 => drop(bytes.drain(at..to)),
            1 => bytes.truncate(at),
            2 => bytes.splice(at..at, SPICE[random.below(SPICE.len())].bytes()).for_each(drop),
            3 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            4 => {
                let copy = bytes[at..to].to_vec();
                let into = random.below(bytes.len() + 1);
                bytes.splice(into..into, copy).for_each(drop);
            }
            _ => bytes.splice(at..to, SPICE[random.below(SPICE.len())].bytes()).for_each(drop),
        }
    }
    bytes
}

fn chunked(bytes: &[u8]) -> Vec<Step> {
    let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n0\r\n\r\n"].concat();
    if bytes.is_empty() { vec![head(), end()] } else { vec![head(), Step::Send(chunk)] }
}

/// Replies and the calls in them.
async fn fuzz(provider: GenAiProvider, seed: u64, trials: usize) -> (usize, usize) {
    let next: Arc<Mutex<Vec<u8>>> = Arc::default();
    let sent = next.clone();
    let server = Server::choosing(move |_| chunked(&sent.lock().unwrap())).await;
    let backend = hurried(provider, &server.base);
    let mut random = Random(seed);
    let base = rich(provider).concat().into_bytes();
    let (mut replies, mut returned) = (0, 0);
    for trial in 0..trials {
        *next.lock().unwrap() = damaged(&mut random, &base);
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
