//! What lies where, and how much it is. Directories are walked on a thread that may block, as far as a bound.

use crate::house::House;
use std::io;
use std::path::Path;
use store::ReadError;
use wire::rest::StorageStatus;

/// Files and directories that are looked at in one directory's tree; the rest is not counted.
const ENTRIES: usize = 200_000;

/// Measures everything.
pub(super) async fn measure(house: &House) -> Result<StorageStatus, ReadError> {
    let now = house.clock.now();
    let waste = house.store.waste(now).await?;
    let sessions = house.store.states().await?;
    let (archived, _) = house.store.archive_sum().await?;
    let shelf = house.shelf.directory().to_owned();
    let state = house.state_dir.clone();
    let snapshots = crate::snapshots::directory(&house.config(), &house.state_dir);
    let pictures = house.pictures.directory().to_owned();
    let walked = house.tasks.chore(move || {
        let of = |name: &str| tree_bytes(&state.join(name)).unwrap_or(0);
        let search: u64 = ["search.db", "search.db-wal"].into_iter().map(of).sum();
        let [pictures, snapshots, archive] = [pictures, snapshots, shelf].map(|path| tree_bytes(&path).unwrap_or(0));
        [search, pictures, of("log"), snapshots, archive]
    });
    let [search_bytes, pictures_bytes, log_bytes, snapshot_bytes, archive_bytes] = walked.await.unwrap_or_default();
    Ok(StorageStatus {
        measured_at: now,
        journal_free_bytes: waste.free_bytes,
        journal_shrinks: waste.shrinks,
        search_bytes,
        pictures_bytes,
        log_bytes,
        snapshot_bytes,
        archived,
        archive_bytes,
        sessions,
        tidied: None,
    })
}

/// Bytes of a file, or of all files below a directory. Follows no links.
pub(super) fn tree_bytes(path: &Path) -> io::Result<u64> {
    let (mut waiting, mut bytes, mut seen) = (vec![path.to_owned()], 0, 0);
    while let Some(path) = waiting.pop() {
        let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
        if !metadata.is_dir() {
            bytes += metadata.len();
            continue;
        }
        for entry in std::fs::read_dir(&path)?.flatten() {
            seen += 1;
            if seen > ENTRIES {
                return Ok(bytes);
            }
            waiting.push(entry.path());
        }
    }
    Ok(bytes)
}
