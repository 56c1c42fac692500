//! What a session's owner can be asked. All doors ask the same things, by the same methods of the registry.

use super::live::Watch;
use agent::{EffectId, ModelName, Seq};
use tokio::sync::oneshot;
use wire::rest::{Accepted, Acknowledged, Cancelled, CanvasLog, CanvasView, Diff, Moved, SessionView, WhileRunning};
use wire::{BlobHash, Contents, Problem, RelPath};

/// Where an answer goes. Whoever asked may have left; the thing happens all the same.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Problem>>;

/// A prompt.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// What is said.
    pub text: String,
    /// The model asked for; checked by the door.
    pub model: Option<ModelName>,
    /// What to do while a turn runs.
    pub while_running: WhileRunning,
}

/// Makes a write happen once, however often it is sent.
#[derive(Debug, Clone)]
pub struct Once {
    /// What the key is unique in: the operation and its session.
    pub scope: String,
    /// The client's key.
    pub key: String,
    /// The hash of the request, since a key belongs to one request.
    pub request: BlobHash,
}

/// A command with where its answer goes.
#[derive(Debug)]
pub(crate) enum Command {
    /// Write the first events.
    Create {
        /// What people shall call it.
        title: Option<String>,
        /// The first prompt.
        prompt: Option<Prompt>,
        /// Idempotency.
        once: Option<Once>,
        /// The acknowledgement.
        reply: Reply<Acknowledged>,
    },
    /// Say something.
    Prompt {
        /// What.
        prompt: Prompt,
        /// Idempotency.
        once: Option<Once>,
        /// The acknowledgement.
        reply: Reply<Acknowledged>,
    },
    /// Cancel the running turn.
    Cancel {
        /// Which turn is being cancelled.
        reply: Reply<Cancelled>,
    },
    /// Answer a question.
    Answer {
        /// The question.
        approval: EffectId,
        /// The answer.
        answer: agent::Answer,
        /// The event that says so.
        reply: Reply<Seq>,
    },
    /// Say what the session is.
    View {
        /// The view.
        reply: Reply<SessionView>,
    },
    /// Begin to watch.
    Watch {
        /// The watch.
        reply: Reply<Watch>,
    },
    /// Say what the canvas holds.
    Canvas {
        /// The view.
        reply: Reply<CanvasView>,
    },
    /// The canvas as a patch.
    Diff {
        /// Only these paths and below.
        paths: Vec<RelPath>,
        /// The patch.
        reply: Reply<Diff>,
    },
    /// One micro-commit as a patch.
    Show {
        /// Which.
        step: Seq,
        /// The patch.
        reply: Reply<Diff>,
    },
    /// The micro-commits.
    Log {
        /// The log.
        reply: Reply<CanvasLog>,
    },
    /// A file as the session sees it.
    File {
        /// Which.
        path: RelPath,
        /// Its contents.
        reply: Reply<Contents>,
    },
    /// Change the canvas or the work tree; waits for a border between steps.
    Change(Change),
}

/// A command that waits for a border between steps with no writing tool open.
#[derive(Debug)]
pub(crate) enum Change {
    /// Write the canvas into the work tree.
    Accept {
        /// Only these paths and below; everything when empty.
        paths: Vec<RelPath>,
        /// Idempotency.
        once: Option<Once>,
        /// How it ended.
        reply: Reply<Accepted>,
    },
    /// Take the last accept back.
    Undo {
        /// Idempotency.
        once: Option<Once>,
        /// How it ended.
        reply: Reply<Accepted>,
    },
    /// Drop changes.
    Reject {
        /// Only these paths and below; everything when empty.
        paths: Vec<RelPath>,
        /// The canvas after.
        reply: Reply<Moved>,
    },
    /// Step back; one step when no place is given.
    Rewind {
        /// To which event.
        to: Option<Seq>,
        /// The canvas after.
        reply: Reply<Moved>,
    },
    /// Step forward again.
    Redo {
        /// The canvas after.
        reply: Reply<Moved>,
    },
}

impl Command {
    /// Answers with a problem, whatever was asked.
    pub(crate) fn refuse(self, problem: Problem) {
        fn with<T>(reply: Reply<T>, problem: Problem) {
            let _ = reply.send(Err(problem));
        }
        match self {
            Command::Create { reply, .. } | Command::Prompt { reply, .. } => with(reply, problem),
            Command::Cancel { reply } => with(reply, problem),
            Command::Answer { reply, .. } => with(reply, problem),
            Command::View { reply } => with(reply, problem),
            Command::Watch { reply } => with(reply, problem),
            Command::Canvas { reply } => with(reply, problem),
            Command::Diff { reply, .. } | Command::Show { reply, .. } => with(reply, problem),
            Command::Log { reply } => with(reply, problem),
            Command::File { reply, .. } => with(reply, problem),
            Command::Change(change) => change.refuse(problem),
        }
    }
}

impl Change {
    /// Answers with a problem, whatever was asked.
    pub(crate) fn refuse(self, problem: Problem) {
        match self {
            Change::Accept { reply, .. } | Change::Undo { reply, .. } => drop(reply.send(Err(problem))),
            Change::Reject { reply, .. } | Change::Rewind { reply, .. } => drop(reply.send(Err(problem))),
            Change::Redo { reply } => drop(reply.send(Err(problem))),
        }
    }
}
