//! Where to begin, for somebody who comes late: before the last turn.

use crate::client::Client;
use crate::error::Error;
use crate::request::Request;
use crate::update::Update;
use agent::{Event, Seq, SessionId, TurnId};
use serde::Deserialize;
use serde_json::value::RawValue;
use wire::operation;

/// How many updates are looked at first; then ever more.
const FIRST_LOOK: u64 = 200;
/// The most that are looked at. A turn that is longer is shown from the middle on.
const MAX_LOOK: u64 = 3_200;
/// How many updates are asked for at once.
const PAGE: u32 = 500;

/// A page of updates.
#[derive(Deserialize)]
struct Page {
    events: Vec<Box<RawValue>>,
    #[serde(default)]
    next: Option<Seq>,
}

/// The update after which the last turn begins, with the prompt that it answers.
pub(crate) fn last_turn(client: &mut Client, session: SessionId, head: Seq) -> Result<Seq, Error> {
    let mut look = FIRST_LOOK;
    loop {
        let after = Seq(head.0.saturating_sub(look));
        let begin = last_beginning(client, session, after)?;
        match begin {
            Some(begin) => return Ok(begin),
            None if after == Seq(0) || look >= MAX_LOOK => return Ok(after),
            None => look *= 4,
        }
    }
}

fn last_beginning(client: &mut Client, session: SessionId, mut after: Seq) -> Result<Option<Seq>, Error> {
    let mut begin = None;
    let mut prompted: Option<TurnId> = None;
    loop {
        let request =
            Request::new(&operation::SESSION_EVENTS)?.at("session", session).query("after", after).query("limit", PAGE);
        let page: Page = client.call(&request)?.read()?;
        for event in &page.events {
            let Update::Event(update) = Update::parse(event.get())? else { continue };
            let before = Seq(update.header.seq.0.saturating_sub(1));
            match update.header.event {
                Event::PromptAccepted { turn, .. } => {
                    prompted = Some(turn);
                    begin = Some(before);
                }
                // A turn whose prompt had waited begins without it.
                Event::TurnStarted { turn } if prompted != Some(turn) => begin = Some(before),
                _ => {}
            }
        }
        match page.next {
            Some(next) if next > after && !page.events.is_empty() => after = next,
            _ => return Ok(begin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeDaemon, ok};

    #[test]
    fn it_begins_with_the_prompt_of_the_last_turn() {
        let event = |seq: u64, rest: &str| {
            format!(
                r#"{{"seq":{seq},"at":"2025-11-23T09:00:00Z","session":"ses_01kav9ft000000000000000007",{rest},"data":{{}}}}"#
            )
        };
        let prompt = |seq, turn| event(seq, &format!(r#""kind":"prompt.accepted","turn":"trn_{turn}","tokens":1"#));
        let started = |seq, turn| event(seq, &format!(r#""kind":"turn.started","turn":"trn_{turn}""#));
        let page = |events: &[String]| ok(&format!(r#"{{"events":[{}]}}"#, events.join(",")));
        let session = "ses_01kav9ft000000000000000007".parse().unwrap();
        for (events, expected) in [
            (vec![prompt(2, 1), started(3, 1), prompt(8, 2), started(9, 2)], 7),
            (vec![prompt(2, 1), started(3, 1), started(9, 2)], 8),
            (vec![], 0),
        ] {
            let daemon = FakeDaemon::new(vec![vec![page(&events)]]);
            assert_eq!(last_turn(&mut daemon.client(), session, Seq(10)).unwrap(), Seq(expected));
        }
    }
}
