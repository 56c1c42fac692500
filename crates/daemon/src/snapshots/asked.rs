//! Snapshots that somebody asks for, or has taken away. It is done and noted to its end, whether or not whoever asked still
//! waits: a request that was given up would leave a file that the journal does not know, while the next one is taken
//! beside it.

use crate::house::House;
use crate::status::internal;
use agent::SnapshotId;
use std::sync::Arc;
use wire::Problem;
use wire::rest::{CreateSnapshot, SnapshotView};

/// Makes one. Refused while another one is being made. Cancel-safe: a dropped future leaves it being made.
pub(crate) async fn create(house: &Arc<House>, request: CreateSnapshot) -> Result<SnapshotView, Problem> {
    let own = house.clone();
    let making = async move { own.snapshots.create(&own.journal, request).await };
    house.tasks.to_its_end("snapshot", making).await.unwrap_or_else(|| Err(broken()))
}

/// Removes one. Cancel-safe in the same way.
pub(crate) async fn remove(house: &Arc<House>, id: SnapshotId) -> Result<(), Problem> {
    let own = house.clone();
    let removing = async move { own.snapshots.remove(&own.journal, id).await };
    house.tasks.to_its_end("snapshot", removing).await.unwrap_or_else(|| Err(broken()))
}

fn broken() -> Problem {
    internal("what was to be done with a snapshot ended in the middle")
}
