//! Snapshots that somebody asks for, or has taken away. It is done and noted to its end in a task of its own, whether or
//! not whoever asked still waits: a request that was given up would leave a file that the journal does not know, while
//! the next one is taken beside it.

use crate::house::House;
use crate::status::internal;
use agent::SnapshotId;
use std::sync::Arc;
use tokio::sync::oneshot;
use wire::Problem;
use wire::rest::{CreateSnapshot, SnapshotView};

/// Makes one. Refused while another one is being made. Cancel-safe: a dropped future leaves it being made.
pub(crate) async fn create(house: &Arc<House>, request: CreateSnapshot) -> Result<SnapshotView, Problem> {
    to_its_end(house, move |house| async move { house.snapshots.create(&house.journal, request).await }).await
}

/// Removes one. Cancel-safe in the same way.
pub(crate) async fn remove(house: &Arc<House>, id: SnapshotId) -> Result<(), Problem> {
    to_its_end(house, move |house| async move { house.snapshots.remove(&house.journal, id).await }).await
}

async fn to_its_end<T, F>(house: &Arc<House>, job: impl FnOnce(Arc<House>) -> F + Send + 'static) -> Result<T, Problem>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Problem>> + Send + 'static,
{
    let (answer, done) = oneshot::channel();
    let own = house.clone();
    house.tasks.spawn("snapshot", async move {
        // Whoever asked may have left.
        let _ = answer.send(job(own).await);
    });
    done.await.unwrap_or_else(|_| Err(internal("what was to be done with a snapshot ended in the middle")))
}
