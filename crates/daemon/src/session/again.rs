//! An owner that owns nothing: it makes requests again out of the journal, and is never run. For replays, which must make
//! them by the very code that made them first.

use super::fact::Fact;
use super::instructions::Instruction;
use super::owner::Owner;
use super::perform::unreadable;
use super::render::{RENDERER, Spoken};
use crate::catalog::Voice;
use crate::config::OFFLINE;
use crate::house::House;
use agent::{EffectId, Event, ModelName, Seq, SessionId, State, Tokens};
use models::{Ended, Request};
use std::sync::Arc;
use store::JournalId;
use wire::body::{Recipe, Text};
use wire::{BlobHash, Problem, ToolSpec};

/// The owner, with the notes that it read last.
pub(crate) struct Again {
    owner: Owner,
}

/// An event that did not happen, with its body.
pub(crate) struct Imagined {
    fact: Fact,
}

impl Imagined {
    /// The event.
    pub(crate) fn event(&self) -> &Event {
        &self.fact.event
    }

    /// Its body.
    pub(crate) fn body(&self) -> &str {
        &self.fact.body
    }

    /// A text of its body in full.
    pub(crate) fn words(&self, text: &Text) -> String {
        match text {
            Text::Inline(text) => text.clone(),
            Text::Blob { blob, .. } => {
                let bytes = self.blob(*blob).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            }
        }
    }

    fn blob(&self, hash: BlobHash) -> Option<Vec<u8>> {
        let blob = self.fact.blobs.iter().find(|blob| blob.hash() == hash)?;
        blob.unpacked(usize::MAX)
    }
}

impl Again {
    /// Of this session.
    pub(crate) fn new(house: Arc<House>, session: SessionId, workspace: String) -> Again {
        Again { owner: Owner::fresh(house, session, workspace) }
    }

    /// What system prompt, tool table and notes of a recipe take of a window; `None` where one of them was forgotten.
    pub(crate) async fn fixed(&mut self, recipe: &Recipe) -> Result<Option<Tokens>, Problem> {
        let store = &self.owner.house.store;
        let system = store.blob(recipe.system).await.map_err(unreadable)?;
        let tools = store.blob(recipe.tools).await.map_err(unreadable)?;
        let mut notes = Vec::with_capacity(recipe.instructions.len());
        for named in &recipe.instructions {
            let Some(bytes) = store.blob(named.blob).await.map_err(unreadable)? else { return Ok(None) };
            let text = String::from_utf8_lossy(&bytes).into_owned();
            notes.push(Instruction::new(named.path.clone(), text, named.cut));
        }
        let (Some(system), Some(tools)) = (system, tools) else { return Ok(None) };
        let taken: Tokens = notes.iter().map(|note| note.tokens).sum();
        self.owner.instructions = notes.into();
        Ok(Some(Tokens::estimate(system.len()) + Tokens::estimate(tools.len()) + taken))
    }

    /// The request that a recipe names, where the session stood as `state`; `None` where this version cannot make it again.
    /// The notes are those of the recipe that [`Again::fixed`] saw last.
    pub(crate) async fn request(
        &mut self,
        state: &State,
        recipe: &Recipe,
        voice: &Voice,
    ) -> Result<Option<Request>, Problem> {
        if recipe.renderer != RENDERER || self.has_forgotten(state, recipe).await? {
            return Ok(None);
        }
        let store = self.owner.house.store.clone();
        let system = store.blob(recipe.system).await.map_err(unreadable)?;
        let tools = store.blob(recipe.tools).await.map_err(unreadable)?;
        let system = system.and_then(|bytes| String::from_utf8(bytes).ok());
        let tools: Option<Vec<ToolSpec>> = tools.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let (Some(system), Some(tools)) = (system, tools) else { return Ok(None) };
        self.owner.state = state.clone();
        let reads_notes = voice.provider_model != OFFLINE;
        let messages = self.owner.messages(recipe.plan, voice.abilities, reads_notes).await?;
        Ok(Some(Request {
            model: voice.provider_model.clone(),
            system,
            messages,
            tools: tools.into(),
            max_output_tokens: recipe.max_output_tokens,
            schema: None,
        }))
    }

    /// Whether words of a message are gone, so that it reads otherwise than it did.
    async fn has_forgotten(&self, state: &State, recipe: &Recipe) -> Result<bool, Problem> {
        let planned = recipe.plan.messages(&state.window).take(recipe.plan.message_count as usize);
        let imagined = self.owner.spoken.all();
        let wanted: Vec<Seq> = planned.map(|one| one.seq).filter(|seq| !imagined.contains_key(seq)).collect();
        let journal = JournalId::Session(self.owner.id);
        let records = self.owner.house.store.events_at(journal, &wanted).await.map_err(unreadable)?;
        Ok(records.iter().any(|record| record.body.is_none()))
    }

    /// What a model's answer would have been written as, and what was decided about its calls.
    pub(crate) fn replied(&mut self, state: &State, effect: EffectId, model: &ModelName, ended: Ended) -> Imagined {
        self.owner.state = state.clone();
        let outfit = self.owner.house.catalog.current();
        Imagined { fact: self.owner.model_fact(effect, Some((model.clone(), outfit)), false, ended) }
    }

    /// From now on these words stand at this place of the conversation.
    pub(crate) fn imagine(&mut self, seq: Seq, imagined: &Imagined) {
        self.recall(seq, imagined.event(), Some(imagined.body()), |hash| imagined.blob(hash));
    }

    /// From now on the words of a recorded event stand at this place of the conversation. Long ones are given by `blob`.
    pub(crate) fn recall(
        &mut self,
        seq: Seq,
        event: &Event,
        body: Option<&str>,
        blob: impl Fn(BlobHash) -> Option<Vec<u8>>,
    ) {
        if let Some(spoken) = Spoken::read(event, body, &blob) {
            self.owner.spoken.insert(seq, spoken);
        }
    }

    /// From now on this prompt stands at this place.
    pub(crate) fn ask(&mut self, seq: Seq, text: String) {
        self.owner.spoken.insert(seq, Spoken::Prompt { text, attachments: Vec::new() });
    }
}
