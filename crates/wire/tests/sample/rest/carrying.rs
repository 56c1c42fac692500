//! Sessions that are carried elsewhere or run again.

use super::super::shapes::session;
use super::super::written::{Written, written};
use super::{model, words};
use agent::{Access, Money, Seq, SessionId, TurnId};
use wire::rest::{Divergence, Imported, ReplayRequest, ReplayWith, Replayed, Rerun, RerunCall, RerunStep};

pub(super) fn samples() -> Vec<Written> {
    let other = SessionId::from_parts(1_763_974_861_000, 0xfedc_ba98_7654_3210);
    let with = ReplayWith { turn: Some(TurnId(3)), model: Some(model()), prompt: words("Say it in French.") };
    written![
        Imported: [Imported {
            session: other,
            from: session(),
            seq: Seq(58),
            events: 57,
            workspace: "/home/ada/engine".to_owned(),
            approvals: 1,
        }],
        ReplayRequest: [
            ReplayRequest::default(),
            ReplayRequest { until: Some(Seq(41)), with: Some(with.clone()), agreed: true },
        ],
        ReplayWith: [ReplayWith::default(), with],
        Replayed: [replayed(None, None), replayed(Some(divergence()), Some(announced())), replayed(None, Some(rerun()))],
        Divergence: [divergence()],
        Rerun: [announced(), rerun()],
        RerunStep: [step(true), step(false)],
        RerunCall: [call(true), call(false)],
    ]
}

fn replayed(divergence: Option<Divergence>, rerun: Option<Rerun>) -> Replayed {
    let (until, events, decisions) = (Seq(57), 57, 20);
    Replayed { session: session(), until, events, decisions, requests: 5, unchecked: 1, divergence, rerun }
}

fn divergence() -> Divergence {
    Divergence {
        seq: Seq(12),
        what: "another model would be called".to_owned(),
        recorded: "model.started a".to_owned(),
        now: "model.started b".to_owned(),
        diff: vec!["  model.started".to_owned(), "- a".to_owned(), "+ b".to_owned()],
    }
}

fn announced() -> Rerun {
    Rerun {
        turn: TurnId(3),
        model: model(),
        leaves_machine: true,
        calls_at_most: 50,
        call_microusd: Some(Money(4_800)),
        cost_microusd: Money(0),
        steps: vec![],
        end: None,
    }
}

fn rerun() -> Rerun {
    let (steps, end) = (vec![step(true), step(false)], words("It asks for what the record does not hold."));
    Rerun { call_microusd: None, cost_microusd: Money(1_200), steps, end, ..announced() }
}

fn step(as_recorded: bool) -> RerunStep {
    RerunStep {
        text: "Bien.".to_owned(),
        calls: if as_recorded { vec![] } else { vec![call(true), call(false)] },
        as_recorded,
    }
}

fn call(answered: bool) -> RerunCall {
    RerunCall {
        name: "read_file".to_owned(),
        arguments: "{\"path\":\"a\"}".to_owned(),
        access: answered.then_some(Access::Read),
        answered_by: answered.then_some(Seq(9)),
    }
}
