//! A header for each kind of event, and again for each field that may be absent and each word.

use super::shapes::{MORNING, accept, effect, schedule, session};
use agent::{
    AcceptOutcome, Access, Answer, CallFact, EffectKind, Epoch, Event, Failure, Generation, Interruption, Limit,
    Micros, MissedRule, ModelName, Money, Occasion, PauseCause, PublicKey, Question, ScheduleRule, Scheduled, Scope,
    Seq, SessionId, SkipReason, Stop, Tokens, ToolOutcome, TurnId, TurnOutcome, UnixSeconds, Usage, Verdict,
};
use wire::{Delta, DeltaKind, Header};

const TURN: TurnId = TurnId(3);

/// Headers of all kinds, in the order in which the vocabulary has them, one millisecond and a bit apart.
pub(crate) fn records() -> Vec<Header> {
    let events = [about_sessions(), about_prompts(), about_turns(), about_models(), about_tools()];
    let more = [about_questions(), about_the_canvas(), about_accepts(), about_daemons()];
    let more = more.into_iter().chain([about_schedules(), about_snapshots()]);
    let numbered = (1_u64..).zip(events.into_iter().chain(more).flatten());
    numbered
        .map(|(seq, event)| {
            let of_daemon = ["daemon.", "config.", "audit.", "schedule.", "snapshot."]
                .iter()
                .any(|noun| event.kind().starts_with(noun));
            let at = Micros(MORNING.0 + 1_001 * seq as i64);
            Header { seq: Seq(seq), at, session: (!of_daemon).then(session), event }
        })
        .collect()
}

/// One piece of each kind of text that streams.
pub(crate) fn deltas() -> Vec<Delta> {
    let delta = |kind, of, offset, text: &str| Delta {
        kind,
        session: session(),
        turn: TURN,
        effect: effect(of),
        offset,
        text: text.to_owned(),
    };
    vec![
        delta(DeltaKind::Message, EffectKind::Model, 0, "Fünf \"Zeilen\"\n"),
        delta(DeltaKind::Reasoning, EffectKind::Model, 17, "hm"),
        delta(DeltaKind::ToolOutput, EffectKind::Tool, 4_096, "running 5 tests\n"),
    ]
}

fn model(name: &str) -> ModelName {
    ModelName::new(name)
}

fn usage() -> Usage {
    Usage { input_tokens: Tokens(1_200), output_tokens: Tokens(80), cached_tokens: Tokens(1_000), estimated: false }
}

fn estimate() -> Usage {
    Usage { input_tokens: Tokens(1_200), output_tokens: Tokens(3), estimated: true, ..Usage::default() }
}

fn about_sessions() -> Vec<Event> {
    let began = |epoch, generation, cost| Event::OwnerBegan {
        epoch: Epoch(epoch),
        generation: Generation(generation),
        cost_microusd: Money(cost),
    };
    let forked = Event::SessionForked { parent: SessionId::from_parts(1_763_888_400_000, 7), at_seq: Seq(41) };
    let began = [Event::SessionImported {}, began(1, 7, 0), began(2, 8, 4_200)];
    [Event::SessionCreated {}, Event::SessionUpdated {}, forked].into_iter().chain(began).collect()
}

fn about_prompts() -> Vec<Event> {
    let (turn, tokens, named) = (TURN, Tokens(12), Some(model("anthropic::claude-sonnet-4-5")));
    vec![
        Event::PromptAccepted { turn, tokens, model: None, scheduled: None },
        Event::PromptAccepted { turn, tokens, model: named.clone(), scheduled: None },
        Event::PromptAccepted { turn, tokens, model: None, scheduled: Some(scheduled(None)) },
        Event::PromptAccepted { turn, tokens, model: None, scheduled: Some(scheduled(Some(Money(50_000)))) },
        Event::PromptQueued { turn: turn.next(), tokens, model: None },
        Event::PromptQueued { turn: turn.next(), tokens, model: named },
        Event::PromptSteered { turn, tokens },
    ]
}

fn about_turns() -> Vec<Event> {
    let turn = TURN;
    let limits = [Limit::Steps, Limit::Time, Limit::OutputTokens, Limit::AlikeCalls, Limit::Context, Limit::Budget];
    let ending = |outcome, limit| Event::TurnEnding { turn, outcome, limit };
    let finished = |outcome, limit, failure| {
        let (usage, cost_microusd) = (usage(), Money(4_800));
        Event::TurnFinished { turn, outcome, limit, failure, steps: 2, changed: 1, usage, cost_microusd }
    };
    let mut events = vec![Event::TurnStarted { turn }, Event::TurnResumed { turn }];
    events.extend([TurnOutcome::Cancelled, TurnOutcome::Abandoned].map(|outcome| ending(outcome, None)));
    events.extend(limits.map(|limit| ending(TurnOutcome::Limit, Some(limit))));
    let plain = [TurnOutcome::Done, TurnOutcome::Cancelled, TurnOutcome::Abandoned];
    events.extend(plain.map(|outcome| finished(outcome, None, None)));
    events.extend(limits.map(|limit| finished(TurnOutcome::Limit, Some(limit), None)));
    events.push(finished(TurnOutcome::Failed, None, Some(Failure::Unreachable)));
    events
}

