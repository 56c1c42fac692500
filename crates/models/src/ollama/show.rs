//! What `/api/show` says about a model. In 0.33 it knows more than `/api/tags`, and 0.24 says it nowhere else.

use agent::Tokens;
use serde_json::Value;

/// A model as its server describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Shown {
    capabilities: Vec<String>,
    /// What the model was trained for, which bounds `num_ctx`.
    pub(crate) trained_context: Option<Tokens>,
}

impl Shown {
    /// Reads the answer; what is missing in it is unknown.
    pub(crate) fn read(answer: &Value) -> Shown {
        let words = answer.get("capabilities").and_then(Value::as_array).into_iter().flatten();
        let info = answer.get("model_info").and_then(Value::as_object);
        // The key is named after the architecture: `llama.context_length`.
        let context = info.into_iter().flatten().find(|(key, _)| key.ends_with(".context_length"));
        Shown {
            capabilities: words.filter_map(Value::as_str).map(str::to_owned).collect(),
            trained_context: context.and_then(|(_, value)| value.as_u64()).filter(|tokens| *tokens > 0).map(Tokens),
        }
    }

    /// Whether the model can do this: `completion`, `tools`, `vision`, `thinking`. `None` where the server does not say.
    pub(crate) fn can(&self, word: &str) -> Option<bool> {
        (!self.capabilities.is_empty()).then(|| self.capabilities.iter().any(|capability| capability == word))
    }
}
