//! Another configuration for the daemon that runs, and what is known of which one counts.
//!
//! It is settled as the daemon's own task does, beside everything else. Until it is acknowledged, either of two may count;
//! from then on only the new one, and where it was refused only the old one, to the pointer.

use super::super::invariant::{Checked, Invariant, hold};
use super::book::InForce;
use super::life::{Done, Life};
use super::machine::{Machine, broken};
use super::script::Sketch;
use super::treachery::Treachery;
use daemon::{Config, Registry, settle_config};
use std::sync::Arc;
use tokio::sync::oneshot;
use wire::Problem;
use wire::places::Places;

/// Wrong ones, of a hundred.
const MISTAKES: u64 = 30;

/// A configuration that is being settled.
pub(super) struct Settling {
    /// What it says; `None` where it is wrong.
    sketch: Option<Sketch>,
    /// As the daemon was told it.
    told: Option<Config>,
}

impl Machine {
    /// Somebody changes the configuration, and the daemon notices.
    pub(super) fn reload(&mut self, life: &mut Life<'_>) -> Checked {
        let wrong = self.random.chance(MISTAKES);
        let sketch = self.sketch.redrawn(&mut self.random);
        let text = if wrong { sketch.mistaken(&mut self.random) } else { self.told(&sketch).toml() };
        let file = self.place("config.toml");
        std::fs::write(&file, text).map_err(|error| broken("the configuration", &error))?;
        let mut read = Config::load(&file);
        if let Ok(config) = &mut read {
            config.awake_bytes = sketch.awake_bytes;
        }
        hold(read.is_err() == wrong, Invariant::ReloadsAreWhole, || format!("{read:?} of {sketch:?}"))?;
        self.tell(if wrong { "it is wrong".to_owned() } else { format!("it is now {sketch:?}") });
        let told = read.as_ref().ok().cloned();
        let sketch = (!wrong).then_some(sketch);
        if let Some(sketch) = &sketch {
            let forbidden = self.sketch.forbids_the_bell() && sketch.forbids_the_bell();
            self.stage.world().bell_forbidden = forbidden;
        }
        let (registry, socket) = (life.registry.clone(), self.place("socket"));
        let state_dir = life.registry.house().state_dir.clone();
        let places = Places { config_file: file, state_dir, sockets: vec![socket], socket_chosen: true };
        life.settling = Some(Settling { sketch, told });
        // A task of the daemon's own, whose end a stop waits for.
        let (answer, settled) = oneshot::channel();
        life.registry.house().tasks.spawn("configuration", async move {
            let _ = answer.send(settle_config(registry, places, read).await.map(drop));
        });
        life.asking.push(Box::pin(async move {
            match settled.await {
                Ok(outcome) => Done::Settled(outcome),
                // It panicked, which is told elsewhere.
                Err(_) => std::future::pending().await,
            }
        }));
        Ok(())
    }

    /// The configuration as the daemon is told it, which is the one that people know unless somebody lies.
    pub(super) fn told(&self, sketch: &Sketch) -> Sketch {
        let mut told = sketch.clone();
        match self.treachery {
            Some(Treachery::RulesNotTold) => told.bell = agent::Decision::Allow,
            Some(Treachery::BudgetNotTold) => (told.per_session, told.per_day) = (None, None),
            _ => {}
        }
        told
    }

    /// It was acknowledged or refused.
    pub(super) fn settled(&mut self, life: &mut Life<'_>, outcome: Result<(), Problem>) -> Checked {
        self.look(life)?;
        let Some(Settling { sketch, told }) = life.settling.take() else { return Ok(()) };
        let outcome = if self.treachery == Some(Treachery::FalseReload) { Ok(()) } else { outcome };
        let word = if outcome.is_ok() { "taken" } else { "refused" };
        self.tell(format_args!("the configuration is {word}"));
        self.common.coverage.count("reload", word);
        if self.books.values().any(|book| !book.rests()) {
            self.common.coverage.count("reload", "in_mid_turn");
        }
        hold(outcome.is_ok() == sketch.is_some(), Invariant::ReloadsAreWhole, || format!("{outcome:?} of {sketch:?}"))?;
        if let (Some(sketch), Some(told)) = (sketch, told) {
            let different = life.config.changed(&told);
            hold(different.is_empty(), Invariant::ReloadsAreWhole, || {
                format!("it was acknowledged, and in force is another {different:?}")
            })?;
            self.sketch = sketch;
        }
        self.stage.world().bell_forbidden = self.sketch.forbids_the_bell();
        Ok(())
    }

    /// The configuration that counts by now, which another one can have become only while one is being settled.
    pub(super) fn look(&mut self, life: &mut Life<'_>) -> Checked {
        let outfit = life.registry.house().catalog.current();
        if Arc::ptr_eq(&outfit.config, &life.config) {
            return Ok(());
        }
        let sketch = life.settling.as_ref().and_then(|settling| settling.sketch.clone());
        let Some(sketch) = sketch else {
            return hold(false, Invariant::ReloadsAreWhole, || "another is in force, and nobody gave it".to_owned());
        };
        life.config = outfit.config.clone();
        self.counts(&life.registry, &sketch);
        Ok(())
    }

    /// From now on calls may be decided under this configuration, which is in force.
    pub(super) fn counts(&mut self, registry: &Registry, sketch: &Sketch) {
        let outfit = registry.house().catalog.current();
        let settings = match self.treachery {
            Some(Treachery::StrangeSettings) => wire::BlobHash::of(b"something else"),
            _ => outfit.settings_blob.hash(),
        };
        let (per_session, per_day, bell_forbidden) = (sketch.per_session, sketch.per_day, sketch.forbids_the_bell());
        let limits = outfit.settings.limits;
        self.common.in_force.push(InForce { settings, per_session, per_day, bell_forbidden, limits });
        self.limit();
    }

    /// Turns may go as far as what is in force allows.
    pub(super) fn limit(&mut self) {
        let limits = self.common.limits();
        self.books.values_mut().for_each(|book| book.audit.limits(&limits));
    }
}
