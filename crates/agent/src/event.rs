//! The one vocabulary of events. What is here is an event's *header*: what the state may depend on. Words, paths and
//! contents stand in its body, which `wire` names and which may be forgotten.

use crate::id::{EffectId, Epoch, Generation, ScheduleId, Seq, SessionId, SnapshotId, TurnId};
use crate::key::PublicKey;
use crate::schedule::{ScheduleRule, Scheduled};
use crate::settings::Limit;
use crate::units::{ModelName, Money, Tokens, UnixSeconds, Usage};
use serde::{Deserialize, Serialize};

/// What happened, as the header of a journal record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Event {
    /// The session exists. Its workspace and title are in the body.
    #[serde(rename = "session.created")]
    SessionCreated {},
    /// The title changed; it is in the body.
    #[serde(rename = "session.updated")]
    SessionUpdated {},
    /// The session is a copy of another one, up to this event; what was under way there is not under way here.
    #[serde(rename = "session.forked")]
    SessionForked {
        /// The session that was copied.
        parent: SessionId,
        /// The last event that was copied.
        at_seq: Seq,
    },
    /// The session came from elsewhere with all events before this one, as they were there. Its workspace here is in the
    /// body.
    #[serde(rename = "session.imported")]
    SessionImported {},
    /// An owner took the session over. Every effect that an earlier epoch had started and not ended is lost by this.
    #[serde(rename = "owner.began")]
    OwnerBegan {
        /// The new epoch.
        epoch: Epoch,
        /// The daemon that the owner lives in.
        generation: Generation,
        /// What the lost model calls are taken to have cost: what had been reserved for them.
        #[serde(default, skip_serializing_if = "Money::is_zero")]
        cost_microusd: Money,
    },

    /// A prompt came and its turn can begin at once.
    #[serde(rename = "prompt.accepted")]
    PromptAccepted {
        /// The turn that will answer it.
        turn: TurnId,
        /// Estimated size of the text.
        tokens: Tokens,
        /// The model asked for, if one was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<ModelName>,
        /// The schedule that said it, where no person did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scheduled: Option<Scheduled>,
    },
    /// A prompt came while a turn was running and waits for its own.
    #[serde(rename = "prompt.queued")]
    PromptQueued {
        /// The turn that will answer it.
        turn: TurnId,
        /// Estimated size of the text.
        tokens: Tokens,
        /// The model asked for, if one was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<ModelName>,
    },
    /// A prompt came while a turn was running and joins it at its next step.
    #[serde(rename = "prompt.steered")]
    PromptSteered {
        /// The running turn.
        turn: TurnId,
        /// Estimated size of the text.
        tokens: Tokens,
    },

    /// A turn began.
    #[serde(rename = "turn.started")]
    TurnStarted {
        /// The turn.
        turn: TurnId,
    },
    /// A new owner goes on with a turn.
    #[serde(rename = "turn.resumed")]
    TurnResumed {
        /// The turn.
        turn: TurnId,
    },
    /// Somebody wants the turn to stop; nothing of it is wanted any more.
    #[serde(rename = "turn.ending")]
    TurnEnding {
        /// The turn.
        turn: TurnId,
        /// The outcome it will have.
        outcome: TurnOutcome,
        /// The limit that was reached, when the outcome is `limit`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<Limit>,
    },
    /// A turn ended. There is exactly one of these for each turn.
    #[serde(rename = "turn.finished")]
    TurnFinished {
        /// The turn.
        turn: TurnId,
        /// How it ended.
        outcome: TurnOutcome,
        /// The limit that was reached, when the outcome is `limit`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<Limit>,
        /// Why, when the outcome is `failed`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
        /// Model calls made.
        steps: u32,
        /// Paths changed on the canvas, each change counted.
        changed: u32,
        /// What the turn used.
        usage: Usage,
        /// What the turn cost.
        cost_microusd: Money,
    },

    /// A model call is about to begin; the body is its recipe.
    #[serde(rename = "model.started")]
    ModelStarted {
        /// The turn.
        turn: TurnId,
        /// The call.
        effect: EffectId,
        /// The model chosen.
        model: ModelName,
        /// Money set aside for it.
        #[serde(default, skip_serializing_if = "Money::is_zero")]
        reserve_microusd: Money,
    },
    /// The model answered. Text and arguments are in the body.
    #[serde(rename = "model.finished")]
    ModelFinished {
        /// The turn.
        turn: TurnId,
        /// The call.
        effect: EffectId,
        /// Why the model stopped.
        stop: Stop,
        /// The tool calls asked for, in order, each with what was decided about it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<CallFact>,
        /// How often in a row, up to this reply, the same call with the same arguments was asked for; 0 without calls.
        #[serde(default, skip_serializing_if = "is_zero")]
        alike: u32,
        /// Estimated size of the reply in later contexts.
        tokens: Tokens,
        /// What it used.
        usage: Usage,
        /// What it cost.
        cost_microusd: Money,
    },
    /// The model call failed.
    #[serde(rename = "model.failed")]
    ModelFailed {
        /// The turn.
        turn: TurnId,
        /// The call.
        effect: EffectId,
        /// Why.
        failure: Failure,
        /// How long the provider asked us to wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        /// Size of the partial text that was kept.
        #[serde(default, skip_serializing_if = "Tokens::is_zero")]
        tokens: Tokens,
        /// What it used, as far as is known.
        usage: Usage,
        /// What it cost.
        cost_microusd: Money,
    },
    /// The model call was stopped by us.
    #[serde(rename = "model.interrupted")]
    ModelInterrupted {
        /// The turn.
        turn: TurnId,
        /// The call.
        effect: EffectId,
        /// Why.
        interruption: Interruption,
        /// Size of the partial text that was kept.
        #[serde(default, skip_serializing_if = "Tokens::is_zero")]
        tokens: Tokens,
        /// An estimate, and marked so.
        usage: Usage,
        /// An estimate, never zero for a model that costs something.
        cost_microusd: Money,
    },

    /// A tool is about to run.
    #[serde(rename = "tool.started")]
    ToolStarted {
        /// The turn.
        turn: TurnId,
        /// The run.
        effect: EffectId,
        /// What the tool may do.
        access: Access,
    },
    /// A tool really ended. With a changeset in its body this *is* the micro-commit.
    #[serde(rename = "tool.finished")]
    ToolFinished {
        /// The turn.
        turn: TurnId,
        /// The run.
        effect: EffectId,
        /// How it ended.
        outcome: ToolOutcome,
        /// Estimated size of the result in later contexts.
        tokens: Tokens,
        /// How many paths its changeset holds.
        #[serde(default, skip_serializing_if = "is_zero")]
        changed: u32,
    },

    /// A question that only a person can answer.
    #[serde(rename = "approval.requested")]
    ApprovalRequested {
        /// The turn.
        turn: TurnId,
        /// The question's own id.
        effect: EffectId,
        /// What is asked.
        question: Question,
    },
    /// The answer.
    #[serde(rename = "approval.resolved")]
    ApprovalResolved {
        /// The turn.
        turn: TurnId,
        /// The question.
        effect: EffectId,
        /// The answer.
        answer: Answer,
    },
    /// Permissions were tightened while the turn ran: a call of its present step may not run any more, or not before
    /// somebody is asked. What runs of it is no longer wanted.
    #[serde(rename = "permission.tightened")]
    PermissionTightened {
        /// The turn.
        turn: TurnId,
        /// The run of the call, whether or not it has begun.
        effect: EffectId,
        /// What permissions say now.
        verdict: Verdict,
    },
    /// A pause or a deadline is over.
    #[serde(rename = "timer.fired")]
    TimerFired {
        /// The turn.
        turn: TurnId,
        /// The timer.
        effect: EffectId,
    },
    /// A start was refused because the money would not reach; stands in the start's place. Also where a budget was
    /// lowered below what a running call may cost: then that call is no longer wanted.
    #[serde(rename = "budget.exhausted")]
    BudgetExhausted {
        /// The turn.
        turn: TurnId,
        /// The call that was not made.
        effect: EffectId,
        /// Which budget.
        scope: Scope,
    },

    /// The user changed files meanwhile; bases and, by a merge, current bytes moved along.
    #[serde(rename = "canvas.rebased")]
    CanvasRebased {
        /// How many paths.
        changed: u32,
    },
    /// The user changed files meanwhile in ways that do not merge.
    #[serde(rename = "canvas.conflicted")]
    CanvasConflicted {
        /// How many paths.
        changed: u32,
    },
    /// The canvas stands at another micro-commit now, earlier (rewind) or later (redo).
    #[serde(rename = "canvas.rewound")]
    CanvasRewound {
        /// The last micro-commit that is still in force; 0 for none.
        to: Seq,
        /// How many paths changed by this.
        changed: u32,
    },
    /// Changes were dropped from the canvas.
    #[serde(rename = "canvas.rejected")]
    CanvasRejected {
        /// How many paths.
        changed: u32,
    },
    /// The plan of an accept is in the body; files are about to be exchanged.
    #[serde(rename = "accept.started")]
    AcceptStarted {
        /// The accept.
        effect: EffectId,
        /// How many files.
        files: u32,
        /// The event that holds the plan, when this is a later attempt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<Seq>,
        /// The accept that this one takes back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undoes: Option<Seq>,
    },
    /// The accept ended: every file is as the plan wanted it, or every file is as it was.
    #[serde(rename = "accept.finished")]
    AcceptFinished {
        /// The accept.
        effect: EffectId,
        /// How it ended.
        outcome: AcceptOutcome,
        /// How many files.
        files: u32,
    },
    /// An accept was taken back.
    #[serde(rename = "accept.undone")]
    AcceptUndone {
        /// The accept that did the taking back.
        effect: EffectId,
        /// The `accept.finished` that was taken back.
        undoes: Seq,
        /// How many files.
        files: u32,
    },

    /// The words of earlier events were taken out of the journal at somebody's wish. Why, and what becomes of the paths
    /// whose bytes went with them, is in the body.
    #[serde(rename = "event.forgotten")]
    EventForgotten {
        /// The events.
        seqs: Vec<Seq>,
    },

    /// Of the daemon's own journal: a daemon began on this state directory.
    #[serde(rename = "daemon.began")]
    DaemonBegan {
        /// Its generation.
        generation: Generation,
    },
    /// Of the daemon's own journal: a daemon ended in good order.
    #[serde(rename = "daemon.ended")]
    DaemonEnded {
        /// Its generation.
        generation: Generation,
    },
    /// Of the daemon's own journal: another configuration is in force. Which keys changed is in the body.
    #[serde(rename = "config.reloaded")]
    ConfigReloaded {
        /// How many keys say something else now.
        changed: u32,
    },
    /// Of the daemon's own journal: a configuration was refused, and the one before stays. What is wrong is in the body.
    #[serde(rename = "config.rejected")]
    ConfigRejected {
        /// How many faults were found.
        faults: u32,
    },
    /// Of the daemon's own journal: a model is reached as before, since what had taken its place proved bad.
    #[serde(rename = "config.reverted")]
    ConfigReverted {},
    /// Of the daemon's own journal: the key that signs the chain of heads from here on.
    #[serde(rename = "audit.key")]
    AuditKey {
        /// The public key.
        key: PublicKey,
    },

    /// Of the daemon's own journal: a schedule was made. Its name, prompt and workspace are in the body.
    #[serde(rename = "schedule.created")]
    ScheduleCreated {
        /// The schedule.
        schedule: ScheduleId,
        /// When it is due, where it speaks, what it may cost.
        rule: ScheduleRule,
    },
    /// Of the daemon's own journal: a schedule rests until it is resumed.
    #[serde(rename = "schedule.paused")]
    SchedulePaused {
        /// The schedule.
        schedule: ScheduleId,
        /// Why.
        cause: PauseCause,
    },
    /// Of the daemon's own journal: a schedule goes on; what was due while it rested is nobody's loss.
    #[serde(rename = "schedule.resumed")]
    ScheduleResumed {
        /// The schedule.
        schedule: ScheduleId,
    },
    /// Of the daemon's own journal: a schedule opens its sessions elsewhere, because the state came from another machine.
    /// The body has its words again, with the workspace of now; those of before are forgotten.
    #[serde(rename = "schedule.moved")]
    ScheduleMoved {
        /// The schedule.
        schedule: ScheduleId,
    },
    /// Of the daemon's own journal: a schedule is no more.
    #[serde(rename = "schedule.removed")]
    ScheduleRemoved {
        /// The schedule.
        schedule: ScheduleId,
    },
    /// Of the daemon's own journal: an occurrence is being seen to. It ends as fired or as skipped, whoever dies.
    #[serde(rename = "schedule.claimed")]
    ScheduleClaimed {
        /// The schedule.
        schedule: ScheduleId,
        /// When it was due.
        due: UnixSeconds,
        /// How it came about.
        occasion: Occasion,
        /// The most that its turn may spend.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most_microusd: Option<Money>,
    },
    /// Of the daemon's own journal: a claimed occurrence is a prompt in a session now.
    #[serde(rename = "schedule.fired")]
    ScheduleFired {
        /// The schedule.
        schedule: ScheduleId,
        /// When it was due.
        due: UnixSeconds,
        /// The session that was spoken to; `session` is whose journal it is, which is nobody's.
        in_session: SessionId,
        /// The turn that answers.
        turn: TurnId,
        /// The prompt's place in the session.
        at_seq: Seq,
    },
    /// Of the daemon's own journal: an occurrence was left out, claimed or not. Words, if any, are in the body.
    #[serde(rename = "schedule.skipped")]
    ScheduleSkipped {
        /// The schedule.
        schedule: ScheduleId,
        /// When it was due.
        due: UnixSeconds,
        /// How it came about.
        occasion: Occasion,
        /// Why it was left out.
        reason: SkipReason,
    },
    /// Of the daemon's own journal: nobody was there when these were due, and they are let go.
    #[serde(rename = "schedule.missed")]
    ScheduleMissed {
        /// The schedule.
        schedule: ScheduleId,
        /// The last of them.
        until: UnixSeconds,
        /// How many; as far as they were counted.
        count: u32,
    },
    /// Of the daemon's own journal: the turn of a fired occurrence is over.
    #[serde(rename = "schedule.ended")]
    ScheduleEnded {
        /// The schedule.
        schedule: ScheduleId,
        /// When it was due.
        due: UnixSeconds,
        /// How the turn ended; none where the session is gone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outcome: Option<TurnOutcome>,
        /// What it cost; where that cannot be known, the most that it may have.
        #[serde(default, skip_serializing_if = "Money::is_zero")]
        cost_microusd: Money,
    },
    /// Of the daemon's own journal: a snapshot was made and is on disk. Its hash and its file are in the body.
    #[serde(rename = "snapshot.made")]
    SnapshotMade {
        /// The snapshot.
        snapshot: SnapshotId,
        /// Size of its file.
        bytes: u64,
    },
    /// Of the daemon's own journal: a snapshot was removed. Why is in the body.
    #[serde(rename = "snapshot.removed")]
    SnapshotRemoved {
        /// The snapshot.
        snapshot: SnapshotId,
    },
}

