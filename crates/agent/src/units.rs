//! Quantities with their units in their types.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::sync::Arc;

/// Micro-US-dollars. Integers, so that sums are exact and the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(pub u64);

/// Tokens of a model's text, counted or estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tokens(pub u64);

impl Tokens {
    /// The estimate used wherever no tokenizer is at hand: a token for every four bytes, rounded up.
    pub fn estimate(bytes: usize) -> Tokens {
        Tokens((bytes as u64).div_ceil(4))
    }
}

/// Microseconds since the Unix epoch, UTC. Wall time, for showing and for expiry; order comes from [`Seq`](crate::Seq).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Micros(pub i64);

/// Whole seconds since the Unix epoch, UTC: when something is due. Whole, so that a moment has one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(pub i64);

impl UnixSeconds {
    /// The same moment in the unit of wall time.
    pub fn micros(self) -> Micros {
        Micros(self.0.saturating_mul(1_000_000))
    }
}

impl From<Micros> for UnixSeconds {
    fn from(at: Micros) -> UnixSeconds {
        UnixSeconds(at.0.div_euclid(1_000_000))
    }
}

macro_rules! sums {
    ($($t:ident),*) => { $(
        impl Add for $t { type Output = $t; fn add(self, o: $t) -> $t { $t(self.0.saturating_add(o.0)) } }
        impl AddAssign for $t { fn add_assign(&mut self, o: $t) { *self = *self + o; } }
        impl Sum for $t { fn sum<I: Iterator<Item = $t>>(it: I) -> $t { it.fold($t(0), Add::add) } }
        impl $t { /// Whether it is nothing; such fields are left out of what is written.
            pub fn is_zero(&self) -> bool { self.0 == 0 } }
    )* };
}
sums!(Money, Tokens);

/// What a model call, a turn or a session used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read by the model, cached ones included.
    pub input_tokens: Tokens,
    /// Tokens written by the model, reasoning included.
    pub output_tokens: Tokens,
    /// Those of the input that came out of the provider's cache.
    #[serde(default, skip_serializing_if = "Tokens::is_zero")]
    pub cached_tokens: Tokens,
    /// True when the provider did not say and we counted bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, o: Usage) {
        self.input_tokens += o.input_tokens;
        self.output_tokens += o.output_tokens;
        self.cached_tokens += o.cached_tokens;
        self.estimated |= o.estimated;
    }
}

/// The name of a model in the configuration, `offline` or `provider::model`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelName(Arc<str>);

impl ModelName {
    /// The name as given; whether such a model exists is a question for [`Settings`](crate::Settings).
    pub fn new(name: &str) -> ModelName {
        ModelName(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Borrow<str> for ModelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}
