//! What is known of well-known models when nobody configured it: how much they read and write, what they see, and what
//! they cost.
//!
//! As of November 2026, from memory of the makers' price lists and not checked against them; the lines of the youngest
//! families are estimates from their predecessors. Prices change and models appear without this table hearing of it:
//! whatever the configuration says wins, and what is not here is not guessed.
//!
//! Deliberately absent: prices that depend on the length of a prompt or on the hour, of which the dearer would stand
//! here; discounts for what comes out of a cache; and every model that runs on one's own machine, which costs nothing and
//! whose window is a matter of its server.

/// What is known of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Tokens that prompt and reply may have together.
    pub context_tokens: u64,
    /// The most that a reply may have.
    pub max_output_tokens: u64,
    /// The price of a million tokens read, in millionths of a US dollar.
    pub input_microusd_per_mtok: u64,
    /// The price of a million tokens written, in millionths of a US dollar.
    pub output_microusd_per_mtok: u64,
    /// Whether it sees images.
    pub images: bool,
    /// Whether it reads PDF documents.
    pub documents: bool,
}

/// What a model takes beside text.
#[derive(Clone, Copy)]
enum Takes {
    Text,
    Images,
    Documents,
}

use Takes::{Documents, Images, Text};

/// A line: providers that serve it under this name, the beginning of the name, window and longest reply in thousands
/// of tokens, and prices of a million tokens in thousandths of a US dollar.
struct Line(&'static [&'static str], &'static str, u64, u64, u64, u64, Takes);

const ANTHROPIC: &[&str] = &["anthropic"];
const OPENAI: &[&str] = &["openai", "openai-responses"];
const GEMINI: &[&str] = &["gemini"];
const DEEPSEEK: &[&str] = &["deepseek"];
const XAI: &[&str] = &["xai"];
const MISTRAL: &[&str] = &["mistral"];
const COHERE: &[&str] = &["cohere"];
const MOONSHOT: &[&str] = &["moonshot", "moonshot-cn"];
const ZAI: &[&str] = &["zai", "bigmodel"];
const MINIMAX: &[&str] = &["minimax"];

const LINES: &[Line] = &[
    Line(ANTHROPIC, "claude-opus-4", 200, 32, 15_000, 75_000, Documents),
    Line(ANTHROPIC, "claude-opus-4-5", 200, 64, 5_000, 25_000, Documents),
    Line(ANTHROPIC, "claude-opus-4-6", 200, 128, 5_000, 25_000, Documents),
    Line(ANTHROPIC, "claude-sonnet-4", 200, 64, 3_000, 15_000, Documents),
    Line(ANTHROPIC, "claude-haiku-4", 200, 64, 1_000, 5_000, Documents),
    Line(ANTHROPIC, "claude-3-7-sonnet", 200, 64, 3_000, 15_000, Documents),
    Line(ANTHROPIC, "claude-3-5-sonnet", 200, 8, 3_000, 15_000, Documents),
    Line(ANTHROPIC, "claude-3-5-haiku", 200, 8, 800, 4_000, Documents),
    Line(OPENAI, "gpt-5", 400, 128, 1_250, 10_000, Documents),
    Line(OPENAI, "gpt-5-mini", 400, 128, 250, 2_000, Documents),
    Line(OPENAI, "gpt-5-nano", 400, 128, 50, 400, Documents),
    Line(OPENAI, "gpt-5-pro", 400, 272, 15_000, 120_000, Documents),
    Line(OPENAI, "gpt-5.2", 400, 128, 1_750, 14_000, Documents),
    Line(OPENAI, "gpt-4.1", 1_047, 32, 2_000, 8_000, Documents),
    Line(OPENAI, "gpt-4.1-mini", 1_047, 32, 400, 1_600, Documents),
    Line(OPENAI, "gpt-4.1-nano", 1_047, 32, 100, 400, Documents),
    Line(OPENAI, "gpt-4o", 128, 16, 2_500, 10_000, Documents),
    Line(OPENAI, "gpt-4o-mini", 128, 16, 150, 600, Documents),
    Line(OPENAI, "o3", 200, 100, 2_000, 8_000, Documents),
    Line(OPENAI, "o3-mini", 200, 100, 1_100, 4_400, Text),
    Line(OPENAI, "o4-mini", 200, 100, 1_100, 4_400, Documents),
    Line(GEMINI, "gemini-3-pro", 1_048, 65, 4_000, 18_000, Documents),
    Line(GEMINI, "gemini-3-flash", 1_048, 65, 500, 3_000, Documents),
    Line(GEMINI, "gemini-2.5-pro", 1_048, 65, 2_500, 15_000, Documents),
    Line(GEMINI, "gemini-2.5-flash", 1_048, 65, 300, 2_500, Documents),
    Line(GEMINI, "gemini-2.5-flash-lite", 1_048, 65, 100, 400, Documents),
    Line(GEMINI, "gemini-2.0-flash", 1_048, 8, 100, 400, Documents),
    Line(DEEPSEEK, "deepseek-chat", 128, 8, 280, 420, Text),
    Line(DEEPSEEK, "deepseek-reasoner", 128, 64, 280, 420, Text),
    Line(XAI, "grok-4", 256, 64, 3_000, 15_000, Images),
    Line(XAI, "grok-4-fast", 2_000, 30, 400, 1_000, Images),
    Line(XAI, "grok-4-1-fast", 2_000, 30, 400, 1_000, Images),
    Line(XAI, "grok-code-fast", 256, 10, 200, 1_500, Text),
    Line(XAI, "grok-3", 131, 16, 3_000, 15_000, Text),
    Line(XAI, "grok-3-mini", 131, 16, 300, 500, Text),
    Line(MISTRAL, "mistral-large", 128, 16, 2_000, 6_000, Images),
    Line(MISTRAL, "mistral-medium", 128, 16, 400, 2_000, Images),
    Line(MISTRAL, "mistral-small", 128, 16, 100, 300, Images),
    Line(MISTRAL, "magistral-medium", 128, 40, 2_000, 5_000, Text),
    Line(MISTRAL, "codestral", 256, 16, 300, 900, Text),
    Line(MISTRAL, "devstral", 128, 16, 400, 2_000, Text),
    Line(COHERE, "command-a", 256, 8, 2_500, 10_000, Text),
    Line(COHERE, "command-r-plus", 128, 4, 2_500, 10_000, Text),
    Line(COHERE, "command-r", 128, 4, 150, 600, Text),
    Line(MOONSHOT, "kimi-k2", 256, 16, 600, 2_500, Text),
    Line(ZAI, "glm-4.5", 128, 96, 600, 2_200, Text),
    Line(ZAI, "glm-4.6", 200, 128, 600, 2_200, Text),
    Line(MINIMAX, "minimax-m2", 204, 128, 300, 1_200, Text),
];

