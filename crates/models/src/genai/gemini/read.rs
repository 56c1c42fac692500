//! Gemini's frames: each is a whole answer of its own with the next parts in it.

use crate::backend::ReplyCall;
use crate::genai::answer::{Said, called, text, tokens};
use crate::genai::carry::Piece;
use crate::http::Fault;
use agent::{Failure, Stop};
use serde_json::Value;
use wire::DeltaKind;

/// Reads the frames of one answer.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Text { bytes: usize, sign: Option<String> },
    Call { at: usize, sign: Option<String> },
}

impl Reader {
    /// Takes one frame.
    pub(crate) fn hear(&mut self, frame: &Value, said: &mut Said) -> Result<(), Fault> {
        if let Some(error) = frame.get("error").filter(|error| !error.is_null()) {
            return Err(Fault::said(error));
        }
        if let Some(reason) = frame.pointer("/promptFeedback/blockReason").and_then(Value::as_str) {
            let message = format!("the provider refused the prompt ({reason})");
            return Err(Fault::Said { message, kind: Some(Failure::Rejected) });
        }
        count(&frame["usageMetadata"], said);
        let candidate = &frame["candidates"][0];
        for part in candidate.pointer("/content/parts").and_then(Value::as_array).into_iter().flatten() {
            self.part(part, said)?;
        }
        if let Some(reason) = candidate["finishReason"].as_str().filter(|reason| !reason.is_empty()) {
            said.stopped(stop(reason)?);
            said.done();
        }
        Ok(())
    }

    fn part(&mut self, part: &Value, said: &mut Said) -> Result<(), Fault> {
        let sign = part["thoughtSignature"].as_str().map(str::to_owned);
        if let Some(call) = part.get("functionCall") {
            let at = said.calls.begin(call["id"].as_str(), text(call, "/name"))?;
            // Gemini's arguments come whole; those that are no object are found out at the end.
            let given = &call["args"];
            said.calls.set(at, &if given.is_null() { "{}".to_owned() } else { given.to_string() });
            said.progressed();
            self.parts.push(Part::Call { at, sign });
            return Ok(());
        }
        let words = text(part, "/text");
        if part["thought"].as_bool() == Some(true) {
            said.say(DeltaKind::Reasoning, words);
            return Ok(());
        }
        said.say(DeltaKind::Message, words);
        match (self.parts.last_mut(), sign) {
            (_, None) if words.is_empty() => {}
            (Some(Part::Text { bytes, sign: None }), None) => *bytes += words.len(),
            (_, sign) => self.parts.push(Part::Text { bytes: words.len(), sign }),
        }
        Ok(())
    }

    /// What was said, in its order.
    pub(crate) fn pieces(self, calls: &[Option<ReplyCall>]) -> Vec<Piece> {
        let piece = |part| match part {
            Part::Text { bytes, sign } => Some(Piece::Text { bytes, sign }),
            Part::Call { at, sign } => called(calls, at, sign),
        };
        self.parts.into_iter().filter_map(piece).collect()
    }
}

/// Thoughts are counted beside the answer and paid like it.
fn count(usage: &Value, said: &mut Said) {
    let count = |name| tokens(usage, name).unwrap_or_default();
    let output = count("/candidatesTokenCount") + count("/thoughtsTokenCount");
    said.counted(count("/promptTokenCount"), count("/cachedContentTokenCount"), output);
}

fn stop(reason: &str) -> Result<Stop, Fault> {
    Ok(match reason {
        "STOP" => Stop::End,
        "MAX_TOKENS" => Stop::Length,
        "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "IMAGE_SAFETY" => {
            Stop::Filtered
        }
        // `MALFORMED_FUNCTION_CALL`, `MALFORMED_RESPONSE`, `OTHER` and those that are still to come: of all reasons only
        // `STOP` is a natural end.
        _ => return Err(Fault::Said { message: format!("the model stopped with {reason}"), kind: None }),
    })
}
