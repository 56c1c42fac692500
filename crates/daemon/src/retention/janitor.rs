//! The janitor: one task that tidies when nothing runs, or when it is asked.

use super::measure::measure;
use super::{pictures, sessions};
use crate::registry::Registry;
use crate::session::refused;
use crate::status::internal;
use agent::Micros;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{Aside, Tidy};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use wire::rest::{StorageStatus, Tidied};
use wire::{Code, Problem};

/// The first look after a start, when whatever had to be taken up again has been.
const FIRST: Duration = Duration::from_secs(5 * 60);
/// How long it waits again when something runs.
const BUSY_AGAIN: Duration = Duration::from_secs(60);
/// How often it gives way to what runs before it tidies all the same.
const BUSY_TIMES: u32 = 60;
/// Slices in a row; what is left then is done the next time.
const SLICES: u32 = 100_000;
/// How old sizes may be that somebody is told.
const STALE: Duration = Duration::from_secs(60);
/// How long somebody who asks waits for the first measuring.
const MEASURING: Duration = Duration::from_millis(500);
/// Whoever asks while one waits and one is being served is told to come again.
const ASKS: usize = 2;

/// What somebody asks for.
struct Ask {
    dry_run: bool,
    reply: oneshot::Sender<Result<Tidied, Problem>>,
}

/// The janitor, from outside.
pub struct Janitor {
    asks: mpsc::Sender<Ask>,
    /// Until the task takes it.
    inbox: Mutex<Option<mpsc::Receiver<Ask>>>,
    known: Mutex<Known>,
}

/// What was found last.
#[derive(Default)]
struct Known {
    sizes: Option<(Instant, StorageStatus)>,
    measuring: bool,
    tidied: Option<Tidied>,
}

impl Janitor {
    /// One that has not begun.
    pub(crate) fn new() -> Janitor {
        let (asks, inbox) = mpsc::channel(ASKS);
        Janitor { asks, inbox: Mutex::new(Some(inbox)), known: Mutex::default() }
    }

