//! Model calls of the record: planned, priced and rendered again.

use super::groups::Entry;
use crate::house::House;
use crate::session::Again;
use agent::{EffectId, Event, ModelName, SessionId, Settings, State};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::body::{self, Recipe, Reply};
use wire::{BlobHash, Problem};

/// Calls that are open at once; what a broken journal has beyond it is not checked.
const OPEN: usize = 8;

/// What came of checking.
pub(super) enum Checked {
    /// The request is the same to the byte.
    Same,
    /// It cannot be made again here.
    Unknown,
    /// There was nothing to compare.
    Nothing,
    /// It is another one.
    Otherwise {
        /// What.
        what: String,
        /// As it is recorded.
        recorded: Value,
        /// As it is now.
        now: Value,
    },
}

/// The open calls.
pub(super) struct Calls {
    house: Arc<House>,
    again: Again,
    /// The request of each open call, as it would be sent now; `None` where that cannot be said.
    open: BTreeMap<EffectId, Option<BlobHash>>,
}

impl Calls {
    pub(super) fn new(house: Arc<House>, session: SessionId, workspace: String) -> Calls {
        let again = Again::new(house.clone(), session, workspace);
        Calls { house, again, open: BTreeMap::new() }
    }

    /// A call begins: its plan and its price are those that this version makes.
    pub(super) async fn started(
        &mut self,
        entry: &Entry,
        after: &State,
        settings: &Settings,
    ) -> Result<Checked, Problem> {
        let Event::ModelStarted { effect, ref model, reserve_microusd, .. } = entry.header.event else {
            return Ok(Checked::Nothing);
        };
        while self.open.len() >= OPEN {
            self.open.pop_first();
        }
        self.open.insert(effect, None);
        let recipe: Option<Recipe> = entry.body.as_deref().and_then(|body| body::read(body).ok());
        let Some(recipe) = recipe else { return Ok(Checked::Nothing) };
        let (Some(spec), Some(fixed)) = (settings.models.get(model), self.again.fixed(&recipe).await?) else {
            return Ok(Checked::Nothing);
        };
        let caps = agent::Caps { context: spec.context_tokens, output: spec.max_output_tokens, fixed };
        let plan = agent::plan(&after.window, caps);
        let (recorded, now) = (
            json!({ "plan": recipe.plan, "most": recipe.max_output_tokens, "reserve_microusd": reserve_microusd }),
            json!({
                "plan": plan,
                "most": spec.max_output_tokens,
                "reserve_microusd": spec.cost(plan.tokens, spec.max_output_tokens),
            }),
        );
        if recorded != now {
            let what = format!("model call {effect} is given other messages, or has another price");
            return Ok(Checked::Otherwise { what, recorded, now });
        }
        let request = self.request(after, &recipe, model).await?;
        self.open.insert(effect, request);
        Ok(Checked::Nothing)
    }

    /// The hash of the request as it would be sent now. Asks nobody: only models that are configured here are known.
    async fn request(
        &mut self,
        after: &State,
        recipe: &Recipe,
        model: &ModelName,
    ) -> Result<Option<BlobHash>, Problem> {
        let outfit = self.house.catalog.current();
        let Some(voice) = outfit.voices.get(model) else { return Ok(None) };
        let request = self.again.request(after, recipe, voice).await?;
        Ok(request.and_then(|request| voice.backend.fingerprint(&request)))
    }

    /// A call ended: what was sent is what would be sent now.
    pub(super) async fn finished(&mut self, entry: &Entry) -> Result<Checked, Problem> {
        let Some(now) = entry.header.event.ends().and_then(|effect| self.open.remove(&effect)) else {
            return Ok(Checked::Nothing);
        };
        let reply: Option<Reply> = entry.body.as_deref().and_then(|body| body::read(body).ok());
        let sent = reply.and_then(|reply| reply.request_sha256);
        Ok(match (sent, now) {
            (Some(sent), Some(now)) if sent == now => Checked::Same,
            (Some(sent), Some(now)) => Checked::Otherwise {
                what:
                    "the model is sent another request now: this version writes it otherwise, or the configuration of \
                       the model is another one"
                        .to_owned(),
                recorded: json!({ "request_sha256": sent }),
                now: json!({ "request_sha256": now }),
            },
            _ => Checked::Unknown,
        })
    }
}
