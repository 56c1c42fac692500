//! From where a key is said to be to the key itself; and the keys that are kept for the user.

use super::kept::{Directory, Kept, KeptError, MAX_FILE_BYTES};
use super::keyring::{Keyring, KeyringError};
use super::name::{BadKeyName, KeyName};
use super::secret::Secret;
use crate::config::{Config, KeySource};
use agent::ModelName;
use models::{Key, KeyError, ProviderInfo};
use rustix::fs::{Mode, OFlags};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use wire::rest::{KeyOrigin, KeyRow};

/// Where keys are looked for. All of it may wait for a disk, and with the keyring for a person: not for a thread that
/// others wait for. Cheap to clone, so that it can go to one that may.
#[derive(Debug, Clone)]
pub struct KeyStore {
    kept: Directory,
    keyring: Keyring,
    environment: Environment,
}

/// Reads a variable.
type Environment = fn(&str) -> Option<OsString>;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyMissing {
    /// The variable is not set.
    #[error(
        "the daemon's environment has no {0}. A daemon does not see what is exported after it started: stop it with `tinkerbell daemon stop` and export {0} first, or keep the key with `tinkerbell keys set NAME`, which counts at once and stays"
    )]
    NoVariable(String),
    /// The variable holds no key.
    #[error("the environment variable {variable} holds no key: {error}")]
    BadVariable {
        /// Its name.
        variable: String,
        /// Why.
        error: KeyError,
    },
    /// The file cannot be read.
    #[error(
        "the key file {path} cannot be read: {error}; write the key into it, or keep it with `tinkerbell keys set NAME`"
    )]
    NoFile {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file holds no key.
    #[error("the key file {path} holds no key: {error}")]
    BadFile {
        /// The file.
        path: PathBuf,
        /// Why.
        error: KeyError,
    },
    /// No key of this name is kept.
    #[error("no key {0} is kept; put it there with `tinkerbell keys set {0}`")]
    NotKept(KeyName),
    /// What is kept cannot be used.
    #[error("the kept key cannot be used: {0}")]
    Kept(#[from] KeptError),
    /// The keyring has no such key.
    #[error("the keyring has no key {0}; put it there with `tinkerbell keys set {0} --keyring`")]
    NotInKeyring(KeyName),
    /// The keyring cannot be used.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// It is not a name.
    #[error(transparent)]
    Name(#[from] BadKeyName),
}

impl KeyStore {
    /// Keys below this state directory, and in this process's environment.
    pub fn new(state_dir: &Path) -> KeyStore {
        KeyStore::with_environment(state_dir, |name| std::env::var_os(name))
    }

    pub(super) fn with_environment(state_dir: &Path, environment: Environment) -> KeyStore {
        KeyStore { kept: Directory::new(state_dir.join("keys")), keyring: Keyring::default(), environment }
    }

    /// Fetches a key for a header.
    pub fn resolve(&self, source: &KeySource) -> Result<Key, KeyMissing> {
        self.secret(source).map(|secret| secret.key())
    }

    /// Fetches a key, also for what masks it.
    pub fn secret(&self, source: &KeySource) -> Result<Secret, KeyMissing> {
        match source {
            KeySource::Env(variable) => self.variable(variable),
            KeySource::File(path) => file(path),
            KeySource::Kept(name) => {
                let name = KeyName::new(name)?;
                self.kept.read(&name)?.ok_or(KeyMissing::NotKept(name))
            }
            KeySource::Keyring(name) => {
                let name = KeyName::new(name)?;
                self.keyring.read(&name)?.ok_or(KeyMissing::NotInKeyring(name))
            }
        }
    }

    /// Where the key of a model is that says nothing of it: kept under the model's name, else under the provider's, else
    /// in the provider's usual variable. `None`: nowhere. Naming the model is agreeing to this.
    pub fn usual(&self, model_name: &ModelName, provider: &ProviderInfo) -> Option<KeySource> {
        let kept = [model_name.as_str(), provider.word].into_iter().find_map(|name| self.under(name, provider));
        kept.or_else(|| {
            let variable = provider.key_variable?;
            let there = (self.environment)(variable).is_some_and(|value| !value.is_empty());
            there.then(|| KeySource::Env(variable.to_owned()))
        })
    }

    /// What `keys set` has put under a name. Where the directory or the file cannot be trusted, and the provider asks for
    /// a key, it counts as being there: the error then comes up when it is fetched, and no other key is taken silently.
    fn under(&self, name: &str, provider: &ProviderInfo) -> Option<KeySource> {
        let name = KeyName::new(name).ok()?;
        if self.kept.in_keyring(&name).unwrap_or(false) {
            return Some(KeySource::Keyring(name.as_str().to_owned()));
        }
        match self.kept.read(&name) {
            Ok(None) => None,
            Err(_) if provider.key_variable.is_none() => None,
            Ok(Some(_)) | Err(_) => Some(KeySource::Kept(name.as_str().to_owned())),
        }
    }

    /// Keeps a key in a file for this user alone, or in the keyring; says where. What was kept under this name goes.
    pub fn set(&self, name: &str, secret: &Secret, keyring: bool) -> Result<String, KeyMissing> {
        let name = KeyName::new(name)?;
        let (kept, noted) = (Kept::File(name.clone()), Kept::Keyring(name.clone()));
        if keyring {
            self.keyring.write(&name, secret)?;
            self.kept.write_note(&name)?;
            self.kept.remove(&kept)?;
        } else {
            self.kept.write(&name, secret)?;
            if self.kept.in_keyring(&name)? {
                // People come here because the keyring does not answer, so it must not be in the way.
                if let Err(error) = self.keyring.remove(&name) {
                    tracing::warn!(%name, %error, "the key that was kept before is still in the keyring");
                }
                self.kept.remove(&noted)?;
            }
        }
        Ok(if keyring { keyring_place(&name) } else { self.kept.place(&name).display().to_string() })
    }

    /// Forgets a key, wherever `set` put it; says whether there was one.
    pub fn remove(&self, name: &str) -> Result<bool, KeyMissing> {
        let name = KeyName::new(name)?;
        let noted = self.kept.in_keyring(&name)?;
        if noted {
            self.keyring.remove(&name)?;
            self.kept.remove(&Kept::Keyring(name.clone()))?;
        }
        Ok(self.kept.remove(&Kept::File(name))? || noted)
    }

    /// The keys that `set` has put somewhere and those that the configuration points at, by name. Who uses them is for
    /// others to fill in. The keyring is not asked for keys that nobody points at.
    pub fn list(&self, config: &Config) -> Vec<KeyRow> {
        let kept = self.kept.list().unwrap_or_else(|error| {
            tracing::warn!(%error, "kept keys cannot be listed");
            Vec::new()
        });
        let kept = kept.into_iter().map(|kept| match kept {
            Kept::File(name) => (name.to_string(), KeySource::Kept(name.to_string())),
            Kept::Keyring(name) => (name.to_string(), KeySource::Keyring(name.to_string())),
        });
        let mut rows: BTreeMap<String, KeyRow> = BTreeMap::new();
        for (name, source) in kept.chain(self.pointed_at(config)) {
            rows.entry(source.place()).or_insert_with(|| self.row(name, &source));
        }
        let mut rows: Vec<KeyRow> = rows.into_values().collect();
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        rows
    }

    /// All keys that can be had, with names for their masks: those that are kept, those that the configuration points at,
    /// and those in the usual variables of providers, which are secrets whether or not anybody uses them.
    pub fn secrets(&self, config: &Config) -> Vec<(String, Secret)> {
        let kept = self.kept.list().unwrap_or_default();
        let mut found: Vec<(String, Secret)> = Vec::new();
        let kept = kept.into_iter().filter_map(|kept| match kept {
            Kept::File(name) => Some((name.to_string(), KeySource::Kept(name.to_string()))),
            // Used by a model that was named as `provider::model`; one that was never read cannot leak.
            Kept::Keyring(name) => {
                found.extend(self.keyring.remembered(&name).map(|secret| (name.to_string(), secret)));
                None
            }
        });
        let kept: Vec<_> = kept.collect();
        let variables = models::providers().iter().filter_map(|provider| provider.key_variable);
        let variables = variables.map(|name| (name.to_owned(), KeySource::Env(name.to_owned())));
        let all = kept.into_iter().chain(self.pointed_at(config)).chain(variables);
        for (name, source) in all {
            if let Ok(secret) = self.secret(&source)
                && !found.iter().any(|(_, known)| *known == secret)
            {
                found.push((name, secret));
            }
        }
        found
    }

    /// The keys of the configuration's models, and the passphrase of snapshots.
    fn pointed_at(&self, config: &Config) -> Vec<(String, KeySource)> {
        let sources = config.models.iter().filter_map(|(name, model)| {
            let source = model.key.clone().or_else(|| self.usual(name, model.provider))?;
            let name = match &source {
                KeySource::Env(variable) => variable.clone(),
                KeySource::File(_) => name.to_string(),
                KeySource::Keyring(name) | KeySource::Kept(name) => name.clone(),
            };
            Some((name, source))
        });
        let passphrase = config.snapshots.passphrase.clone().map(|source| {
            let name = match &source {
                KeySource::File(_) => "snapshots".to_owned(),
                KeySource::Env(name) | KeySource::Keyring(name) | KeySource::Kept(name) => name.clone(),
            };
            (name, source)
        });
        sources.chain(passphrase).collect()
    }

    /// A row for a key; it is fetched to see whether it is there.
    fn row(&self, name: String, source: &KeySource) -> KeyRow {
        let missing = self.secret(source).err().map(|error| error.to_string());
        let origin = match source {
            KeySource::Env(_) => KeyOrigin::Environment,
            KeySource::File(_) => KeyOrigin::File,
            KeySource::Keyring(_) => KeyOrigin::Keyring,
            KeySource::Kept(_) => KeyOrigin::Kept,
        };
        KeyRow { name, origin, place: source.place(), present: missing.is_none(), missing, used_by: Vec::new() }
    }

    fn variable(&self, variable: &str) -> Result<Secret, KeyMissing> {
        let value = (self.environment)(variable).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| KeyMissing::NoVariable(variable.to_owned()))?;
        let secret = value.to_str().ok_or(KeyError::Malformed).and_then(Secret::new);
        secret.map_err(|error| KeyMissing::BadVariable { variable: variable.to_owned(), error })
    }
}

fn keyring_place(name: &KeyName) -> String {
    KeySource::Keyring(name.to_string()).place()
}

/// A file that the user looks after: whether others may read it is theirs to decide, as with mounted secrets.
fn file(path: &Path) -> Result<Secret, KeyMissing> {
    let no_file = |error| KeyMissing::NoFile { path: path.to_owned(), error };
    let bad_file = |error| KeyMissing::BadFile { path: path.to_owned(), error };
    let mut bytes = Vec::new();
    // A pipe that nobody writes to is an empty file, not a daemon that hangs.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| no_file(error.into()))?;
    File::from(file).take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(no_file)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| bad_file(KeyError::Malformed))?;
    Secret::new(text).map_err(bad_file)
}
