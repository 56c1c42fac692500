//! What is signed, as text: so that anybody can compute it with a shell.
//!
//! The daemon signs links of its chain of heads with an Ed25519 key (RFC 8032) of the state, and the bundles that it
//! exports. Both texts begin with what they are, so that none can be taken for the other.

use crate::chain::ChainHash;
use agent::Micros;

/// The version of the bundle's format.
pub const BUNDLE_FORMAT: u32 = 1;

/// The text of which the signature over a link is made. `state` is the hash of the chain's first link.
pub fn signed_link(state: ChainHash, place: u64, hash: ChainHash, at: Micros) -> String {
    format!("tinkerbell link 1\nstate {state}\nplace {place}\nhash {hash}\nat {}\n", at.0)
}

/// The text of which the signature at the end of a bundle is made; `sha256` is that of all lines before the last.
pub fn signed_bundle(state: ChainHash, sha256: ChainHash) -> String {
    format!("tinkerbell bundle {BUNDLE_FORMAT}\nstate {state}\nsha256 {sha256}\n")
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_stays_as_it_is() {
        let (state, hash) = (ChainHash([1; 32]), ChainHash([2; 32]));
        let (one, two) = ("01".repeat(32), "02".repeat(32));
        let link = format!("tinkerbell link 1\nstate {one}\nplace 7\nhash {two}\nat -5\n");
        assert_eq!(signed_link(state, 7, hash, Micros(-5)), link);
        assert_eq!(signed_bundle(state, hash), format!("tinkerbell bundle 1\nstate {one}\nsha256 {two}\n"));
        assert_eq!(hex(&[0, 171]), "00ab");
    }
}