fn about_models() -> Vec<Event> {
    let (turn, call) = (TURN, effect(EffectKind::Model));
    let started = |effect, name: &str, reserve| {
        let (model, reserve_microusd) = (model(name), Money(reserve));
        Event::ModelStarted { turn, effect, model, reserve_microusd }
    };
    let mut events = vec![started(call, "offline", 0), started(call.again(), "anthropic::claude-sonnet-4-5", 9_000)];
    events.extend(replies(call));
    let failures = [
        Failure::Unreachable,
        Failure::Unauthorized,
        Failure::UnknownModel,
        Failure::Overloaded,
        Failure::Broken,
        Failure::TimedOut,
        Failure::ContextTooLong,
        Failure::Rejected,
    ];
    let failed = |failure, retry_after_ms, tokens, usage, cost| Event::ModelFailed {
        turn,
        effect: call,
        failure,
        retry_after_ms,
        tokens: Tokens(tokens),
        usage,
        cost_microusd: Money(cost),
    };
    events.extend(failures.map(|failure| failed(failure, None, 0, Usage::default(), 0)));
    events.push(failed(Failure::RateLimited, Some(20_000), 3, estimate(), 3_645));
    let interrupted = |interruption, tokens| {
        let (tokens, usage, cost_microusd) = (Tokens(tokens), estimate(), Money(3_645));
        Event::ModelInterrupted { turn, effect: call, interruption, tokens, usage, cost_microusd }
    };
    events.extend([interrupted(Interruption::Cancelled, 3), interrupted(Interruption::Released, 0)]);
    events
}

fn replies(effect: agent::EffectId) -> Vec<Event> {
    let decided = |access, verdict| CallFact { access, verdict };
    let calls = vec![
        decided(Access::Read, Verdict::Allow),
        decided(Access::Write, Verdict::Deny),
        decided(Access::World, Verdict::Ask),
        decided(Access::Read, Verdict::Invalid),
    ];
    let finished = |stop, calls, alike| {
        let (tokens, usage, cost_microusd) = (Tokens(80), usage(), Money(4_800));
        Event::ModelFinished { turn: TURN, effect, stop, calls, alike, tokens, usage, cost_microusd }
    };
    let mut events = vec![finished(Stop::ToolCalls, calls, 1)];
    events.extend([Stop::End, Stop::Length, Stop::Filtered].map(|stop| finished(stop, Vec::new(), 0)));
    events
}

fn about_tools() -> Vec<Event> {
    let (turn, effect) = (TURN, effect(EffectKind::Tool));
    let finished = |outcome, changed| Event::ToolFinished { turn, effect, outcome, tokens: Tokens(9), changed };
    let accesses = [Access::Read, Access::Write, Access::World];
    let mut events = Vec::from(accesses.map(|access| Event::ToolStarted { turn, effect, access }));
    events.push(finished(ToolOutcome::Done, 2));
    let others = [ToolOutcome::Failed, ToolOutcome::Cancelled, ToolOutcome::Interrupted, ToolOutcome::Unknown];
    events.extend(others.map(|outcome| finished(outcome, 0)));
    events
}

fn about_questions() -> Vec<Event> {
    let (turn, ask) = (TURN, effect(EffectKind::Ask));
    let asked = |effect, question| Event::ApprovalRequested { turn, effect, question };
    let answers = [Answer::Allow, Answer::Deny, Answer::Retry, Answer::Skip, Answer::Abandon];
    let mut events = vec![
        asked(ask, Question::Permission),
        asked(ask.again(), Question::UnknownOutcome),
        asked(effect(EffectKind::Resume), Question::KeepsDying),
    ];
    events.extend(answers.map(|answer| Event::ApprovalResolved { turn, effect: ask, answer }));
    let tightened = [Verdict::Allow, Verdict::Ask, Verdict::Deny, Verdict::Invalid];
    let of_call = |verdict| Event::PermissionTightened { turn, effect: effect(EffectKind::Tool), verdict };
    events.extend(tightened.map(of_call));
    let timers = [EffectKind::Backoff, EffectKind::Deadline].map(effect);
    events.extend(timers.map(|effect| Event::TimerFired { turn, effect }));
    let scopes = [Scope::Turn, Scope::Session, Scope::Day];
    events.extend(scopes.map(|scope| Event::BudgetExhausted { turn, effect: effect(EffectKind::Model), scope }));
    events
}

