//! Tool runs: a call over the session's files, and what its end means for the journal.

use super::attach;
use super::fact::{Fact, Gathered};
use super::model::bounded;
use super::owner::Owner;
use super::perform::{Ended, PreparedCall, Running, late};
use super::tighten::judged;
use crate::catalog::Outfit;
use crate::files::{CanvasFiles, ended, unchangeable};
use crate::secrets::Secrets;
use crate::toolbox::{Inspected, Job};
use agent::{Access, EffectId, Event, Tokens, ToolOutcome, TurnId, Verdict};
use canvas::View;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio_util::sync::CancellationToken;
use tools::Output;
use wire::body::{self, Seen, Text};
use wire::{Change, FileState};

/// What a model is told of a call that permissions do not allow.
pub(super) const FORBIDDEN: &str = "A rule of the user forbids this call.";

impl Owner {
    pub(super) fn begin_tool(&mut self, id: EffectId, turn: TurnId) {
        let running = Running::new(None);
        let (stop, released) = (running.stop.clone(), running.released.clone());
        self.running.insert(id, running);
        let call = self.jobs.get(id.ordinal as usize).cloned();
        let (name, inspected) = match call {
            Some(PreparedCall { name, inspected: Ok(inspected), .. }) => (name, inspected),
            unable => {
                let why = unable.and_then(|call| call.inspected.err());
                let why = why.unwrap_or_else(|| "its arguments were forgotten".to_owned());
                let output = ended(ToolOutcome::Failed, format!("this call cannot run any more: {why}"));
                return self.hand_over(Ended::Tool(id, Box::new(tool_fact(id, turn, "", output))));
            }
        };
        let (house, canvas, workspace) = (self.house.clone(), self.canvas.clone(), self.profile.workspace.clone());
        let (blobs, sender) = (self.blobs(), self.ended_sender.clone());
        let late = late(house.clock.clone(), stop.clone(), house.config().grace_ms);
        self.house.tasks.spawn("tool", async move {
            let (tasks, tool) = (house.tasks.clone(), name.clone());
            let ran = tasks.tool(move || {
                let outfit = house.catalog.current();
                // Between the append that began it and now, permissions may have been tightened. It has done nothing yet, so it
                // was not stopped: it fails.
                if judged(&outfit, &tool, &inspected) == Verdict::Deny {
                    return tool_fact(id, turn, &tool, ended(ToolOutcome::Failed, FORBIDDEN.to_owned()));
                }
                let output = run(&house, &outfit, &inspected, canvas, &workspace, blobs, &stop);
                let output = guarded(output, &outfit.secrets);
                tool_fact(id, turn, &tool, interrupted(output, inspected.access, released.load(Ordering::Relaxed)))
            });
            let unknown = |text: &str| tool_fact(id, turn, &name, ended(ToolOutcome::Unknown, text.to_owned()));
            let fact = tokio::select! {
                biased;
                fact = ran => fact.unwrap_or_else(|| unknown("the tool broke down; this is a fault in tinkerbell")),
                () = late => unknown("the tool did not stop when it was asked to; nobody knows what it did"),
            };
            let _ = sender.send(Ended::Tool(id, Box::new(fact))).await;
        });
    }
}

fn run(
    house: &crate::house::House,
    outfit: &Outfit,
    call: &Inspected,
    canvas: Arc<canvas::Fold>,
    workspace: &str,
    blobs: canvas::Blobs,
    stop: &CancellationToken,
) -> Output {
    match &call.job {
        Job::Extra(run, arguments) => run(arguments, stop),
        Job::BuiltIn(checked) => {
            let files = match canvas::WorkTree::open(workspace.as_ref()) {
                Ok(tree) => {
                    let view = View::new(canvas, Arc::new(tree), blobs);
                    CanvasFiles::new(view, &outfit.settings.rules, &outfit.secrets, call.access)
                }
                Err(error) => return ended(ToolOutcome::Failed, error.to_string()),
            };
            let output = tools::run(checked, &files, &|| stop.is_cancelled(), house.toolbox.limits());
            files.settled(output)
        }
    }
}

/// What a tool tells, without secrets; and no change that would write one, or the mask that stands for one. Names and
/// attachments are never altered, so none comes through that holds one.
fn guarded(mut output: Output, secrets: &Secrets) -> Output {
    if secrets.is_empty() {
        return output;
    }
    let spoils = |change: &tools::FileChange| {
        let after = change.after.as_ref().map(|after| &after.bytes[..]).unwrap_or_default();
        let before = change.before.as_ref().map(|before| &before.bytes[..]).unwrap_or_default();
        [after, before, change.path.as_str().as_bytes()].iter().any(|bytes| secrets.holds(bytes).is_some())
            || secrets.writes_mask(before, after)
    };
    if let Some(change) = output.changes.iter().find(|change| spoils(change)) {
        return ended(ToolOutcome::Failed, secrets.masked(unchangeable(&change.path)));
    }
    let shows = |one: &tools::Attached| {
        [one.path.as_str().as_bytes(), &one.bytes].iter().any(|bytes| secrets.holds(bytes).is_some())
    };
    if let Some(attachment) = output.attachments.iter().find(|one| shows(one)) {
        let text = format!("{}: not shown, since it holds a key of the user", attachment.path);
        return ended(ToolOutcome::Failed, secrets.masked(text));
    }
    output.seen.retain(|(path, _)| secrets.holds(path.as_str().as_bytes()).is_none());
    Output { text: secrets.masked(output.text), ..output }
}

/// A run that the owner let go of is tried again, if it may be.
fn interrupted(output: Output, access: Access, released: bool) -> Output {
    let again = output.outcome == ToolOutcome::Cancelled && released && access != Access::World;
    if again { Output { outcome: ToolOutcome::Interrupted, ..output } } else { output }
}

/// What a tool's end means for the journal. Hashes and compresses, so it belongs on a thread that may block.
fn tool_fact(effect: EffectId, turn: TurnId, name: &str, output: Output) -> Fact {
    let mut gathered = Gathered::default();
    let attachments = output.attachments.iter().map(|one| body::Attachment {
        name: one.path.to_string(),
        media_type: one.media,
        blob: gathered.bytes(&one.bytes),
        bytes: one.bytes.len() as u64,
    });
    let attachments: Vec<_> = attachments.collect();
    let tokens = Tokens::estimate(output.text.len()) + attach::tokens(&attachments);
    let mut state = |contents: &Option<wire::Contents>| {
        contents.as_ref().map(|contents| {
            let blob = gathered.bytes(&contents.bytes);
            FileState { blob, bytes: contents.bytes.len() as u64, mode: contents.mode }
        })
    };
    let changes: Vec<Change> = output
        .changes
        .iter()
        .map(|change| Change { path: change.path.clone(), before: state(&change.before), after: state(&change.after) })
        .collect();
    let seen = output.seen.into_iter().map(|(path, state)| Seen { path, state }).collect();
    let changed = changes.len() as u32;
    let text: Text = gathered.text(output.text);
    let body = body::ToolEnd { name: name.to_owned(), text, changes, seen, attachments };
    let event = Event::ToolFinished { turn, effect, outcome: output.outcome, tokens, changed };
    Fact::new(event, &body, gathered)
}

pub(super) fn prepared(name: &str, inspected: Result<Inspected, String>) -> PreparedCall {
    let about = inspected.as_ref().map(|call| call.about.clone()).unwrap_or_default();
    PreparedCall { name: bounded(name.to_owned()), about, inspected }
}
