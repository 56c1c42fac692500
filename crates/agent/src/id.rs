//! Names of things: sessions, turns, events, effects. Every id has one text form, used on disk and on every door.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use ulid::Ulid;

/// A text that should have been an id and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseIdError {
    /// What kind of id was expected, with its shape.
    pub expected: &'static str,
}

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl std::error::Error for ParseIdError {}

macro_rules! ulid_ids {
    ($($(#[$m:meta])* $name:ident $prefix:literal $expected:literal;)*) => { $(
        $(#[$m])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// An id from milliseconds since the Unix epoch and 80 random bits; both come from outside.
            pub fn from_parts(unix_ms: u64, random: u128) -> Self {
                Self(Ulid::from_parts(unix_ms, random))
            }

            /// The 128 bits of the id, for deriving other things from it.
            pub fn bits(self) -> u128 {
                self.0.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buffer = [0; ulid::ULID_LEN];
                write!(f, concat!($prefix, "{}"), self.0.array_to_str(&mut buffer).to_ascii_lowercase())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(s: &str) -> Result<Self, ParseIdError> {
                s.strip_prefix($prefix)
                    .and_then(|rest| Ulid::from_string(rest).ok())
                    .map(Self)
                    // One id, one text: no capitals, and no first digit that stands for more than 128 bits hold.
                    .filter(|id| id.to_string() == s)
                    .ok_or(ParseIdError { expected: $expected })
            }
        }
    )* };
}
ulid_ids! {
    /// A session: `ses_` and a ULID, so that ids sort by the time of their creation.
    SessionId "ses_" "a session id such as ses_01jd2y6v9hq3k8t5w7x4z0abcd";
    /// A schedule: `sch_` and a ULID.
    ScheduleId "sch_" "a schedule id such as sch_01jd2y6v9hq3k8t5w7x4z0abcd";
    /// A snapshot: `snp_` and a ULID.
    SnapshotId "snp_" "a snapshot id such as snp_01jd2y6v9hq3k8t5w7x4z0abcd";
}

/// The place of an event in its session, dense from 1; 0 stands for "before the first".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The next place.
    pub fn next(self) -> Seq {
        Seq(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How often a session's journal has been taken over by an owner; raised by `owner.began`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// How often a daemon has begun on a state directory; raised by `daemon.began`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

/// A turn, numbered from 1 within its session: `trn_3`. Turn 0 stands for "outside any turn".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TurnId(pub u32);

impl TurnId {
    /// What does not belong to a turn (an accept) names this one in its effect id.
    pub const NONE: TurnId = TurnId(0);

    /// The next turn of the session.
    pub fn next(self) -> TurnId {
        TurnId(self.0 + 1)
    }
}

impl fmt::Display for TurnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trn_{}", self.0)
    }
}

impl FromStr for TurnId {
    type Err = ParseIdError;
    fn from_str(s: &str) -> Result<Self, ParseIdError> {
        s.strip_prefix("trn_").and_then(number).map(Self).ok_or(ParseIdError { expected: "a turn id such as trn_3" })
    }
}

/// What an effect does; part of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EffectKind {
    /// A call of a model.
    Model,
    /// A run of a tool.
    Tool,
    /// A question about a tool call.
    Ask,
    /// A question whether a turn that keeps dying should go on.
    Resume,
    /// Writing the canvas into the work tree.
    Accept,
    /// The pause before a model is tried again.
    Backoff,
    /// The time limit of a turn.
    Deadline,
}

impl EffectKind {
    const ALL: [EffectKind; 7] =
        [Self::Model, Self::Tool, Self::Ask, Self::Resume, Self::Accept, Self::Backoff, Self::Deadline];

    /// The word in an effect id.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Tool => "tool",
            Self::Ask => "ask",
            Self::Resume => "resume",
            Self::Accept => "accept",
            Self::Backoff => "backoff",
            Self::Deadline => "deadline",
        }
    }
}

/// Names one attempt at one effect. Derived from the state, never random, so that the same wish always has the same
/// name and no name is ever started twice: `trn_3.2.tool.0.1` is the first attempt at call 0 of step 2 of turn 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId {
    /// The turn, or [`TurnId::NONE`].
    pub turn: TurnId,
    /// The step within the turn, from 1; for an accept its number within the session.
    pub step: u32,
    /// What is done.
    pub kind: EffectKind,
    /// Which of several of this kind in the step, from 0.
    pub ordinal: u32,
    /// Which attempt, from 1.
    pub attempt: u32,
}

impl EffectId {
    /// The same effect, tried once more.
    pub fn again(self) -> EffectId {
        EffectId { attempt: self.attempt + 1, ..self }
    }
}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}.{}", self.turn, self.step, self.kind.name(), self.ordinal, self.attempt)
    }
}

impl FromStr for EffectId {
    type Err = ParseIdError;
    fn from_str(s: &str) -> Result<Self, ParseIdError> {
        let parse = || {
            let mut parts = s.split('.');
            let turn = parts.next()?.parse().ok()?;
            let step = number(parts.next()?)?;
            let word = parts.next()?;
            let kind = EffectKind::ALL.into_iter().find(|k| k.name() == word)?;
            let (ordinal, attempt) = (number(parts.next()?)?, number(parts.next()?)?);
            parts.next().is_none().then_some(EffectId { turn, step, kind, ordinal, attempt })
        };
        parse().ok_or(ParseIdError { expected: "an effect id such as trn_3.2.tool.0.1" })
    }
}

/// A decimal number in its only form: digits, no sign, no leading zero.
fn number(s: &str) -> Option<u32> {
    let canonical = s.bytes().all(|b| b.is_ascii_digit()) && (s == "0" || !s.starts_with('0'));
    canonical.then(|| s.parse().ok()).flatten()
}

macro_rules! serde_as_text {
    ($($t:ty),*) => { $(
        impl Serialize for $t {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }
        impl<'de> Deserialize<'de> for $t {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $t;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("an id") }
                    fn visit_str<E: serde::de::Error>(self, s: &str) -> Result<$t, E> { s.parse().map_err(E::custom) }
                }
                d.deserialize_str(Text)
            }
        }
    )* };
}
serde_as_text!(SessionId, ScheduleId, SnapshotId, TurnId, EffectId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_reads_back_from_its_text() {
        let session = SessionId::from_parts(1_764_000_000_000, 7);
        assert_eq!(session.to_string().parse(), Ok(session));
        let snapshot = SnapshotId::from_parts(1_764_000_000_000, 7);
        assert_eq!(snapshot.to_string().parse(), Ok(snapshot));
        assert!(session.to_string().parse::<SnapshotId>().is_err());
        for kind in EffectKind::ALL {
            let effect = EffectId { turn: TurnId(3), step: 2, kind, ordinal: 0, attempt: 1 };
            assert_eq!(effect.to_string().parse(), Ok(effect));
        }
    }

    #[test]
    fn an_id_has_one_text_form_only() {
        for wrong in
            ["ses_01M8743AK5FN2BS2HB4XJKVNX2", "ses_81m8743ak5fn2bs2hb4xjkvnx2", "ses_g1m8743ak5fn2bs2hb4xjkvnx2"]
        {
            assert!(wrong.parse::<SessionId>().is_err(), "{wrong}");
        }
        for wrong in ["", "trn_", "trn_03", "trn_+3", "trn_3.1.tool.0", "trn_3.1.tool.0.1.1", "trn_3.1.dance.0.1"] {
            assert!(wrong.parse::<EffectId>().is_err() && wrong.parse::<TurnId>().is_err(), "{wrong}");
        }
    }
}