fn about_the_canvas() -> Vec<Event> {
    vec![
        Event::CanvasRebased { changed: 2 },
        Event::CanvasConflicted { changed: 1 },
        Event::CanvasRewound { to: Seq(0), changed: 3 },
        Event::CanvasRewound { to: Seq(41), changed: 1 },
        Event::CanvasRejected { changed: 1 },
    ]
}

fn about_accepts() -> Vec<Event> {
    let effect = accept();
    let finished = |outcome, files| Event::AcceptFinished { effect, outcome, files };
    vec![
        Event::AcceptStarted { effect, files: 3, plan: None, undoes: None },
        Event::AcceptStarted { effect: effect.again(), files: 3, plan: Some(Seq(60)), undoes: None },
        Event::AcceptStarted { effect, files: 3, plan: None, undoes: Some(Seq(62)) },
        finished(AcceptOutcome::Done, 3),
        finished(AcceptOutcome::Conflict, 0),
        finished(AcceptOutcome::Failed, 0),
        Event::AcceptUndone { effect, undoes: Seq(62), files: 3 },
        Event::EventForgotten { seqs: vec![Seq(3), Seq(5)] },
    ]
}

fn about_daemons() -> Vec<Event> {
    let generation = Generation(7);
    vec![
        Event::DaemonBegan { generation },
        Event::DaemonEnded { generation },
        Event::ConfigReloaded { changed: 2 },
        Event::ConfigRejected { faults: 1 },
        Event::ConfigReverted {},
        Event::AuditKey { key: PublicKey([0xa7; 32]) },
    ]
}

fn scheduled(most_microusd: Option<Money>) -> Scheduled {
    Scheduled { schedule: schedule(), due: UnixSeconds(1_763_974_800), most_microusd }
}

fn rule() -> ScheduleRule {
    ScheduleRule {
        cron: None,
        zone: None,
        every_s: None,
        once: None,
        session: None,
        missed: MissedRule::Skip,
        run_microusd: None,
        day_microusd: None,
        active_s: None,
        model: None,
    }
}

fn about_schedules() -> Vec<Event> {
    let (schedule, due) = (schedule(), UnixSeconds(1_763_974_800));
    let created = |rule| Event::ScheduleCreated { schedule, rule };
    let full = ScheduleRule {
        cron: Some("0 9 * * 1-5".to_owned()),
        zone: Some("Europe/Berlin".to_owned()),
        session: Some(session()),
        missed: MissedRule::All,
        run_microusd: Some(Money(50_000)),
        day_microusd: Some(Money(500_000)),
        active_s: Some(86_400),
        model: Some(model("offline")),
        ..rule()
    };
    let mut events = vec![
        created(full),
        created(ScheduleRule { every_s: Some(1_800), missed: MissedRule::One, ..rule() }),
        created(ScheduleRule { once: Some(due), ..rule() }),
    ];
    let causes = [PauseCause::Asked, PauseCause::SessionGone, PauseCause::Forgotten];
    events.extend(causes.map(|cause| Event::SchedulePaused { schedule, cause }));
    events.extend([
        Event::ScheduleResumed { schedule },
        Event::ScheduleMoved { schedule },
        Event::ScheduleRemoved { schedule },
    ]);
    let claimed = |occasion, most_microusd| Event::ScheduleClaimed { schedule, due, occasion, most_microusd };
    events.push(claimed(Occasion::Due, Some(Money(50_000))));
    events.extend([Occasion::CaughtUp, Occasion::Asked].map(|occasion| claimed(occasion, None)));
    events.push(Event::ScheduleFired { schedule, due, in_session: session(), turn: TURN, at_seq: Seq(41) });
    let reasons = [
        SkipReason::Busy,
        SkipReason::Budget,
        SkipReason::Inactive,
        SkipReason::SessionGone,
        SkipReason::Forgotten,
        SkipReason::Refused,
        SkipReason::Unknown,
    ];
    events.extend(reasons.map(|reason| Event::ScheduleSkipped { schedule, due, occasion: Occasion::Due, reason }));
    events.push(Event::ScheduleMissed { schedule, until: due, count: 3 });
    let ended = |outcome, cost| Event::ScheduleEnded { schedule, due, outcome, cost_microusd: Money(cost) };
    events.extend([ended(Some(TurnOutcome::Done), 4_800), ended(None, 0)]);
    events
}

fn about_snapshots() -> Vec<Event> {
    let snapshot = super::shapes::snapshot();
    vec![Event::SnapshotMade { snapshot, bytes: 65_536 }, Event::SnapshotRemoved { snapshot }]
}
