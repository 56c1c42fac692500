//! Which models there are: those of the configuration, those that somebody named as `provider::model`, and those that
//! servers of this machine were found to hold.
//!
//! Nothing is looked for before somebody asks: a start opens no connection. A look asks the usual local ports, where a
//! server that is not there costs a refused connection. Nothing that was found in the environment is used unasked.

use super::outfit::{Outfit, Voice};
use super::voices;
use crate::assemble::ExtraModel;
use crate::config::{Config, OFFLINE};
use crate::keys::KeyStore;
use crate::secrets::Secrets;
use agent::{Access, ModelName, Settings};
use models::{Place, Server};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use wire::rest::ModelSource;
use wire::{Code, Problem};

/// How long one server may take to say what it holds.
const LOOK_LIMIT: Duration = Duration::from_millis(300);
/// How long the answer of a look is good, when somebody only needs a default.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// Models that may be named as `provider::model` while a daemon runs.
const NAMED_MODELS: usize = 256;

/// The models, as they are now.
pub struct Catalog {
    config: Config,
    keys: KeyStore,
    /// What does not change while the daemon runs.
    base: Settings,
    given: BTreeMap<ModelName, Voice>,
    /// The last of them, which is the default where there are any.
    newest: Option<ModelName>,
    now: RwLock<Arc<Outfit>>,
    known: Mutex<Known>,
    /// One look at a time; who comes meanwhile takes what it found.
    looking: Semaphore,
}

/// What the outfit is made of.
#[derive(Default)]
struct Known {
    named: BTreeMap<ModelName, Voice>,
    servers: Vec<Server>,
    looked: Option<Instant>,
}

impl Catalog {
    /// The models of a configuration, and those given beside it. Reads keys; opens nothing.
    pub(crate) fn new(
        config: Config,
        keys: KeyStore,
        tools: BTreeMap<String, Access>,
        extra: Vec<ExtraModel>,
    ) -> Catalog {
        let base = Settings {
            default_model: None,
            models: BTreeMap::new(),
            routes: config.routes.iter().map(|(name, route)| (name.clone(), route.models.clone())).collect(),
            tools,
            rules: config.rules.clone(),
            limits: config.limits,
        };
        let newest = extra.last().map(|model| model.name.clone());
        let given = extra.into_iter().map(|model| (model.name.clone(), voices::given(model))).collect();
        let (known, secrets) = (Known::default(), Arc::new(Secrets::default()));
        let empty = Outfit::new(&base, BTreeMap::new(), (ModelName::new(OFFLINE), String::new()), secrets, Vec::new());
        let (now, looking) = (RwLock::new(Arc::new(empty)), Semaphore::new(1));
        let catalog = Catalog { config, keys, base, given, newest, now, known: Mutex::new(known), looking };
        catalog.dress();
        catalog
    }

    /// What sessions decide and call by now.
    pub fn current(&self) -> Arc<Outfit> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys that there are.
    pub(crate) fn keys(&self) -> &KeyStore {
        &self.keys
    }

    /// A key came or went: whoever uses it is made anew. May wait for a disk.
    pub(crate) fn keys_changed(&self) {
        let names: Vec<ModelName> = self.known().named.keys().cloned().collect();
        let anew = names.into_iter().filter_map(|name| Some((name.clone(), voices::named(&name, &self.keys)?)));
        let anew: BTreeMap<_, _> = anew.collect();
        self.known().named.extend(anew);
        self.dress();
    }

    /// Makes sure that the models which a name stands for are known, as far as that can be: a route, a model of the
    /// configuration, one of a local server, or `provider::model`.
    pub(crate) async fn learn(&self, name: &ModelName) -> Result<(), Problem> {
        let named = match self.base.routes.get(name) {
            Some(route) => route.clone(),
            None => vec![name.clone()],
        };
        for model in &named {
            self.learn_one(model).await?;
        }
        Ok(())
    }

    async fn learn_one(&self, name: &ModelName) -> Result<(), Problem> {
        if self.current().voices.contains_key(name) {
            return Ok(());
        }
        if self.looks() && voices::may_be_local(name) {
            self.look(Duration::ZERO).await;
            if self.current().voices.contains_key(name) {
                return Ok(());
            }
        }
        // A name is written into the journal of whoever uses it.
        let secret = self.current().secrets.holds(name.as_str().as_bytes()).is_some();
        let voice = voices::named(name, &self.keys).filter(|_| !secret).ok_or_else(|| self.unknown(name))?;
        let mut known = self.known();
        if known.named.len() >= NAMED_MODELS {
            let detail = format!("{NAMED_MODELS} models were named as provider::model already");
            return Err(
                Problem::new(Code::LimitReached, detail).remedy("put those that you use into the configuration")
            );
        }
        known.named.insert(name.clone(), voice);
        drop(known);
        self.dress();
        Ok(())
    }

