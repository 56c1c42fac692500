//! The answer of an Ollama server, from its first byte to a reply. Pure: bytes in, text out through the sink.
//!
//! A server that was killed simply stops sending, so nothing but `done: true` ends a reply. An error after the first line
//! comes as a line of its own under HTTP 200.

use super::line::{CallPiece, Line, Lines};
use crate::backend::{Carry, Partial, Reply, ReplyCall, Sink};
use crate::http::{Answer, Fault, StreamLimits, is_object, malformed, own_id};
use agent::{Stop, Tokens, Usage};
use std::collections::BTreeSet;
use wire::{BlobHash, DeltaKind};

/// An answer while it comes. Tests take it apart at every byte, for which they copy it.
#[cfg_attr(test, derive(Clone))]
pub(super) struct OllamaAnswer {
    model: String,
    lines: Lines,
    limits: StreamLimits,
    sink: Sink,
    prompt_bytes: usize,
    received: usize,
    text: String,
    reasoning: String,
    calls: Vec<ReplyCall>,
    ids: BTreeSet<String>,
    usage: Option<Usage>,
    stop: Option<Stop>,
    progress: u64,
}

impl OllamaAnswer {
    /// Nothing has come yet.
    pub(super) fn new(model: &str, limits: StreamLimits, sink: Sink, prompt_bytes: usize) -> OllamaAnswer {
        OllamaAnswer {
            model: model.to_owned(),
            lines: Lines::new(limits.event_bytes),
            limits,
            sink,
            prompt_bytes,
            received: 0,
            text: String::new(),
            reasoning: String::new(),
            calls: Vec::new(),
            ids: BTreeSet::new(),
            usage: None,
            stop: None,
            progress: 0,
        }
    }

    fn hear(&mut self, line: &[u8]) -> Result<(), Fault> {
        let line = line.trim_ascii();
        match line.first() {
            None => return Ok(()),
            Some(b'<') => return Err(Fault::WebPage),
            Some(_) => {}
        }
        let text = std::str::from_utf8(line).map_err(|_| Fault::NotUtf8)?;
        let line: Line =
            serde_json::from_str(text).map_err(|error| Fault::NotTheDialect { reason: error.to_string() })?;
        if let Some(error) = line.error.as_ref().filter(|error| !error.is_null()) {
            return Err(Fault::said(error));
        }
        if let Some(piece) = &line.message {
            self.say(DeltaKind::Reasoning, piece.thinking.as_deref().unwrap_or_default());
            self.say(DeltaKind::Message, piece.content.as_deref().unwrap_or_default());
            for call in piece.tool_calls.iter().flatten() {
                self.call(call)?;
            }
        }
        if line.done == Some(true) {
            self.usage = line.usage();
            self.stop = Some(stop(line.done_reason.as_deref())?);
            self.progress += 1;
        }
        Ok(())
    }

    fn call(&mut self, piece: &CallPiece) -> Result<(), Fault> {
        if self.calls.len() == self.limits.calls {
            return Err(Fault::TooManyCalls { limit: self.limits.calls });
        }
        let (name, arguments) = (piece.name(), piece.arguments());
        if name.is_empty() || !is_object(&arguments) {
            return Err(malformed(name));
        }
        let given = piece.id.clone().filter(|id| !id.is_empty() && !self.ids.contains(id));
        let id = given.unwrap_or_else(|| own_id(&self.ids, self.calls.len()));
        self.ids.insert(id.clone());
        self.calls.push(ReplyCall { id, name: name.to_owned(), arguments });
        self.progress += 1;
        Ok(())
    }

    fn say(&mut self, kind: DeltaKind, text: &str) {
        if text.is_empty() {
            return;
        }
        let said = if kind == DeltaKind::Reasoning { &mut self.reasoning } else { &mut self.text };
        said.push_str(text);
        (self.sink)(kind, text);
        self.progress += 1;
    }

    /// Models that think before calls want to read those thoughts again with the results.
    fn carry(&self) -> Option<Carry> {
        let thought = !self.calls.is_empty() && !self.reasoning.is_empty();
        thought.then(|| Carry { from: carrier(&self.model), data: self.reasoning.clone() })
    }
}

/// Who the thoughts of a model come from.
pub(super) fn carrier(model: &str) -> String {
    format!("ollama {model}")
}

impl Answer for OllamaAnswer {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.received += bytes.len();
        if self.received > self.limits.stream_bytes {
            return Err(Fault::StreamTooLong { limit: self.limits.stream_bytes });
        }
        self.lines.push(bytes);
        while !self.is_done()
            && let Some(line) = self.lines.next()?
        {
            let line = line.to_vec();
            self.hear(&line)?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let rest = self.lines.rest();
        if !self.is_done() {
            self.hear(&rest)?;
        }
        if self.is_done() { Ok(()) } else { Err(Fault::Cut) }
    }

    fn is_done(&self) -> bool {
        self.stop.is_some()
    }

    fn progress(&self) -> u64 {
        self.progress
    }

    fn anything_said(&self) -> bool {
        !(self.text.is_empty() && self.reasoning.is_empty() && self.calls.is_empty())
    }

    fn partial(&self) -> Partial {
        let calls: usize = self.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum();
        let usage = self.usage.unwrap_or(Usage {
            input_tokens: Tokens::estimate(self.prompt_bytes),
            output_tokens: Tokens::estimate(self.text.len() + self.reasoning.len() + calls),
            cached_tokens: Tokens(0),
            estimated: true,
        });
        Partial { text: self.text.clone(), reasoning: self.reasoning.clone(), usage }
    }

    fn finish(self, request: BlobHash) -> Result<Reply, (Fault, Partial)> {
        let Partial { text, reasoning, usage } = self.partial();
        let Some(stop) = self.stop else { return Err((Fault::Cut, Partial { text, reasoning, usage })) };
        let carry = self.carry();
        // Ollama says `stop` with calls too. Calls come whole, so those before a cut are whole as well.
        let stop = if stop == Stop::End && !self.calls.is_empty() { Stop::ToolCalls } else { stop };
        Ok(Reply { text, reasoning, calls: self.calls, stop, usage, request, carry })
    }
}

/// The reason for stopping. `load` and `unload` answer a request without messages, so here nobody asked for them.
fn stop(reason: Option<&str>) -> Result<Stop, Fault> {
    match reason {
        Some("length") => Ok(Stop::Length),
        Some(moved @ ("load" | "unload")) => {
            Err(Fault::Said { message: format!("the model did not answer: done_reason is {moved}"), kind: None })
        }
        _ => Ok(Stop::End),
    }
}
