//! Another configuration, other keys: what would be reached otherwise is asked first, what proves bad is held back or taken
//! back, and the outfit is replaced whole.

use super::current::Catalog;
use super::outfit::Voice;
use super::wardrobe::{Candidate, making};
use crate::config::Config;
use crate::house::House;
use agent::{Event, ModelName};
use futures_util::StreamExt;
use futures_util::stream;
use models::Reach;
use std::sync::Arc;
use wire::body;

/// Servers that are asked at the same time.
const ASKED_AT_ONCE: usize = 16;

/// What asking around found.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    /// Models that work, and would not any more.
    pub(crate) bad: Vec<(ModelName, String)>,
    /// What does not work, and takes nobody's place who does.
    pub(crate) warnings: Vec<String>,
    /// Models that were held back, and need not be any more.
    pub(crate) forgiven: Vec<ModelName>,
}

/// What was found of one candidate.
enum Verdict {
    Good,
    Bad(String),
    Warning(String),
}

impl Catalog {
    /// Asks whoever would be reached otherwise under a configuration than now. Nothing is changed. `again`: also whom it
    /// did not get past before.
    pub(crate) async fn prove(self: &Arc<Catalog>, config: &Arc<Config>, again: bool) -> Proof {
        let (catalog, config) = (self.clone(), config.clone());
        let mut candidates = self.tasks.chore(move || catalog.candidates(&config)).await.unwrap_or_default();
        candidates.retain(|candidate| again || !candidate.held);
        let mut proof = Proof::default();
        for (candidate, verdict) in ask_around(candidates).await {
            let Candidate { name: model, held, .. } = candidate;
            match verdict {
                Verdict::Good if held => proof.forgiven.push(model),
                // It stays held back, which stands in nobody's way.
                _ if held => {}
                Verdict::Good => {}
                Verdict::Bad(reason) => proof.bad.push((model, reason)),
                Verdict::Warning(warning) => proof.warnings.push(format!("models.{model}: {warning}")),
            }
        }
        proof
    }

    /// Puts another configuration in force, all of it at once. Whoever runs keeps what it began with. The `forgiven` are not
    /// held back any more.
    pub(crate) async fn replace(self: &Arc<Catalog>, config: Arc<Config>, forgiven: Vec<ModelName>) {
        let catalog = self.clone();
        let replace = move || {
            catalog.redress(|wardrobe| {
                wardrobe.config = config;
                wardrobe.forgive(&forgiven);
            });
        };
        if self.tasks.chore(replace).await.is_none() {
            tracing::error!("the models could not be put together; this is a fault in tinkerbell");
        }
        self.replaced.send_replace(());
    }

    fn candidates(&self, config: &Config) -> Vec<Candidate> {
        let (named, servers) = self.looked_up();
        let making = making(config, &self.keys, &named, &servers);
        self.wardrobe().candidates(making)
    }
}

/// A key came or went: whoever uses it is made anew, unless the new one is refused where the old one is not.
pub(crate) async fn keys_changed(house: &House) {
    let catalog = house.catalog.clone();
    let candidates = {
        let (catalog, config) = (catalog.clone(), house.config());
        house.tasks.chore(move || catalog.candidates(&config)).await.unwrap_or_default()
    };
    let candidates = candidates.into_iter().filter(|candidate| !candidate.held).collect();
    let (mut bad, mut told) = (Vec::new(), Vec::new());
    for (candidate, verdict) in ask_around(candidates).await {
        match verdict {
            Verdict::Bad(reason) => {
                told.push((candidate.name.clone(), reason.clone()));
                bad.push((candidate, reason));
            }
            Verdict::Good | Verdict::Warning(_) => {}
        }
    }
    let since = house.clock.now();
    let hold = move || {
        catalog.redress(|wardrobe| {
            for (candidate, reason) in bad {
                wardrobe.hold(candidate.name, candidate.new, reason, since);
            }
        });
    };
    if house.tasks.chore(hold).await.is_none() {
        tracing::error!("the models could not be put together; this is a fault in tinkerbell");
    }
    for (model, reason) in told {
        note(house, model, reason).await;
    }
}

/// A model on trial was refused at its first call. True where what worked before is in its place now, so that the call
/// may be tried again.
pub(crate) async fn take_back(house: &House, model: &ModelName, refused: &Voice, said: &str) -> bool {
    let reason = format!("its first call was refused, so what worked before is used again: {said}");
    let (catalog, refused, name) = (house.catalog.clone(), refused.clone(), model.clone());
    let (words, since) = (reason.clone(), house.clock.now());
    let taken = move || {
        let mut first = false;
        let back = catalog.redress(|wardrobe| {
            first = wardrobe.held().iter().all(|held| held.model != name);
            wardrobe.take_back(&name, &refused, &words, since)
        });
        (back, back && first)
    };
    let (back, first) = house.tasks.chore(taken).await.unwrap_or_default();
    if first {
        note(house, model.clone(), reason).await;
    }
    back
}

/// Writes down that a model is reached as before.
async fn note(house: &House, model: ModelName, reason: String) {
    let reason = house.catalog.current().secrets.masked(reason);
    tracing::warn!(%model, reason, "a change was taken back");
    let body = body::ConfigReverted { model, reason };
    if let Err(error) = house.journal.note(Event::ConfigReverted {}, &body).await {
        tracing::warn!(%error, "this could not be written down");
    }
}

async fn ask_around(candidates: Vec<Candidate>) -> Vec<(Candidate, Verdict)> {
    let asked = candidates.into_iter().map(|candidate| async move {
        let verdict = ask(&candidate).await;
        (candidate, verdict)
    });
    stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await
}

/// Asks the new one, and the old one at the same time: only what is worse than before is bad.
async fn ask(candidate: &Candidate) -> Verdict {
    let Candidate { old, new, .. } = candidate;
    let old = old.as_ref().filter(|old| old.missing().is_none());
    if let Some(missing) = new.missing() {
        return match old {
            Some(_) => Verdict::Bad(missing.to_owned()),
            None => Verdict::Warning(missing.to_owned()),
        };
    }
    let before = async {
        match old {
            Some(old) => old.reach().await,
            None => None,
        }
    };
    let (now, before) = tokio::join!(new.reach(), before);
    let what = match now {
        Some(Reach::Refused) => format!("{} refuses the key", new.address()),
        Some(Reach::Silent) => format!("nobody answers at {}", new.address()),
        Some(Reach::Answers) | None => return Verdict::Good,
    };
    match before {
        Some(Reach::Answers) => Verdict::Bad(format!("{what}, and what is used now works")),
        _ => Verdict::Warning(what),
    }
}
