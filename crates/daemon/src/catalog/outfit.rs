//! What sessions decide and call by at one moment: configuration, settings, models, secrets. Replaced whole and never
//! changed, so that a call keeps what it started with and the next one has the new.

use crate::config::Config;
use crate::secrets::Secrets;
use agent::{ModelName, ModelSpec, Settings};
use models::{Backend, Server};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::Blob;
use wire::rest::{Abilities, ModelSource};

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
    ) -> Outfit {
        let models = voices.iter().map(|(name, voice)| (name.clone(), voice.spec)).collect();
        let settings = Settings { default_model: Some(default.0), models, ..base.clone() };
        let settings_blob = Blob::new(&serde_json::to_vec(&settings).expect("settings are plain data"));
        Outfit { config, settings, settings_blob, voices, default_why: default.1, secrets, servers }
    }
}
