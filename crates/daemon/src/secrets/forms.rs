//! The ways in which a key may be written: what has to be looked for, besides the key as it is.

use super::SHORTEST_BYTES;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The ways in which a key may stand in a text.
pub(super) fn forms(key: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![key.as_bytes().to_vec(), percent_encoded(key, true), percent_encoded(key, false)];
    let in_json = serde_json::Value::from(key).to_string();
    let in_json = &in_json[1..in_json.len() - 1];
    forms.extend([in_json.as_bytes().to_vec(), in_json.replace('/', "\\/").into_bytes()]);
    for before in 0..3 {
        forms.push(inside_base64(key, before, |bytes| STANDARD_NO_PAD.encode(bytes)));
        forms.push(inside_base64(key, before, |bytes| URL_SAFE_NO_PAD.encode(bytes)));
    }
    forms.retain(|form| form.len() >= SHORTEST_BYTES);
    forms
}

fn percent_encoded(key: &str, upper: bool) -> Vec<u8> {
    let mut encoded = String::new();
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ if upper => encoded.push_str(&format!("%{byte:02X}")),
            _ => encoded.push_str(&format!("%{byte:02x}")),
        }
    }
    encoded.into_bytes()
}

/// The characters that a key alone decides where so many bytes stand before it in what is encoded.
fn inside_base64(key: &str, before: usize, encode: impl Fn(&[u8]) -> String) -> Vec<u8> {
    let bytes = [&b"\0\0"[..before], key.as_bytes()].concat();
    let first = (before * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    encode(&bytes).into_bytes()[first..last].to_vec()
}
