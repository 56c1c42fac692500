//! What a provider wants back with a reply, and in which order: signed reasoning before, between and after what was
//! said and called.
//!
//! Text and calls stand in the conversation already, so the carry holds only what nobody else keeps, and places for
//! the rest. It goes back to the dialect and the model that gave it and to nobody else.

use super::providers::Dialect;
use crate::backend::{Carry, ReplyCall};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One piece of a reply, in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Piece {
    /// Something that only the provider can read, word for word.
    Block(Value),
    /// So many bytes of the reply's text.
    Text {
        /// How many.
        bytes: usize,
        /// The provider's signature, where it stands on the text itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sign: Option<String>,
    },
    /// One of the reply's calls.
    Call {
        /// Its id.
        id: String,
        /// The provider's signature, where it stands on the call itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sign: Option<String>,
    },
}

/// A piece with what belongs in its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Woven<'a> {
    /// As [`Piece::Block`].
    Block(Value),
    /// Text and its signature.
    Text(&'a str, Option<String>),
    /// A call and its signature.
    Call(&'a ReplyCall, Option<String>),
}

/// Who gives and who gets a carry.
pub(super) fn from(dialect: Dialect, model: &str) -> String {
    format!("{} {model}", dialect.word())
}

/// The carry of a reply; none where there is nothing that only the provider can read.
pub(super) fn carry(from: String, pieces: &[Piece]) -> Option<Carry> {
    let matters = |piece: &Piece| {
        matches!(piece, Piece::Block(_) | Piece::Text { sign: Some(_), .. } | Piece::Call { sign: Some(_), .. })
    };
    pieces.iter().any(matters).then(|| {
        let data = serde_json::to_string(pieces).expect("pieces are strings, numbers and JSON values");
        Carry { from, data }
    })
}

/// A message of the assistant in the order in which it was said, with what `from` gave in its place.
///
/// The conversation is the truth: text and calls that the carry does not know follow in their order, and what it knows
/// of others is left out.
pub(super) fn weave<'a>(text: &'a str, calls: &'a [ReplyCall], carry: Option<&Carry>, from: &str) -> Vec<Woven<'a>> {
    let pieces: Vec<Piece> = carry
        .filter(|carry| carry.from == from)
        .and_then(|carry| serde_json::from_str(&carry.data).ok())
        .unwrap_or_default();
    let fits = pieces.iter().map(Piece::bytes).try_fold(0usize, usize::checked_add) == Some(text.len());
    let mut woven = Vec::with_capacity(pieces.len() + calls.len() + 1);
    let (mut rest, mut left) = (text, calls.iter().collect::<Vec<_>>());
    for piece in pieces {
        match piece {
            Piece::Block(block) => woven.push(Woven::Block(block)),
            Piece::Text { bytes, sign } if fits => {
                let Some((said, after)) = rest.split_at_checked(bytes) else { continue };
                woven.push(Woven::Text(said, sign));
                rest = after;
            }
            Piece::Text { .. } => {}
            Piece::Call { id, sign } => {
                if let Some(at) = left.iter().position(|call| call.id == id) {
                    woven.push(Woven::Call(left.remove(at), sign));
                }
            }
        }
    }
    if !rest.is_empty() {
        // Before the first call, where the dialects have it, and after all that was signed before.
        let at = woven.iter().position(|piece| matches!(piece, Woven::Call(..))).unwrap_or(woven.len());
        woven.insert(at, Woven::Text(rest, None));
    }
    woven.extend(left.into_iter().map(|call| Woven::Call(call, None)));
    // Reasoning that nothing follows, because the reply was cut, is refused by its own maker.
    while woven.pop_if(|last| last.is_mute()).is_some() {}
    woven
}

impl Woven<'_> {
    /// Whether it is neither words nor a call.
    fn is_mute(&self) -> bool {
        match self {
            Woven::Block(_) => true,
            Woven::Text(text, sign) => sign.is_none() && text.trim().is_empty(),
            Woven::Call(..) => false,
        }
    }
}

impl Piece {
    fn bytes(&self) -> usize {
        match self {
            Piece::Text { bytes, .. } => *bytes,
            Piece::Block(_) | Piece::Call { .. } => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(id: &str) -> ReplyCall {
        ReplyCall { id: id.into(), name: "f".into(), arguments: "{}".into() }
    }

    fn given() -> Carry {
        let text = |bytes| Piece::Text { bytes, sign: None };
        let called = |id: &str, sign: Option<&str>| Piece::Call { id: id.into(), sign: sign.map(str::to_owned) };
        let block = |name: &str| Piece::Block(json!({ "type": name }));
        let pieces = [block("a"), text(3), block("b"), called("c2", Some("S")), text(3), called("c1", None)];
        carry(from(Dialect::Anthropic, "m"), &pieces).unwrap()
    }

    #[test]
    fn everything_comes_back_in_its_place() {
        let calls = [call("c1"), call("c2"), call("c3")];
        let woven = weave("Hi wör", &calls[..2], Some(&Carry { ..given() }), "anthropic m");
        assert_eq!(woven.len(), 5, "the text has seven bytes, so it is not the text that was signed: {woven:?}");
        let woven = weave("Hi wor", &calls, Some(&given()), "anthropic m");
        assert_eq!(
            woven,
            [
                Woven::Block(json!({"type": "a"})),
                Woven::Text("Hi ", None),
                Woven::Block(json!({"type": "b"})),
                Woven::Call(&calls[1], Some("S".into())),
                Woven::Text("wor", None),
                Woven::Call(&calls[0], None),
                Woven::Call(&calls[2], None),
            ]
        );
    }

    #[test]
    fn nobody_else_gets_it_and_nonsense_is_left_out() {
        let calls = [call("c1")];
        let plain = [Woven::Text("Hi", None), Woven::Call(&calls[0], None)];
        for other in ["anthropic n", "gemini m", "anthropic"] {
            assert_eq!(weave("Hi", &calls, Some(&given()), other), plain);
        }
        for data in ["", "{}", "[{\"text\":{\"bytes\":18446744073709551615}},{\"text\":{\"bytes\":3}}]", "[1]"] {
            let carry = Carry { from: "anthropic m".into(), data: data.into() };
            assert_eq!(weave("Hi", &calls, Some(&carry), "anthropic m"), plain, "{data}");
        }
        // A cut within a letter is no cut that we made.
        let carry = Carry { from: "x".into(), data: r#"[{"text":{"bytes":1}},{"text":{"bytes":1}}]"#.into() };
        assert_eq!(weave("ö", &[], Some(&carry), "x"), [Woven::Text("ö", None)]);
    }

    #[test]
    fn reasoning_that_nothing_follows_stays_here() {
        assert_eq!(weave("", &[], Some(&given()), "anthropic m"), []);
        let pieces =
            [Piece::Text { bytes: 2, sign: None }, Piece::Block(json!(1)), Piece::Text { bytes: 1, sign: None }];
        let cut = carry("x".into(), &pieces).unwrap();
        assert_eq!(weave("Hi\n", &[], Some(&cut), "x"), [Woven::Text("Hi", None)]);
    }

    #[test]
    fn text_and_calls_alone_need_no_carry() {
        let pieces = [Piece::Text { bytes: 1, sign: None }, Piece::Call { id: "a".into(), sign: None }];
        assert_eq!(carry("x".into(), &pieces), None);
    }
}
