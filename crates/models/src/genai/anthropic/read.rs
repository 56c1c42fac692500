//! Anthropic's frames.
//!
//! A block is known by its index and not by which one began last, since llama.cpp stops all its blocks at the end.

use crate::backend::ReplyCall;
use crate::genai::answer::{Said, called, text, tokens};
use crate::genai::carry::Piece;
use crate::http::Fault;
use agent::Stop;
use serde_json::{Value, json};
use wire::DeltaKind;

/// Reads the frames of one answer.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    blocks: Vec<Block>,
    input: u64,
    cached: u64,
    output: u64,
}

#[derive(Debug)]
struct Block {
    index: Option<u64>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Text {
        bytes: usize,
    },
    Thinking {
        thinking: String,
        signature: String,
    },
    Redacted(Value),
    Call(usize),
    /// A block that we did not ask for, such as a search of the provider's own.
    Other,
}

impl Reader {
    /// Takes one frame.
    pub(crate) fn hear(&mut self, frame: &Value, said: &mut Said) -> Result<(), Fault> {
        match text(frame, "/type") {
            "message_start" => self.count(&frame["message"]["usage"], said),
            "content_block_start" => self.begin(frame, said)?,
            "content_block_delta" => self.grow(frame, said),
            "message_delta" => {
                self.count(&frame["usage"], said);
                match text(frame, "/delta/stop_reason") {
                    "" => {}
                    "tool_use" => said.stopped(Stop::ToolCalls),
                    "max_tokens" | "model_context_window_exceeded" => said.stopped(Stop::Length),
                    "refusal" => said.stopped(Stop::Filtered),
                    _ => said.stopped(Stop::End),
                }
            }
            "message_stop" => said.done(),
            "error" => return Err(Fault::said(&frame["error"])),
            _ if frame.get("error").is_some_and(|error| !error.is_null()) => return Err(Fault::said(&frame["error"])),
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, frame: &Value, said: &mut Said) -> Result<(), Fault> {
        let block = &frame["content_block"];
        let kind = match text(block, "/type") {
            "text" => {
                let begun = text(block, "/text");
                said.say(DeltaKind::Message, begun);
                Kind::Text { bytes: begun.len() }
            }
            "thinking" => {
                let thinking = text(block, "/thinking");
                said.say(DeltaKind::Reasoning, thinking);
                Kind::Thinking { thinking: thinking.to_owned(), signature: text(block, "/signature").to_owned() }
            }
            "redacted_thinking" => Kind::Redacted(block.clone()),
            "tool_use" => {
                let at = said.calls.begin(block["id"].as_str(), text(block, "/name"))?;
                // Some servers give the arguments whole at once, in place of the empty object.
                if block["input"].as_object().is_some_and(|input| !input.is_empty()) {
                    said.calls.set(at, &block["input"].to_string());
                }
                said.progressed();
                Kind::Call(at)
            }
            _ => Kind::Other,
        };
        self.blocks.push(Block { index: frame["index"].as_u64(), kind });
        Ok(())
    }

    fn grow(&mut self, frame: &Value, said: &mut Said) {
        let index = frame["index"].as_u64();
        let found = self.blocks.iter_mut().rfind(|block| index.is_none() || block.index == index);
        let Some(Block { kind, .. }) = found else { return };
        let delta = &frame["delta"];
        match kind {
            Kind::Text { bytes } => {
                let piece = text(delta, "/text");
                *bytes += piece.len();
                said.say(DeltaKind::Message, piece);
            }
            Kind::Thinking { thinking, signature } => {
                let piece = text(delta, "/thinking");
                thinking.push_str(piece);
                signature.push_str(text(delta, "/signature"));
                said.say(DeltaKind::Reasoning, piece);
            }
            Kind::Call(at) => {
                let piece = text(delta, "/partial_json");
                if !piece.is_empty() {
                    said.calls.add(*at, piece);
                    said.progressed();
                }
            }
            Kind::Redacted(_) | Kind::Other => {}
        }
    }

    /// The dialect counts what it read from the cache and wrote to it beside the rest, and sums up as it goes on.
    fn count(&mut self, usage: &Value, said: &mut Said) {
        let (fresh, read, written) = ("/input_tokens", "/cache_read_input_tokens", "/cache_creation_input_tokens");
        if let Some(fresh) = tokens(usage, fresh) {
            self.cached = tokens(usage, read).unwrap_or(self.cached);
            self.input = fresh + self.cached + tokens(usage, written).unwrap_or_default();
        }
        self.output = tokens(usage, "/output_tokens").unwrap_or(self.output);
        said.counted(self.input, self.cached, self.output);
    }

    /// What was said, in its order.
    pub(crate) fn pieces(self, calls: &[Option<ReplyCall>]) -> Vec<Piece> {
        let piece = |block: Block| match block.kind {
            Kind::Text { bytes } => Some(Piece::Text { bytes, sign: None }),
            // Reasoning without a signature cannot be sent back.
            Kind::Thinking { signature, .. } if signature.is_empty() => None,
            Kind::Thinking { thinking, signature } => {
                Some(Piece::Block(json!({"type": "thinking", "thinking": thinking, "signature": signature})))
            }
            Kind::Redacted(block) => Some(Piece::Block(block)),
            Kind::Call(at) => called(calls, at, None),
            Kind::Other => None,
        };
        self.blocks.into_iter().filter_map(piece).collect()
    }
}