/// What was decided about one tool call of a reply, and what the tool may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFact {
    /// What the tool may do.
    pub access: Access,
    /// Whether it may run.
    pub verdict: Verdict,
}

macro_rules! words {
    ($(#[$m:meta])* $name:ident { $($(#[$v:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$m])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$v])* $variant),* }
        impl $name {
            /// The word that stands for it on disk and on every door.
            pub fn word(self) -> &'static str { match self { $(Self::$variant => $word),* } }
        }
    };
}

words!(
    /// What a tool may do, a property of the tool; decides how it is ordered and what a kill in mid run means.
    Access {
        /// Changes nothing. Reads run together and may be run again.
        Read = "read",
        /// Returns a changeset for the canvas and changes nothing else; may be run again.
        Write = "write",
        /// Touches the world outside the canvas. Never run twice without somebody saying so.
        World = "world",
    }
);
words!(
    /// What permissions said of a call.
    Verdict {
        /// It runs.
        Allow = "allow",
        /// Somebody is asked first.
        Ask = "ask",
        /// It does not run; the model is told.
        Deny = "deny",
        /// The call itself is wrong (unknown tool, arguments that do not validate); the model is told.
        Invalid = "invalid",
    }
);
words!(
    /// How a turn ended.
    TurnOutcome {
        /// The model had nothing more to do.
        Done = "done",
        /// Somebody cancelled it.
        Cancelled = "cancelled",
        /// It could not go on.
        Failed = "failed",
        /// A limit was reached.
        Limit = "limit",
        /// Somebody gave it up after it had been lost.
        Abandoned = "abandoned",
    }
);
words!(
    /// Why a model stopped.
    Stop {
        /// It was done.
        End = "end",
        /// It wants tools to run.
        ToolCalls = "tool_calls",
        /// It reached its limit of output tokens.
        Length = "length",
        /// The provider's filter stopped it.
        Filtered = "filtered",
    }
);
words!(
    /// Why a model call failed.
    Failure {
        /// The server could not be reached.
        Unreachable = "unreachable",
        /// The key is missing or was refused.
        Unauthorized = "unauthorized",
        /// The provider does not know the model, or the configuration does not.
        UnknownModel = "unknown_model",
        /// Too many requests.
        RateLimited = "rate_limited",
        /// The provider is in trouble (5xx).
        Overloaded = "overloaded",
        /// The stream broke off, stalled or did not parse.
        Broken = "broken",
        /// Nothing came in time.
        TimedOut = "timed_out",
        /// The context does not fit the model.
        ContextTooLong = "context_too_long",
        /// The provider refused the request.
        Rejected = "rejected",
    }
);
words!(
    /// Why we stopped a model call.
    Interruption {
        /// The turn was cancelled.
        Cancelled = "cancelled",
        /// The owner let go of it, for a shutdown or because the disk failed; the turn goes on with another attempt.
        Released = "released",
    }
);
words!(
    /// How a tool run ended.
    ToolOutcome {
        /// It did what was asked.
        Done = "done",
        /// It could not, and says why.
        Failed = "failed",
        /// It stopped when it was asked to, and says how far it came.
        Cancelled = "cancelled",
        /// It stopped because the owner let go of it, for a shutdown or because the disk failed, and may be run again.
        Interrupted = "interrupted",
        /// It did not end in time: nobody knows what it did.
        Unknown = "unknown",
    }
);
words!(
    /// What a person is asked.
    Question {
        /// May this tool call run?
        Permission = "permission",
        /// This call had begun when the daemon died. Nobody knows what it did: try again, or skip it?
        UnknownOutcome = "unknown_outcome",
        /// The daemon died in this turn again and again. Go on with it?
        KeepsDying = "keeps_dying",
    }
);
words!(
    /// What a person answers.
    Answer {
        /// Let the call run.
        Allow = "allow",
        /// Do not let it run.
        Deny = "deny",
        /// Try the lost call again, or go on with the turn.
        Retry = "retry",
        /// Leave the lost call out; the model is told.
        Skip = "skip",
        /// Give the turn up.
        Abandon = "abandon",
    }
);
words!(
    /// Which budget was exhausted.
    Scope {
        /// That of the turn.
        Turn = "turn",
        /// That of the session.
        Session = "session",
        /// That of the day (UTC).
        Day = "day",
    }
);
words!(
    /// How an accept ended.
    AcceptOutcome {
        /// All files are as planned.
        Done = "done",
        /// A file was not what the plan said; all files are as they were.
        Conflict = "conflict",
        /// An error stopped it; all files are as they were.
        Failed = "failed",
    }
);

words!(
    /// What becomes of occurrences that nobody was there for: the daemon was down, or the machine asleep.
    MissedRule {
        /// They are let go.
        Skip = "skip",
        /// The last of them is made up for, and stands for all.
        One = "one",
        /// Each is made up for, the youngest of them within a limit.
        All = "all",
    }
);
words!(
    /// How an occurrence came about.
    Occasion {
        /// It was due, and somebody was there.
        Due = "due",
        /// It was missed and is made up for.
        CaughtUp = "caught_up",
        /// Somebody asked for it.
        Asked = "asked",
    }
);
words!(
    /// Why an occurrence was left out.
    SkipReason {
        /// The session had work, or the run before was not over.
        Busy = "busy",
        /// The money is gone.
        Budget = "budget",
        /// No person was in the session for as long as the schedule allows.
        Inactive = "inactive",
        /// The session is no more.
        SessionGone = "session_gone",
        /// The prompt was forgotten.
        Forgotten = "forgotten",
        /// It could not be said; the body has why.
        Refused = "refused",
        /// It was claimed so long ago that nobody knows any more whether it was said.
        Unknown = "unknown",
    }
);
words!(
    /// Why a schedule rests.
    PauseCause {
        /// Somebody asked for it.
        Asked = "asked",
        /// Its session is no more.
        SessionGone = "session_gone",
        /// Its prompt was forgotten.
        Forgotten = "forgotten",
    }
);

impl Event {
    /// The word that stands for the kind on disk and on every door.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::SessionCreated { .. } => "session.created",
            Event::SessionUpdated { .. } => "session.updated",
            Event::SessionForked { .. } => "session.forked",
            Event::SessionImported { .. } => "session.imported",
            Event::OwnerBegan { .. } => "owner.began",
            Event::PromptAccepted { .. } => "prompt.accepted",
            Event::PromptQueued { .. } => "prompt.queued",
            Event::PromptSteered { .. } => "prompt.steered",
            Event::TurnStarted { .. } => "turn.started",
            Event::TurnResumed { .. } => "turn.resumed",
            Event::TurnEnding { .. } => "turn.ending",
            Event::TurnFinished { .. } => "turn.finished",
            Event::ModelStarted { .. } => "model.started",
            Event::ModelFinished { .. } => "model.finished",
            Event::ModelFailed { .. } => "model.failed",
            Event::ModelInterrupted { .. } => "model.interrupted",
            Event::ToolStarted { .. } => "tool.started",
            Event::ToolFinished { .. } => "tool.finished",
            Event::ApprovalRequested { .. } => "approval.requested",
            Event::ApprovalResolved { .. } => "approval.resolved",
            Event::PermissionTightened { .. } => "permission.tightened",
            Event::TimerFired { .. } => "timer.fired",
            Event::BudgetExhausted { .. } => "budget.exhausted",
            Event::CanvasRebased { .. } => "canvas.rebased",
            Event::CanvasConflicted { .. } => "canvas.conflicted",
            Event::CanvasRewound { .. } => "canvas.rewound",
            Event::CanvasRejected { .. } => "canvas.rejected",
            Event::AcceptStarted { .. } => "accept.started",
            Event::AcceptFinished { .. } => "accept.finished",
            Event::AcceptUndone { .. } => "accept.undone",
            Event::EventForgotten { .. } => "event.forgotten",
            Event::DaemonBegan { .. } => "daemon.began",
            Event::DaemonEnded { .. } => "daemon.ended",
            Event::ConfigReloaded { .. } => "config.reloaded",
            Event::ConfigRejected { .. } => "config.rejected",
            Event::ConfigReverted {} => "config.reverted",
            Event::AuditKey { .. } => "audit.key",
            Event::ScheduleCreated { .. } => "schedule.created",
            Event::SchedulePaused { .. } => "schedule.paused",
            Event::ScheduleResumed { .. } => "schedule.resumed",
            Event::ScheduleMoved { .. } => "schedule.moved",
            Event::ScheduleRemoved { .. } => "schedule.removed",
            Event::ScheduleClaimed { .. } => "schedule.claimed",
            Event::ScheduleFired { .. } => "schedule.fired",
            Event::ScheduleSkipped { .. } => "schedule.skipped",
            Event::ScheduleMissed { .. } => "schedule.missed",
            Event::ScheduleEnded { .. } => "schedule.ended",
            Event::SnapshotMade { .. } => "snapshot.made",
            Event::SnapshotRemoved { .. } => "snapshot.removed",
        }
    }

    /// The turn that the event belongs to.
    pub fn turn(&self) -> Option<TurnId> {
        use Event::*;
        match self {
            PromptAccepted { turn, .. } | PromptQueued { turn, .. } | PromptSteered { turn, .. } => Some(*turn),
            TurnStarted { turn } | TurnResumed { turn } | TurnEnding { turn, .. } => Some(*turn),
            TurnFinished { turn, .. } | ModelStarted { turn, .. } | ModelFinished { turn, .. } => Some(*turn),
            ModelFailed { turn, .. } | ModelInterrupted { turn, .. } | ToolStarted { turn, .. } => Some(*turn),
            ToolFinished { turn, .. } | ApprovalRequested { turn, .. } | ApprovalResolved { turn, .. } => Some(*turn),
            TimerFired { turn, .. } | BudgetExhausted { turn, .. } | PermissionTightened { turn, .. } => Some(*turn),
            SessionCreated {} | SessionUpdated {} | SessionForked { .. } => None,
            SessionImported {} | OwnerBegan { .. } => None,
            CanvasRebased { .. } | CanvasConflicted { .. } | CanvasRewound { .. } | CanvasRejected { .. } => None,
            AcceptStarted { .. } | AcceptFinished { .. } | AcceptUndone { .. } => None,
            EventForgotten { .. } | DaemonBegan { .. } | DaemonEnded { .. } | AuditKey { .. } => None,
            ConfigReloaded { .. } | ConfigRejected { .. } | ConfigReverted {} => None,
            // The turn that a schedule started is one of another journal.
            ScheduleCreated { .. } | SchedulePaused { .. } | ScheduleResumed { .. } | ScheduleRemoved { .. } => None,
            ScheduleMoved { .. } | ScheduleClaimed { .. } | ScheduleFired { .. } | ScheduleSkipped { .. } => None,
            ScheduleMissed { .. } | ScheduleEnded { .. } => None,
            SnapshotMade { .. } | SnapshotRemoved { .. } => None,
        }
    }

    /// The effect that this event starts.
    pub fn starts(&self) -> Option<EffectId> {
        match self {
            Event::ModelStarted { effect, .. } | Event::ToolStarted { effect, .. } => Some(*effect),
            Event::AcceptStarted { effect, .. } => Some(*effect),
            _ => None,
        }
    }

    /// The effect that this event ends.
    pub fn ends(&self) -> Option<EffectId> {
        match self {
            Event::ModelFinished { effect, .. } | Event::ModelFailed { effect, .. } => Some(*effect),
            Event::ModelInterrupted { effect, .. } | Event::ToolFinished { effect, .. } => Some(*effect),
            Event::AcceptFinished { effect, .. } | Event::AcceptUndone { effect, .. } => Some(*effect),
            _ => None,
        }
    }

    /// What the event says was spent.
    pub fn cost(&self) -> Money {
        match self {
            Event::ModelFinished { cost_microusd, .. } | Event::ModelFailed { cost_microusd, .. } => *cost_microusd,
            Event::ModelInterrupted { cost_microusd, .. } | Event::OwnerBegan { cost_microusd, .. } => *cost_microusd,
            _ => Money(0),
        }
    }
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_the_word_that_is_written() {
        let turn = TurnId(1);
        for event in [Event::SessionCreated {}, Event::TurnStarted { turn }, Event::CanvasRebased { changed: 1 }] {
            let written = serde_json::to_value(&event).unwrap();
            assert_eq!(written["kind"], event.kind());
        }
    }
}
