//! The providers that need no more than a key and an address, by the words that a configuration uses.
//!
//! One table for all dialects, also those that other backends of this room serve, so that there is one place to look
//! up an address or the variable of a key. Left out, since they want a cloud's own sign-in or a token that changes:
//! Vertex, Bedrock, GitHub Copilot, Azure; and gateways of which we know no more than their name.

/// How a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI's chat completions, which most of the world speaks; served by [`OpenAiChat`](crate::OpenAiChat).
    Chat,
    /// Anthropic's messages; served by [`GenAi`](crate::GenAi).
    Anthropic,
    /// Gemini's contents; served by [`GenAi`](crate::GenAi).
    Gemini,
    /// OpenAI's responses; served by [`GenAi`](crate::GenAi).
    Responses,
    /// Ollama's own.
    Ollama,
}

impl Dialect {
    /// The word in messages and in what is carried between calls.
    pub fn word(self) -> &'static str {
        match self {
            Dialect::Chat => "chat",
            Dialect::Anthropic => "anthropic",
            Dialect::Gemini => "gemini",
            Dialect::Responses => "openai-responses",
            Dialect::Ollama => "ollama",
        }
    }
}

/// What is known of a provider before anything is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderInfo {
    /// Its name in the configuration.
    pub word: &'static str,
    /// The environment variable in which its users keep its key; `None` where none is asked for.
    pub key_variable: Option<&'static str>,
    /// Where it is; `None` where only the user can know.
    pub default_base_url: Option<&'static str>,
    /// How it is spoken to.
    pub dialect: Dialect,
    /// Whether what is asked leaves this machine, as long as no other address is configured.
    pub remote: bool,
}

const fn remote(
    word: &'static str,
    dialect: Dialect,
    key_variable: &'static str,
    default_base_url: &'static str,
) -> ProviderInfo {
    ProviderInfo {
        word,
        key_variable: Some(key_variable),
        default_base_url: Some(default_base_url),
        dialect,
        remote: true,
    }
}

const fn local(word: &'static str, dialect: Dialect, default_base_url: &'static str) -> ProviderInfo {
    ProviderInfo { word, key_variable: None, default_base_url: Some(default_base_url), dialect, remote: false }
}

use Dialect::{Anthropic, Chat, Gemini, Ollama, Responses};

/// Sorted by word. Cohere stands here with the chat dialect that it offers beside its own, since its own has no tools
/// in the library.
const PROVIDERS: &[ProviderInfo] = &[
    remote("aihubmix", Chat, "AIHUBMIX_API_KEY", "https://aihubmix.com/v1"),
    remote("aliyun", Chat, "ALIYUN_API_KEY", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
    remote("anthropic", Anthropic, "ANTHROPIC_API_KEY", "https://api.anthropic.com/v1"),
    remote("baidu", Chat, "BAIDU_API_KEY", "https://qianfan.baidubce.com/v2"),
    remote("bigmodel", Chat, "BIGMODEL_API_KEY", "https://open.bigmodel.cn/api/paas/v4"),
    remote("cohere", Chat, "COHERE_API_KEY", "https://api.cohere.ai/compatibility/v1"),
    remote("deepseek", Chat, "DEEPSEEK_API_KEY", "https://api.deepseek.com/v1"),
    remote("fireworks", Chat, "FIREWORKS_API_KEY", "https://api.fireworks.ai/inference/v1"),
    remote("gemini", Gemini, "GEMINI_API_KEY", "https://generativelanguage.googleapis.com/v1beta"),
    remote("groq", Chat, "GROQ_API_KEY", "https://api.groq.com/openai/v1"),
    local("llamacpp", Chat, "http://127.0.0.1:8080/v1"),
    local("lmstudio", Chat, "http://127.0.0.1:1234/v1"),
    remote("minimax", Anthropic, "MINIMAX_API_KEY", "https://api.minimax.io/anthropic/v1"),
    remote("mistral", Chat, "MISTRAL_API_KEY", "https://api.mistral.ai/v1"),
    remote("moonshot", Chat, "MOONSHOT_API_KEY", "https://api.moonshot.ai/v1"),
    remote("moonshot-cn", Chat, "MOONSHOT_API_KEY", "https://api.moonshot.cn/v1"),
    remote("nebius", Chat, "NEBIUS_API_KEY", "https://api.studio.nebius.ai/v1"),
    local("ollama", Ollama, "http://127.0.0.1:11434"),
    remote("openai", Chat, "OPENAI_API_KEY", "https://api.openai.com/v1"),
    remote("openai-responses", Responses, "OPENAI_API_KEY", "https://api.openai.com/v1"),
    remote("openrouter", Chat, "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1"),
    remote("qwen", Chat, "QWEN_CLOUD_API_KEY", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
    remote("requesty", Chat, "REQUESTY_API_KEY", "https://router.requesty.ai/v1"),
    remote("together", Chat, "TOGETHER_API_KEY", "https://api.together.xyz/v1"),
    local("vllm", Chat, "http://127.0.0.1:8000/v1"),
    remote("xai", Chat, "XAI_API_KEY", "https://api.x.ai/v1"),
    remote("zai", Chat, "ZAI_API_KEY", "https://api.z.ai/api/paas/v4"),
];

/// Every provider that is known, sorted by word.
pub fn providers() -> &'static [ProviderInfo] {
    PROVIDERS
}

/// The provider of a word.
pub fn provider(word: &str) -> Option<&'static ProviderInfo> {
    PROVIDERS.binary_search_by(|info| info.word.cmp(word)).ok().map(|at| &PROVIDERS[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChatConfig, GenAiConfig, GenAiProvider, OpenAiChat};

    #[test]
    fn words_are_sorted_and_each_is_found() {
        assert!(PROVIDERS.is_sorted_by(|one, next| one.word < next.word));
        assert!(providers().iter().all(|info| provider(info.word) == Some(info)));
        assert_eq!(provider("nobody"), None);
    }

    #[test]
    fn every_default_address_is_one_that_its_backend_takes() {
        for info in PROVIDERS {
            let base = info.default_base_url.unwrap();
            assert!(info.remote == base.starts_with("https://"), "{}: plain HTTP never leaves the machine", info.word);
            match info.dialect {
                Dialect::Chat => drop(OpenAiChat::new(ChatConfig::new(base)).unwrap()),
                Dialect::Ollama => {}
                Dialect::Anthropic | Dialect::Gemini | Dialect::Responses => {
                    let provider = GenAiProvider::from_word(info.word).expect("the backend knows its providers");
                    drop(crate::GenAi::new(GenAiConfig::new(provider)).unwrap());
                }
            }
        }
    }
}
