//! A journal record, which is an update: one shape on disk and on every door.
//!
//! The header is written once, when the event is made, and never again: what is hashed, what is stored and what
//! clients read are the same bytes, with the body spliced in as `data`.

use agent::{EffectId, Event, Micros, Seq, SessionId, TurnId};
use serde::{Deserialize, Serialize};

/// The header of a record: everything but words, paths and contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Its place, dense from 1 within the session; the cursor of every door.
    pub seq: Seq,
    /// When it was made, wall time.
    #[serde(with = "crate::time::text")]
    pub at: Micros,
    /// The session; absent in the daemon's own journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Header {
    /// The bytes that are stored and hashed.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a header is plain data")
    }

    /// Reads a stored header.
    pub fn from_json(text: &str) -> Result<Header, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place.
    pub seq: Seq,
    /// The header's bytes: a JSON object.
    pub header: String,
    /// The body's bytes, a JSON object; `None` when it was forgotten.
    pub body: Option<String>,
}

impl Record {
    /// The update that clients see: the header with the body as `data`, or `"forgotten": true` in its place.
    pub fn update(&self) -> String {
        let open = self.header.strip_suffix('}').unwrap_or(&self.header);
        match &self.body {
            Some(body) => format!("{open},\"data\":{body}}}"),
            None => format!("{open},\"forgotten\":true}}"),
        }
    }
}

/// Text that streams and has no place in the journal: a client that comes in the middle first gets what was said so
/// far as one of these, and the durable event settles it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// What streams.
    pub kind: DeltaKind,
    /// The session.
    pub session: SessionId,
    /// The turn.
    pub turn: TurnId,
    /// The attempt that says it; each attempt is a message of its own.
    pub effect: EffectId,
    /// Bytes of this kind that were said before.
    pub offset: u64,
    /// The text.
    pub text: String,
}

/// What streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeltaKind {
    /// The model's answer.
    #[serde(rename = "message.delta")]
    Message,
    /// The model's reasoning.
    #[serde(rename = "reasoning.delta")]
    Reasoning,
    /// Output of a running tool.
    #[serde(rename = "tool.output")]
    ToolOutput,
}

impl DeltaKind {
    /// The word for it on every door.
    pub fn name(self) -> &'static str {
        match self {
            DeltaKind::Message => "message.delta",
            DeltaKind::Reasoning => "reasoning.delta",
            DeltaKind::ToolOutput => "tool.output",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent::{EffectKind, Tokens, ToolOutcome};

    #[test]
    fn an_update_is_the_stored_header_with_the_body_inside() {
        let turn = TurnId(1);
        let effect = EffectId { turn, step: 1, kind: EffectKind::Tool, ordinal: 0, attempt: 1 };
        let event = Event::ToolFinished { turn, effect, outcome: ToolOutcome::Done, tokens: Tokens(3), changed: 1 };
        let session = Some(SessionId::from_parts(1_764_000_000_000, 7));
        let header = Header { seq: Seq(41), at: Micros(1_763_888_400_123_456), session, event };
        let text = header.to_json();
        assert_eq!(Header::from_json(&text).unwrap(), header);
        let record = Record { seq: Seq(41), header: text, body: Some(r#"{"text":"wrote a"}"#.into()) };
        assert_eq!(
            record.update(),
            r#"{"seq":41,"at":"2025-11-23T09:00:00.123456Z","session":"ses_01kav9ft000000000000000007","kind":"tool.finished","turn":"trn_1","effect":"trn_1.1.tool.0.1","outcome":"done","tokens":3,"changed":1,"data":{"text":"wrote a"}}"#
        );
        let forgotten = Record { body: None, ..record };
        assert!(forgotten.update().ends_with(r#""changed":1,"forgotten":true}"#));
    }
}
