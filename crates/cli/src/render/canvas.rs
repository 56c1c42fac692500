//! What happens to the canvas, in a line each.

use super::{because, remark};
use crate::error::Error;
use crate::plain;
use crate::screen::{FAINT, NOTE, Screen};
use crate::update::EventUpdate;
use crate::words;
use agent::{AcceptOutcome, Event};
use wire::body;

/// Shows an event of the canvas; of others nothing is shown.
pub(super) fn canvas_event(screen: &mut Screen, update: &EventUpdate) -> Result<(), Error> {
    match &update.header.event {
        Event::CanvasRebased { .. } => {
            let rebased: body::Rebased = update.body().unwrap_or_default();
            let text = format!("{} changed outside the session; the canvas follows", paths(&rebased.bases));
            remark(screen, FAINT, &text)
        }
        Event::CanvasConflicted { .. } => {
            let conflict: body::Conflict = update.body().unwrap_or_default();
            let text = format!(
                "! {} changed outside the session in a way that does not merge; undo that or `tinkerbell reject` the path",
                paths(&conflict.paths)
            );
            remark(screen, NOTE, &text)
        }
        Event::CanvasRewound { to, changed } => {
            let files = words::count(u64::from(*changed), "path");
            remark(screen, FAINT, &format!("the canvas went to step {to} ({files} changed)"))
        }
        Event::CanvasRejected { changed } => {
            remark(screen, FAINT, &format!("{} rejected", words::count(u64::from(*changed), "path")))
        }
        Event::AcceptFinished { outcome: AcceptOutcome::Done, files, .. } => {
            remark(screen, FAINT, &format!("{} accepted", words::count(u64::from(*files), "file")))
        }
        Event::AcceptFinished { outcome, .. } => {
            let why = because(update.body::<body::AcceptEnd>().and_then(|end| end.message));
            remark(screen, NOTE, &format!("! the accept ended: {}{why}; every file is as it was", outcome.word()))
        }
        Event::AcceptUndone { files, .. } => {
            remark(screen, FAINT, &format!("an accept of {} was taken back", words::count(u64::from(*files), "file")))
        }
        _ => Ok(()),
    }
}

fn paths(changes: &[wire::Change]) -> String {
    let names: Vec<String> = changes.iter().map(|change| plain::name(change.path.as_str())).collect();
    if names.is_empty() { "something".to_owned() } else { names.join(", ") }
}
