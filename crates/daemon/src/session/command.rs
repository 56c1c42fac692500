//! What a session's owner can be asked. All doors ask the same things, by the same methods of the registry.

use super::attach::Attached;
use super::live::Watch;
use super::redact::{Gone, Wish};
use agent::{EffectId, Micros, ModelName, Scheduled, Seq, SkipReason};
use tokio::sync::oneshot;
use wire::rest::{
    Accepted, Acknowledged, Cancelled, CanvasLog, CanvasView, ContextView, Diff, HunkChoice, HunkList, Moved,
    SessionView, WhileRunning,
};
use wire::{BlobHash, Contents, Problem, RelPath};

/// Where an answer goes. Whoever asked may have left; the thing happens all the same.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Problem>>;

/// A prompt.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// What is said.
    pub text: String,
    /// The model or route asked for; checked by the door.
    pub model: Option<ModelName>,
    /// What to do while a turn runs.
    pub while_running: WhileRunning,
    /// Images and documents that belong to it.
    pub attachments: Vec<Attached>,
}

/// What of the canvas is accepted.
#[derive(Debug, Clone)]
pub(crate) enum Chosen {
    /// All of it.
    All,
    /// These paths and what lies below them.
    Paths(Vec<RelPath>),
    /// These hunks.
    Hunks(HunkChoice),
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

/// What a prompt that no person says is bound to.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// Which occurrence says it, and what its turn may spend.
    pub(crate) scheduled: Scheduled,
    /// A person must have been in the session since then.
    pub(crate) active_since: Option<Micros>,
}

/// What became of such a prompt.
#[derive(Debug)]
pub(crate) enum Said {
    /// It is on disk.
    Said(Acknowledged),
    /// The session does not want it now.
    Declined(SkipReason),
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
        /// The schedule that says it, where no person does.
        scheduled: Option<Scheduled>,
        /// Idempotency.
        once: Option<Once>,
        /// The acknowledgement.
        reply: Reply<Acknowledged>,
    },
    /// Say something that no person says.
    Scheduled {
        /// What.
        prompt: Prompt,
        /// On which terms.
        terms: Terms,
        /// Idempotency.
        once: Once,
        /// What became of it.
        reply: Reply<Said>,
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
    /// Call the session something else.
    Title {
        /// What.
        title: String,
        /// The session then.
        reply: Reply<SessionView>,
    },
    /// Say what the next model call would be given.
    Context {
        /// That.
        reply: Reply<ContextView>,
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
    /// The canvas in hunks.
    Hunks {
        /// Only these paths and below.
        paths: Vec<RelPath>,
        /// Lines around each change.
        context: u32,
        /// The hunks.
        reply: Reply<HunkList>,
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
    /// Leave memory, if nothing of the session runs: others need the room.
    MakeRoom,
    /// Let go of the session for good, since it is about to be removed.
    Leave {
        /// Whether what runs is cancelled.
        force: bool,
        /// Its head.
        reply: Reply<Seq>,
    },
    /// Forget the words of events.
    Redact {
        /// Which, with why and what else goes.
        wish: Wish,
        /// What went.
        reply: Reply<Gone>,
    },
    /// Change the canvas or the work tree; waits for a border between steps.
    Change(Change),
}

/// A command that waits for a border between steps with no writing tool open.
#[derive(Debug)]
pub(crate) enum Change {
    /// Write the canvas into the work tree.
    Accept {
        /// What of it.
        chosen: Chosen,
        /// The message of the commit that is to be made of it.
        commit: Option<String>,
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
    /// Settle conflicts for the canvas.
    Keep {
        /// Only these paths and below; all conflicts when empty.
        paths: Vec<RelPath>,
        /// The canvas after.
        reply: Reply<Moved>,
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
            Command::Scheduled { reply, .. } => with(reply, problem),
            Command::MakeRoom => {}
            Command::Leave { reply, .. } => with(reply, problem),
            Command::Cancel { reply } => with(reply, problem),
            Command::Answer { reply, .. } => with(reply, problem),
            Command::Title { reply, .. } | Command::View { reply } => with(reply, problem),
            Command::Context { reply } => with(reply, problem),
            Command::Hunks { reply, .. } => with(reply, problem),
            Command::Watch { reply } => with(reply, problem),
            Command::Canvas { reply } => with(reply, problem),
            Command::Diff { reply, .. } | Command::Show { reply, .. } => with(reply, problem),
            Command::Log { reply } => with(reply, problem),
            Command::File { reply, .. } => with(reply, problem),
            Command::Redact { reply, .. } => with(reply, problem),
            Command::Change(change) => change.refuse(problem),
        }
    }
}

impl Change {
    /// Answers with a problem, whatever was asked.
    pub(crate) fn refuse(self, problem: Problem) {
        match self {
            Change::Accept { reply, .. } | Change::Undo { reply, .. } => drop(reply.send(Err(problem))),
            Change::Keep { reply, .. } | Change::Reject { reply, .. } => drop(reply.send(Err(problem))),
            Change::Rewind { reply, .. } => drop(reply.send(Err(problem))),
            Change::Redo { reply } => drop(reply.send(Err(problem))),
        }
    }
}
