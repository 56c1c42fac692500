//! Everything that can be found out about a configuration before it is in force. Nothing is changed by it.

use super::refusal::Refusal;
use super::serve::{Reloader, known};
use crate::config::Config;
use crate::doors::Socket;
use agent::ModelName;
use std::path::PathBuf;
use std::sync::Arc;
use wire::BlobHash;
use wire::rest::{ReloadCause, Reloaded};

/// A configuration that may be put in force.
pub(super) struct Prepared {
    pub(super) config: Arc<Config>,
    pub(super) changed: Vec<String>,
    pub(super) warnings: Vec<String>,
    /// Models that are not held back any more.
    pub(super) forgiven: Vec<ModelName>,
    /// A new socket, where it says to listen elsewhere. It listens already; nobody accepts yet.
    pub(super) socket: Option<Socket>,
}

impl Prepared {
    /// What putting it in force does.
    pub(super) fn told(&self) -> Reloaded {
        Reloaded {
            file: self.config.file.clone(),
            found: self.config.found,
            changed: self.changed.clone(),
            warnings: self.warnings.clone(),
        }
    }
}

impl Reloader {
    /// What stands in the file, with a hash of it to know it by.
    pub(super) async fn read(&self) -> (Result<Config, Refusal>, BlobHash) {
        let (path, reader) = (self.file().to_owned(), self.reader.clone());
        let read = self.house().tasks.chore(move || reader(&path)).await;
        let known = match &read {
            Some(Ok(text)) => known(text.as_deref()),
            Some(Err(error)) => BlobHash::of(format!("error {error}").as_bytes()),
            None => BlobHash::of(b"broken"),
        };
        (self.understood(read), known)
    }

    fn understood(&self, read: Option<Result<Option<String>, crate::ConfigError>>) -> Result<Config, Refusal> {
        let (file, now) = (self.file(), self.house().config());
        match read.ok_or(Refusal::Broken)?? {
            None if now.found => Err(Refusal::Gone(file.to_owned())),
            None => Ok(Config::parse(file, "", false)?),
            // Empty it says as little as none: all rules would be gone.
            Some(text) if text.trim().is_empty() && now.found => Err(Refusal::Empty(file.to_owned())),
            Some(text) => Ok(Config::parse(file, &text, true)?),
        }
    }

    /// Proves a configuration. `force`: whoever asks takes keys and addresses that do not work.
    pub(super) async fn prepare(&self, config: Config, cause: ReloadCause, force: bool) -> Result<Prepared, Refusal> {
        let config = Arc::new(config);
        let changed = self.house().config().changed(&config);
        let again = matches!(cause, ReloadCause::Signal | ReloadCause::Asked);
        let mut proof = self.house().catalog.prove(&config, again).await;
        if force {
            let held = &self.house().catalog.current().held;
            proof.forgiven.extend(held.iter().map(|held| held.model.clone()));
            let bad = proof.bad.drain(..).map(|(model, reason)| format!("models.{model}: {reason}"));
            proof.warnings.extend(bad);
        }
        if !proof.bad.is_empty() {
            return Err(Refusal::Unproved(proof.bad));
        }
        let socket = match self.elsewhere(&config) {
            Some(candidates) => Some(Socket::open(&candidates)?),
            None => None,
        };
        // Servers choose their words, and these are written down.
        let secrets = &self.house().catalog.current().secrets;
        let warnings = proof.warnings.into_iter().map(|warning| secrets.masked(warning)).collect();
        Ok(Prepared { config, changed, warnings, forgiven: proof.forgiven, socket })
    }

    /// Where to listen, where it says something else than before and that is not where we do. A socket that a service
    /// manager or a daemon before us gave stays as long as nobody says so.
    fn elsewhere(&self, config: &Config) -> Option<Vec<PathBuf>> {
        let candidates = config.sockets(&self.places);
        let here = self.house().socket.borrow().clone();
        let moves = candidates != self.house().config().sockets(&self.places) && !candidates.contains(&here);
        moves.then_some(candidates)
    }
}
