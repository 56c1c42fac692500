//! What the next model call would be given, for people who wonder.

use super::instructions::Instruction;
use super::owner::Owner;
use crate::house::system_prompt;
use agent::{ModelName, Tokens};
use wire::rest::{ContextMessage, ContextView, InstructionView};
use wire::{Code, Problem};

impl Owner {
    /// The plan of the next call, as it would be made now.
    pub(super) async fn context(&mut self) -> Result<ContextView, Problem> {
        if self.state.turn.is_none() {
            self.read_instructions().await;
        }
        let default = self.house.catalog.default().await;
        let named = self.state.turn.as_ref().and_then(|turn| turn.model.clone()).unwrap_or(default);
        self.house.catalog.learn(&named).await?;
        let outfit = self.house.catalog.current();
        let route = outfit.settings.routes.get(&named);
        let known = |model: &&ModelName| outfit.settings.models.contains_key(*model);
        let model = route.and_then(|route| route.iter().find(known)).unwrap_or(&named);
        let spec = outfit.settings.models.get(model).ok_or_else(|| unknown(model))?;
        let plan = agent::plan(&self.state.window, self.caps(spec));
        let items = self.state.window.items().skip_while(|item| Some(item.seq) != plan.first);
        let messages = plan.messages(&self.state.window).zip(items).map(|(planned, item)| ContextMessage {
            seq: planned.seq,
            kind: planned.kind,
            tokens: item.tokens,
            shortened_to: planned.to,
        });
        Ok(ContextView {
            model: model.clone(),
            context_tokens: spec.context_tokens,
            output_tokens: spec.max_output_tokens,
            system_tokens: Tokens::estimate(system_prompt(&self.profile.workspace).len()),
            tools_tokens: self.house.toolbox.tokens(),
            instructions: self.instructions.iter().map(shown).collect(),
            messages: messages.collect(),
            omitted: plan.omitted,
            tokens: plan.tokens,
        })
    }
}

fn shown(instruction: &Instruction) -> InstructionView {
    InstructionView {
        path: instruction.path.clone(),
        blob: instruction.blob.hash(),
        tokens: instruction.tokens,
        cut: instruction.cut,
    }
}

fn unknown(model: &ModelName) -> Problem {
    Problem::new(Code::UnknownModel, format!("there is no model {model}")).remedy("`tinkerbell models ls` lists them")
}
