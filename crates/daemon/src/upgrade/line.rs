//! How doors and signals ask for an upgrade, and how the last one went.

use agent::Micros;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot, watch};
use wire::rest::{UpgradeBegun, UpgradeOutcome, UpgradeReport};
use wire::{Code, Problem};

/// Upgrades that may be asked for at a time: while one is under way, another makes no sense.
const AT_ONCE: usize = 1;

/// For whoever asks.
#[derive(Debug, Clone)]
pub struct Upgrades {
    asks: mpsc::Sender<Ask>,
    /// Where wishes come out, until somebody who can do something about them has taken it.
    receiver: Arc<Mutex<Option<Asks>>>,
    last: Arc<watch::Sender<Option<UpgradeReport>>>,
}

/// A wish for an upgrade.
#[derive(Debug)]
pub(crate) struct Ask {
    /// The binary, if one was named.
    pub(crate) binary: Option<PathBuf>,
    /// Who waits for the word that the new one is fit.
    pub(crate) reply: Option<oneshot::Sender<Result<UpgradeBegun, Problem>>>,
}

/// The end at which wishes come out.
pub(crate) type Asks = mpsc::Receiver<Ask>;

impl Default for Upgrades {
    fn default() -> Upgrades {
        let (asks, receiver) = mpsc::channel(AT_ONCE);
        let (receiver, last) = (Arc::new(Mutex::new(Some(receiver))), Arc::new(watch::Sender::new(None)));
        Upgrades { asks, receiver, last }
    }
}

impl Upgrades {
    /// Asks for an upgrade, and waits until the new binary has shown that it is fit.
    pub(crate) async fn ask(&self, binary: Option<PathBuf>) -> Result<UpgradeBegun, Problem> {
        if let Some(relative) = binary.as_ref().filter(|binary| !binary.is_absolute()) {
            let detail = format!("{} is not an absolute path", relative.display());
            return Err(Problem::new(Code::InvalidRequest, detail).remedy("name the binary by its absolute path"));
        }
        let (reply, answer) = oneshot::channel();
        self.asks.try_send(Ask { binary, reply: Some(reply) }).map_err(|_| under_way())?;
        answer.await.unwrap_or_else(|_| Err(under_way()))
    }

    /// Where wishes come out; there is one such end.
    pub(crate) fn asks(&self) -> Option<Asks> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// How the last one went that this process had a part in.
    pub(crate) fn last(&self) -> Option<UpgradeReport> {
        self.last.borrow().clone()
    }

    /// Keeps how one went.
    pub(crate) fn report(&self, report: Option<UpgradeReport>) {
        self.last.send_replace(report);
    }
}

/// How one went, now that it is known.
pub(crate) fn report(
    outcome: UpgradeOutcome,
    at: Micros,
    binary: PathBuf,
    from_version: String,
    why: Option<String>,
) -> UpgradeReport {
    UpgradeReport { outcome, binary, at, from_version, why }
}

/// Another one is under way, or the daemon is about to leave.
pub(crate) fn under_way() -> Problem {
    Problem::new(Code::Conflict, "an upgrade is under way, or the daemon is shutting down")
        .remedy("look with `tinkerbell status`")
}