    /// Tidies now; what it did, or with `dry_run` what it would do.
    pub async fn tidy(&self, dry_run: bool) -> Result<Tidied, Problem> {
        let (reply, answer) = oneshot::channel();
        let busy = || Problem::new(Code::LimitReached, "the janitor is at work").remedy("try again in a moment");
        self.asks.try_send(Ask { dry_run, reply }).map_err(|_| busy())?;
        let gone = || Problem::new(Code::Draining, "the daemon is shutting down").remedy("try again in a moment");
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// What lies where. Measured anew where that was a while ago, for whoever asks next; only the first who asks waits,
    /// and not for long.
    pub(crate) async fn sizes(&self, registry: &Arc<Registry>) -> Option<StorageStatus> {
        let clock = registry.house().clock.clone();
        let (sizes, stale) = {
            let (mut known, now) = (self.lock(), clock.instant());
            let old = known.sizes.as_ref().is_none_or(|(at, _)| now.duration_since(*at) > STALE);
            let stale = old && !known.measuring;
            known.measuring |= stale;
            (known.sizes.as_ref().map(|(_, sizes)| sizes.clone()), stale)
        };
        let (told, measured) = oneshot::channel();
        if stale {
            let registry = registry.clone();
            registry.house().tasks.clone().spawn("measuring", async move {
                let sizes = measure(registry.house()).await;
                let mut known = registry.house().janitor.lock();
                known.measuring = false;
                match sizes {
                    Ok(sizes) => known.sizes = Some((registry.house().clock.instant(), sizes)),
                    Err(error) => tracing::warn!(%error, "what lies where could not be measured"),
                }
                drop(known);
                let _ = told.send(());
            });
        }
        if sizes.is_none() && stale {
            tokio::select! {
                biased;
                _ = measured => {}
                () = clock.sleep(MEASURING) => {}
            }
        }
        let known = self.lock();
        let sizes = known.sizes.as_ref().map(|(_, sizes)| sizes.clone()).or(sizes)?;
        Some(StorageStatus { tidied: known.tidied.clone(), ..sizes })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Nothing under this lock can panic half-way.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tidies until the daemon stops.
pub async fn keep(registry: Arc<Registry>) {
    let house = registry.house().clone();
    let inbox = house.janitor.inbox.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut inbox) = inbox else { return };
    // Who serves was told so by whoever handed over to us: from then on nothing is brought back.
    let state_dir = house.state_dir.clone();
    if let Some(Err(error)) = house.tasks.chore(move || Aside::sweep(&state_dir)).await {
        tracing::warn!(%error, "what is left of an upgrade cannot be taken away");
    }
    let (mut due, mut busy) = (house.clock.instant() + FIRST, 0);
    loop {
        // Every arm is cancel-safe.
        let ask = tokio::select! {
            () = house.stop.cancelled() => return,
            ask = inbox.recv() => match ask {
                Some(ask) => Some(ask),
                None => return,
            },
            () = house.clock.sleep_until(Some(due)) => None,
        };
        if ask.is_none() && busy < BUSY_TIMES && works(&registry).await {
            (due, busy) = (house.clock.instant() + BUSY_AGAIN, busy + 1);
            continue;
        }
        let dry_run = ask.as_ref().is_some_and(|ask| ask.dry_run);
        let outcome = tidy(&registry, dry_run).await;
        match &outcome {
            Ok(tidied) if !dry_run => {
                let mut known = house.janitor.lock();
                known.tidied = Some(tidied.clone());
                known.sizes = None;
            }
            Ok(_) => {}
            Err(problem) => tracing::warn!(%problem, "tidying did not end"),
        }
        if let Some(ask) = ask {
            let _ = ask.reply.send(outcome);
        }
        if !dry_run {
            (due, busy) = (house.clock.instant() + Duration::from_millis(house.config().retention.every_ms), 0);
        }
    }
}

/// Whether a turn runs somewhere.
async fn works(registry: &Registry) -> bool {
    registry.house().store.waking().await.is_ok_and(|waking| !waking.is_empty())
}

async fn tidy(registry: &Arc<Registry>, dry_run: bool) -> Result<Tidied, Problem> {
    let (house, began, now) = (registry.house(), Instant::now(), registry.house().clock.now());
    let config = house.config().retention;
    let before = house.store.sizes().map_err(internal)?.database_bytes;
    let mut tidied = Tidied { at: now, dry_run, ..nothing(before) };
    if dry_run {
        let waste = house.store.waste(now).await.map_err(internal)?;
        let freed = waste.free_bytes.saturating_sub(config.free_bytes);
        (tidied.answers, tidied.partials) = (waste.answers, waste.partials);
        tidied.freed_bytes = if waste.shrinks { freed } else { 0 };
        tidied.archived = sessions::archive(registry, config, dry_run).await?;
    } else {
        // First, so that the pages are given back that this sets free.
        tidied.archived = sessions::archive(registry, config, dry_run).await?;
        for _ in 0..SLICES {
            if house.stop.is_cancelled() {
                break;
            }
            let slice = house.store.tidy(Tidy { now, keep_free_bytes: config.free_bytes }).await;
            let slice = slice.map_err(|error| refused(error).remedy("nothing that was said is lost; ask again"))?;
            tidied.answers += slice.answers;
            tidied.partials += slice.partials;
            tidied.freed_bytes += slice.freed_bytes;
            if !slice.more {
                break;
            }
        }
        if tidied.freed_bytes > 0 {
            // The file is cut when all of the log is copied into it.
            let _ = house.store.checkpoint().await;
        }
    }
    let gone = pictures::prune(house, config, dry_run).await?;
    (tidied.pictures, tidied.pictures_bytes) = (gone.count, gone.bytes);
    tidied.journal_bytes_after = house.store.sizes().map_err(internal)?.database_bytes;
    tidied.lasted_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(tidied)
}

fn nothing(journal_bytes: u64) -> Tidied {
    Tidied {
        at: Micros(0),
        dry_run: false,
        answers: 0,
        partials: 0,
        freed_bytes: 0,
        journal_bytes_before: journal_bytes,
        journal_bytes_after: journal_bytes,
        pictures: 0,
        pictures_bytes: 0,
        archived: 0,
        lasted_ms: 0,
    }
}
