//! Snapshots of the daemon's own accord: every so often, and when it stops.

use crate::house::House;
use std::sync::Arc;
use std::time::Duration;
use wire::snapshot::SnapshotReason;

/// The longest time between two looks at whether it is time: the configuration may change, and so may the clock.
const LOOK: Duration = Duration::from_secs(60);
/// How long after one that failed the next is tried.
const RETRY: Duration = Duration::from_secs(15 * 60);
/// How long after the start the first one may be made: the start belongs to others.
const QUIET: Duration = Duration::from_secs(20);

/// Makes a snapshot whenever it is time, until the daemon stops.
pub(crate) async fn periodic(house: Arc<House>) {
    house.snapshots.sweep().await;
    let (mut pause, mut not_before) = (QUIET, house.clock.instant());
    loop {
        tokio::select! {
            () = house.stop.cancelled() => return,
            () = house.clock.sleep(pause) => {}
        }
        let every_ms = house.config().snapshots.every_ms;
        pause = LOOK;
        if every_ms == 0 || house.clock.instant() < not_before {
            continue;
        }
        match left(&house, every_ms).await {
            Some(left) if left.is_zero() => {
                let rest = make(&house, every_ms).await;
                // The clock on the wall may jump; two snapshots are this far apart all the same.
                not_before = house.clock.instant() + rest;
            }
            Some(left) => pause = LOOK.min(left),
            None => {}
        }
    }
}

/// How long it is until the next one is due; `None` when nobody can tell now.
async fn left(house: &House, every_ms: u64) -> Option<Duration> {
    let last = house.snapshots.last_at().await.ok()?;
    // One of the future was made before the clock was set back, so how old it is cannot be told: it is time.
    let since_ms = last.and_then(|last| u64::try_from((house.clock.now().0 - last.0) / 1000).ok()).unwrap_or(u64::MAX);
    Some(Duration::from_millis(every_ms.saturating_sub(since_ms)))
}

/// Makes one if something changed, and says how long to leave it at that.
async fn make(house: &House, every_ms: u64) -> Duration {
    match house.snapshots.create_if_changed(&house.journal, SnapshotReason::Periodic).await {
        Ok(Some(_)) => Duration::from_millis(every_ms),
        Ok(None) => LOOK,
        Err(problem) => {
            tracing::warn!(why = %problem.detail, "the periodic snapshot");
            RETRY.min(Duration::from_millis(every_ms))
        }
    }
}

/// Makes one at the end, if the configuration wants it. Nothing runs any more.
pub(crate) async fn at_stop(house: &House) {
    if house.config().snapshots.on_stop
        && let Err(problem) = house.snapshots.create_if_changed(&house.journal, SnapshotReason::Stop).await
    {
        tracing::warn!(why = %problem.detail, "the snapshot at the stop");
    }
}
