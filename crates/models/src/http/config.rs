//! Where a server is and how patient we are with it, checked once before anything is opened.

use reqwest::Url;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// Tokens beyond this are not believed: no model reads or writes as many, and a price must not be multiplied by them.
pub(crate) const PLAUSIBLE_TOKENS: u64 = 100_000_000;

/// How long each part of a call may take. There is none for the whole, which is the turn's own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands: 10 s.
    pub connect: Duration,
    /// From sending the request to the first token, which includes the time in which the model reads: 120 s.
    pub first_token: Duration,
    /// Between two tokens: 60 s. Only text, reasoning, pieces of calls, usage and the finish count; comments that keep
    /// the connection alive do not.
    pub between_tokens: Duration,
    /// For the body of a refusal: 5 s. What has come by then is read.
    pub refusal_body: Duration,
    /// For the end of the body after the last word, which lets the connection be used again: 250 ms.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(10),
            first_token: Duration::from_secs(120),
            between_tokens: Duration::from_secs(60),
            refusal_body: Duration::from_secs(5),
            drain: Duration::from_millis(250),
        }
    }
}

/// How much a server may send in one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Bytes of a line, of an event and of an answer that does not stream: 16 MiB.
    pub event_bytes: usize,
    /// Bytes of the whole stream: 64 MiB.
    pub stream_bytes: usize,
    /// Tool calls in a reply: 128.
    pub calls: usize,
    /// Bytes of a refusal that are read: 64 KiB.
    pub refusal_bytes: usize,
}

impl Default for StreamLimits {
    fn default() -> StreamLimits {
        StreamLimits { event_bytes: 16 << 20, stream_bytes: 64 << 20, calls: 128, refusal_bytes: 64 << 10 }
    }
}

/// Why a base URL cannot be used. The URL itself is not shown, since people paste keys into URLs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It does not parse.
    #[error("base_url is not a URL ({reason}); it should look like http://127.0.0.1:8080/v1")]
    NotAUrl {
        /// What the parser says.
        reason: String,
    },
    /// It is neither `http` nor `https`.
    #[error("base_url begins with {scheme}:, but only http: and https: can be called")]
    Scheme {
        /// What it begins with.
        scheme: String,
    },
    /// It holds a name or a password.
    #[error("base_url holds a user name or password; put the key under `key`, where it is kept secret")]
    Credentials,
    /// It holds a fragment, which is never sent.
    #[error("base_url holds a fragment (#…), which is never sent; remove it")]
    Fragment,
    /// It names a path that is added by itself.
    #[error("base_url ends in {path}, which is added by itself; leave it out")]
    WholePath {
        /// The path.
        path: &'static str,
    },
    /// It names the OpenAI dialect of a server that is to be called in its own.
    #[error("base_url ends in /v1, but Ollama's own interface lies beside it; leave /v1 out")]
    OtherDialect,
    /// The key cannot stand in a header.
    #[error("the key cannot stand in an HTTP header; copy it again")]
    Key,
}

/// A base URL that was checked. `Debug` shows what people may see.
#[derive(Clone)]
pub(crate) struct Endpoint {
    /// Where requests go.
    pub(crate) url: Url,
    /// The base as people may see it: no query, no credentials.
    pub(crate) shown: String,
    /// Whether the server is on this machine.
    pub(crate) loopback: bool,
    /// The path that was added to the base.
    path: &'static str,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.shown).finish()
    }
}

impl Endpoint {
    /// Checks a base URL; requests go to `path` below it.
    pub(crate) fn new(base_url: &str, path: &'static str) -> Result<Endpoint, ConfigError> {
        let mut url =
            Url::parse(base_url.trim()).map_err(|error| ConfigError::NotAUrl { reason: error.to_string() })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ConfigError::Scheme { scheme: url.scheme().to_owned() });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ConfigError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(ConfigError::Fragment);
        }
        let base = url.path().trim_end_matches('/').to_owned();
        if base.ends_with(path) {
            return Err(ConfigError::WholePath { path });
        }
        let shown = format!("{}{base}", url.origin().ascii_serialization());
        url.set_path(&format!("{base}{path}"));
        let loopback = url.host_str().is_some_and(is_loopback);
        Ok(Endpoint { url, shown, loopback, path })
    }

    /// The URL of another path of the same server.
    pub(crate) fn beside(&self, path: &str) -> Url {
        let base = self.url.path().strip_suffix(self.path).unwrap_or_default().to_owned();
        let mut url = self.url.clone();
        url.set_path(&format!("{base}{path}"));
        url
    }

    /// Whether the server is this host.
    pub(crate) fn is_host(&self, host: &str) -> bool {
        self.url.host_str() == Some(host)
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.ends_with(".localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_added_to_the_base_but_the_path() {
        for (base, url) in [
            ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/chat/completions"),
            ("http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080/v1/chat/completions"),
            ("http://localhost:1", "http://localhost:1/chat/completions"),
            ("https://x.example/openai/v1?api-version=2", "https://x.example/openai/v1/chat/completions?api-version=2"),
        ] {
            assert_eq!(Endpoint::new(base, "/chat/completions").unwrap().url.as_str(), url);
        }
    }

    #[test]
    fn what_people_see_holds_no_query() {
        let endpoint = Endpoint::new("https://x.example/v1/?key=canary", "/chat/completions").unwrap();
        assert_eq!(endpoint.shown, "https://x.example/v1");
    }

    #[test]
    fn this_machine_is_known_by_all_its_names() {
        let loopback = |url| Endpoint::new(url, "/chat/completions").unwrap().loopback;
        assert!(
            ["http://localhost/v1", "http://127.1.2.3", "http://[::1]:8/v1", "http://a.localhost"].map(loopback)
                == [true; 4]
        );
        assert!(
            ["http://192.168.0.2", "http://localhost.example", "https://api.openai.com/v1"].map(loopback) == [false; 3]
        );
    }

    #[test]
    fn what_cannot_be_called_is_refused_without_showing_it() {
        for wrong in
            ["", "8080", "ftp://x/v1", "http://u:canary@x/v1", "http://x/v1#canary", "http://x/v1/chat/completions/"]
        {
            let error = Endpoint::new(wrong, "/chat/completions").unwrap_err();
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }
}
