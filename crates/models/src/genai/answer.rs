//! An answer as it comes, frame by frame: what was said so far, and whether the model was done. Pure: frames in, text
//! out through the sink, no socket and no clock.
//!
//! The one rule above all others is that of the chat dialect: it is a reply only if the model gave a reason for
//! stopping. Here the library has to have seen it too, which is what [`Answer::confirm`] says.

use super::calls::Calls;
use super::carry::{self, Piece};
use super::providers::Dialect;
use super::{anthropic, gemini, responses};
use crate::backend::{Partial, Reply, ReplyCall, Sink};
use crate::http::{Fault, PLAUSIBLE_TOKENS, StreamLimits};
use agent::{Stop, Tokens, Usage};
use serde_json::Value;
use wire::{BlobHash, DeltaKind};

/// An answer while it comes.
pub(super) struct Answer {
    reader: Reader,
    said: Said,
    fault: Option<Fault>,
    from: String,
    limits: StreamLimits,
    received: usize,
    frames: u64,
    confirmed: bool,
}

/// Who reads the frames.
enum Reader {
    Anthropic(anthropic::Reader),
    Gemini(gemini::Reader),
    Responses(responses::Reader),
}

/// What the model said so far.
pub(super) struct Said {
    sink: Sink,
    /// The answer.
    pub(super) text: String,
    /// The reasoning.
    pub(super) reasoning: String,
    /// The calls.
    pub(super) calls: Calls,
    stop: Option<Stop>,
    usage: Option<Usage>,
    request_bytes: usize,
    done: bool,
    /// Grows with everything that counts as a token.
    progress: u64,
}

impl Answer {
    /// Nothing has come yet.
    pub(super) fn new(dialect: Dialect, model: &str, limits: StreamLimits, sink: Sink, request_bytes: usize) -> Answer {
        let reader = match dialect {
            Dialect::Gemini => Reader::Gemini(gemini::Reader::default()),
            Dialect::Responses => Reader::Responses(responses::Reader::default()),
            Dialect::Anthropic | Dialect::Chat | Dialect::Ollama => Reader::Anthropic(anthropic::Reader::default()),
        };
        let said = Said {
            sink,
            text: String::new(),
            reasoning: String::new(),
            calls: Calls::new(limits.calls),
            stop: None,
            usage: None,
            request_bytes,
            done: false,
            progress: 0,
        };
        let from = carry::from(dialect, model);
        Answer { reader, said, fault: None, from, limits, received: 0, frames: 0, confirmed: false }
    }

    /// Takes the data of one frame. The first fault stays, and nothing is heard after it.
    pub(super) fn frame(&mut self, data: &str) {
        self.frames += 1;
        if self.fault.is_none()
            && let Err(fault) = self.hear(data)
        {
            self.fault = Some(fault);
        }
    }

    fn hear(&mut self, data: &str) -> Result<(), Fault> {
        self.received += data.len();
        if data.len() > self.limits.event_bytes {
            return Err(Fault::EventTooLong { limit: self.limits.event_bytes });
        }
        if self.received > self.limits.stream_bytes {
            return Err(Fault::StreamTooLong { limit: self.limits.stream_bytes });
        }
        if self.said.done || data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        let frame: Value =
            serde_json::from_str(data).map_err(|error| Fault::NotTheDialect { reason: error.to_string() })?;
        match &mut self.reader {
            Reader::Anthropic(reader) => reader.hear(&frame, &mut self.said),
            Reader::Gemini(reader) => reader.hear(&frame, &mut self.said),
            Reader::Responses(reader) => reader.hear(&frame, &mut self.said),
        }
    }

    /// The fault, if there was one.
    pub(super) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// The library saw the end, with a reason for stopping.
    pub(super) fn confirm(&mut self) {
        self.confirmed = true;
    }

    /// Whether it is whole, as far as frames tell.
    pub(super) fn is_done(&self) -> bool {
        self.confirmed && self.said.done && self.fault.is_none()
    }

    /// How many frames came, be there anything in them or not.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether any frame of the dialect came.
    pub(super) fn is_of_the_dialect(&self) -> bool {
        self.received > 0
    }

    /// A number that grows with every token.
    pub(super) fn progress(&self) -> u64 {
        self.said.progress
    }

