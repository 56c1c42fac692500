//! Which models there are: those of the configuration, those that somebody named as `provider::model`, and those that
//! servers of this machine were found to hold.
//!
//! Nothing is looked for before somebody asks: a start opens no connection. A look asks the usual local ports, where a
//! server that is not there costs a refused connection. Nothing that was found in the environment is used unasked.

use super::outfit::{Outfit, Voice};
use super::voices;
use super::wardrobe::{Wardrobe, making};
use crate::assemble::ExtraModel;
use crate::config::{Config, OFFLINE};
use crate::keys::KeyStore;
use crate::secrets::Secrets;
use crate::tasks::Tasks;
use agent::{Access, ModelName, Settings};
use models::{Place, Server};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
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
    pub(super) keys: KeyStore,
    tools: BTreeMap<String, Access>,
    pub(super) tasks: Tasks,
    given: BTreeMap<ModelName, Voice>,
    /// The last of them, which is the default where there are any.
    newest: Option<ModelName>,
    now: RwLock<Arc<Outfit>>,
    known: Mutex<Known>,
    /// Held while an outfit is put together, which reads keys and may wait for a disk or a person.
    dressing: Mutex<Wardrobe>,
    /// Says that the configuration was replaced.
    pub(super) replaced: watch::Sender<()>,
    /// One look at a time; who comes meanwhile takes what it found.
    looking: Semaphore,
}

/// What the outfit is made of.
#[derive(Default)]
struct Known {
    named: BTreeSet<ModelName>,
    servers: Vec<Server>,
    looked: Option<Instant>,
}

impl Catalog {
    /// The models of a configuration, and those given beside it. Reads keys; opens nothing.
    pub(crate) fn new(
        config: Arc<Config>,
        keys: KeyStore,
        tools: BTreeMap<String, Access>,
        extra: Vec<ExtraModel>,
        tasks: Tasks,
    ) -> Arc<Catalog> {
        let newest = extra.last().map(|model| model.name.clone());
        let given = extra.into_iter().map(|model| (model.name.clone(), voices::given(model))).collect();
        let (known, secrets) = (Known::default(), Arc::new(Secrets::default()));
        let nobody = (ModelName::new(OFFLINE), String::new());
        let (none, base) = (BTreeMap::new(), Settings::default());
        let empty = Outfit::new(config.clone(), &base, none, nobody, secrets, Vec::new(), Vec::new());
        let (now, looking) = (RwLock::new(Arc::new(empty)), Semaphore::new(1));
        let (known, dressing) = (Mutex::new(known), Mutex::new(Wardrobe::new(config)));
        let replaced = watch::Sender::new(());
        let catalog = Catalog { keys, tools, tasks, given, newest, now, known, dressing, looking, replaced };
        catalog.put_together();
        Arc::new(catalog)
    }

    /// What sessions decide and call by now.
    pub fn current(&self) -> Arc<Outfit> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys that there are.
    pub(crate) fn keys(&self) -> &KeyStore {
        &self.keys
    }

    /// Says each time that the configuration was replaced.
    pub(crate) fn replacements(&self) -> watch::Receiver<()> {
        self.replaced.subscribe()
    }

    /// Makes sure that the models which a name stands for are known, as far as that can be: a route, a model of the
    /// configuration, one of a local server, or `provider::model`. Of a route one is enough, since it passes over others.
    pub(crate) async fn learn(self: &Arc<Catalog>, name: &ModelName) -> Result<(), Problem> {
        let outfit = self.current();
        let Some(route) = outfit.settings.routes.get(name) else { return self.learn_one(name).await };
        let mut learned = Err(self.unknown(name));
        for model in route {
            match self.learn_one(model).await {
                Ok(()) => learned = Ok(()),
                Err(problem) => learned = learned.or(Err(problem)),
            }
        }
        learned
    }

    async fn learn_one(self: &Arc<Catalog>, name: &ModelName) -> Result<(), Problem> {
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
        if secret || !voices::is_named(name) {
            return Err(self.unknown(name));
        }
        {
            let mut known = self.known();
            if known.named.len() >= NAMED_MODELS {
                let detail = format!("{NAMED_MODELS} models were named as provider::model already");
                let remedy = "put those that you use into the configuration";
                return Err(Problem::new(Code::LimitReached, detail).remedy(remedy));
            }
            known.named.insert(name.clone());
        }
        self.dress().await;
        Ok(())
    }

    /// Makes sure that there is a default: what is configured, else what a look finds, else the offline model.
    pub(crate) async fn default(self: &Arc<Catalog>) -> ModelName {
        let config = self.current().config.clone();
        match &config.default_model {
            Some(name) => {
                if let Err(problem) = self.learn(name).await {
                    tracing::warn!(%problem, "the default model cannot be used");
                }
            }
            None if self.given.is_empty() && self.looks() => {
                self.look(LOOK_AGAIN).await;
                if self.default_is_gone().await {
                    self.look(Duration::ZERO).await;
                }
            }
            None => {}
        }
        self.current().settings.default_model.clone().unwrap_or_else(|| ModelName::new(OFFLINE))
    }

