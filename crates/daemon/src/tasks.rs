//! The only place that spawns tokio tasks and blocking work.
//!
//! Every task belongs to one [`Tasks`], so that a shutdown can wait for all of them, and a panic in one is logged with
//! its name instead of vanishing.

use crate::clock::Sleep;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::task::TaskTracker;

/// Tools that run at the same time; more wait their turn. Two cores gain nothing from more than a few, and each costs a
/// thread.
const TOOLS: usize = 8;
/// Looks at the canvas and at files that run at the same time. Apart from the tools, so that a tool that hangs holds
/// nobody up who wants to see or to take what is there.
const LOOKS: usize = 4;
/// Accepts, and what waits for a disk, a person or a hook: keys, commits. Apart from the looks, which prompts wait for.
const CHORES: usize = 8;
/// Sessions that are taken in from files at the same time. Each holds a thread for as long as its file is being sent.
const CARRIERS: usize = 2;

/// How long work that blocks takes in a simulation.
pub type Pause = Arc<dyn Fn() -> Sleep + Send + Sync>;

/// Spawns and counts.
#[derive(Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    /// Where there is one, work that blocks has no threads: it is done in one piece after such a pause.
    inline: Option<Pause>,
    tools: Arc<Semaphore>,
    looks: Arc<Semaphore>,
    chores: Arc<Semaphore>,
    carriers: Arc<Semaphore>,
}

impl Default for Tasks {
    fn default() -> Tasks {
        let most = [TOOLS, LOOKS, CHORES, CARRIERS];
        let [tools, looks, chores, carriers] = most.map(|most| Arc::new(Semaphore::new(most)));
        Tasks { tracker: TaskTracker::new(), inline: None, tools, looks, chores, carriers }
    }
}

impl Tasks {
    /// Tasks that use no thread but the runtime's, for a simulation, which goes the same way each time.
    pub fn inline(pause: Pause) -> Tasks {
        Tasks { inline: Some(pause), ..Tasks::default() }
    }

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

    /// Runs `task` on the runtime to its end, whether or not somebody still waits for it; `None` when it panicked.
    pub(crate) async fn to_its_end<T: Send + 'static>(
        &self,
        name: &'static str,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (done, told) = oneshot::channel();
        self.spawn(name, async move { drop(done.send(task.await)) });
        told.await.ok()
    }

    /// Runs a tool on a thread of its own and gives what it returns; `None` when it panicked. Cancel-safe: a dropped
    /// future leaves the tool running to its end.
    pub(crate) async fn tool<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.blocking(self.tools.clone(), job).await
    }

    /// The same for a look at files or at git.
    pub(crate) async fn look<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.blocking(self.looks.clone(), job).await
    }

    /// The same for what may take its time.
    pub(crate) async fn chore<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.blocking(self.chores.clone(), job).await
    }

    /// The same for receiving and reading a session's file.
    pub(crate) async fn carry<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.blocking(self.carriers.clone(), job).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        permits: Arc<Semaphore>,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let permit = permits.acquire_owned().await.ok()?;
        let (answer, result) = oneshot::channel();
        // Nobody listens any more when the asking future was dropped.
        match self.inline.clone() {
            None => drop(self.tracker.spawn_blocking(move || {
                let _permit = permit;
                let _ = answer.send(job());
            })),
            Some(pause) => drop(self.tracker.spawn(async move {
                let _permit = permit;
                pause().await;
                if let Ok(done) = catch_unwind(AssertUnwindSafe(job)) {
                    let _ = answer.send(done);
                }
            })),
        }
        result.await.ok()
    }

    /// Waits until every task has ended. New ones may still be spawned while it waits.
    pub async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
