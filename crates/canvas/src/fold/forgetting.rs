//! What a canvas is after events were forgotten.
//!
//! Replaying a journal leaves out the changes of events whose bodies are gone, so what is left may add up to something
//! else than the canvas that people see: an older base, a change that was taken back. The event that stands for the
//! forgetting therefore says what such paths are from then on. A path that only forgotten events name is not named
//! again, it is live; and a path whose bytes are gone leaves the canvas, since nobody could show or accept it.

use super::Fold;
use super::value::Tracked;
use wire::body::PathLeft;
use wire::{BlobHash, RelPath};

/// No change: the path is read live.
const LIVE: Tracked = Tracked { base: None, current: None };

impl Fold {
    /// What the event of a forgetting must say, so that `replayed`, made without what is forgotten, becomes this canvas,
    /// apart from paths whose bytes are not `kept`. Gives also how many paths leave the canvas.
    pub fn forgetting(&self, replayed: &Fold, kept: impl Fn(BlobHash) -> bool) -> (Vec<PathLeft>, u32) {
        let kept = |tracked: &Tracked| [tracked.base, tracked.current].into_iter().flatten().all(|s| kept(s.blob));
        let after = |path: &RelPath| match self.paths.get(path) {
            Some(tracked) if tracked.is_dirty() && kept(tracked) => *tracked,
            _ => LIVE,
        };
        let differs = |found: &Tracked, wanted: &Tracked| {
            (found.is_dirty() || wanted.is_dirty()) && (found.base, found.current) != (wanted.base, wanted.current)
        };
        let left = replayed.paths.iter().map(|(path, found)| (path, found, after(path)));
        let left = left.filter(|(_, found, wanted)| differs(found, wanted));
        let left = left.map(|(path, _, Tracked { base, current })| PathLeft { path: path.clone(), base, current });
        let dirty = self.paths.iter().filter(|(_, tracked)| tracked.is_dirty());
        let stays = |path: &RelPath| replayed.paths.contains_key(path) && after(path).is_dirty();
        let leaving = dirty.filter(|(path, _)| !stays(path)).count();
        (left.collect(), u32::try_from(leaving).unwrap_or(u32::MAX))
    }
}
