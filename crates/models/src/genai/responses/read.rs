//! The frames of responses.
//!
//! An item is known by its id before its index, since llama.cpp sends no index; and the last frame's list of all items
//! is taken over what came in pieces, where it holds no fewer calls.

use crate::backend::ReplyCall;
use crate::genai::answer::{Said, called, text, tokens};
use crate::genai::carry::Piece;
use crate::http::Fault;
use agent::Stop;
use serde_json::Value;
use wire::DeltaKind;

/// Reads the frames of one answer.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    id: Option<String>,
    index: Option<u64>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Message { bytes: usize },
    Call(usize),
    Reasoning(Value),
}

impl Reader {
    /// Takes one frame.
    pub(crate) fn hear(&mut self, frame: &Value, said: &mut Said) -> Result<(), Fault> {
        match text(frame, "/type") {
            "response.output_item.added" => self.begin(frame, said),
            "response.output_item.done" => self.end(frame, said),
            "response.output_text.delta" | "response.refusal.delta" => {
                self.speak(frame, said);
                Ok(())
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                said.say(DeltaKind::Reasoning, text(frame, "/delta"));
                Ok(())
            }
            "response.function_call_arguments.delta" => {
                let piece = text(frame, "/delta");
                if let (Some(at), false) = (self.call_of(frame), piece.is_empty()) {
                    said.calls.add(at, piece);
                    said.progressed();
                }
                Ok(())
            }
            "response.function_call_arguments.done" => {
                if let (Some(at), Some(arguments)) = (self.call_of(frame), frame["arguments"].as_str()) {
                    said.calls.set(at, arguments);
                    said.progressed();
                }
                Ok(())
            }
            "response.completed" | "response.incomplete" => self.finish(&frame["response"], said),
            "response.failed" => Err(Fault::said(&frame["response"]["error"])),
            "error" => Err(Fault::said(frame.get("error").filter(|error| !error.is_null()).unwrap_or(frame))),
            _ => match frame.get("error").filter(|error| !error.is_null()) {
                Some(error) => Err(Fault::said(error)),
                None => Ok(()),
            },
        }
    }

    fn begin(&mut self, frame: &Value, said: &mut Said) -> Result<(), Fault> {
        let item = &frame["item"];
        let kind = match text(item, "/type") {
            "message" => Kind::Message { bytes: 0 },
            "function_call" => {
                let at = said.calls.begin(item["call_id"].as_str(), text(item, "/name"))?;
                said.calls.set(at, text(item, "/arguments"));
                said.progressed();
                Kind::Call(at)
            }
            "reasoning" => Kind::Reasoning(item.clone()),
            _ => return Ok(()),
        };
        self.items.push(Item { id: id(&item["id"]), index: frame["output_index"].as_u64(), kind });
        Ok(())
    }

    /// An item is whole; what it says now is over all that came of it in pieces.
    fn end(&mut self, frame: &Value, said: &mut Said) -> Result<(), Fault> {
        let item = &frame["item"];
        let kind = text(item, "/type");
        let (id, index) = (id(&item["id"]), frame["output_index"].as_u64());
        let by_call_id = item["call_id"].as_str().and_then(|id| said.calls.find(id));
        let known = self.items.iter_mut().rfind(|known| match known.kind {
            Kind::Call(at) if by_call_id.is_some() => kind == "function_call" && Some(at) == by_call_id,
            _ => known.is(kind) && known.agrees(id.as_deref(), index),
        });
        match known {
            None => self.begin(frame, said)?,
            Some(Item { kind: Kind::Call(at), .. }) => {
                if let Some(arguments) = item["arguments"].as_str().filter(|arguments| !arguments.is_empty()) {
                    said.calls.set(*at, arguments);
                }
            }
            Some(Item { kind: Kind::Reasoning(begun), .. }) => item.clone_into(begun),
            Some(Item { kind: Kind::Message { .. }, .. }) => {}
        }
        Ok(())
    }

    fn speak(&mut self, frame: &Value, said: &mut Said) {
        let piece = text(frame, "/delta");
        let (id, index) = (id(&frame["item_id"]), frame["output_index"].as_u64());
        let known = self.items.iter_mut().rfind(|item| item.is("message") && item.agrees(id.as_deref(), index));
        match known {
            Some(Item { kind: Kind::Message { bytes }, .. }) => *bytes += piece.len(),
            _ => self.items.push(Item { id, index, kind: Kind::Message { bytes: piece.len() } }),
        }
        said.say(DeltaKind::Message, piece);
    }

