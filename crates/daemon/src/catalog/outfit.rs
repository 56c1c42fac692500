//! What sessions decide and call by at one moment: configuration, settings, models, secrets. Replaced whole and never
//! changed, so that a call keeps what it started with and the next one has the new.

use crate::config::Config;
use crate::secrets::Secrets;
use agent::{ModelName, ModelSpec, Settings};
use models::{Backend, Server};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use store::Blob;
use wire::rest::{Abilities, HeldModel, ModelSource};

/// A model that can be called.
#[derive(Clone)]
pub struct Voice {
    /// How it is reached.
    pub backend: Arc<dyn Backend>,
    /// The provider's name for it.
    pub provider_model: String,
    /// What the brain knows of it.
    pub spec: ModelSpec,
    /// What it can do, as far as is known.
    pub abilities: Abilities,
    /// How it came to be known.
    pub source: ModelSource,
    /// What is missing for it to work.
    pub missing: Option<String>,
    /// Where its key is, if it has one: a variable, a file, an entry.
    pub key_place: Option<String>,
    /// There where it took the place of a voice that worked, until it has proved good itself.
    pub(crate) trial: Option<Arc<Trial>>,
}

/// Whether a new voice has answered yet.
#[derive(Debug, Default)]
pub(crate) struct Trial {
    proved: AtomicBool,
}

impl Trial {
    /// It has answered: from now on it is what works.
    pub(crate) fn prove(&self) {
        self.proved.store(true, Relaxed);
    }

    /// Whether it has.
    pub(crate) fn is_proved(&self) -> bool {
        self.proved.load(Relaxed)
    }
}

/// All of it, at one moment.
pub struct Outfit {
    /// The configuration that it was put together from.
    pub config: Arc<Config>,
    /// What the brain decides by.
    pub settings: Settings,
    /// The settings as bytes, for recipes to name.
    pub settings_blob: Blob,
    /// The models.
    pub voices: BTreeMap<ModelName, Voice>,
    /// Why prompts that name no model go where they go.
    pub default_why: String,
    /// What must never be seen.
    pub secrets: Arc<Secrets>,
    /// Servers of this machine, as the last look found them.
    pub servers: Vec<Server>,
    /// Models that are reached as before, since what was to take its place proved bad.
    pub held: Vec<HeldModel>,
}

impl Outfit {
    /// Settings are derived from voices, so they cannot part from them.
    pub(crate) fn new(
        config: Arc<Config>,
        base: &Settings,
        voices: BTreeMap<ModelName, Voice>,
        default: (ModelName, String),
        secrets: Arc<Secrets>,
        servers: Vec<Server>,
        held: Vec<HeldModel>,
    ) -> Outfit {
        let models = voices.iter().map(|(name, voice)| (name.clone(), voice.spec)).collect();
        let settings = Settings { default_model: Some(default.0), models, ..base.clone() };
        let settings_blob = Blob::new(&serde_json::to_vec(&settings).expect("settings are plain data"));
        Outfit { config, settings, settings_blob, voices, default_why: default.1, secrets, servers, held }
    }
}
