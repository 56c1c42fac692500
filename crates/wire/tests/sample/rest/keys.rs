//! Keys: where they are, and a new one on its way in.

use super::{model, words};
use crate::sample::written::{Written, written};
use agent::ModelName;
use wire::rest::*;

pub(super) fn samples() -> Vec<Written> {
    let key = |name: &str, origin, place: &str, missing: Option<String>, used_by| KeyRow {
        name: name.to_owned(),
        origin,
        place: place.to_owned(),
        present: missing.is_none(),
        missing,
        used_by,
    };
    let unset = words("ANTHROPIC_API_KEY is not set");
    let in_environment = key("anthropic", KeyOrigin::Environment, "ANTHROPIC_API_KEY", unset, vec![model()]);
    let in_file = key("work", KeyOrigin::File, "/run/secrets/work", None, vec![]);
    let in_keyring = key(
        "openai",
        KeyOrigin::Keyring,
        "service tinkerbell, username openai",
        None,
        vec![ModelName::new("openai::gpt-5")],
    );
    let kept = key("gemini", KeyOrigin::Kept, "keys/gemini", None, vec![]);
    let set = |keyring| SetKey { key: "sk-not-a-key".to_owned(), keyring };
    written![
        KeyRow: [in_environment.clone(), in_file, in_keyring, kept.clone()],
        KeyList: [KeyList { keys: vec![] }, KeyList { keys: vec![in_environment, kept] }],
        SetKey: [set(false), set(true)],
    ]
}
