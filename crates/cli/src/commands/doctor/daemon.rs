//! What the daemon says: who listens on the socket, the store's health, models, servers, keys.

use super::{Finding, bad, good, note};
use crate::client::{Client, VERSION};
use crate::commands::models_ls::offer;
use crate::error::Error;
use crate::http::HttpError;
use crate::locate::{self, Unreachable};
use crate::request::Request;
use crate::words;
use serde::de::DeserializeOwned;
use wire::Problem;
use wire::operation::{self, Operation};
use wire::places::Places;
use wire::rest::{DaemonStatus, Health, KeyList, KeyRow, ModelList, ModelRow};

/// A store that takes writes.
const STORE_OPEN: &str = "open";

/// All of it, as far as the daemon answers.
pub(super) fn all(mut client: Client, places: &Places) -> Vec<Finding> {
    let listener = match locate::connect(places) {
        Ok(found) => good("socket", format!("{} is answered by your own daemon", found.path.display())),
        Err(Unreachable::Absent { .. }) => {
            return vec![note("daemon", "it is not running", "nothing need be done: the next command starts it")];
        }
        Err(other) => {
            let problem = other.problem();
            return vec![bad("socket", problem.detail, problem.remedy.unwrap_or_default())];
        }
    };
    let mut findings = vec![listener];
    match client.call_promptly(&operation::STATUS).and_then(|answer| answer.read::<DaemonStatus>()) {
        Ok(status) => findings.extend(health(&status)),
        // Who does not answer this answers nothing else.
        Err(error @ Error::Http(HttpError::Silent { .. })) => {
            let Problem { detail, remedy, .. } = error.problem();
            findings.push(bad("daemon", detail, remedy.unwrap_or_default()));
            return findings;
        }
        Err(error) => findings.push(bad("daemon", error.to_string(), "look with `tinkerbell daemon logs`")),
    }
    match get::<ModelList>(&mut client, &operation::MODELS) {
        Ok(list) => findings.extend(models(&list)),
        Err(error) => findings.push(bad("models", error.to_string(), "look with `tinkerbell daemon logs`")),
    }
    match get::<KeyList>(&mut client, &operation::KEYS) {
        Ok(list) => findings.extend(list.keys.iter().filter_map(key)),
        Err(error) => findings.push(bad("keys", error.to_string(), "look with `tinkerbell daemon logs`")),
    }
    findings
}

fn get<T: DeserializeOwned>(client: &mut Client, operation: &Operation) -> Result<T, Error> {
    client.call(&Request::new(operation)?)?.read()
}

fn health(status: &DaemonStatus) -> Vec<Finding> {
    let version = if status.version == VERSION {
        good("daemon", format!("version {VERSION}, process {}", status.pid))
    } else {
        bad(
            "daemon",
            format!("it is version {}, this is {VERSION}", status.version),
            "`tinkerbell daemon stop`; the next command starts the new one",
        )
    };
    let store = &status.store;
    let journal = if store.health == STORE_OPEN {
        good("journal", format!("{} on disk, takes writes", words::bytes(store.journal_bytes)))
    } else {
        bad(
            "journal",
            format!("it is {}: the disk failed", store.health),
            "mend the disk, then `tinkerbell daemon stop`",
        )
    };
    let mut findings = vec![version, journal];
    if status.config.as_ref().is_some_and(|config| config.refused.is_some()) {
        let words = "the daemon refused the file, and what counted before counts still";
        findings.push(bad("configuration", words, "`tinkerbell status` says why; tinkerbell config edit"));
    }
    findings
}

fn models(list: &ModelList) -> Vec<Finding> {
    let mut findings: Vec<Finding> = list.models.iter().map(model).collect();
    for server in &list.servers {
        let models = words::count(u64::from(server.models), "model");
        findings.push(good("server", format!("{} at {} with {models}", server.kind, server.base_url)));
    }
    findings.extend(list.offered.iter().map(|offered| good("key on offer", offer(offered))));
    if list.models.iter().all(|model| model.missing.is_some() || model.health == Some(Health::Down)) {
        findings.push(bad(
            "models",
            "none of them can be asked",
            "see `tinkerbell models ls` for what each of them lacks",
        ));
    }
    findings
}

