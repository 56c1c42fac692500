//! What a model will be asked and what it can cost; and why it is not asked, as far as the session itself knows.

use super::fact::{Fact, Gathered};
use super::instructions::Instruction;
use super::owner::Owner;
use super::render::RENDERER;
use crate::catalog::Outfit;
use crate::house::system_prompt;
use agent::{
    Caps, Effect, Event, Limit, ModelName, ModelSpec, Money, Phase, Plan, Scope, State, Tokens, Turn, TurnOutcome,
};
use wire::body::{self, Recipe};

impl Owner {
    /// Why a start is refused, as far as the session itself knows: the event that stands in its place.
    pub(super) fn refusal(&self, start: &Effect, after: &State, outfit: &Outfit) -> Option<Fact> {
        let (id, turn, model) = match start {
            Effect::Model { id, turn, model } => (id, turn, model),
            Effect::Tool { id, .. } => return self.tightened_start(*id, after, outfit),
            Effect::VerifyAccept { .. } => return None,
        };
        let (effect, turn) = (*id, *turn);
        let spec = &outfit.settings.models[model];
        let plan = agent::plan(&after.window, self.caps(spec));
        if plan.tokens + spec.max_output_tokens > spec.context_tokens {
            let (outcome, limit) = (TurnOutcome::Limit, Some(Limit::Context));
            return Some(Fact::bare(Event::TurnEnding { turn, outcome, limit }));
        }
        let (config, price) = (&outfit.config, price(&plan, spec));
        let of_schedule = after.turn.as_ref().and_then(|turn| turn.most);
        let per_turn = outfit.settings.limits.turn_cost_microusd.into_iter().chain(of_schedule).min();
        let spent = after.turn.as_ref().map_or(Money(0), |turn| turn.cost);
        let unknown = !spec.priced && (per_turn.is_some() || config.per_session.is_some() || config.per_day.is_some());
        let message = if unknown {
            format!(
                "There is a budget, and the price of {model} is not known. Set input_usd_per_mtok and output_usd_per_mtok \
                 of it in the configuration, or name another model."
            )
        } else if per_turn.is_some_and(|most| spent + price > most) {
            match of_schedule.filter(|most| per_turn == Some(*most)) {
                Some(most) => beyond_the_run(most, price),
                None => exhausted(Scope::Turn, price),
            }
        } else {
            return None;
        };
        let body = body::Exhausted { model: model.clone(), message };
        let event = Event::BudgetExhausted { turn, effect, scope: Scope::Turn };
        Some(Fact::new(event, &body, Gathered::default()))
    }

    /// What a model will be asked, as references, and the most that it can cost.
    pub(super) fn recipe(&self, model: &ModelName, after: &State, outfit: &Outfit) -> (Recipe, Gathered, Money) {
        let house = &self.house;
        let spec = outfit.settings.models[model];
        let system = system_prompt(&self.profile.workspace);
        let mut gathered = Gathered::default();
        let plan = agent::plan(&after.window, self.caps(&spec));
        for instruction in self.instructions.iter() {
            gathered.blob(instruction.blob.clone());
        }
        let recipe = Recipe {
            renderer: RENDERER,
            plan,
            system: gathered.bytes(system.as_bytes()),
            tools: gathered.blob(house.toolbox.table().clone()),
            instructions: self.instructions.iter().map(Instruction::named).collect(),
            settings: gathered.blob(outfit.settings_blob.clone()),
            max_output_tokens: spec.max_output_tokens,
            why: why(model, after.turn.as_ref(), outfit),
        };
        (recipe, gathered, price(&plan, &spec))
    }

    /// How much of a model's window is there for messages.
    pub(super) fn caps(&self, spec: &ModelSpec) -> Caps {
        let system = Tokens::estimate(system_prompt(&self.profile.workspace).len());
        let notes = self.instructions.iter().map(|notes| notes.tokens).sum();
        let fixed = system + self.house.toolbox.tokens() + notes;
        Caps { context: spec.context_tokens, output: spec.max_output_tokens, fixed }
    }
}

/// The most that a call can cost.
fn price(plan: &Plan, spec: &ModelSpec) -> Money {
    spec.cost(plan.tokens, spec.max_output_tokens)
}

/// Why a model is called, for people.
fn why(model: &ModelName, turn: Option<&Turn>, outfit: &Outfit) -> String {
    let failed = match turn.map(|turn| &turn.phase) {
        Some(Phase::Model { failed, .. }) => failed.last().filter(|failed| failed.model != *model),
        _ => None,
    };
    match (failed, turn.and_then(|turn| turn.model.as_ref())) {
        (Some(failed), _) => {
            format!("{} failed ({}), and this one comes after it", failed.model, failed.failure.word())
        }
        (None, Some(named)) if outfit.settings.default_model.as_ref() == Some(named) && named == model => {
            outfit.default_why.clone()
        }
        (None, Some(named)) if named == model => "the prompt named it".to_owned(),
        (None, Some(route)) => format!("it is the first of the route {route} that works"),
        (None, None) => outfit.default_why.clone(),
    }
}

/// What is said where a schedule's money for a run does not hold the next call.
fn beyond_the_run(most: Money, price: Money) -> String {
    format!(
        "The next call may cost up to {:.4} USD, and the schedule that began this turn gave it {:.4} USD in all. Make \
         the schedule anew with more, or with a model that costs less.",
        price.0 as f64 / 1e6,
        most.0 as f64 / 1e6
    )
}

pub(super) fn exhausted(scope: Scope, price: Money) -> String {
    let (word, key) = match scope {
        Scope::Turn => ("turn", "budget.per_turn_usd"),
        Scope::Session => ("session", "budget.per_session_usd"),
        Scope::Day => ("day", "budget.per_day_usd"),
    };
    format!(
        "The next call may cost up to {:.4} USD, which the budget of the {word} does not hold. Raise {key}, or name a \
         model that costs less.",
        price.0 as f64 / 1e6
    )
}
