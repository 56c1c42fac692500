//! The answer of a server, from its first byte to a reply: what kind of answer it is, what was said so far, and whether
//! the model was done. Pure: bytes in, text out through the sink, no socket and no clock.
//!
//! The one rule above all others: it is a reply only if the model gave a reason for stopping. Everything that can end a
//! stream early (a crash, a proxy, a reset, an error object) comes before that.

use super::assemble::Assembler;
use super::carry;
use super::chunk::{self, Choice, Chunk};
use super::sse::EventStream;
use crate::backend::{Partial, Reply, Sink};
use crate::http::{Answer, Fault, StreamLimits};
use agent::{Stop, Tokens, Usage};
use serde_json::{Deserializer, Value};
use wire::{BlobHash, DeltaKind};

/// Bytes that end a stream of the dialect.
const DONE: &[u8] = b"[DONE]";

/// An answer while it comes.
pub(super) struct ChatAnswer {
    form: Form,
    said: Said,
    model: String,
    limits: StreamLimits,
    received: usize,
    done: bool,
}

/// What kind of answer it is, which its first byte tells, since servers send the wrong content type.
enum Form {
    /// Nothing but white space has come.
    Unknown,
    /// Events.
    Stream(EventStream),
    /// One JSON object for a request that asked for a stream.
    Whole(Vec<u8>),
}

/// What the model said so far.
struct Said {
    sink: Sink,
    text: String,
    reasoning: String,
    /// What of the reasoning came under the name by which some models want it back.
    reasoning_content: String,
    calls: Assembler,
    stop: Option<Stop>,
    usage: Option<Usage>,
    request_bytes: usize,
    /// Grows with everything that counts as a token.
    progress: u64,
}

impl ChatAnswer {
    /// Nothing has come yet from this model.
    pub(super) fn new(model: &str, limits: StreamLimits, sink: Sink, request_bytes: usize) -> ChatAnswer {
        let said = Said {
            sink,
            text: String::new(),
            reasoning: String::new(),
            reasoning_content: String::new(),
            calls: Assembler::new(limits.calls),
            stop: None,
            usage: None,
            request_bytes,
            progress: 0,
        };
        ChatAnswer { form: Form::Unknown, said, model: model.to_owned(), limits, received: 0, done: false }
    }

    fn form_of(&self, bytes: &[u8]) -> Result<Form, Fault> {
        match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => Ok(Form::Unknown),
            Some(b'<') => Err(Fault::WebPage),
            Some(b'{') => Ok(Form::Whole(Vec::new())),
            Some(_) => Ok(Form::Stream(EventStream::new(self.limits.event_bytes))),
        }
    }

    fn drain(&mut self) -> Result<(), Fault> {
        let Form::Stream(events) = &mut self.form else { return Ok(()) };
        while !self.done
            && let Some(event) = events.next()?
        {
            let mut data = event.data.trim_ascii();
            if let Some(rest) = data.strip_suffix(DONE) {
                self.done = true;
                data = rest;
            }
            if event.is_error && !data.is_empty() {
                let text = std::str::from_utf8(data).map_err(|_| Fault::NotUtf8)?;
                let error = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
                return Err(Fault::said(error.get("error").unwrap_or(&error)));
            }
            self.said.hear(data)?;
        }
        Ok(())
    }
}

