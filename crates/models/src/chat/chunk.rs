//! The shapes of the dialect, read as generously as is safe: what is not known is ignored, what is known may be absent,
//! null or of a neighbouring type. A streamed chunk and a whole answer have one shape here, since they differ in a name.

use crate::http::PLAUSIBLE_TOKENS;
use agent::{Tokens, Usage};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;

#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    pub(super) choices: Option<Vec<Choice>>,
    pub(super) usage: Option<Value>,
    pub(super) error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    index: Option<Value>,
    /// The next piece, in a stream.
    delta: Option<Piece>,
    /// The whole, in an answer that does not stream; some servers send both, one of them null.
    message: Option<Piece>,
    finish_reason: Option<Value>,
    pub(super) error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Piece {
    #[serde(default)]
    pub(super) content: Said,
    #[serde(default)]
    reasoning_content: Said,
    #[serde(default)]
    reasoning: Said,
    pub(super) tool_calls: Option<Vec<CallPiece>>,
    /// The one call of the dialect's first version.
    pub(super) function_call: Option<FunctionPiece>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CallPiece {
    index: Option<Value>,
    id: Option<Value>,
    pub(super) function: Option<FunctionPiece>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct FunctionPiece {
    pub(super) name: Option<String>,
    arguments: Option<Box<RawValue>>,
}

/// Text: a string, or the parts that some servers send in its place.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) text: String,
    /// Parts that are marked as thinking.
    pub(super) thinking: String,
}

impl Choice {
    /// Whether this is the one answer that was asked for.
    pub(super) fn is_first(&self) -> bool {
        self.index.as_ref().and_then(number).is_none_or(|index| index == 0)
    }

    /// What was said, in a stream or not.
    pub(super) fn piece(&self) -> Option<&Piece> {
        self.delta.as_ref().or(self.message.as_ref())
    }

    /// The reason for which the model stopped; servers that have none yet send null, an empty string or nothing.
    pub(super) fn finish_reason(&self) -> Option<&str> {
        self.finish_reason.as_ref().and_then(Value::as_str).filter(|reason| !reason.is_empty())
    }
}

impl Piece {
    /// What was thought aloud. Servers that send it under both names send it twice.
    pub(super) fn thinking(&self) -> [&str; 2] {
        let field = if self.reasoning_content.text.is_empty() { &self.reasoning } else { &self.reasoning_content };
        [&field.text, &self.content.thinking]
    }

    /// What of it came under the name that some models want it back by.
    pub(super) fn reasoning_content(&self) -> &str {
        &self.reasoning_content.text
    }
}

impl CallPiece {
    /// The place of the call within the reply, if the server gave one.
    pub(super) fn index(&self) -> Option<u64> {
        self.index.as_ref().and_then(number)
    }

    /// The call's id, if the server gave one.
    pub(super) fn id(&self) -> Option<String> {
        match self.id.as_ref()? {
            Value::String(id) if !id.is_empty() => Some(id.clone()),
            Value::Number(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

impl FunctionPiece {
    /// The tool's name, which comes once, or with every piece.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// The next piece of the arguments, to the byte; an object in place of a string is its own text.
    pub(super) fn arguments(&self) -> Result<String, serde_json::Error> {
        match self.arguments.as_ref().map(|raw| raw.get()) {
            None | Some("null") => Ok(String::new()),
            Some(text) if text.starts_with('"') => serde_json::from_str(text),
            Some(text) => Ok(text.to_owned()),
        }
    }
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Usage as the provider counted it; `None` when it is absent, empty or not to be believed.
pub(super) fn usage(value: &Value) -> Option<Usage> {
    let tokens = |value: Option<&Value>| value.and_then(Value::as_u64).filter(|&count| count <= PLAUSIBLE_TOKENS);
    let input = tokens(value.get("prompt_tokens"))?;
    let output = tokens(value.get("completion_tokens")).unwrap_or_default();
    let cached = tokens(value.pointer("/prompt_tokens_details/cached_tokens"))
        .or_else(|| tokens(value.get("prompt_cache_hit_tokens")))
        .unwrap_or_default();
    (input + output > 0).then_some(Usage {
        input_tokens: Tokens(input),
        output_tokens: Tokens(output),
        cached_tokens: Tokens(cached.min(input)),
        estimated: false,
    })
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Said, D::Error> {
        deserializer.deserialize_any(SaidVisitor)
    }
}

struct SaidVisitor;

impl<'de> Visitor<'de> for SaidVisitor {
    type Value = Said;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, parts of text or null")
    }

    fn visit_str<E>(self, text: &str) -> Result<Said, E> {
        Ok(Said { text: text.to_owned(), thinking: String::new() })
    }

    fn visit_unit<E>(self) -> Result<Said, E> {
        Ok(Said::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Said, A::Error> {
        let mut whole = Said::default();
        while let Some(part) = parts.next_element::<Said>()? {
            whole.text.push_str(&part.text);
            whole.thinking.push_str(&part.thinking);
        }
        Ok(whole)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Said, A::Error> {
        let mut part = Said::default();
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                "text" => part.text = fields.next_value::<Said>()?.text,
                "thinking" => part.thinking = fields.next_value::<Said>()?.text,
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_in_many_shapes() {
        let said = |json: &str| serde_json::from_str::<Said>(json).unwrap();
        assert_eq!(said(r#""a\u00f6""#).text, "a\u{f6}");
        assert_eq!(said("null"), Said::default());
        let parts =
            said(r#"[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"so"}]"#);
        assert_eq!((parts.text.as_str(), parts.thinking.as_str()), ("so", "hm"));
    }

    #[test]
    fn usage_is_believed_within_reason() {
        let read = |json: &str| usage(&serde_json::from_str(json).unwrap());
        let said =
            read(r#"{"prompt_tokens":11,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":4}}"#).unwrap();
        assert_eq!((said.input_tokens, said.output_tokens, said.cached_tokens), (Tokens(11), Tokens(7), Tokens(4)));
        for wrong in [
            "{}",
            "[]",
            r#"{"prompt_tokens":0,"completion_tokens":0}"#,
            r#"{"prompt_tokens":18446744073709551615}"#,
            r#"{"prompt_tokens":-1}"#,
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
