//! The table that a bench ends with: each figure with its peer, its limit, its goal, and how far from it we are.

use super::figure::{Figure, Goal, Place};
use serde_json::{Map, Value};

/// A figure's numbers; where a script gave one number only, both are that one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Numbers {
    min: f64,
    p50: f64,
}

/// The table.
pub(crate) fn table(figures: &[&Figure], measured: &Value) -> String {
    let head = ["figure", "ours min/p50", "peer", "limit", "goal", "ratio", ""].map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(figures.iter().map(|figure| row(figure, measured)));
    let widths: Vec<usize> = (0..rows[0].len()).map(|column| width(&rows, column)).collect();
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text: Vec<String> = rows.iter().map(line).collect();
    text.push(String::new());
    text.extend(figures.iter().map(|figure| format!("{:<13}  {}", figure.name, figure.what)));
    text.join("\n")
}

fn width(rows: &[[String; 7]], column: usize) -> usize {
    rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
}

fn row(figure: &Figure, measured: &Value) -> [String; 7] {
    let number = |place: Place| numbers(measured, place);
    let (ours, peer, limit) = (number(figure.ours), figure.peer.and_then(number), figure.limit.and_then(number));
    let shown = |numbers: Option<Numbers>| numbers.map_or("–".to_owned(), show);
    let goals: Vec<String> = figure.goals.iter().map(goal_text).collect();
    let verdicts: Vec<String> = figure.goals.iter().map(|goal| verdict(*goal, ours, peer, limit)).collect();
    let ours_text = match ours {
        Some(numbers) => show(numbers),
        None => format!("not measured{}", why(measured, figure.ours)),
    };
    [
        figure.name.to_owned(),
        ours_text,
        shown(peer),
        shown(limit),
        goals.join(", "),
        ratio(ours, peer, limit),
        verdicts.join(", "),
    ]
}

/// The numbers at a place, if the script got that far.
fn numbers(measured: &Value, place: Place) -> Option<Numbers> {
    let found = measured.get(place.0.name())?.pointer(place.1)?;
    if let Some(number) = found.as_f64() {
        return Some(Numbers { min: number, p50: number });
    }
    Some(Numbers { min: found.get("min")?.as_f64()?, p50: found.get("p50")?.as_f64()? })
}

/// Why there is no number: the error nearest to its place.
fn why(measured: &Value, place: Place) -> String {
    let Some(script) = measured.get(place.0.name()) else { return String::new() };
    let ancestors = place.1.match_indices('/').map(|(at, _)| &place.1[..at]).chain([place.1]);
    let error = ancestors.filter_map(|pointer| script.pointer(pointer)?.get("error")?.as_str()).next_back();
    error.map_or(String::new(), |error| format!(": {}", error.chars().take(80).collect::<String>()))
}

fn show(numbers: Numbers) -> String {
    match numbers.min == numbers.p50 {
        true => digits(numbers.min),
        false => format!("{} / {}", digits(numbers.min), digits(numbers.p50)),
    }
}

/// Three digits that matter.
fn digits(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        below if below < 1.0 => format!("{number:.3}"),
        below if below < 10.0 => format!("{number:.2}"),
        below if below < 100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

fn goal_text(goal: &Goal) -> String {
    match goal {
        Goal::OfPeer(divisor) => format!("≤ 1/{divisor} peer"),
        Goal::OfLimit(factor) => format!("≤ {factor} × limit"),
        Goal::AtMost(most) => format!("≤ {most}"),
    }
}

/// How many times the peer's number is ours, and how many times the limit ours is.
fn ratio(ours: Option<Numbers>, peer: Option<Numbers>, limit: Option<Numbers>) -> String {
    let Some(ours) = ours.filter(|ours| ours.min > 0.0) else { return "–".to_owned() };
    let of_peer = peer.map(|peer| format!("1/{} peer", digits(peer.min / ours.min)));
    let of_limit =
        limit.filter(|limit| limit.min > 0.0).map(|limit| format!("{} × limit", digits(ours.min / limit.min)));
    let ratios: Vec<String> = of_peer.into_iter().chain(of_limit).collect();
    if ratios.is_empty() { "–".to_owned() } else { ratios.join(", ") }
}

/// Whether a goal is met, or by which factor it is missed.
fn verdict(goal: Goal, ours: Option<Numbers>, peer: Option<Numbers>, limit: Option<Numbers>) -> String {
    let most = match goal {
        Goal::OfPeer(divisor) => peer.map(|peer| peer.min / divisor),
        Goal::OfLimit(factor) => limit.map(|limit| limit.min * factor),
        Goal::AtMost(most) => Some(most),
    };
    match (ours, most) {
        (Some(ours), Some(most)) if ours.min <= most => "met".to_owned(),
        (Some(ours), Some(most)) if most > 0.0 => format!("missed by {} ×", digits(ours.min / most)),
        _ => "unknown".to_owned(),
    }
}

/// The last JSON object in a script's output, which may have words before it.
pub(crate) fn last_object(output: &str) -> Option<Value> {
    let starts = output.match_indices('\n').map(|(at, _)| at + 1).chain([0]);
    let mut found: Vec<(usize, Value)> = starts
        .filter(|at| output[*at..].starts_with('{'))
        .filter_map(|at| Some((at, serde_json::from_str(&output[at..]).ok()?)))
        .collect();
    found.sort_by_key(|(at, _)| *at);
    found.pop().map(|(_, value)| value)
}

/// Lines such as `append_alone_min 0.171 ms` as summaries by name; all else is left out.
pub(crate) fn summaries(output: &str) -> Value {
    let mut found = Map::new();
    for line in output.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [name, value, _unit] = words[..]
            && let Some((name, statistic)) =
                name.rsplit_once('_').filter(|(_, end)| ["min", "p50", "p99"].contains(end))
            && let Ok(value) = value.parse::<f64>()
            && let Value::Object(summary) = found.entry(name).or_insert_with(|| Value::Object(Map::new()))
        {
            summary.insert(statistic.to_owned(), value.into());
        }
    }
    Value::Object(found)
}

