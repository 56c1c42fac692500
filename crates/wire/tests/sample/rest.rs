//! A request or an answer of each shape, and again for each field that may be absent; a file for each room.

mod audit;
mod canvas;
mod carrying;
mod config;
mod context;
mod daemon;
mod keys;
mod models;
mod prompts;
mod schedules;
mod sessions;
mod snapshots;

use super::written::Written;
use agent::ModelName;

/// All of them.
pub(crate) fn rest() -> Vec<Written> {
    let of_rooms = [
        prompts::samples(),
        sessions::samples(),
        context::samples(),
        canvas::samples(),
        carrying::samples(),
        models::samples(),
        keys::samples(),
        config::samples(),
        schedules::samples(),
        daemon::samples(),
        audit::samples(),
        snapshots::samples(),
    ];
    of_rooms.into_iter().flatten().collect()
}

fn model() -> ModelName {
    ModelName::new("anthropic::claude-sonnet-4-5")
}

fn words(text: &str) -> Option<String> {
    Some(text.to_owned())
}
