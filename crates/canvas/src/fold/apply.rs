//! What each event does to the canvas. Total: an event whose body is odd or forgotten changes nothing.

use super::step::{named, shortened, title_of};
use super::value::Tracked;
use super::{Fold, Step, StepKind, StepStatus};
use agent::{AcceptOutcome, Event, Micros, Seq, ToolOutcome};
use serde::de::DeserializeOwned;
use wire::body::{AcceptEnd, Forgotten, Moved, PathLeft, Rebased, ToolEnd};
use wire::{Change, Changeset};

impl Fold {
    /// Takes the next event of the session. Events up to [`Fold::head`] are known and change nothing; a forgotten
    /// body is given as an empty text.
    pub fn apply(&mut self, seq: Seq, at: Micros, event: &Event, body: &str) {
        if seq <= self.head {
            return;
        }
        self.head = seq;
        match event {
            Event::ToolFinished { outcome, .. } => self.tool_finished(seq, at, *outcome, body),
            Event::CanvasRebased { .. } => {
                let Some(Rebased { bases, changes }) = read(body) else { return };
                let title = format!("took over what was changed meanwhile: {}", paths_of(&bases));
                self.record(seq, at, StepKind::Rebase, title, changes, bases);
            }
            Event::CanvasRewound { to, .. } => self.rewound(seq, at, *to, body),
            Event::CanvasRejected { .. } => {
                let Some(Moved { changes }) = read(body) else { return };
                let title = format!("rejected {}", paths_of(&changes));
                self.record(seq, at, StepKind::Reject, title, changes, Vec::new());
            }
            Event::AcceptFinished { outcome: AcceptOutcome::Done, .. } => {
                let Some(AcceptEnd { bases, .. }) = read(body) else { return };
                let title = format!("accepted {}", paths_of(&bases));
                self.record(seq, at, StepKind::Accept, title, Vec::new(), bases);
            }
            Event::AcceptUndone { undoes, .. } => {
                let Some(AcceptEnd { bases, .. }) = read(body) else { return };
                self.history.take_accept_back(*undoes);
                let title = format!("took the accept of {} back", paths_of(&bases));
                self.record(seq, at, StepKind::AcceptUndone, title, Vec::new(), bases);
            }
            Event::EventForgotten { .. } => {
                let Some(Forgotten { paths, .. }) = read(body) else { return };
                for PathLeft { path, base, current } in paths {
                    self.paths.insert(path, Tracked { base, current });
                }
            }
            _ => {}
        }
    }

    /// What a tool did before it was stopped, or before nobody knew any more, is in the journal and not applied.
    fn tool_finished(&mut self, seq: Seq, at: Micros, outcome: ToolOutcome, body: &str) {
        let (ToolOutcome::Done | ToolOutcome::Failed) = outcome else { return };
        let Some(end) = read::<ToolEnd>(body) else { return };
        let title = title_of(&end);
        for seen in end.seen {
            self.seen.insert(seen.path, seen.state);
        }
        if end.changes.is_empty() {
            return;
        }
        for change in &end.changes {
            self.seen.insert(change.path.clone(), change.after);
        }
        self.history.leave_undone(self.position);
        self.position = seq;
        self.record(seq, at, StepKind::Edit, title, end.changes, Vec::new());
    }

    fn rewound(&mut self, seq: Seq, at: Micros, to: Seq, body: &str) {
        let Some(Moved { changes }) = read(body) else { return };
        self.history.set_position(to);
        let title = match to {
            Seq(0) => "rewound to the beginning".to_owned(),
            to if to < self.position => format!("rewound to {to}"),
            to => format!("redone up to {to}"),
        };
        self.position = to;
        self.record(seq, at, StepKind::Rewind, title, changes, Vec::new());
    }

    fn record(&mut self, seq: Seq, at: Micros, kind: StepKind, title: String, changes: Changeset, bases: Changeset) {
        for Change { path, before, after } in &changes {
            let tracked = self.paths.entry(path.clone()).or_insert(Tracked { base: *before, current: *before });
            // A clean path was read live: what the tool found there is its base now.
            if kind == StepKind::Edit && !tracked.is_dirty() {
                tracked.base = *before;
            }
            tracked.current = *after;
        }
        for Change { path, after, .. } in &bases {
            let tracked = self.paths.entry(path.clone()).or_insert(Tracked { base: *after, current: *after });
            tracked.base = *after;
        }
        let status = StepStatus::InForce;
        self.history.push(Step { seq, at, kind, status, title: shortened(&title), changes, bases });
    }
}

fn read<T: DeserializeOwned>(body: &str) -> Option<T> {
    wire::body::read(body).ok()
}

fn paths_of(changes: &Changeset) -> String {
    named(changes.iter().map(|change| &change.path))
}
