//! The configuration in force, and what became of the last one that was read.

use super::words;
use crate::sample::shapes::MORNING;
use crate::sample::written::{Written, written};
use agent::ModelName;
use std::path::PathBuf;
use wire::rest::*;

pub(super) fn samples() -> Vec<Written> {
    let causes = [ReloadCause::Start, ReloadCause::Watch, ReloadCause::Signal, ReloadCause::Asked];
    let [start, watch, signal, asked] = causes.map(|cause| status(cause, cause != ReloadCause::Start));
    let view = ConfigView { file: file(), found: true, status: asked.clone(), keys: keys().to_vec() };
    let [default, line, variable] = keys();
    let quiet = reloaded(vec![]);
    let warns = reloaded(vec!["models.new: its server cannot be reached".to_owned()]);
    let refused = ConfigChecked {
        valid: false,
        faults: faults().to_vec(),
        message: words("the configuration is not valid"),
        would: None,
    };
    written![
        ConfigView: [view],
        ConfigKey: [default.clone(), line.clone(), variable.clone()],
        ConfigOrigin: [default.origin, line.origin, variable.origin],
        ConfigStatus: [start, watch, signal, asked],
        ConfigRefused: [rejected(faults().to_vec()), rejected(vec![])],
        ConfigFault: [faults()[0].clone(), faults()[1].clone()],
        HeldModel: [held()],
        ReloadRequest: [ReloadRequest::default(), ReloadRequest { force: true }],
        Reloaded: [quiet.clone(), warns],
        CheckRequest: [CheckRequest::default(), CheckRequest { text: words("limits.steps = 9") }],
        ConfigChecked: [refused, ConfigChecked { valid: true, faults: vec![], message: None, would: Some(quiet) }],
    ]
}

fn file() -> PathBuf {
    PathBuf::from("/home/ada/.config/tinkerbell/config.toml")
}

fn reloaded(warnings: Vec<String>) -> Reloaded {
    Reloaded { file: file(), found: true, changed: vec!["limits.steps".to_owned()], warnings }
}

fn keys() -> [ConfigKey; 3] {
    let key = |key: &str, value: Option<String>, from, line, variable| ConfigKey {
        key: key.to_owned(),
        value,
        otherwise: None,
        origin: ConfigOrigin { from, line, variable },
        unit: String::new(),
        meaning: "what it means".to_owned(),
    };
    let default = key("budget.per_day_usd", None, ConfigFrom::Default, None, None);
    [
        ConfigKey { otherwise: words("none"), unit: "US dollars".to_owned(), ..default },
        key("limits.steps", words("9"), ConfigFrom::File, Some(3), None),
        key("daemon.socket", words("\"/s\""), ConfigFrom::Environment, None, words("TINKERBELL_SOCKET")),
    ]
}

fn status(cause: ReloadCause, troubled: bool) -> ConfigStatus {
    let (refused, held) = if troubled { (Some(rejected(faults().to_vec())), vec![held()]) } else { (None, vec![]) };
    ConfigStatus { loaded_at: MORNING, cause, watched: true, refused, held }
}

fn rejected(faults: Vec<ConfigFault>) -> ConfigRefused {
    let message = "the configuration is not valid".to_owned();
    ConfigRefused { at: MORNING, cause: ReloadCause::Watch, message, faults }
}

fn faults() -> [ConfigFault; 2] {
    let message = "must be a whole number".to_owned();
    [
        ConfigFault { line: Some(3), column: Some(1), key: "limits.steps".to_owned(), message: message.clone() },
        ConfigFault { line: None, column: None, key: String::new(), message },
    ]
}

fn held() -> HeldModel {
    let reason = "its new key was refused".to_owned();
    HeldModel { model: ModelName::new("sonnet"), since: MORNING, reason }
}