    fn call_of(&self, frame: &Value) -> Option<usize> {
        let (id, index) = (id(&frame["item_id"]), frame["output_index"].as_u64());
        let calls = || self.items.iter().rev().filter(|item| item.is("function_call"));
        let known = calls()
            .find(|item| id.is_some() && item.id == id)
            .or_else(|| calls().find(|item| item.agrees(id.as_deref(), index)))?;
        match known.kind {
            Kind::Call(at) => Some(at),
            Kind::Message { .. } | Kind::Reasoning(_) => None,
        }
    }

    fn finish(&mut self, response: &Value, said: &mut Said) -> Result<(), Fault> {
        let output = response["output"].as_array().map(Vec::as_slice).unwrap_or_default();
        let listed = output.iter().filter(|item| item["type"] == "function_call").count();
        if !output.is_empty() && listed >= said.calls.len() {
            self.items.clear();
            said.calls.clear();
            let silent = said.text.is_empty();
            for item in output {
                self.list(item, silent, said)?;
            }
        }
        let usage = &response["usage"];
        let count = |name| tokens(usage, name).unwrap_or_default();
        said.counted(count("/input_tokens"), count("/input_tokens_details/cached_tokens"), count("/output_tokens"));
        said.stopped(stop(response)?);
        said.done();
        Ok(())
    }

    /// Takes an item of the last frame's list. A server that streamed no words says them here for the first time.
    fn list(&mut self, item: &Value, silent: bool, said: &mut Said) -> Result<(), Fault> {
        let kind = match text(item, "/type") {
            "message" => {
                let mut bytes = 0;
                for part in item["content"].as_array().into_iter().flatten() {
                    let words = Some(text(part, "/text")).filter(|text| !text.is_empty());
                    let words = words.unwrap_or_else(|| text(part, "/refusal"));
                    bytes += words.len();
                    if silent {
                        said.say(DeltaKind::Message, words);
                    }
                }
                Kind::Message { bytes }
            }
            "function_call" => {
                let at = said.calls.begin(item["call_id"].as_str(), text(item, "/name"))?;
                said.calls.set(at, text(item, "/arguments"));
                Kind::Call(at)
            }
            "reasoning" => Kind::Reasoning(item.clone()),
            _ => return Ok(()),
        };
        self.items.push(Item { id: None, index: None, kind });
        Ok(())
    }

    /// What was said, in its order.
    pub(crate) fn pieces(self, calls: &[Option<ReplyCall>]) -> Vec<Piece> {
        let piece = |item: Item| match item.kind {
            Kind::Message { bytes } => Some(Piece::Text { bytes, sign: None }),
            Kind::Call(at) => called(calls, at, None),
            // What is not encrypted was only for us to read, and the provider has not kept it.
            Kind::Reasoning(item) => item["encrypted_content"].is_string().then_some(Piece::Block(item)),
        };
        self.items.into_iter().filter_map(piece).collect()
    }
}

impl Item {
    fn is(&self, kind: &str) -> bool {
        kind == match self.kind {
            Kind::Message { .. } => "message",
            Kind::Call(_) => "function_call",
            Kind::Reasoning(_) => "reasoning",
        }
    }

    /// Whether nothing tells it from what is meant.
    fn agrees(&self, id: Option<&str>, index: Option<u64>) -> bool {
        let same_id = self.id.is_none() || id.is_none() || self.id.as_deref() == id;
        let same_index = self.index.is_none() || index.is_none() || self.index == index;
        same_id && same_index
    }
}

fn id(value: &Value) -> Option<String> {
    value.as_str().filter(|id| !id.is_empty()).map(str::to_owned)
}

fn stop(response: &Value) -> Result<Stop, Fault> {
    let reason = text(response, "/incomplete_details/reason");
    Ok(match (text(response, "/status"), reason) {
        ("completed", _) => Stop::End,
        ("incomplete", "content_filter") => Stop::Filtered,
        ("incomplete", _) => Stop::Length,
        (status, _) => {
            return Err(Fault::Said { message: format!("the response ended with the status {status:?}"), kind: None });
        }
    })
}