    /// Looks which servers run on this machine, unless that was done no longer ago than `fresh`.
    pub(crate) async fn look(self: &Arc<Catalog>, fresh: Duration) {
        if !self.looks() {
            return;
        }
        let asked = Instant::now();
        let Ok(_permit) = self.looking.acquire().await else { return };
        let last = self.known().looked;
        if last.is_some_and(|at| at > asked || at.elapsed() < fresh) {
            return;
        }
        let mut servers = models::discover(&places(), LOOK_LIMIT).await;
        let before = self.known().servers.clone();
        for server in before {
            // One that is there and only slow to answer is not gone.
            let again = servers.iter().any(|found| found.base_url == server.base_url);
            if !again && takes_connections(&server.base_url).await {
                servers.push(server);
            }
        }
        let changed = {
            let mut known = self.known();
            known.looked = Some(Instant::now());
            let changed = known.servers != servers;
            known.servers = servers;
            changed
        };
        if changed {
            self.dress().await;
        }
    }

    /// Whether prompts that name no model would go to a server that is not there any more.
    async fn default_is_gone(&self) -> bool {
        let outfit = self.current();
        let default = outfit.settings.default_model.as_ref().and_then(|name| outfit.voices.get(name));
        let address = default.filter(|voice| voice.source == ModelSource::Found).map(|voice| voice.backend.describe());
        match address.and_then(|description| description.address) {
            Some(address) => !takes_connections(&address).await,
            None => false,
        }
    }

    fn looks(&self) -> bool {
        self.current().config.discover
    }

    /// Puts together what is known, on a thread that may wait.
    pub(super) async fn dress(self: &Arc<Catalog>) {
        let catalog = self.clone();
        if self.tasks.chore(move || catalog.put_together()).await.is_none() {
            tracing::error!("the models could not be put together; this is a fault in tinkerbell");
        }
    }

    fn put_together(&self) {
        self.redress(|_| ());
    }

    /// Changes what is in the wardrobe and puts the outfit together anew. Reads keys, so it may take its time.
    pub(super) fn redress<T>(&self, change: impl FnOnce(&mut Wardrobe) -> T) -> T {
        let mut wardrobe = self.wardrobe();
        let changed = change(&mut wardrobe);
        let (named, servers) = self.looked_up();
        let config = wardrobe.config.clone();
        let secrets = wardrobe.secrets(&self.keys);
        let mut making = making(&config, &self.keys, &named, &servers);
        // Servers choose their names, and names are written down.
        making.retain(|name, _| config.models.contains_key(name) || secrets.holds(name.as_str().as_bytes()).is_none());
        let mut voices = wardrobe.dress(making);
        voices.insert(ModelName::new(OFFLINE), voices::offline());
        voices.extend(self.given.iter().map(|(name, voice)| (name.clone(), voice.clone())));
        let default = self.chosen(&config, &voices);
        let (base, held) = (self.base(&config), wardrobe.held());
        let outfit = Outfit::new(config, &base, voices, default, secrets, servers, held);
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(outfit);
        changed
    }

    /// What is in the wardrobe; waits while an outfit is put together.
    pub(super) fn wardrobe(&self) -> MutexGuard<'_, Wardrobe> {
        // What was half put together is put together anew by the next who comes.
        self.dressing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was named, and what the last look found.
    pub(super) fn looked_up(&self) -> (BTreeSet<ModelName>, Vec<Server>) {
        let known = self.known();
        (known.named.clone(), known.servers.clone())
    }

    /// What a configuration means to the brain, apart from models.
    fn base(&self, config: &Config) -> Settings {
        Settings {
            default_model: None,
            models: BTreeMap::new(),
            routes: config.routes.iter().map(|(name, route)| (name.clone(), route.models.clone())).collect(),
            tools: self.tools.clone(),
            rules: config.rules.clone(),
            limits: config.limits,
        }
    }

    /// Where prompts go that name no model, and why.
    fn chosen(&self, config: &Config, voices: &BTreeMap<ModelName, Voice>) -> (ModelName, String) {
        if let Some(name) = &self.newest {
            return (name.clone(), "it was given at assembly".to_owned());
        }
        if let Some(name) = &config.default_model {
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
        let file = outfit.config.file.display();
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

/// Whether something still listens where a server was.
async fn takes_connections(base_url: &str) -> bool {
    let authority = base_url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let connection = tokio::time::timeout(LOOK_LIMIT, tokio::net::TcpStream::connect(authority)).await;
    // Only a refusal says that nothing is there.
    !matches!(connection, Ok(Err(_)))
}
