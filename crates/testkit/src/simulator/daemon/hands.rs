//! Tools of a simulated daemon: a bell that everybody hears, and one that is there only while a plug-in is.

use super::stage::Stage;
use super::treachery::Treachery;
use super::voice::BELL;
use agent::{Access, ToolOutcome};
use daemon::{ExtraTool, Run};
use serde_json::json;
use std::sync::Arc;
use tools::Output;
use wire::ToolSpec;

/// The tools beside the built-in ones.
pub(super) fn hands(stage: &Stage, plugged: bool) -> Vec<ExtraTool> {
    let mut hands = vec![tool(BELL, Access::World, bell(stage.clone()))];
    if plugged {
        hands.push(tool("plugged", Access::Read, Arc::new(|_, _| output(ToolOutcome::Done, "plugged in"))));
    }
    hands
}

fn tool(name: &str, access: Access, run: Run) -> ExtraTool {
    let parameters = json!({ "type": "object", "properties": { "label": { "type": "string" } } });
    let spec = ToolSpec { name: name.to_owned(), description: "Simulated.".to_owned(), parameters, access };
    ExtraTool { spec, run }
}

fn bell(stage: Stage) -> Run {
    Arc::new(move |arguments, stop| {
        let arguments: serde_json::Value = serde_json::from_str(arguments).unwrap_or_default();
        let label = arguments["label"].as_str().and_then(|label| label.parse().ok());
        let mut world = stage.world();
        let (Some(label), false) = (label, stop.is_cancelled()) else {
            return output(ToolOutcome::Cancelled, "not rung");
        };
        if world.bell_forbidden {
            world.forbidden_rings.push(label);
        }
        if !world.calm && world.random.chance(12) {
            return output(ToolOutcome::Failed, "the bell is stuck");
        }
        world.ring(label);
        if world.treachery == Some(Treachery::ToolActsTwice) {
            world.ring(label);
        }
        if !world.calm && world.random.chance(4) {
            drop(world);
            // As a panic, but without its words on the terminal.
            std::panic::resume_unwind(Box::new("the bell broke"));
        }
        output(ToolOutcome::Done, "rung")
    })
}

fn output(outcome: ToolOutcome, text: &str) -> Output {
    Output { outcome, text: text.to_owned(), changes: Vec::new(), seen: Vec::new(), attachments: Vec::new() }
}
