//! One append: what is recorded, and what the brain makes of the same things.

use super::differ;
use super::groups::{Entry, Part, part};
use agent::{Effect, EffectId, Event, Settings, State, advance};
use std::collections::BTreeMap;
use wire::rest::Divergence;

/// What came of comparing an append.
#[derive(Debug)]
pub(super) struct Compared {
    /// The state after the facts and before the starts, as the brain has it.
    pub(super) after: State,
    /// What is wanted and did not begin in this append.
    pub(super) missing: BTreeMap<EffectId, Effect>,
}

/// Compares. `cut` says that the append need not be whole: the journal was copied up to somewhere in it, or ends here.
pub(super) fn compare(
    state: &State,
    settings: &Settings,
    group: &[Entry],
    cut: bool,
) -> Result<Compared, Box<Divergence>> {
    let of = |wanted: Part| group.iter().filter(move |entry| part(&entry.header.event) == wanted);
    let happened = of(Part::Happened).map(|entry| entry.header.event.clone()).collect();
    let mut batch = advance(state, settings, happened);
    let facts = group.iter().filter(|entry| matches!(part(&entry.header.event), Part::Happened | Part::Decided));
    let mut expected = batch.facts.iter();
    let mut last = group.first().map_or(state.head, |entry| entry.seq);
    for entry in facts {
        last = entry.seq;
        let now = expected.next();
        if now != Some(&entry.header.event) {
            return Err(Box::new(decided_otherwise(entry, now)));
        }
    }
    if let Some(now) = expected.next().filter(|_| !cut) {
        let what = format!("after event {last} now comes {}, and then it did not", now.kind());
        return Err(Box::new(differ::events(last.next(), what, None, Some(now))));
    }
    let mut wanted: BTreeMap<EffectId, Effect> =
        std::mem::take(&mut batch.starts).into_iter().map(|effect| (effect.id(), effect)).collect();
    for entry in of(Part::Refused).chain(of(Part::Began)) {
        began(entry, &mut wanted)?;
    }
    Ok(Compared { after: batch.after, missing: wanted })
}

fn decided_otherwise(entry: &Entry, now: Option<&Event>) -> Divergence {
    let recorded = &entry.header.event;
    let what = match now {
        None => format!("{} was decided then, and now is not", recorded.kind()),
        Some(now) if now.kind() == recorded.kind() => format!("{} says something else now", recorded.kind()),
        Some(now) => format!("then came {}, now comes {}", recorded.kind(), now.kind()),
    };
    differ::events(entry.seq, what, Some(recorded), now)
}

/// A start, or what stands in its place, that must be wanted.
fn began(entry: &Entry, wanted: &mut BTreeMap<EffectId, Effect>) -> Result<(), Box<Divergence>> {
    let recorded = &entry.header.event;
    let id = match recorded {
        Event::BudgetExhausted { effect, .. } => Some(*effect),
        Event::TurnEnding { turn, .. } => {
            wanted.values().find(|e| matches!(e, Effect::Model { turn: of, .. } if of == turn)).map(Effect::id)
        }
        event => event.starts(),
    };
    let now = id.and_then(|id| wanted.remove(&id));
    let is_same = match (&now, recorded) {
        (Some(Effect::Model { .. }), Event::BudgetExhausted { .. } | Event::TurnEnding { .. }) => true,
        (Some(Effect::Model { model, turn, .. }), Event::ModelStarted { model: then, turn: of, .. }) => {
            (model, turn) == (then, of)
        }
        (Some(Effect::Tool { access, turn, .. }), Event::ToolStarted { access: then, turn: of, .. }) => {
            (access, turn) == (then, of)
        }
        (
            Some(Effect::VerifyAccept { plan, files, undoes, .. }),
            Event::AcceptStarted { plan: p, files: f, undoes: u, .. },
        ) => (Some(*plan), files, undoes) == (*p, f, u),
        _ => false,
    };
    if is_same {
        return Ok(());
    }
    let shown = now.as_ref().or_else(|| wanted.values().next()).map(described);
    let what = match &now {
        Some(_) => format!("{} begins otherwise now", recorded.kind()),
        None => format!("{} began then, and now is not wanted", recorded.kind()),
    };
    let now = shown.unwrap_or_else(|| "nothing".to_owned());
    let diff = vec![format!("- {}", serde_json::to_string(recorded).unwrap_or_default()), format!("+ {now}")];
    Err(Box::new(Divergence { seq: entry.seq, what, recorded: recorded.kind().to_owned(), now, diff }))
}

/// An effect in words.
pub(super) fn described(effect: &Effect) -> String {
    match effect {
        Effect::Model { id, model, .. } => format!("model call {id} of {model}"),
        Effect::Tool { id, access, .. } => format!("tool run {id} ({})", access.word()),
        Effect::VerifyAccept { id, .. } => format!("a look after accept {id}"),
    }
}
