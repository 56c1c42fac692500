//! Whether a provider answers where it is said to be, and takes the key: one small question that costs nothing, before
//! something that works is given up for it.
//!
//! A list of models is asked for, or a version; never a word of a model. What only might be wrong counts as an answer: a
//! gateway without such a list, a key that may call models and not list them.

use crate::genai::{Dialect, ProviderInfo};
use crate::http::client::WarmClient;
use crate::http::{Endpoint, Missed, Timeouts, fetch};
use crate::key::Key;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use std::time::Duration;

/// How long the question may take.
pub const REACH_TIMEOUT: Duration = Duration::from_millis(2_500);
/// The most that is read of an answer.
const ANSWER_BYTES: usize = 4 << 20;
/// Anthropic wants to be told which of its interfaces is meant.
const ANTHROPIC_VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

/// What came of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Somebody answers there, and nothing was said against the key.
    Answers,
    /// The key was refused.
    Refused,
    /// Nobody answers there.
    Silent,
}

/// Asks. Cancel-safe; opens a connection of its own and closes it again.
pub async fn reach(provider: &ProviderInfo, base_url: Option<&str>, key: Option<&Key>) -> Reach {
    let Some(base_url) = base_url.or(provider.default_base_url) else { return Reach::Silent };
    let path = match provider.dialect {
        Dialect::Ollama => "/api/version",
        Dialect::Chat | Dialect::Anthropic | Dialect::Gemini | Dialect::Responses => "/models",
    };
    let timeouts = Timeouts { connect: REACH_TIMEOUT, ..Timeouts::default() };
    let Ok(endpoint) = Endpoint::new(base_url, path) else { return Reach::Silent };
    let client = WarmClient::default();
    let Ok(client) = client.get(&endpoint, &timeouts) else { return Reach::Silent };
    let mut request = client.get(endpoint.url.clone());
    if let Some(key) = key {
        let (name, value) = match provider.dialect {
            Dialect::Anthropic => (HeaderName::from_static("x-api-key"), key.secret().to_owned()),
            Dialect::Gemini => (HeaderName::from_static("x-goog-api-key"), key.secret().to_owned()),
            Dialect::Chat | Dialect::Responses | Dialect::Ollama => (AUTHORIZATION, key.bearer()),
        };
        let Ok(mut value) = HeaderValue::from_str(&value) else { return Reach::Refused };
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    if provider.dialect == Dialect::Anthropic {
        request = request.header(ANTHROPIC_VERSION.0, ANTHROPIC_VERSION.1);
    }
    match fetch(request, ANSWER_BYTES, REACH_TIMEOUT).await {
        Err(Missed::Unreachable | Missed::TimedOut) => Reach::Silent,
        Err(Missed::Refused(StatusCode::UNAUTHORIZED)) => Reach::Refused,
        // Gemini has no other word for a key that it does not know.
        Err(Missed::Refused(StatusCode::BAD_REQUEST)) if provider.dialect == Dialect::Gemini => Reach::Refused,
        Ok(_) | Err(Missed::Refused(_) | Missed::TooLong | Missed::NotJson) => Reach::Answers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genai::provider;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// A server that answers one question, and what it heard.
    async fn asked(word: &str, key: Option<&str>, status: &'static str) -> (Reach, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let heard = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = vec![0; 4096];
            let read = stream.read(&mut heard).unwrap();
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&heard[..read]).to_ascii_lowercase()
        });
        let key = key.map(|key| Key::new(key).unwrap());
        let reach = reach(provider(word).unwrap(), Some(&base), key.as_ref()).await;
        (reach, heard.join().unwrap())
    }

    #[tokio::test]
    async fn a_refused_key_is_told_from_an_answer() {
        for (word, status, expected) in [
            ("openai", "200 OK", Reach::Answers),
            ("openai", "401 Unauthorized", Reach::Refused),
            ("openai", "403 Forbidden", Reach::Answers),
            ("openai", "404 Not Found", Reach::Answers),
            ("openai", "400 Bad Request", Reach::Answers),
            ("gemini", "400 Bad Request", Reach::Refused),
            ("anthropic", "401 Unauthorized", Reach::Refused),
            ("ollama", "200 OK", Reach::Answers),
        ] {
            let (found, heard) = asked(word, Some("sk-canary-0123456789"), status).await;
            assert_eq!(found, expected, "{word} {status}");
            assert!(heard.starts_with("get /v1/") && heard.contains("sk-canary-0123456789"), "{heard}");
            assert_eq!(heard.contains("authorization"), ["openai", "ollama"].contains(&word), "{heard}");
        }
    }

    #[tokio::test]
    async fn nobody_there_is_no_answer() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let base = format!("http://{free}/v1");
        assert_eq!(reach(provider("openai").unwrap(), Some(&base), None).await, Reach::Silent);
        assert_eq!(reach(provider("openai").unwrap(), Some("not a url"), None).await, Reach::Silent);
    }
}
