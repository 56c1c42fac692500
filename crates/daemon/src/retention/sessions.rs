//! Sessions in which nothing happened for long leave the journal, one after the other, while no turn runs.

use crate::archive::{self, Kept};
use crate::config::Retention;
use crate::registry::Registry;
use crate::status::internal;
use std::sync::Arc;
use wire::{Code, Problem};

/// Sessions that one pass archives; what is left goes in the next one.
const MOST: u64 = 1_000;

/// Archives what is idle; how many sessions went, or with `dry_run` would go.
pub(super) async fn archive(registry: &Arc<Registry>, config: Retention, dry_run: bool) -> Result<u64, Problem> {
    let house = registry.house();
    if !dry_run {
        archive::settle(house.clone()).await;
    }
    if config.archive_idle_ms == 0 {
        return Ok(0);
    }
    let scheduled = house.schedules.sessions().await?;
    let mut archived = 0;
    for session in archive::idle(registry, config.archive_idle_ms).await? {
        let somebody_works = !house.store.waking().await.map_err(internal)?.is_empty();
        if house.stop.is_cancelled() || archived >= MOST || somebody_works && !dry_run {
            break;
        }
        // Whoever is awake is watched, or was looked at just now.
        if registry.is_awake(session) {
            continue;
        }
        let gone = match dry_run {
            true => Kept::of(house, session, &scheduled, true).await.map(|kept| kept.is_none()),
            false => registry.put_away(session, &scheduled, true).await.map(|kept| kept.is_ok()),
        };
        match gone {
            Ok(gone) => archived += u64::from(gone),
            // There is no room for any, or no more may be archived.
            Err(problem) if matches!(problem.code, Code::StorageFull | Code::ReadOnly | Code::LimitReached) => {
                tracing::warn!(%problem, "idle sessions stay in the journal");
                break;
            }
            Err(problem) => tracing::warn!(%session, %problem, "an idle session stays in the journal"),
        }
    }
    Ok(archived)
}
