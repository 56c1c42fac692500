//! How doors come to the one task that reads the configuration, and what they show of it.

use crate::house::House;
use agent::Micros;
use std::sync::{Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot, watch};
use wire::rest::{ConfigChecked, ConfigRefused, ConfigStatus, ConfigView, ReloadCause, Reloaded};
use wire::{Code, Problem};

/// Reloads that may wait; each takes milliseconds, or seconds where a server has to be asked.
const WAITING: usize = 16;

/// The way to the task, and what it did last.
pub struct Reloads {
    asks: mpsc::Sender<Ask>,
    /// Until the task takes it.
    inbox: Mutex<Option<mpsc::Receiver<Ask>>>,
    pub(super) standing: watch::Sender<Standing>,
}

/// What can be asked of it.
pub(super) enum Ask {
    /// Read the file and put it in force.
    Reload { force: bool, reply: oneshot::Sender<Result<Reloaded, Problem>> },
    /// Say what that would do with a text, or with the file.
    Check { text: Option<String>, reply: oneshot::Sender<ConfigChecked> },
}

/// What is in force since when, and what was refused.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) loaded_at: Micros,
    pub(super) cause: ReloadCause,
    pub(super) watched: bool,
    pub(super) refused: Option<ConfigRefused>,
}

impl Reloads {
    /// The configuration that the daemon began with is in force.
    pub(crate) fn new(loaded_at: Micros) -> Reloads {
        let (asks, inbox) = mpsc::channel(WAITING);
        let standing = Standing { loaded_at, cause: ReloadCause::Start, watched: false, refused: None };
        Reloads { asks, inbox: Mutex::new(Some(inbox)), standing: watch::Sender::new(standing) }
    }

    /// What is asked; to be taken once, by the task.
    pub(super) fn inbox(&self) -> Option<mpsc::Receiver<Ask>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Reads the file and puts it in force, all of it or nothing.
    pub(crate) async fn reload(&self, force: bool) -> Result<Reloaded, Problem> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::Reload { force, reply }, answer).await?
    }

    /// Says what a reload would do.
    pub(crate) async fn check(&self, text: Option<String>) -> Result<ConfigChecked, Problem> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::Check { text, reply }, answer).await
    }

    async fn ask<T>(&self, ask: Ask, answer: oneshot::Receiver<T>) -> Result<T, Problem> {
        self.asks.try_send(ask).map_err(|_| {
            let detail = format!("{WAITING} reloads wait already, or the daemon is shutting down");
            Problem::new(Code::LimitReached, detail).remedy("try again in a moment")
        })?;
        let draining = || Problem::new(Code::Draining, "the daemon is shutting down").remedy("try again in a moment");
        answer.await.map_err(|_| draining())
    }
}

/// Which configuration is in force.
pub(crate) fn status(house: &House) -> ConfigStatus {
    let Standing { loaded_at, cause, watched, refused } = house.reloads.standing.borrow().clone();
    ConfigStatus { loaded_at, cause, watched, refused, held: house.catalog.current().held.clone() }
}

/// All that it says, and who said so.
pub(crate) fn view(house: &House) -> ConfigView {
    let config = house.config();
    let keys = config.effective(&|name| std::env::var_os(name));
    ConfigView { file: config.file.clone(), found: config.found, status: status(house), keys }
}