impl Answer for ChatAnswer {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.received += bytes.len();
        if self.received > self.limits.stream_bytes {
            return Err(Fault::StreamTooLong { limit: self.limits.stream_bytes });
        }
        if let Form::Unknown = self.form {
            self.form = self.form_of(bytes)?;
        }
        match &mut self.form {
            Form::Unknown => Ok(()),
            Form::Stream(events) => {
                events.push(bytes);
                self.drain()
            }
            Form::Whole(whole) if whole.len() + bytes.len() > self.limits.event_bytes => {
                Err(Fault::EventTooLong { limit: self.limits.event_bytes })
            }
            Form::Whole(whole) => {
                whole.extend_from_slice(bytes);
                // A whole answer has no tokens to wait for; that it goes on coming is its progress.
                self.said.progress += 1;
                Ok(())
            }
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        match &mut self.form {
            Form::Unknown => {}
            Form::Stream(events) => {
                events.end();
                self.drain()?;
            }
            Form::Whole(whole) => {
                let whole = std::mem::take(whole);
                self.said.hear(&whole)?;
            }
        }
        self.done = true;
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn progress(&self) -> u64 {
        self.said.progress
    }

    fn anything_said(&self) -> bool {
        !(self.said.text.is_empty() && self.said.reasoning.is_empty() && self.said.calls.is_empty())
    }

    fn finish(self, request: BlobHash) -> Result<Reply, (Fault, Partial)> {
        let partial = self.partial();
        let usage = partial.usage;
        let Some(stop) = self.said.stop.filter(|_| self.done) else { return Err((Fault::Cut, partial)) };
        let cut = matches!(stop, Stop::Length | Stop::Filtered);
        match self.said.calls.finish(cut) {
            Err(fault) => Err((fault, partial)),
            Ok(calls) => {
                // Servers say `stop` with calls and `tool_calls` without any; what matters is whether there are some.
                let stop = match stop {
                    Stop::End | Stop::ToolCalls if calls.is_empty() => Stop::End,
                    Stop::End | Stop::ToolCalls => Stop::ToolCalls,
                    cut => cut,
                };
                let carry = carry::carry(&self.model, &self.said.reasoning_content, &calls);
                Ok(Reply { text: partial.text, reasoning: partial.reasoning, calls, stop, usage, request, carry })
            }
        }
    }

    fn partial(&self) -> Partial {
        let said = &self.said;
        let written = said.text.len() + said.reasoning.len() + said.calls.bytes();
        let usage = said.usage.unwrap_or(Usage {
            input_tokens: Tokens::estimate(said.request_bytes),
            output_tokens: Tokens::estimate(written),
            cached_tokens: Tokens(0),
            estimated: true,
        });
        Partial { text: said.text.clone(), reasoning: said.reasoning.clone(), usage }
    }
}

impl Said {
    /// Takes the data of one event: one chunk, or several that a careless server wrote into one event.
    fn hear(&mut self, data: &[u8]) -> Result<(), Fault> {
        let text = std::str::from_utf8(data).map_err(|_| Fault::NotUtf8)?;
        for chunk in Deserializer::from_str(text).into_iter::<Chunk>() {
            self.chunk(chunk.map_err(|error| Fault::NotTheDialect { reason: error.to_string() })?)?;
        }
        Ok(())
    }

    fn chunk(&mut self, chunk: Chunk) -> Result<(), Fault> {
        if let Some(error) = chunk.error.as_ref().filter(|error| !error.is_null()) {
            return Err(Fault::said(error));
        }
        for choice in chunk.choices.iter().flatten().filter(|choice| choice.is_first()) {
            self.choice(choice)?;
        }
        if let Some(usage) = chunk.usage.as_ref().and_then(chunk::usage) {
            self.usage = Some(usage);
            self.progress += 1;
        }
        Ok(())
    }

    fn choice(&mut self, choice: &Choice) -> Result<(), Fault> {
        if let Some(error) = choice.error.as_ref().filter(|error| !error.is_null()) {
            return Err(Fault::said(error));
        }
        if let Some(piece) = choice.piece() {
            self.reasoning_content.push_str(piece.reasoning_content());
            for thinking in piece.thinking() {
                self.say(DeltaKind::Reasoning, thinking);
            }
            self.say(DeltaKind::Message, &piece.content.text);
            for call in piece.tool_calls.iter().flatten() {
                if let Some(function) = &call.function {
                    self.progress += u64::from(self.calls.add(call.index(), call.id(), function)?);
                }
            }
            if let Some(function) = &piece.function_call {
                self.progress += u64::from(self.calls.add(Some(0), None, function)?);
            }
        }
        if let Some(reason) = choice.finish_reason() {
            self.stop = Some(stop(reason)?);
            self.progress += 1;
        }
        Ok(())
    }

    fn say(&mut self, kind: DeltaKind, text: &str) {
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
}

/// The reason for stopping, in the words of the many servers. One we do not know is an end like any other.
fn stop(reason: &str) -> Result<Stop, Fault> {
    Ok(match reason {
        "tool_calls" | "function_call" | "tool_use" => Stop::ToolCalls,
        "length" | "max_tokens" | "model_length" | "model_context_window_exceeded" => Stop::Length,
        "content_filter" | "safety" | "SAFETY" | "sensitive" => Stop::Filtered,
        // The last two are those of DeepSeek and Z.ai, whose answers end with them wherever they were.
        "error" | "abort" | "insufficient_system_resource" | "network_error" => {
            return Err(Fault::Said { message: format!("the model stopped with {reason:?}"), kind: None });
        }
        _ => Stop::End,
    })
}
