//! What a service manager is told: that the daemon is ready, reloads, stops, lives, and who is the daemon after a
//! hand-over (sd_notify(3)). Where nobody asked to be told, nothing happens.

use crate::house::House;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::Duration;
use store::AppendError;

/// The daemon takes requests. Also the end of a reload.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// The daemon ends, and nobody takes over.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("bringing turns to an end")]);
}

/// From now on another process is the daemon. Only the one that was it may say so.
pub(crate) fn handed_over_to(pid: u32) {
    tell(&[NotifyState::MainPid(pid), NotifyState::Status("handed over")]);
}

/// The daemon lives, though it serves nobody for the moment.
pub(crate) fn alive() {
    if sd_notify::watchdog_enabled().is_some() {
        tell(&[NotifyState::Watchdog]);
    }
}

/// Says that the daemon lives for as long as that is proved: this task runs, so the runtime does, and the journal's
/// writer answers. Whether the disk is well is another question: a restart does not mend it.
pub(crate) async fn watchdog(house: Arc<House>) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let pause = limit / 3;
    loop {
        tokio::select! {
            () = house.stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        match tokio::time::timeout(pause, house.store.checkpoint()).await {
            Ok(Err(AppendError::Closed)) => return,
            Ok(_) => tell(&[NotifyState::Watchdog]),
            Err(_) => tracing::warn!(waited_ms = millis(pause), "the journal's writer does not answer"),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}
