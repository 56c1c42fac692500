//! Tools whose effects can be counted from outside.

use agent::{Access, ToolOutcome};
use daemon::ExtraTool;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tools::Output;
use wire::ToolSpec;

/// Names the file to which `count` and `look` append a line for each time they run.
pub const COUNT_FILE: &str = "TESTKIT_COUNT_FILE";
/// Names the file to which `sleep_in_child` writes the child's process id.
pub const SLEEPER_FILE: &str = "TESTKIT_SLEEPER_FILE";

/// `count` touches the world and is not idempotent; `look` counts too, as a tool that may be repeated; `stall` runs until it is stopped, `linger` until a time is over; `sleep_in_child` starts a child that
/// would outlive the daemon; `break_down` panics with the words of a file.
pub fn tools() -> Vec<ExtraTool> {
    vec![
        tool("count", Access::World, "Appends a line to a file outside the workspace.", count),
        tool("look", Access::Read, "Does the same and says that it may be repeated.", count),
        tool("stall", Access::World, "Does nothing for as long as it may.", |_, stop| {
            while !stop.is_cancelled() {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err("stopped".to_owned())
        }),
        tool(
            "linger",
            Access::World,
            "Takes as many milliseconds as the label says, whoever asks it to stop.",
            |text, _| {
                let arguments: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
                let millis = arguments["label"].as_str().and_then(|label| label.parse().ok()).unwrap_or(0);
                std::thread::sleep(Duration::from_millis(millis));
                Ok("it is over".to_owned())
            },
        ),
        tool("sleep_in_child", Access::World, "Starts a child process that sleeps for an hour.", |_, _| {
            let path = std::env::var_os(SLEEPER_FILE).ok_or("no file for the process id")?;
            let mut command = Command::new("sleep");
            command.arg("3600").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let child = daemon::spawn_child(command).map_err(|error| error.to_string())?;
            std::fs::write(path, child.id().to_string()).map_err(|error| error.to_string())?;
            Ok(format!("child {}", child.id()))
        }),
        tool("break_down", Access::World, "Panics with the words of the file that `label` names.", |arguments, _| {
            let arguments: serde_json::Value = serde_json::from_str(arguments).map_err(|error| error.to_string())?;
            let words = std::fs::read_to_string(arguments["label"].as_str().unwrap_or_default());
            panic!("broke down with {}", words.map_err(|error| error.to_string())?)
        }),
    ]
}

fn count(arguments: &str, _: &CancellationToken) -> Result<String, String> {
    let text = serde_json::from_str::<serde_json::Value>(arguments).ok();
    let label = text.as_ref().and_then(|value| value["label"].as_str()).unwrap_or("unnamed").to_owned();
    let path = std::env::var_os(COUNT_FILE).ok_or("no file to count in")?;
    let mut file = OpenOptions::new().append(true).create(true).open(path).map_err(|e| e.to_string())?;
    file.write_all(format!("{label}\n").as_bytes()).map_err(|error| error.to_string())?;
    // Long enough for a kill to fall between the effect and its record.
    std::thread::sleep(Duration::from_millis(2));
    Ok(format!("counted {label}"))
}

fn tool(
    name: &str,
    access: Access,
    description: &str,
    run: fn(&str, &CancellationToken) -> Result<String, String>,
) -> ExtraTool {
    let spec = ToolSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: json!({ "type": "object", "properties": { "label": { "type": "string" } } }),
        access,
    };
    let run = move |arguments: &str, stop: &CancellationToken| {
        let (outcome, text) = match run(arguments, stop) {
            Ok(text) => (ToolOutcome::Done, text),
            Err(text) if stop.is_cancelled() => (ToolOutcome::Cancelled, text),
            Err(text) => (ToolOutcome::Failed, text),
        };
        Output { outcome, text, changes: Vec::new(), seen: Vec::new(), attachments: Vec::new() }
    };
    ExtraTool { spec, run: Arc::new(run) }
}
