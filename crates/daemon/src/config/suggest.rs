//! What somebody may have meant.

/// The nearest of some words, when it is near enough to be meant.
pub(super) fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A long word is no slip of the finger, and need not be compared with anything.
    const LONGEST_CHARS: usize = 64;
    let chars = unknown.chars().count();
    if chars > LONGEST_CHARS {
        return None;
    }
    let (distance, word) = known.into_iter().map(|word| (strsim::levenshtein(unknown, word), word)).min()?;
    (distance <= chars.div_ceil(3)).then_some(word)
}

/// A line that says so, to be put after a message; or nothing.
pub(super) fn suggestion<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(unknown, known).map(|word| format!("\nDid you mean `{word}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_near_and_other_words_are_not() {
        let known = ["steps", "turn_ms", "output_tokens"];
        for (typed, expected) in [
            ("step", Some("steps")),
            ("turnms", Some("turn_ms")),
            ("fruit", None),
            ("outputtokens", Some("output_tokens")),
        ] {
            assert_eq!(nearest(typed, known), expected, "{typed}");
        }
        assert_eq!(nearest(&"s".repeat(1000), known), None);
    }
}
