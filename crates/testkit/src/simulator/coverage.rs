//! What has been seen, so that the simulator cannot go blind: every event kind and every word that an event may say
//! must have occurred, else a run of many sessions has proved less than it claims.

use super::script::Mishap;
use agent::{
    AcceptOutcome, Access, Answer, Event, Failure, Interruption, Limit, Question, Scope, Stop, ToolOutcome,
    TurnOutcome, Verdict,
};
use std::collections::BTreeMap;
use std::fmt;

/// How often each thing occurred, by its group and its word.
#[derive(Debug, Default, Clone)]
pub struct Coverage(BTreeMap<(&'static str, &'static str), u64>);

/// Makes a list of all values of an enum that does not compile once a value is missing from it.
macro_rules! all {
    ($name:ident: $($variant:ident)*) => {{
        let _complete = |value: $name| match value { $($name::$variant => {})* };
        [$($name::$variant),*]
    }};
}

/// Makes the list of all kinds of events; does not compile once a kind is missing from it.
macro_rules! kinds {
    ($($variant:ident = $word:literal)*) => {
        const _COMPLETE: fn(&Event) = |event| match event { $(Event::$variant { .. } => {})* };
        const KINDS: &[&str] = &[$($word),*];
    };
}

kinds! {
    SessionCreated = "session.created"
    SessionUpdated = "session.updated"
    SessionForked = "session.forked"
    SessionImported = "session.imported"
    OwnerBegan = "owner.began"
    PromptAccepted = "prompt.accepted"
    PromptQueued = "prompt.queued"
    PromptSteered = "prompt.steered"
    TurnStarted = "turn.started"
    TurnResumed = "turn.resumed"
    TurnEnding = "turn.ending"
    TurnFinished = "turn.finished"
    ModelStarted = "model.started"
    ModelFinished = "model.finished"
    ModelFailed = "model.failed"
    ModelInterrupted = "model.interrupted"
    ToolStarted = "tool.started"
    ToolFinished = "tool.finished"
    ApprovalRequested = "approval.requested"
    ApprovalResolved = "approval.resolved"
    PermissionTightened = "permission.tightened"
    TimerFired = "timer.fired"
    BudgetExhausted = "budget.exhausted"
    CanvasRebased = "canvas.rebased"
    CanvasConflicted = "canvas.conflicted"
    CanvasRewound = "canvas.rewound"
    CanvasRejected = "canvas.rejected"
    AcceptStarted = "accept.started"
    AcceptFinished = "accept.finished"
    AcceptUndone = "accept.undone"
    EventForgotten = "event.forgotten"
    DaemonBegan = "daemon.began"
    DaemonEnded = "daemon.ended"
    ConfigReloaded = "config.reloaded"
    ConfigRejected = "config.rejected"
    ConfigReverted = "config.reverted"
    AuditKey = "audit.key"
    ScheduleCreated = "schedule.created"
    SchedulePaused = "schedule.paused"
    ScheduleResumed = "schedule.resumed"
    ScheduleMoved = "schedule.moved"
    ScheduleRemoved = "schedule.removed"
    ScheduleClaimed = "schedule.claimed"
    ScheduleFired = "schedule.fired"
    ScheduleSkipped = "schedule.skipped"
    ScheduleMissed = "schedule.missed"
    ScheduleEnded = "schedule.ended"
    SnapshotMade = "snapshot.made"
    SnapshotRemoved = "snapshot.removed"
}

impl Coverage {
    /// Counts an event and the words in it.
    pub(super) fn event(&mut self, event: &Event) {
        self.count("event", event.kind());
        match event {
            Event::TurnEnding { outcome, .. } => self.count("cancelling", outcome.word()),
            Event::TurnFinished { outcome, limit, failure, .. } => {
                self.count("outcome", outcome.word());
                limit.iter().for_each(|limit| self.count("limit", limit_word(*limit)));
                failure.iter().for_each(|failure| self.count("turn_failure", failure.word()));
            }
            Event::ModelFinished { stop, calls, .. } => {
                self.count("stop", stop.word());
                for call in calls {
                    self.count("access", call.access.word());
                    self.count("verdict", call.verdict.word());
                }
            }
            Event::ModelFailed { failure, .. } => self.count("failure", failure.word()),
            Event::ModelInterrupted { interruption, .. } => self.count("interruption", interruption.word()),
            Event::ToolFinished { outcome, .. } => self.count("tool", outcome.word()),
            Event::ApprovalRequested { question, .. } => self.count("question", question.word()),
            Event::ApprovalResolved { answer, .. } => self.count("answer", answer.word()),
            Event::BudgetExhausted { scope, .. } => self.count("scope", scope.word()),
            Event::AcceptFinished { outcome, .. } => self.count("accept", outcome.word()),
            Event::AcceptStarted { plan: Some(_), .. } => self.count("accept", VERIFIED),
            _ => {}
        }
    }

    pub(super) fn count(&mut self, group: &'static str, word: &'static str) {
        *self.0.entry((group, word)).or_default() += 1;
    }

    /// Takes the counts of other sessions in.
    pub fn merge(&mut self, other: &Coverage) {
        for (key, count) in &other.0 {
            *self.0.entry(*key).or_default() += count;
        }
    }

