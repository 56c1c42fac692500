//! The offline model as a backend.

use super::answer::answer;
use crate::backend::{Backend, Description, Ended, Partial, PendingCall, Request, Sink};
use crate::chat::{Manner, render};
use agent::{Tokens, Usage};
use tokio_util::sync::CancellationToken;
use wire::{BlobHash, DeltaKind};

/// The built-in offline model. It never fails; its words stream as fast as they are heard.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offline;

impl Backend for Offline {
    fn call(&self, request: Request, sink: Sink, stop: CancellationToken) -> PendingCall {
        Box::pin(async move {
            let reply = answer(&request);
            let mut said = 0;
            for word in reply.text.split_inclusive(char::is_whitespace) {
                if stop.is_cancelled() {
                    break;
                }
                sink(DeltaKind::Message, word);
                said += word.len();
                tokio::task::consume_budget().await;
            }
            if stop.is_cancelled() {
                let usage = Usage { output_tokens: Tokens::estimate(said), ..reply.usage };
                let text = reply.text[..said].to_owned();
                return Ended::Interrupted { partial: Partial { text, reasoning: String::new(), usage } };
            }
            Ended::Finished(reply)
        })
    }

    fn fingerprint(&self, request: &Request) -> Option<BlobHash> {
        Some(BlobHash::of(&render(request, Manner::PLAIN)))
    }

    fn describe(&self) -> Description {
        Description { provider: "offline", address: None, remote: false }
    }
}
