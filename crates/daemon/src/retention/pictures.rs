//! Pictures of canvases are derived: whoever asks for one that is gone gets it drawn anew, packed, with the same ids. So
//! packing and pruning is throwing away what nobody looked at for long, and the longest unused while all are too large.

use super::measure::tree_bytes;
use crate::config::Retention;
use crate::house::House;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use wire::{Code, Problem};

/// What was, or would be, thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Gone {
    pub(super) count: u64,
    pub(super) bytes: u64,
}

/// A picture on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    path: PathBuf,
    bytes: u64,
    idle: Duration,
}

/// Throws away what is too old or too much.
pub(super) async fn prune(house: &Arc<House>, config: Retention, dry_run: bool) -> Result<Gone, Problem> {
    let shared = house.clone();
    let pruned = house.tasks.chore(move || {
        let chosen = choose(found(shared.pictures.directory(), SystemTime::now()), config);
        let mut gone = Gone::default();
        for one in chosen {
            if !dry_run && let Err(error) = shared.pictures.discard(&one.path) {
                tracing::warn!(%error, "a picture could not be thrown away");
                continue;
            }
            gone = Gone { count: gone.count + 1, bytes: gone.bytes + one.bytes };
        }
        gone
    });
    pruned.await.ok_or_else(|| Problem::new(Code::Internal, "looking after the pictures failed"))
}

/// All pictures, the longest unused first.
fn found(directory: &Path, now: SystemTime) -> Vec<Found> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut all: Vec<Found> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && path.extension().is_some_and(|extension| extension == "git"))
        .map(|path| {
            // Every drawing moves a branch, which touches its directory.
            let touched = [path.clone(), path.join("refs/heads")].into_iter();
            let touched = touched.filter_map(|path| std::fs::metadata(path).ok()?.modified().ok()).max();
            let idle = touched.and_then(|at| now.duration_since(at).ok()).unwrap_or_default();
            Found { bytes: tree_bytes(&path).unwrap_or(0), path, idle }
        })
        .collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.idle));
    all
}

/// Those that go: the unused ones, and of the others the longest unused until the rest is small enough.
fn choose(all: Vec<Found>, config: Retention) -> Vec<Found> {
    let mut left: u64 = all.iter().map(|one| one.bytes).sum();
    let mut goes = |one: &Found| {
        let goes = one.idle > Duration::from_millis(config.pictures_idle_ms) || left > config.pictures_bytes;
        left -= if goes { one.bytes } else { 0 };
        goes
    };
    all.into_iter().filter(|one| goes(one)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unused_go_and_then_the_longest_unused() {
        let one = |name: &str, bytes, idle_s| Found { path: name.into(), bytes, idle: Duration::from_secs(idle_s) };
        let all = vec![one("a", 10, 900), one("b", 50, 80), one("c", 30, 70), one("d", 5, 1)];
        let config = |idle_s: u64, bytes| Retention {
            pictures_idle_ms: idle_s * 1_000,
            pictures_bytes: bytes,
            ..Retention::default()
        };
        let names = |config| -> Vec<String> {
            choose(all.clone(), config).iter().map(|one| one.path.display().to_string()).collect()
        };
        assert_eq!(names(config(100, 1_000)), ["a"]);
        assert_eq!(names(config(1_000, 40)), ["a", "b"]);
        assert_eq!(names(config(1_000, 36)), ["a", "b"]);
        assert_eq!(names(config(1_000, 34)), ["a", "b", "c"]);
        assert!(names(config(1_000, 95)).is_empty());
    }
}