/// What is known of a model by its provider's word in the configuration and its own name: the line with the longest
/// beginning of that name. Case makes no difference, and a maker's name before the model's (`anthropic/claude-…`) is the
/// business of gateways, whose prices are their own.
pub fn known(provider: &str, model: &str) -> Option<Known> {
    let model = model.to_ascii_lowercase();
    LINES
        .iter()
        .filter(|Line(providers, begins, ..)| providers.contains(&provider) && is_of(&model, begins))
        .max_by_key(|Line(_, begins, ..)| begins.len())
        .map(|&Line(_, _, context, output, read, written, takes)| Known {
            context_tokens: context * 1_000,
            max_output_tokens: output * 1_000,
            input_microusd_per_mtok: read * 1_000,
            output_microusd_per_mtok: written * 1_000,
            images: matches!(takes, Images | Documents),
            documents: matches!(takes, Documents),
        })
}

/// A name goes on after its beginning with anything but a letter or a digit: `gpt-5` is not `gpt-55`, and `o3` not `o30`.
fn is_of(model: &str, begins: &str) -> bool {
    model.strip_prefix(begins).is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_wins() {
        let price = |provider, model| known(provider, model).map(|known| known.input_microusd_per_mtok);
        assert_eq!(price("openai", "gpt-5"), Some(1_250_000));
        assert_eq!(price("openai", "gpt-5-mini-2025-08-07"), Some(250_000));
        assert_eq!(price("openai-responses", "GPT-5.1"), Some(1_250_000));
        assert_eq!(price("anthropic", "claude-opus-4-1-20250805"), Some(15_000_000));
        assert_eq!(price("anthropic", "claude-opus-4-5-20251101"), Some(5_000_000));
        let sonnet = known("anthropic", "claude-sonnet-4-5").unwrap();
        assert_eq!((sonnet.context_tokens, sonnet.max_output_tokens), (200_000, 64_000));
        assert!(sonnet.images && sonnet.documents);
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        for (provider, model) in [
            ("openai", "gpt-55"),
            ("openai", "o30"),
            ("openai", "gpt"),
            ("openrouter", "anthropic/claude-sonnet-4"),
            ("anthropic", "gpt-5"),
            ("ollama", "llama3"),
            ("", ""),
        ] {
            assert_eq!(known(provider, model), None, "{provider} {model}");
        }
    }

    #[test]
    fn every_line_is_sound_and_of_a_known_provider() {
        for Line(providers, begins, context, output, read, written, _) in LINES {
            assert!(output < context && read <= written && *read > 0, "{begins}");
            assert!(begins.chars().all(|letter| !letter.is_ascii_uppercase()));
            assert!(providers.iter().all(|word| crate::provider(word).is_some()), "{begins}");
            assert!(known(providers[0], begins).is_some());
        }
        let mut names: Vec<_> = LINES.iter().map(|Line(providers, begins, ..)| (providers[0], *begins)).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "no line stands twice");
    }
}
