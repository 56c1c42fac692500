//! What a service manager is told: that the daemon is ready, reloads, stops, lives, and who is the daemon after a
//! hand-over (sd_notify(3)). Where nobody asked to be told, nothing happens.
//!
//! A manager that watches the daemon expects signs of life until the process is gone: [`watchdog`] gives them while it
//! serves, [`while_leaving`] while it brings everything to an end, [`while_away`] while it has no journal.

use crate::house::House;
use sd_notify::NotifyState;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use store::{AppendError, Store};

/// How often a manager that does not watch hears that a stop goes on.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// For how many of the pauses between two signs a stop asks: the proof may take one, and one may be late.
const PAUSES_ASKED: u32 = 4;

/// What the daemon is about while it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// It ends, and nobody takes over.
    Stop,
    /// Another process is to take over.
    Upgrade,
}

/// The daemon takes requests. Also the end of a reload.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// The daemon begins to leave.
pub(crate) fn leaves(leaving: Leaving) {
    match leaving {
        Leaving::Stop => tell(&[NotifyState::Stopping, NotifyState::Status("bringing turns to an end")]),
        // For a manager the service goes on.
        Leaving::Upgrade => tell(&[NotifyState::Status("bringing turns to an end, to hand over")]),
    }
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

/// Says that the daemon lives for as long as that is proved, until it begins to leave.
pub(crate) async fn watchdog(house: Arc<House>) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let pause = limit / 3;
    loop {
        tokio::select! {
            () = house.stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        if writer_answers(&house.store, pause).await {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

/// Waits for the end of `work`, by which the daemon leaves. Meanwhile it says that it lives, for as long as that is
/// proved; and a manager that waits for a stop is asked to wait for longer, since a grace, or a snapshot of a large
/// state, may take more than it would. Cancel-safe if `work` is.
pub(crate) async fn while_leaving<T>(store: &Store, leaving: Leaving, work: impl Future<Output = T>) -> T {
    beside(signs(Some(store), leaving == Leaving::Stop), work).await
}

/// Waits for the end of `work`, which goes on without a journal that could prove anything: it is being copied, or opened.
/// That the runtime runs has to do. Cancel-safe if `work` is.
pub(crate) async fn while_away<T>(work: impl Future<Output = T>) -> T {
    beside(signs(None, false), work).await
}

async fn beside<T>(signs: impl Future<Output = Infallible>, work: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        done = work => done,
        never = signs => match never {},
    }
}

/// Signs of life, for as long as somebody waits for them.
async fn signs(store: Option<&Store>, asks_for_more: bool) -> Infallible {
    let pause = sd_notify::watchdog_enabled().map_or(SIGN_OF_LIFE, |limit| limit / 3);
    loop {
        let lives = match store {
            Some(store) => writer_answers(store, pause).await,
            None => true,
        };
        if lives {
            alive();
        }
        if lives && asks_for_more {
            let more = (pause * PAUSES_ASKED).as_micros();
            tell(&[NotifyState::ExtendTimeoutUsec(more.try_into().unwrap_or(u32::MAX))]);
        }
        tokio::time::sleep(pause).await;
    }
}

/// The proof of life: whoever asks runs, so the runtime does, and the journal's writer answers within `limit`. Whether
/// the disk is well is another question: a restart does not mend it.
async fn writer_answers(store: &Store, limit: Duration) -> bool {
    match tokio::time::timeout(limit, store.checkpoint()).await {
        Ok(Err(AppendError::Closed)) => false,
        Ok(_) => true,
        Err(_) => {
            tracing::warn!(waited_ms = millis(limit), "the journal's writer does not answer");
            false
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