/// A model that cannot be asked is no fault as long as another one can.
fn model(model: &ModelRow) -> Finding {
    let default = if model.default { ", the default" } else { "" };
    let about = format!("{} of {}{default}", model.name, model.provider);
    match (&model.missing, model.health) {
        (Some(missing), _) => note(
            "model",
            format!("{about}: {missing}"),
            "see [models] in the configuration file, or `tinkerbell keys set`",
        ),
        (None, Some(Health::Down)) => {
            let place = model.base_url.as_deref().unwrap_or("its server");
            note("model", format!("{about}: {place} does not answer"), "start the server, or name another model")
        }
        (None, Some(Health::Up) | None) => good("model", about),
    }
}

/// A key that some model wants; one that nothing uses need not be there.
fn key(key: &KeyRow) -> Option<Finding> {
    if key.used_by.is_empty() {
        return None;
    }
    if key.present {
        return Some(good("key", format!("{} is there", key.name)));
    }
    let why = key.missing.as_deref().unwrap_or("it is not there");
    Some(note("key", format!("{}: {why}", key.name), format!("tinkerbell keys set {}", key.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::State;

    fn model_row(health: Option<Health>, missing: Option<&str>) -> ModelRow {
        serde_json::from_value(serde_json::json!({
            "name": "work", "provider": "openai", "source": "configured", "context_tokens": 8, "default": true,
            "input_microusd_per_mtok": 0, "output_microusd_per_mtok": 0, "health": health, "missing": missing,
        }))
        .unwrap()
    }

    fn list(models: Vec<ModelRow>) -> ModelList {
        ModelList { models, routes: Vec::new(), servers: Vec::new(), offered: Vec::new() }
    }

    #[test]
    fn a_model_that_cannot_be_asked_is_a_note_until_there_is_no_other() {
        let states = |rows: &[ModelRow]| -> Vec<State> {
            models(&list(rows.to_vec())).iter().map(|finding| finding.state).collect()
        };
        let (up, down, keyless) =
            (model_row(None, None), model_row(Some(Health::Down), None), model_row(None, Some("its key")));
        assert_eq!(states(&[up, down.clone()]), [State::Good, State::Optional]);
        assert_eq!(states(&[down, keyless]), [State::Optional, State::Optional, State::Missing]);
    }

    #[test]
    fn a_file_that_the_daemon_refused_is_a_fault() {
        let status = |config: serde_json::Value| -> DaemonStatus {
            let mut status: serde_json::Value = serde_json::from_str(crate::commands::status::tests::STATUS).unwrap();
            status["config"] = config;
            serde_json::from_value(status).unwrap()
        };
        let mut config = serde_json::json!({
            "loaded_at": "2025-11-23T09:00:00.000000Z", "cause": "start", "watched": true,
        });
        let is_configuration = |finding: &Finding| finding.name == "configuration";
        assert!(!health(&status(config.clone())).iter().any(is_configuration));
        config["refused"] = serde_json::json!({
            "at": "2025-11-23T09:00:00.000000Z", "cause": "watch", "message": "line 2: no such key", "faults": [],
        });
        let findings = health(&status(config));
        let refused = findings.iter().find(|finding| is_configuration(finding)).unwrap();
        assert_eq!(refused.state, State::Missing, "{refused:?}");
    }

    #[test]
    fn a_key_counts_where_a_model_wants_it() {
        let row = |present, used_by: &[&str]| -> KeyRow {
            serde_json::from_value(serde_json::json!({
                "name": "openai", "origin": "environment", "place": "OPENAI_API_KEY", "present": present,
                "missing": "it is not set", "used_by": used_by,
            }))
            .unwrap()
        };
        assert_eq!(key(&row(false, &[])), None);
        assert_eq!(key(&row(true, &["work"])).unwrap().state, State::Good);
        let missing = key(&row(false, &["work"])).unwrap();
        assert_eq!((missing.state, missing.remedy.as_deref()), (State::Optional, Some("tinkerbell keys set openai")));
    }
}
