//! Another configuration without the task that watches its file: for a simulation, whose machine has no such file.

use super::refusal::Refusal;
use super::serve::Reloader;
use crate::config::{Config, ConfigError};
use crate::registry::Registry;
use std::sync::Arc;
use wire::Problem;
use wire::places::Places;
use wire::rest::{ReloadCause, Reloaded};

/// Settles what was read, or could not be read, as the task that watches the file does: it is proved, and put in force all of
/// it or nothing, and the daemon's own journal says what became of it. Once this returns, whatever begins goes by it.
///
/// One at a time, and not beside that task. The error says why it was refused; what was in force stays then. Not cancel-safe:
/// dropped half-way, it may be in force although nobody was told.
pub async fn settle(
    registry: Arc<Registry>,
    places: Places,
    read: Result<Config, ConfigError>,
) -> Result<Reloaded, Problem> {
    let mut reloader = Reloader::new(registry, places, None);
    let settled = reloader.settle(read.map_err(Refusal::from), ReloadCause::Watch, false).await;
    settled.map_err(|refusal| refusal.problem())
}
