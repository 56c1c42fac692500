//! Two values side by side, line by line, for whoever has to see what is not the same.

use agent::Event;
use serde::Serialize;
use serde_json::Value;
use wire::rest::Divergence;

/// The most lines of a difference.
const LINES: usize = 40;

/// An event that is another one than what is recorded.
pub(super) fn events(seq: agent::Seq, what: String, recorded: Option<&Event>, now: Option<&Event>) -> Divergence {
    let shown = |event: Option<&Event>| event.map_or_else(|| "nothing".to_owned(), |event| event.kind().to_owned());
    let diff = lines(&value(recorded), &value(now));
    Divergence { seq, what, recorded: shown(recorded), now: shown(now), diff }
}

/// Values that are others than what is recorded.
pub(super) fn values(seq: agent::Seq, what: String, recorded: &impl Serialize, now: &impl Serialize) -> Divergence {
    let (recorded, now) = (value(recorded), value(now));
    let diff = lines(&recorded, &now);
    Divergence { seq, what, recorded: recorded.to_string(), now: now.to_string(), diff }
}

fn value(of: impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or(Value::Null)
}

/// Fields of both: those that are the same after two blanks, what was after `- `, what is after `+ `.
fn lines(recorded: &Value, now: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    match (recorded, now) {
        (Value::Object(recorded), Value::Object(now)) => {
            let added = now.keys().filter(|key| !recorded.contains_key(*key));
            for key in recorded.keys().chain(added) {
                let field = |value: &Value| format!("{key}: {value}");
                match (recorded.get(key), now.get(key)) {
                    (Some(was), Some(is)) if was == is => lines.push(format!("  {}", field(was))),
                    (was, is) => {
                        lines.extend(was.map(|was| format!("- {}", field(was))));
                        lines.extend(is.map(|is| format!("+ {}", field(is))));
                    }
                }
            }
        }
        (was, is) => {
            lines.extend((!was.is_null()).then(|| format!("- {was}")));
            lines.extend((!is.is_null()).then(|| format!("+ {is}")));
        }
    }
    lines.truncate(LINES);
    lines
}
