//! Models and keys as doors show them.

use super::voices;
use crate::house::House;
use crate::keys::{KeyMissing, Secret};
use agent::ModelName;
use models::{KeyError, Server};
use std::time::Duration;
use wire::rest::{Health, KeyList, ModelList, ModelRow, ModelSource, OfferedRow, RouteRow, ServerRow, SetKey};
use wire::{Code, Problem};

/// The models that can be called, after a look at what runs on this machine.
pub(crate) async fn list(house: &House) -> ModelList {
    house.catalog.look(Duration::ZERO).await;
    house.catalog.default().await;
    let outfit = house.catalog.current();
    let default = outfit.settings.default_model.as_ref();
    let rows = outfit.voices.iter().map(|(name, voice)| {
        let description = voice.backend.describe();
        ModelRow {
            name: name.clone(),
            provider: description.provider.to_owned(),
            health: health(&outfit.servers, description.address.as_deref(), voice.source),
            base_url: description.address,
            source: voice.source,
            remote: description.remote,
            context_tokens: voice.spec.context_tokens,
            input_microusd_per_mtok: voice.spec.input_microusd_per_mtok,
            output_microusd_per_mtok: voice.spec.output_microusd_per_mtok,
            priced: voice.spec.priced,
            abilities: voice.abilities,
            default: default == Some(name),
            missing: voice.missing.clone(),
        }
    });
    let routes = outfit.settings.routes.iter().map(|(name, models)| RouteRow {
        name: name.clone(),
        models: models.clone(),
        default: default == Some(name),
    });
    let servers = outfit.servers.iter().map(|server| ServerRow {
        kind: voices::word(server.kind).to_owned(),
        base_url: server.base_url.clone(),
        version: server.version.clone().map(|version| outfit.secrets.masked(version)),
        models: server.models.len() as u32,
    });
    ModelList { models: rows.collect(), routes: routes.collect(), servers: servers.collect(), offered: offered() }
}

/// A server that was found is up; one of the usual places that was not is down. Nothing is known of others: nobody asks
/// a remote one unasked.
fn health(servers: &[Server], address: Option<&str>, source: ModelSource) -> Option<Health> {
    let address = address?;
    let up = servers.iter().any(|server| address.starts_with(server.base_url.trim_end_matches('/')));
    match (up, source) {
        (true, _) => Some(Health::Up),
        (false, ModelSource::Found) => Some(Health::Down),
        (false, _) => None,
    }
}

/// Keys in the environment that could be used.
fn offered() -> Vec<OfferedRow> {
    let mut offered = Vec::new();
    for provider in models::providers() {
        let Some(variable) = provider.key_variable else { continue };
        if std::env::var_os(variable).is_some_and(|value| !value.is_empty()) {
            let example = ModelName::new(&format!("{}::MODEL", provider.word));
            offered.push(OfferedRow { provider: provider.word.to_owned(), variable: variable.to_owned(), example });
        }
    }
    offered
}

/// Where keys are, and who uses them.
pub(crate) async fn keys(house: &House) -> Result<KeyList, Problem> {
    let (store, config) = (house.catalog.keys().clone(), house.config());
    let mut rows = on_thread(house, move || Ok(store.list(&config))).await?;
    let outfit = house.catalog.current();
    for row in &mut rows {
        let uses = outfit.voices.iter().filter(|(_, voice)| voice.key_place.as_ref() == Some(&row.place));
        row.used_by = uses.map(|(name, _)| name.clone()).collect();
    }
    Ok(KeyList { keys: rows })
}

/// Keeps a key, and uses it from now on.
pub(crate) async fn set_key(house: &House, name: &str, request: SetKey) -> Result<KeyList, Problem> {
    let invalid = |error: KeyError| Problem::new(Code::InvalidRequest, error.to_string());
    let secret = Secret::new(&request.key).map_err(invalid)?;
    let (store, name) = (house.catalog.keys().clone(), name.to_owned());
    on_thread(house, move || store.set(&name, &secret, request.keyring).map(drop)).await?;
    changed(house).await
}

/// Removes a kept key.
pub(crate) async fn remove_key(house: &House, name: &str) -> Result<KeyList, Problem> {
    let (store, key) = (house.catalog.keys().clone(), name.to_owned());
    if !on_thread(house, move || store.remove(&key)).await? {
        let detail = format!("no key {name} is kept");
        return Err(Problem::new(Code::NotFound, detail).remedy("`tinkerbell keys ls` lists those that are"));
    }
    changed(house).await
}

async fn changed(house: &House) -> Result<KeyList, Problem> {
    super::replace::keys_changed(house).await;
    keys(house).await
}

/// Keys lie on disks and in keyrings, which may ask a person: not for a thread that others wait for.
async fn on_thread<T: Send + 'static>(
    house: &House,
    job: impl FnOnce() -> Result<T, KeyMissing> + Send + 'static,
) -> Result<T, Problem> {
    let broken = || Problem::new(Code::Internal, "a thread of the keys broke down; see `tinkerbell daemon logs`");
    let done = house.tasks.chore(job).await.ok_or_else(broken)?;
    done.map_err(|error| crate::disk::problem(&error, Code::InvalidRequest))
}
