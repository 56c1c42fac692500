//! What the daemon's configuration means to the brain: an immutable value, named by its hash.

use crate::event::Access;
use crate::permit::Rule;
use crate::units::{ModelName, Money, Tokens};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything outside a session's own journal that a decision may depend on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Settings {
    /// The model or route used when a prompt names none.
    pub default_model: Option<ModelName>,
    /// The models that can be called.
    pub models: BTreeMap<ModelName, ModelSpec>,
    /// Routes: models that stand in for each other, the first that works first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<ModelName, Vec<ModelName>>,
    /// The tools that there are, and what each may do.
    pub tools: BTreeMap<String, Access>,
    /// Who may do what; the first rule that matches decides.
    pub rules: Vec<Rule>,
    /// Where a turn stops.
    pub limits: Limits,
}

/// What is known of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSpec {
    /// The whole window, input and output together.
    pub context_tokens: Tokens,
    /// The most that one reply may have.
    pub max_output_tokens: Tokens,
    /// Price of a million tokens read.
    pub input_microusd_per_mtok: Money,
    /// Price of a million tokens written.
    pub output_microusd_per_mtok: Money,
    /// Whether the prices are known. Zero prices of a model of this machine are; those of a remote one nobody gave are not.
    pub priced: bool,
}

impl ModelSpec {
    /// What so many tokens cost, rounded up, so that nothing that costs is ever free.
    pub fn cost(&self, input: Tokens, output: Tokens) -> Money {
        let part = |tokens: Tokens, price: Money| (u128::from(tokens.0) * u128::from(price.0)).div_ceil(1_000_000);
        let sum = part(input, self.input_microusd_per_mtok) + part(output, self.output_microusd_per_mtok);
        Money(u64::try_from(sum).unwrap_or(u64::MAX))
    }
}

/// Where a turn stops by itself. Each has a name, which `turn.finished` gives when it was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Model calls in a turn that were answered.
    pub steps: u32,
    /// Milliseconds from the start of a turn. Waking starts them anew, and so does the answer to a question, since a turn
    /// that waits for a person may wait for ever.
    pub turn_ms: u64,
    /// Tokens that the models of a turn may write.
    pub output_tokens: Tokens,
    /// How often in a row a turn may ask for the same tool call with the same arguments.
    pub alike_calls: u32,
    /// What one turn may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_cost_microusd: Option<Money>,
    /// Attempts at one model call; where a route names several models, rounds along it.
    pub attempts: u32,
    /// The first pause between two attempts; each further one is twice as long.
    pub backoff_ms: u64,
    /// The longest pause between two attempts. Where a provider asks for a longer one, the turn ends instead.
    pub max_backoff_ms: u64,
    /// Beginnings without progress after which a person is asked.
    pub fruitless: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            steps: 50,
            turn_ms: 30 * 60 * 1000,
            output_tokens: Tokens(200_000),
            alike_calls: 5,
            turn_cost_microusd: None,
            attempts: 4,
            backoff_ms: 500,
            max_backoff_ms: 60_000,
            fruitless: 3,
        }
    }
}

/// The limit that ended a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// [`Limits::steps`].
    Steps,
    /// [`Limits::turn_ms`].
    Time,
    /// [`Limits::output_tokens`].
    OutputTokens,
    /// [`Limits::alike_calls`].
    AlikeCalls,
    /// What was said last does not fit the window of the model.
    Context,
    /// The money of a budget.
    Budget,
}

impl Limit {
    /// The configuration key to raise, for whoever is told of the limit.
    pub fn key(self) -> &'static str {
        match self {
            Limit::Steps => "limits.steps",
            Limit::Time => "limits.turn_ms",
            Limit::OutputTokens => "limits.output_tokens",
            Limit::AlikeCalls => "limits.alike_calls",
            Limit::Context => "context_tokens of the model",
            Limit::Budget => "budget.per_turn_usd, budget.per_session_usd or budget.per_day_usd",
        }
    }
}
