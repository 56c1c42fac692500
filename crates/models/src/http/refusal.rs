//! Refusals: what kind of failure an HTTP status and an error object mean, and what they say to people.

use agent::Failure;
use reqwest::StatusCode;
use serde_json::Value;

/// Characters of a server's words that go into a message.
const MAX_WORDS: usize = 400;

/// Words by which servers say that the context does not fit. Many send them with a general code.
const CONTEXT_WORDS: &[&str] = &[
    "exceed_context_size",
    "context_length_exceeded",
    "context length",
    "context window",
    "context size",
    "context_window",
    "prompt is too long",
    "prompt too long",
    "input is too long",
    "too many tokens",
    "maximum number of tokens",
    "reduce the length",
];

/// Words by which servers say, with a code of 500, that the request itself was wrong, so that asking again is in vain.
const REQUEST_WORDS: &[&str] =
    &["is not supported", "does not support", "must be of type", "invalid json schema", "invalid format"];

/// An error object: `{"message": …, "type": …, "code": …}`, or what servers send in its place.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What it says, at whatever length.
    pub(crate) message: String,
    /// Its type, its code and its message in lower case, to look for words in.
    words: String,
    /// Its code, where that is an HTTP status.
    status: Option<u16>,
}

/// Reads an error object, which may also be a text.
pub(crate) fn read(error: &Value) -> Refusal {
    let field = |name: &str| match error.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Object(inner)) => inner.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    let message = match error {
        Value::String(text) => match nested(text) {
            Some(inner) => return read(inner.get("error").unwrap_or(&inner)),
            None => text.clone(),
        },
        _ => [field("message"), field("detail"), field("msg")]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_default(),
    };
    let status = ["code", "status", "http_code"].iter().find_map(|name| field(name).parse().ok());
    let words = format!("{} {} {} {message}", field("type"), field("code"), field("status")).to_lowercase();
    let message = if message.is_empty() { error.to_string() } else { message };
    Refusal { message, words, status: status.filter(|status| (400..600).contains(status)) }
}

/// An object that a server before the server wrote into a text, as Ollama does with the words of llama.cpp.
fn nested(text: &str) -> Option<Value> {
    let object = text.trim_start().starts_with('{').then(|| serde_json::from_str::<Value>(text).ok())??;
    // A text within the object is read as it stands, so this ends.
    (!object.get("error").is_some_and(Value::is_string)).then_some(object)
}

/// Reads the body of a refusal.
pub(crate) fn read_body(body: &str) -> Refusal {
    match serde_json::from_str::<Value>(body) {
        Ok(Value::Array(list)) if !list.is_empty() => read(list[0].get("error").unwrap_or(&list[0])),
        Ok(object) => read(object.get("error").filter(|error| !error.is_null()).unwrap_or(&object)),
        Err(_) if body.trim_start().starts_with('<') => Refusal { message: "a web page".into(), ..Refusal::default() },
        Err(_) if body.trim().is_empty() => Refusal { message: "no words".into(), ..Refusal::default() },
        Err(_) => Refusal { message: body.to_owned(), words: body.to_lowercase(), status: None },
    }
}

/// White space as single spaces, and no more than [`MAX_WORDS`] characters. To be done after masking, since a cut could go
/// through a key.
pub(crate) fn shorten(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(MAX_WORDS) {
        Some((at, _)) => format!("{}…", &words[..at]),
        None => words,
    }
}

impl Refusal {
    /// The failure that an error object names by itself, without an HTTP status beside it.
    pub(crate) fn kind(&self) -> Option<Failure> {
        if let Some(status) = self.status.and_then(|status| StatusCode::from_u16(status).ok()) {
            return Some(self.failure(status));
        }
        let has = |word: &str| self.words.contains(word);
        if self.is_about_context() {
            Some(Failure::ContextTooLong)
        } else if self.is_about_model() {
            Some(Failure::UnknownModel)
        } else if has("insufficient_quota") {
            Some(Failure::Rejected)
        } else if has("rate_limit") || has("rate limit") || has("too many requests") {
            Some(Failure::RateLimited)
        } else if has("overloaded") || has("unavailable") || has("server_error") {
            Some(Failure::Overloaded)
        } else if has("invalid_api_key") || has("authentication") || has("unauthorized") {
            Some(Failure::Unauthorized)
        } else {
            None
        }
    }

