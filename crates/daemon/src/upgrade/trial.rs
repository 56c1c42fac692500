//! A successor that is being tried out, while the daemon serves as ever.

use super::line::Ask;
use super::step::AtStep;
use super::successor::{Successor, UpgradeError};
use crate::config::Config;
use std::ffi::OsString;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::oneshot;
use wire::Problem;
use wire::rest::UpgradeBegun;

/// How a successor is tried out.
pub(crate) struct Desire {
    pub(crate) binary: PathBuf,
    pub(crate) more: Vec<OsString>,
    pub(crate) state_dir: PathBuf,
    pub(crate) at_step: AtStep,
}

/// Whether a successor is fit, once that is known.
pub(crate) type Fitness = Pin<Box<dyn Future<Output = Result<(Successor, UpgradeBegun), UpgradeError>> + Send>>;

/// A successor that is being tried out, and who waits for the outcome.
pub(crate) struct Trial {
    pub(crate) outcome: Fitness,
    pub(crate) binary: PathBuf,
    pub(crate) reply: Option<oneshot::Sender<Result<UpgradeBegun, Problem>>>,
}

impl Desire {
    /// Begins it.
    pub(crate) fn trial(&self, ask: Ask, config: Arc<Config>) -> Trial {
        let binary = ask.binary.unwrap_or_else(|| self.binary.clone());
        tracing::info!(binary = %binary.display(), "an upgrade is wanted");
        let (more, state_dir) = (self.more.clone(), self.state_dir.clone());
        let outcome = Box::pin(Successor::try_out(binary.clone(), more, state_dir, config, self.at_step));
        Trial { outcome, binary, reply: ask.reply }
    }
}
