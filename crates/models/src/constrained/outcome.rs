//! What an answer of the forms means: words, or a call of one of the tools. Everything else is no answer.

use super::form::{self, ARGUMENTS, REPLY, TOOL};
use crate::backend::ReplyCall;
use serde_json::{Map, Value};
use wire::ToolSpec;

/// What the model decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It says something.
    Words(String),
    /// It wants a tool to run.
    Call(ReplyCall),
}

/// Why an answer is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Formless {
    /// It is no whole JSON object.
    #[error(
        "answered with something else than the JSON object that was asked for ({reason}); does it hold models to a JSON \
         schema?"
    )]
    NotAnObject {
        /// What the parser says.
        reason: String,
    },
    /// It has none of the forms.
    #[error(
        "answered with a JSON object that is neither a call of a tool nor a reply; does it hold models to a JSON schema?"
    )]
    NoForm,
    /// It names a tool that is not there.
    #[error("called the tool {name:?}, which was not offered")]
    UnknownTool {
        /// The name.
        name: String,
    },
}

/// Characters of a tool's name that go into a message.
const MAX_NAME: usize = 64;

/// Reads a whole answer.
pub(super) fn read(answer: &str, tools: &[ToolSpec]) -> Result<Outcome, Formless> {
    let mut object: Map<String, Value> =
        serde_json::from_str(answer).map_err(|error| Formless::NotAnObject { reason: error.to_string() })?;
    match object.shift_remove(TOOL) {
        Some(Value::String(name)) => {
            let Some(tool) = tools.iter().find(|tool| tool.name == name) else {
                return Err(Formless::UnknownTool { name: name.chars().take(MAX_NAME).collect() });
            };
            let arguments = match form::is_nested(tool) {
                false => Some(Value::Object(object)),
                true => object.shift_remove(ARGUMENTS).filter(Value::is_object),
            };
            let arguments = arguments.ok_or(Formless::NoForm)?.to_string();
            Ok(Outcome::Call(ReplyCall { id: "call_0".to_owned(), name, arguments }))
        }
        None if object.len() == 1 => match object.shift_remove(REPLY) {
            Some(Value::String(words)) => Ok(Outcome::Words(words)),
            Some(formed) => Ok(Outcome::Words(formed.to_string())),
            None => Err(Formless::NoForm),
        },
        _ => Err(Formless::NoForm),
    }
}
