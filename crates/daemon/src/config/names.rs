//! Names of models: those of the file, and `provider::model`, which needs no entry in any file.

use super::suggest::suggestion;
use models::ProviderInfo;

/// Parts provider and model in `provider::model`.
const SEPARATOR: &str = "::";

/// The longest name of a model or a route, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// What stands before `::` is no provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no provider; providers are {}{}", words().join(", "), suggestion(word, words()))]
pub struct UnknownProvider {
    /// The word.
    pub word: String,
}

/// Reads `provider::model`: `None` where a name is not of this form.
pub fn named(name: &str) -> Result<Option<(&'static ProviderInfo, &str)>, UnknownProvider> {
    let Some((word, model)) = name.split_once(SEPARATOR) else { return Ok(None) };
    match models::provider(word) {
        Some(provider) => Ok(Some((provider, model)).filter(|(_, model)| !model.is_empty())),
        None => Err(UnknownProvider { word: word.to_owned() }),
    }
}

/// The words of all providers.
pub(super) fn words() -> Vec<&'static str> {
    models::providers().iter().map(|provider| provider.word).collect()
}

/// Whether a model or a route may be called so in the file.
pub(super) fn check(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_alphanumeric() || "-_./+@".contains(c);
    if name == super::OFFLINE {
        Err("this name is taken by the built-in model; choose another".to_owned())
    } else if name.contains(SEPARATOR) {
        Err("a name with `::` means a provider and its model and needs no entry; choose another".to_owned())
    } else if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(fits) {
        Err(format!("a name has 1 to {MAX_NAME_BYTES} bytes of letters, digits and -_./+@"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_and_its_model_are_parted_at_the_first_mark() {
        assert_eq!(named("local").unwrap(), None);
        let (provider, model) = named("ollama::qwen3:4b").unwrap().unwrap();
        assert_eq!((provider.word, model), ("ollama", "qwen3:4b"));
        assert_eq!(named("ollama::").unwrap(), None);
        let error = named("antropic::claude").unwrap_err().to_string();
        assert!(error.contains("Did you mean `anthropic`?"), "{error}");
    }

    #[test]
    fn names_are_checked() {
        assert!(check("qwen3.5/fast").is_ok());
        for wrong in ["", "offline", "a::b", "two words", &"n".repeat(65), "a\nb"] {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
    }
}
