//! The only place that spawns tokio tasks and blocking work.
//!
//! Every task belongs to one [`Tasks`], so that a shutdown can wait for all of them, and a panic in one is logged with
//! its name instead of vanishing.

use std::future::Future;
use std::sync::Arc;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::task::TaskTracker;

/// Blocking jobs (git, files, tools) that run at the same time; more wait their turn. Two cores gain nothing from more
/// than a few, and each costs a thread.
const BLOCKING_JOBS: usize = 8;

/// Spawns and counts.
#[derive(Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    blocking: Arc<Semaphore>,
}

impl Default for Tasks {
    fn default() -> Tasks {
        Tasks { tracker: TaskTracker::new(), blocking: Arc::new(Semaphore::new(BLOCKING_JOBS)) }
    }
}

impl Tasks {
    /// Runs `task` on the runtime.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let running = self.tracker.spawn(task);
        self.tracker.spawn(async move {
            if let Err(error) = running.await
                && error.is_panic()
            {
                tracing::error!(task = name, "a task panicked; this is a fault in tinkerbell");
            }
        });
    }

    /// Runs `job` on a thread for blocking work and gives what it returns; `None` when it panicked.
    /// Cancel-safe: a dropped future leaves the job running to its end.
    pub async fn blocking<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let permit = self.blocking.clone().acquire_owned().await.ok()?;
        let (answer, result) = oneshot::channel();
        self.tracker.spawn_blocking(move || {
            let _permit = permit;
            // Nobody listens any more when the asking future was dropped.
            let _ = answer.send(job());
        });
        result.await.ok()
    }

    /// Waits until every task has ended. New ones may still be spawned while it waits.
    pub async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
