//! What voices are made of, and which of them are worn again.
//!
//! A voice has warm connections and knows its server, so it is worn again while nothing of it changed. One that takes the
//! place of another is on trial until it has answered: the one before is kept for as long, and comes back where the new
//! one is refused. What was refused is not tried again before it changes, or somebody asks for that.

use super::outfit::{Trial, Voice};
use super::voices::Made;
use crate::config::Config;
use crate::keys::{KeyStore, Secret};
use crate::secrets::Secrets;
use agent::{Micros, ModelName};
use models::Server;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wire::rest::HeldModel;

/// All of it.
pub(super) struct Wardrobe {
    /// The configuration in force.
    pub(super) config: Arc<Config>,
    worn: BTreeMap<ModelName, Worn>,
    held: BTreeMap<ModelName, Held>,
    /// Every key that was ever seen. A call that runs with an old one may still say it.
    secrets: Vec<(String, Secret)>,
}

/// A voice, with what it is made of.
struct Worn {
    made: Made,
    voice: Voice,
    /// The one that worked before, as long as this one is on trial.
    before: Option<Box<Worn>>,
}

/// What proved bad, and is not tried again as it is.
struct Held {
    rejected: Made,
    reason: String,
    since: Micros,
}

/// A model that would be reached otherwise than before.
pub(super) struct Candidate {
    /// The model.
    pub(super) name: ModelName,
    /// What works now, where something does.
    pub(super) old: Option<Made>,
    /// What would take its place.
    pub(super) new: Made,
    /// Whether it proved bad before, and is held back.
    pub(super) held: bool,
}

impl Wardrobe {
    /// Nothing was made yet.
    pub(super) fn new(config: Arc<Config>) -> Wardrobe {
        Wardrobe { config, worn: BTreeMap::new(), held: BTreeMap::new(), secrets: Vec::new() }
    }

    /// What must never be seen, under this configuration and all before it.
    pub(super) fn secrets(&mut self, keys: &KeyStore) -> Arc<Secrets> {
        for (name, secret) in keys.secrets(&self.config) {
            if !self.secrets.iter().any(|(_, known)| *known == secret) {
                self.secrets.push((name, secret));
            }
        }
        Arc::new(Secrets::new(self.secrets.iter().cloned()))
    }

    /// Makes what is new and wears the rest again.
    pub(super) fn dress(&mut self, making: BTreeMap<ModelName, Made>) -> BTreeMap<ModelName, Voice> {
        let mut worn = std::mem::take(&mut self.worn);
        self.held.retain(|name, _| making.contains_key(name));
        for (name, made) in making {
            let before = worn.remove(&name);
            if let Some(worn) = self.dressed(&name, made, before) {
                self.worn.insert(name, worn);
            }
        }
        self.worn.iter().map(|(name, worn)| (name.clone(), worn.voice.clone())).collect()
    }

    fn dressed(&mut self, name: &ModelName, made: Made, before: Option<Worn>) -> Option<Worn> {
        let Some(before) = before else { return made.voice().map(|voice| Worn { made, voice, before: None }) };
        if before.made == made {
            self.held.remove(name);
            return Some(before);
        }
        if self.held.get(name).is_some_and(|held| held.rejected == made) {
            return Some(before);
        }
        self.held.remove(name);
        let mut voice = made.voice()?;
        let before = if made.reaches_otherwise(&before.made) { before.proved() } else { before.waiting() };
        voice.trial = before.is_some().then(Arc::<Trial>::default);
        Some(Worn { made, voice, before: before.map(Box::new) })
    }

    /// Which models would be reached otherwise than they are.
    pub(super) fn candidates(&self, making: BTreeMap<ModelName, Made>) -> Vec<Candidate> {
        let candidates = making.into_iter().filter_map(|(name, new)| {
            let old = self.worn.get(&name);
            let held = self.held.get(&name).is_some_and(|held| held.rejected == new);
            let same = old.is_some_and(|old| !new.reaches_otherwise(&old.made));
            (!same).then(|| Candidate { old: old.map(|old| old.made.clone()), name, new, held })
        });
        candidates.collect()
    }

    /// What would take a voice's place does not: it proved bad before it was worn.
    pub(super) fn hold(&mut self, name: ModelName, rejected: Made, reason: String, since: Micros) {
        self.held.insert(name, Held { rejected, reason, since });
    }

    /// A voice on trial was refused: the one before it is worn again. True where one is.
    pub(super) fn take_back(&mut self, name: &ModelName, refused: &Voice, reason: &str, since: Micros) -> bool {
        let Some(worn) = self.worn.get_mut(name) else { return false };
        if !Arc::ptr_eq(&worn.voice.backend, &refused.backend) {
            // Another call was quicker.
            return self.held.contains_key(name);
        }
        let Some(before) = worn.before.take() else { return false };
        let rejected = std::mem::replace(worn, *before).made;
        self.hold(name.clone(), rejected, reason.to_owned(), since);
        true
    }

    /// What was refused and is not any more may be tried again.
    pub(super) fn forgive(&mut self, names: &[ModelName]) {
        self.held.retain(|name, _| !names.contains(name));
    }

    /// What is not tried again.
    pub(super) fn held(&self) -> Vec<HeldModel> {
        let held = self.held.iter();
        held.map(|(model, held)| HeldModel { model: model.clone(), since: held.since, reason: held.reason.clone() })
            .collect()
    }
}

impl Worn {
    /// What waits for this one to prove good.
    fn waiting(self) -> Option<Worn> {
        let on_trial = self.voice.trial.as_ref().is_some_and(|trial| !trial.is_proved());
        self.before.filter(|_| on_trial).map(|before| *before)
    }

    /// The last of the line that has proved good: this one, or what it is on trial for.
    fn proved(self) -> Option<Worn> {
        let on_trial = self.voice.trial.as_ref().is_some_and(|trial| !trial.is_proved());
        match self.before {
            Some(before) if on_trial => Some(*before),
            _ if self.voice.missing.is_some() => None,
            _ => Some(Worn { made: self.made, voice: self.voice, before: None }),
        }
    }
}

/// What is to be made: what the configuration says counts more than what a server says, and that more than a name alone.
pub(super) fn making(
    config: &Config,
    keys: &KeyStore,
    named: &BTreeSet<ModelName>,
    servers: &[Server],
) -> BTreeMap<ModelName, Made> {
    let of_name = |name: &ModelName| Some((name.clone(), Made::named(name, keys)?));
    let mut making: BTreeMap<ModelName, Made> = named.iter().filter_map(of_name).collect();
    making.extend(Made::found(servers));
    making.extend(config.models.iter().map(|(name, model)| (name.clone(), Made::configured(name, model, keys))));
    making
}
