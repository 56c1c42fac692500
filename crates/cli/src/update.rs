//! Updates as a client reads them: what it knows is typed, what a newer daemon may add is passed by.

use crate::error::Error;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use wire::body::InUpdate;
use wire::{Code, Delta, DeltaKind, DrainReason, Draining, Header, Problem};

/// One update.
#[derive(Debug)]
pub(crate) enum Update {
    /// A durable event.
    Event(EventUpdate),
    /// Text that streams.
    Delta(Delta),
    /// The daemon brings everything to an end.
    Draining(DrainReason),
    /// A kind that this version does not know, with its number if it has one.
    Unknown(Option<agent::Seq>),
}

/// A durable event with its body.
#[derive(Debug)]
pub(crate) struct EventUpdate {
    /// Its header.
    pub(crate) header: Header,
    body: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Outline {
    kind: String,
    seq: Option<agent::Seq>,
}

impl Update {
    /// Reads an update.
    pub(crate) fn parse(text: &str) -> Result<Update, Error> {
        let outline: Outline = serde_json::from_str(text).map_err(malformed)?;
        let deltas = [DeltaKind::Message, DeltaKind::Reasoning, DeltaKind::ToolOutput];
        if deltas.iter().any(|kind| kind.name() == outline.kind) {
            return serde_json::from_str(text).map(Update::Delta).map_err(malformed);
        }
        if outline.kind == Draining::NAME {
            // A reason that a later version may have is no reason to go on by ourselves.
            let draining: Option<Draining> = serde_json::from_str(text).ok();
            return Ok(Update::Draining(draining.map_or(DrainReason::Stop, |draining| draining.reason)));
        }
        let Ok(header) = Header::from_json(text) else {
            return Ok(Update::Unknown(outline.seq));
        };
        let InUpdate { data, .. } = serde_json::from_str(text).map_err(malformed)?;
        Ok(Update::Event(EventUpdate { header, body: data }))
    }
}

impl EventUpdate {
    /// The body as what it should be; `None` when it was forgotten or is of a shape that we do not know.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Option<T> {
        self.body.as_ref().and_then(|body| serde_json::from_str(body.get()).ok())
    }
}

fn malformed(error: serde_json::Error) -> Error {
    Problem::new(Code::Internal, format!("an update of the daemon cannot be read: {error}"))
        .remedy("check with `tinkerbell status` that the daemon and this command have the same version")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent::{Event, Seq};

    #[test]
    fn known_updates_are_typed_and_new_ones_are_passed_by() {
        let prompt = r#"{"seq":2,"at":"2025-11-23T09:00:00.000000Z","session":"ses_01kav9ft000000000000000007","kind":"prompt.accepted","turn":"trn_1","tokens":3,"data":{"text":"hello"}}"#;
        let Update::Event(event) = Update::parse(prompt).unwrap() else { panic!("not an event") };
        assert!(matches!(event.header.event, Event::PromptAccepted { .. }));
        assert_eq!(event.body::<wire::body::Prompt>().unwrap().text, wire::Text::Inline("hello".into()));
        let forgotten = prompt.replace(r#""data":{"text":"hello"}"#, r#""forgotten":true"#);
        let Update::Event(event) = Update::parse(&forgotten).unwrap() else { panic!("not an event") };
        assert!(event.body::<wire::body::Prompt>().is_none());
        let new = r#"{"seq":3,"at":"2025-11-23T09:00:00.000000Z","kind":"plan.updated","data":{}}"#;
        assert!(matches!(Update::parse(new).unwrap(), Update::Unknown(Some(Seq(3)))));
        let delta = r#"{"kind":"message.delta","session":"ses_01kav9ft000000000000000007","turn":"trn_1","effect":"trn_1.1.model.0.1","offset":0,"text":"He"}"#;
        assert!(matches!(Update::parse(delta).unwrap(), Update::Delta(_)));
        let draining = r#"{"kind":"daemon.draining","reason":"upgrade"}"#;
        assert!(matches!(Update::parse(draining).unwrap(), Update::Draining(DrainReason::Upgrade)));
        assert!(matches!(
            Update::parse(&draining.replace("upgrade", "sleep")).unwrap(),
            Update::Draining(DrainReason::Stop)
        ));
        assert!(Update::parse("[]").is_err());
    }
}