    /// The failure that a status means together with these words.
    pub(crate) fn failure(&self, status: StatusCode) -> Failure {
        match status.as_u16() {
            401 | 403 => Failure::Unauthorized,
            429 if self.words.contains("insufficient_quota") => Failure::Rejected,
            429 => Failure::RateLimited,
            408 => Failure::TimedOut,
            _ if self.is_about_context() => Failure::ContextTooLong,
            400 | 404 | 422 if self.is_about_model() => Failure::UnknownModel,
            404 if self.words.contains("model") => Failure::UnknownModel,
            500..600 if REQUEST_WORDS.iter().any(|words| self.words.contains(words)) => Failure::Rejected,
            500..600 => Failure::Overloaded,
            _ => Failure::Rejected,
        }
    }

    fn is_about_context(&self) -> bool {
        CONTEXT_WORDS.iter().any(|words| self.words.contains(words))
    }

    fn is_about_model(&self) -> bool {
        let has = |word: &str| self.words.contains(word);
        has("model_not_found")
            || has("unknown model")
            || has("invalid model")
            || has("no such model")
            || (has("model") && (has("does not exist") || has("not found") || has("no endpoints found")))
    }
}

/// What to do about a failure, where there is something.
pub(crate) fn remedy(failure: Failure, status: StatusCode, wrong_path: &'static str) -> &'static str {
    match failure {
        Failure::Unauthorized => "; set `key` of this model to one that the provider takes",
        Failure::UnknownModel => "; set `model` to a name that the provider knows",
        Failure::ContextTooLong => "; shorten the session, or set `context_tokens` of this model to what it really has",
        _ if status == StatusCode::NOT_FOUND || status == StatusCode::METHOD_NOT_ALLOWED => wrong_path,
        _ if status.is_redirection() => "; redirects are not followed, so set base_url to where the server really is",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_words_give_the_failure() {
        for (status, body, expected) in [
            (401, r#"{"error":{"message":"Incorrect API key"}}"#, Failure::Unauthorized),
            (403, "", Failure::Unauthorized),
            (
                404,
                r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#,
                Failure::UnknownModel,
            ),
            (404, r#"{"error":"model 'x' not found"}"#, Failure::UnknownModel),
            (404, "404 page not found", Failure::Rejected),
            (
                400,
                r#"{"error":{"code":400,"message":"the request exceeds","type":"exceed_context_size_error"}}"#,
                Failure::ContextTooLong,
            ),
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 8192 tokens."}}"#,
                Failure::ContextTooLong,
            ),
            (413, r#"{"message":"Please reduce the length of the messages"}"#, Failure::ContextTooLong),
            (413, "too big", Failure::Rejected),
            (400, r#"{"error":{"message":"bad temperature"}}"#, Failure::Rejected),
            (400, r#"{"error":{"message":"invalid model ID"}}"#, Failure::UnknownModel),
            (422, r#"{"detail":[{"msg":"x"}]}"#, Failure::Rejected),
            (429, "slow down", Failure::RateLimited),
            (429, r#"{"error":{"code":"insufficient_quota","message":"pay"}}"#, Failure::Rejected),
            (408, "", Failure::TimedOut),
            (500, "", Failure::Overloaded),
            (503, r#"{"error":{"message":"Loading model"}}"#, Failure::Overloaded),
            (529, "<html>", Failure::Overloaded),
            (500, r#"{"error":"option \"num_ctx\" must be of type integer"}"#, Failure::Rejected),
            (
                500,
                r#"{"error":"{\"error\":{\"code\":500,\"message\":\"image input is not supported\",\"type\":\"server_error\"}}"}"#,
                Failure::Rejected,
            ),
            (
                400,
                r#"{"error":"{\"error\":{\"code\":400,\"message\":\"request exceeds\",\"type\":\"exceed_context_size_error\"}}"}"#,
                Failure::ContextTooLong,
            ),
            (302, "", Failure::Rejected),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(read_body(body).failure(status), expected, "{status} {body}");
        }
    }

    #[test]
    fn an_error_object_names_its_failure_by_code_or_words() {
        let kind = |json: &str| read(&serde_json::from_str(json).unwrap()).kind();
        assert_eq!(kind(r#"{"message":"x","code":429}"#), Some(Failure::RateLimited));
        assert_eq!(kind(r#"{"message":"Overloaded","type":"server_error"}"#), Some(Failure::Overloaded));
        assert_eq!(kind(r#"{"message":"nope"}"#), None);
        assert_eq!(kind(r#""just words""#), None);
    }

    #[test]
    fn words_are_bounded() {
        let message = shorten(&read_body(&"é  ".repeat(5000)).message);
        assert_eq!(message.chars().count(), MAX_WORDS + 1);
        assert_eq!(read_body("<!doctype html>").message, "a web page");
    }
}