    /// Makes sure that there is a default: what is configured, else what a look finds, else the offline model.
    pub(crate) async fn default(&self) -> (ModelName, String) {
        let configured = self.config.default_model.clone();
        match configured {
            Some(name) => {
                if let Err(problem) = self.learn(&name).await {
                    tracing::warn!(%problem, "the default model cannot be used");
                }
            }
            None if self.given.is_empty() && self.looks() => self.look(LOOK_AGAIN).await,
            None => {}
        }
        let outfit = self.current();
        let default = outfit.settings.default_model.clone().unwrap_or_else(|| ModelName::new(OFFLINE));
        (default, outfit.default_why.clone())
    }

    /// Looks which servers run on this machine, unless that was done no longer ago than `fresh`.
    pub(crate) async fn look(&self, fresh: Duration) {
        if !self.looks() {
            return;
        }
        let asked = Instant::now();
        let Ok(_permit) = self.looking.acquire().await else { return };
        let last = self.known().looked;
        if last.is_some_and(|at| at > asked || at.elapsed() < fresh) {
            return;
        }
        let servers = models::discover(&places(), LOOK_LIMIT).await;
        let mut known = self.known();
        known.looked = Some(Instant::now());
        let changed = known.servers != servers;
        known.servers = servers;
        drop(known);
        if changed {
            self.dress();
        }
    }

    fn looks(&self) -> bool {
        self.config.discover
    }

    /// Puts together what is known.
    fn dress(&self) {
        let known = self.known();
        let secrets = Arc::new(Secrets::new(self.keys.secrets(&self.config)));
        let mut voices = voices::found(&known.servers);
        // Servers choose these names, and names are written down.
        voices.retain(|name, _| secrets.holds(name.as_str().as_bytes()).is_none());
        voices.insert(ModelName::new(OFFLINE), voices::offline());
        voices.extend(known.named.iter().map(|(name, voice)| (name.clone(), voice.clone())));
        voices.extend(
            self.config.models.iter().map(|(name, model)| (name.clone(), voices::configured(name, model, &self.keys))),
        );
        voices.extend(self.given.iter().map(|(name, voice)| (name.clone(), voice.clone())));
        let default = self.chosen(&voices);
        let outfit = Outfit::new(&self.base, voices, default, secrets, known.servers.clone());
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(outfit);
    }

    /// Where prompts go that name no model, and why.
    fn chosen(&self, voices: &BTreeMap<ModelName, Voice>) -> (ModelName, String) {
        if let Some(name) = &self.newest {
            return (name.clone(), "it was given at assembly".to_owned());
        }
        if let Some(name) = &self.config.default_model {
            return (name.clone(), "it is the configured default".to_owned());
        }
        let found = voices.iter().find(|(_, voice)| voice.source == ModelSource::Found);
        match found {
            Some((name, voice)) => {
                (name.clone(), format!("nothing is configured, and {} was found by itself", voice.backend.describe()))
            }
            None => {
                let why = "nothing is configured and no model server was found on this machine";
                (ModelName::new(OFFLINE), why.to_owned())
            }
        }
    }

    fn unknown(&self, name: &ModelName) -> Problem {
        let outfit = self.current();
        let known: Vec<_> = outfit.voices.keys().chain(outfit.settings.routes.keys()).map(ModelName::as_str).collect();
        let detail = format!("there is no model {:?}; there are: {}", name.as_str(), known.join(", "));
        let file = self.config.file.display();
        Problem::new(Code::UnknownModel, detail)
            .remedy(format!("add it to {file}, or name it as provider::model, such as anthropic::claude-sonnet-4-5"))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing under this lock can panic half-way.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where servers usually are, and where an Ollama is said to be.
fn places() -> Vec<Place> {
    let said = std::env::var("OLLAMA_HOST").ok().and_then(|value| Place::of_ollama_host(&value));
    let mut places = Place::usual();
    places.extend(said.filter(|said| !Place::usual().contains(said)));
    places
}
