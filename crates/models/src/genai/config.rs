//! Where a provider is and how patient we are with it, checked once before anything is opened.

use super::providers::{Dialect, ProviderInfo, provider};
use crate::http::{ConfigError, Endpoint, StreamLimits, Timeouts};
use crate::key::Key;
use genai::adapter::AdapterKind;
use std::time::Duration;

/// The providers that [`GenAi`](super::GenAi) serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GenAiProvider {
    /// Anthropic, and every server that speaks its dialect.
    Anthropic,
    /// Google's Gemini.
    Gemini,
    /// MiniMax, which speaks Anthropic's dialect.
    MiniMax,
    /// OpenAI's responses, and every server that speaks them.
    OpenAiResponses,
}

impl GenAiProvider {
    /// All of them.
    pub const ALL: [GenAiProvider; 4] =
        [GenAiProvider::Anthropic, GenAiProvider::Gemini, GenAiProvider::MiniMax, GenAiProvider::OpenAiResponses];

    /// The name in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            GenAiProvider::Anthropic => "anthropic",
            GenAiProvider::Gemini => "gemini",
            GenAiProvider::MiniMax => "minimax",
            GenAiProvider::OpenAiResponses => "openai-responses",
        }
    }

    /// The provider of a word in the configuration; `None` for one that another backend serves or nobody knows.
    pub fn from_word(word: &str) -> Option<GenAiProvider> {
        GenAiProvider::ALL.into_iter().find(|provider| provider.word() == word)
    }

    /// Its line in the table of all providers.
    pub fn info(self) -> &'static ProviderInfo {
        provider(self.word()).expect("the table holds every provider of this backend")
    }

    /// The library's name of its dialect.
    pub(super) fn adapter(self) -> AdapterKind {
        match self {
            GenAiProvider::Anthropic | GenAiProvider::MiniMax => AdapterKind::Anthropic,
            GenAiProvider::Gemini => AdapterKind::Gemini,
            GenAiProvider::OpenAiResponses => AdapterKind::OpenAIResp,
        }
    }
}

/// What a [`GenAi`](super::GenAi) is made of.
#[derive(Debug, Clone)]
pub struct GenAiConfig {
    /// Whom to ask.
    pub provider: GenAiProvider,
    /// Where it is, when it is not where the table of providers says. Most end in `/v1`, Gemini's in `/v1beta`; a last
    /// slash makes no difference.
    pub base_url: Option<String>,
    /// The key, where the server asks for one.
    pub key: Option<Key>,
    /// How long each part may take.
    pub timeouts: Timeouts,
    /// How much a server may send.
    pub limits: StreamLimits,
    /// How much time a line may cost before it ends: 10 s. The library takes longer for each byte the longer a line
    /// grows (16 MiB cost some 17 s) and has no limit, so this is what stops a line that never ends.
    pub line_work: Duration,
}

impl GenAiConfig {
    /// A provider at its own address with all defaults and no key.
    pub fn new(provider: GenAiProvider) -> GenAiConfig {
        GenAiConfig {
            provider,
            base_url: None,
            key: None,
            timeouts: Timeouts::default(),
            limits: StreamLimits::default(),
            line_work: Duration::from_secs(10),
        }
    }
}

/// Why a provider cannot be used as it is configured. The URL itself is not shown, since people paste keys into URLs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenAiConfigError {
    /// The base URL cannot be used at all.
    #[error(transparent)]
    Base(#[from] ConfigError),
    /// It holds a query, after which this dialect's path would be lost.
    #[error("base_url holds a query (?…), which the dialect {dialect} has no place for; remove it")]
    Query {
        /// The dialect.
        dialect: &'static str,
    },
}

/// A provider's address that was checked.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// The endpoint, for the HTTP client and for people.
    pub(super) endpoint: Endpoint,
    /// The base as the library wants it, which joins its path without looking: with its last slash.
    pub(super) base: String,
}

impl Address {
    /// Checks the address of a provider.
    pub(super) fn new(provider: GenAiProvider, base_url: Option<&str>) -> Result<Address, GenAiConfigError> {
        let info = provider.info();
        let base_url = base_url.or(info.default_base_url).expect("every provider of this backend has an address");
        let endpoint = Endpoint::new(base_url, path(info.dialect))?;
        if endpoint.url.query().is_some() {
            return Err(GenAiConfigError::Query { dialect: info.dialect.word() });
        }
        let base = format!("{}/", endpoint.shown);
        Ok(Address { endpoint, base })
    }
}

/// What a dialect adds to the base.
fn path(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "/messages",
        Dialect::Gemini => "/models",
        Dialect::Responses => "/responses",
        Dialect::Chat => "/chat/completions",
        Dialect::Ollama => "/api/chat",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_always_ends_in_one_slash() {
        for base in ["http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/", " http://127.0.0.1:8080/v1// "] {
            for provider in GenAiProvider::ALL {
                let address = Address::new(provider, Some(base)).unwrap();
                assert_eq!(address.base, "http://127.0.0.1:8080/v1/");
                assert!(address.endpoint.loopback && address.endpoint.shown == "http://127.0.0.1:8080/v1");
            }
        }
        let own = Address::new(GenAiProvider::Gemini, None).unwrap();
        assert_eq!(own.base, "https://generativelanguage.googleapis.com/v1beta/");
        assert!(!own.endpoint.loopback);
    }

    #[test]
    fn what_cannot_be_called_is_refused_without_showing_it() {
        for wrong in [
            "canary",
            "ftp://canary/v1",
            "http://u:canary@x/v1",
            "http://x/v1#canary",
            "http://x/v1?key=canary",
            "http://canary/v1/messages",
            "http://canary/v1/messages/",
        ] {
            let error = Address::new(GenAiProvider::Anthropic, Some(wrong)).unwrap_err();
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }

    #[test]
    fn words_name_their_provider_and_dialect() {
        for provider in GenAiProvider::ALL {
            assert_eq!(GenAiProvider::from_word(provider.word()), Some(provider));
            assert_eq!(provider.info().word, provider.word());
        }
        assert_eq!(GenAiProvider::from_word("openai"), None, "the chat dialect has a backend of its own");
        assert_eq!(GenAiProvider::MiniMax.info().dialect, Dialect::Anthropic);
    }
}
