//! Ids of calls as a server takes them.

use super::config::Manner;
use std::borrow::Cow;
use wire::BlobHash;

/// The letters and digits of an id that Mistral takes.
const MISTRAL_LETTERS: usize = 9;

/// An id of a call. One that Mistral would refuse, because another provider or we made it, becomes another, and the same
/// one each time.
pub(super) fn call_id(id: &str, manner: Manner) -> Cow<'_, str> {
    let fits = id.len() == MISTRAL_LETTERS && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !manner.mistral || fits {
        return Cow::Borrowed(id);
    }
    let hash = BlobHash::of(id.as_bytes()).0;
    let letters: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Cow::Owned(letters[..MISTRAL_LETTERS].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_to_what_mistral_takes_and_stays_the_same() {
        let mistral = Manner { mistral: true, ..Manner::PLAIN };
        assert_eq!(call_id("D681PevKs", mistral), "D681PevKs");
        for strange in ["call_0", "toolu_01", "", "call_1234"] {
            let id = call_id(strange, mistral);
            assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
            assert_eq!(id, call_id(strange, mistral));
            assert_eq!(call_id(strange, Manner::PLAIN), strange);
        }
        assert_ne!(call_id("call_0", mistral), call_id("call_1", mistral));
    }
}