    /// How often a thing occurred.
    pub fn of(&self, group: &str, word: &str) -> u64 {
        self.0.get(&(group, word)).copied().unwrap_or(0)
    }

    /// How often the things of a group occurred.
    pub fn all_of(&self, group: &str) -> u64 {
        self.0.iter().filter(|((of, _), _)| *of == group).map(|(_, count)| count).sum()
    }

    /// Everything that should have occurred and did not.
    pub fn missing(&self) -> Vec<String> {
        expected()
            .into_iter()
            .filter(|(group, word)| self.of(group, word) == 0)
            .map(|(g, w)| format!("{g} {w}"))
            .collect()
    }
}

impl Coverage {
    /// The same of simulations of whole daemons.
    pub fn missing_of_daemon(&self) -> Vec<String> {
        let seen = |group: &str, word: &str| self.of(group, word) > 0;
        // Without the daemon's own journal, and an accept that is taken back, which is rarer than so few seeds show.
        let here = |kind: &str| !kind.starts_with("daemon.") && kind != "accept.undone";
        let events = expected().into_iter().filter(|(group, kind)| *group == "event" && here(kind));
        let events = events.chain([("event", "session.forked"), ("event", "permission.tightened")]);
        let reloads = ["taken", "refused", "in_mid_turn"].map(|word| ("reload", word));
        let mishaps = super::daemon::MISHAPS.iter().map(|word| ("mishap", *word));
        let done = super::daemon::REQUESTS.iter().map(|word| ("done", *word));
        let all = events.chain(mishaps).chain(done).chain(reloads);
        all.filter(|(group, word)| !seen(group, word)).map(|(group, word)| format!("{group} {word}")).collect()
    }
}

const VERIFIED: &str = "verified";

fn limit_word(limit: Limit) -> &'static str {
    match limit {
        Limit::Steps => "steps",
        Limit::Time => "time",
        Limit::OutputTokens => "output_tokens",
        Limit::AlikeCalls => "alike_calls",
        Limit::Context => "context",
        Limit::Budget => "budget",
    }
}

fn expected() -> Vec<(&'static str, &'static str)> {
    // Forks and imports are made by the store, out of the daemon's own words and limits, configurations come from files,
    // forgetting and keys are the daemon's: `agent/tests/routes.rs` and `testkit/tests` (`daily.rs`, `reloads.rs`, `forgetting.rs`,
    // `auditing.rs`, `schedules.rs`, `carrying.rs`, `snapshots.rs`) have what is left out here.
    const ELSEWHERE: [&str; 12] = [
        "session.forked",
        "session.imported",
        "event.forgotten",
        "audit.key",
        "context",
        "turn",
        "permission.tightened",
        "config.reloaded",
        "config.rejected",
        "config.reverted",
        "snapshot.made",
        "snapshot.removed",
    ];
    let elsewhere = |(_, word): &(&str, &str)| !ELSEWHERE.contains(word) && !word.starts_with("schedule.");
    let mut expected: Vec<_> = KINDS.iter().map(|word| ("event", *word)).collect();
    expected.extend(all!(Access: Read Write World).map(|word| ("access", word.word())));
    expected.extend(all!(Verdict: Allow Ask Deny Invalid).map(|word| ("verdict", word.word())));
    expected.extend(all!(TurnOutcome: Done Cancelled Failed Limit Abandoned).map(|word| ("outcome", word.word())));
    expected.extend(
        all!(Limit: Steps Time OutputTokens AlikeCalls Context Budget).map(|limit| ("limit", limit_word(limit))),
    );
    expected.extend(all!(Stop: End ToolCalls Length Filtered).map(|word| ("stop", word.word())));
    let failures = all!(Failure: Unreachable Unauthorized UnknownModel RateLimited Overloaded Broken TimedOut
        ContextTooLong Rejected);
    expected.extend(failures.map(|word| ("failure", word.word())));
    expected.extend(failures.map(|word| ("turn_failure", word.word())));
    expected.extend(all!(Interruption: Cancelled Released).map(|word| ("interruption", word.word())));
    expected.extend(all!(ToolOutcome: Done Failed Cancelled Interrupted Unknown).map(|word| ("tool", word.word())));
    expected.extend(all!(Question: Permission UnknownOutcome KeepsDying).map(|word| ("question", word.word())));
    expected.extend(all!(Answer: Allow Deny Retry Skip Abandon).map(|word| ("answer", word.word())));
    expected.extend(all!(Scope: Turn Session Day).map(|word| ("scope", word.word())));
    expected.extend(all!(AcceptOutcome: Done Conflict Failed).map(|word| ("accept", word.word())));
    expected.extend([("accept", VERIFIED), ("cancelling", "cancelled"), ("cancelling", "limit")]);
    expected.extend(Mishap::ALL.map(|(_, word)| ("mishap", word)));
    expected.retain(elsewhere);
    expected
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut group = "";
        for ((of, word), count) in &self.0 {
            if *of != group {
                write!(f, "{}{of}:", if group.is_empty() { "" } else { "\n" })?;
                group = of;
            }
            write!(f, " {word} {count}")?;
        }
        Ok(())
    }
}