/// When the first script began, as it said.
pub(crate) fn began(measured: &Value) -> Option<&str> {
    measured.as_object()?.values().filter_map(|script| script.pointer("/before/utc")?.as_str()).min()
}

#[cfg(test)]
mod tests {
    use super::super::figure::{FIGURES, Script};
    use super::*;
    use serde_json::json;

    fn measured() -> Value {
        json!({
            "limits": { "before": { "utc": "2026-11-24T10" }, "c_spawn_true": { "min": 1.4, "p50": 1.8 } },
            "oneshot": { "before": { "utc": "2026-11-24T11" }, "oneshot": {
                "tinkerbell": { "to_first_request": { "min": 4.0, "p50": 5.0 } },
                "tinkerbell-cold": { "error": "FileNotFoundError: gone" },
                "codex": { "to_first_request": { "min": 164.0, "p50": 191.0 } } } },
        })
    }

    fn find(name: &str) -> &'static Figure {
        FIGURES.iter().find(|figure| figure.name == name).unwrap()
    }

    #[test]
    fn a_row_sets_our_number_beside_peer_limit_and_goal() {
        let row = row(find("P1"), &measured());
        assert_eq!(row[..4], ["P1", "4.00 / 5.00", "164 / 191", "1.40 / 1.80"]);
        assert_eq!(row[4..], ["≤ 1/40 peer, ≤ 3 × limit", "1/41.0 peer, 2.86 × limit", "met, met"]);
    }

    #[test]
    fn what_was_not_measured_says_why() {
        let row = row(find("P1c"), &measured());
        assert_eq!((row[1].as_str(), row[6].as_str()), ("not measured: FileNotFoundError: gone", "unknown"));
        let table = table(&[find("P1"), find("P1c")], &measured());
        assert_eq!(table.lines().count(), 6, "{table}");
    }

    #[test]
    fn a_missed_goal_says_by_how_much() {
        let ours = Some(Numbers { min: 0.6, p50: 0.9 });
        assert_eq!(verdict(Goal::AtMost(0.3), ours, None, None), "missed by 2.00 ×");
        assert_eq!(verdict(Goal::OfPeer(10.0), ours, None, None), "unknown");
    }

    #[test]
    fn the_object_at_the_end_is_read_whatever_stands_before_it() {
        assert_eq!(last_object("words\n{\"a\": {\n\"b\": 1}}\n"), Some(json!({ "a": { "b": 1 } })));
        assert_eq!(last_object("{\"old\": 1}\n{\"new\": 2}\n"), Some(json!({ "new": 2 })));
        assert_eq!(last_object("nothing"), None);
        let lines = "append_alone_min 0.171 ms\nappend_alone_p50 0.204 ms\nappend_alone_rate 4900.0 1/s\nwords\n";
        assert_eq!(summaries(lines), json!({ "append_alone": { "min": 0.171, "p50": 0.204 } }));
        assert_eq!(began(&measured()), Some("2026-11-24T10"));
        assert_eq!(numbers(&json!({ "servers": { "a": 3 } }), Place(Script::Servers, "/a")).map(|n| n.min), Some(3.0));
    }
}
