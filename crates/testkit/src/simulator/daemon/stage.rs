//! What models and tools share with the simulation: chance, whether all is well by now, and what was done to the world.

use super::super::random::Random;
use super::treachery::Treachery;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The world outside the daemon. It outlives daemons.
#[derive(Clone)]
pub(super) struct Stage(Arc<Mutex<World>>);

/// What is in it.
pub(super) struct World {
    pub(super) random: Random,
    /// Nothing fails, hangs or lies any more.
    pub(super) calm: bool,
    pub(super) treachery: Option<Treachery>,
    /// How often each ring of the bell was heard, by the label that the model gave it.
    pub(super) rung: BTreeMap<u64, u32>,
    labels: u64,
    /// It was acknowledged that no bell may be rung, and nothing else is on its way.
    pub(super) bell_forbidden: bool,
    /// Bells that were rung all the same.
    pub(super) forbidden_rings: Vec<u64>,
}

impl Stage {
    pub(super) fn new(random: Random, treachery: Option<Treachery>) -> Stage {
        let (rung, forbidden_rings) = (BTreeMap::new(), Vec::new());
        let (calm, labels, bell_forbidden) = (false, 0, false);
        let world = World { random, calm, treachery, rung, labels, bell_forbidden, forbidden_rings };
        Stage(Arc::new(Mutex::new(world)))
    }

    /// The world, for as long as it takes to do one thing. Never held over an await.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// A label that no call had before.
    pub(super) fn label(&mut self) -> u64 {
        self.labels += 1;
        self.labels
    }

    /// The bell is rung, which everybody hears.
    pub(super) fn ring(&mut self, label: u64) -> u32 {
        let times = self.rung.entry(label).or_default();
        *times += 1;
        *times
    }
}