    /// Whether anything was said, so that a failure from here on is one in mid answer.
    pub(super) fn anything_said(&self) -> bool {
        !self.said.is_silent() || self.said.calls.len() > 0
    }

    /// The reply, if the model was done.
    pub(super) fn finish(self, request: BlobHash) -> Result<Reply, (Fault, Partial)> {
        let partial = self.partial();
        let usage = partial.usage;
        let done = self.is_done();
        if let Some(fault) = self.fault {
            return Err((fault, partial));
        }
        let Some(stop) = self.said.stop.filter(|_| done) else { return Err((Fault::Cut, partial)) };
        let cut = matches!(stop, Stop::Length | Stop::Filtered);
        let calls = match self.said.calls.finish(cut) {
            Err(fault) => return Err((fault, partial)),
            Ok(calls) => calls,
        };
        let pieces = match self.reader {
            Reader::Anthropic(reader) => reader.pieces(&calls),
            Reader::Gemini(reader) => reader.pieces(&calls),
            Reader::Responses(reader) => reader.pieces(&calls),
        };
        let carry = carry::carry(self.from, &pieces);
        let calls: Vec<ReplyCall> = calls.into_iter().flatten().collect();
        // Makers give other reasons with calls and `tool_use` without any; what matters is whether there are some.
        let stop = match stop {
            Stop::End | Stop::ToolCalls if calls.is_empty() => Stop::End,
            Stop::End | Stop::ToolCalls => Stop::ToolCalls,
            cut => cut,
        };
        Ok(Reply { text: partial.text, reasoning: partial.reasoning, calls, stop, usage, request, carry })
    }

    /// What was said so far, with what it is taken to have cost.
    pub(super) fn partial(&self) -> Partial {
        let said = &self.said;
        let written = said.text.len() + said.reasoning.len() + said.calls.bytes();
        // Until the model is done, what was counted is what it had written some time before.
        let usage = said.usage.filter(|_| said.done).unwrap_or(Usage {
            input_tokens: said.usage.map_or(Tokens::estimate(said.request_bytes), |usage| usage.input_tokens),
            output_tokens: Tokens::estimate(written),
            cached_tokens: said.usage.map_or(Tokens(0), |usage| usage.cached_tokens),
            estimated: true,
        });
        Partial { text: said.text.clone(), reasoning: said.reasoning.clone(), usage }
    }
}

impl Said {
    /// A piece of text came.
    pub(super) fn say(&mut self, kind: DeltaKind, text: &str) {
        if text.is_empty() {
            return;
        }
        match kind {
            DeltaKind::Reasoning => self.reasoning.push_str(text),
            DeltaKind::Message | DeltaKind::ToolOutput => self.text.push_str(text),
        }
        (self.sink)(kind, text);
        self.progress += 1;
    }

    /// Something else came that counts as a token.
    pub(super) fn progressed(&mut self) {
        self.progress += 1;
    }

    /// The model gave its reason for stopping.
    pub(super) fn stopped(&mut self, stop: Stop) {
        self.stop = Some(stop);
        self.progress += 1;
    }

    /// The maker's last word came.
    pub(super) fn done(&mut self) {
        self.done = true;
    }

    /// The maker counted.
    pub(super) fn counted(&mut self, input: u64, cached: u64, output: u64) {
        if input + output > 0 {
            self.usage = Some(Usage {
                input_tokens: Tokens(input),
                output_tokens: Tokens(output),
                cached_tokens: Tokens(cached.min(input)),
                estimated: false,
            });
        }
    }

    /// Whether neither text nor reasoning came.
    pub(super) fn is_silent(&self) -> bool {
        self.text.is_empty() && self.reasoning.is_empty()
    }
}

/// A count of tokens, within reason.
pub(super) fn tokens(counts: &Value, name: &str) -> Option<u64> {
    counts.pointer(name).and_then(Value::as_u64).filter(|&count| count <= PLAUSIBLE_TOKENS)
}

/// A text in a frame; empty where there is none.
pub(super) fn text<'a>(frame: &'a Value, pointer: &str) -> &'a str {
    frame.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A call in its place among the pieces, unless it was left out.
pub(super) fn called(calls: &[Option<ReplyCall>], at: usize, sign: Option<String>) -> Option<Piece> {
    let call = calls.get(at)?.as_ref()?;
    Some(Piece::Call { id: call.id.clone(), sign })
}
