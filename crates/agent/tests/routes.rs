//! Routes, pauses, limits and forks, as data only: events in, wants out.

use agent::{
    Access, CallFact, Effect, Event, Failure, Limit, ModelName, ModelSpec, Money, Seq, SessionId, Settings, State,
    Stop, Timer, Tokens, TurnId, TurnOutcome, Usage, Verdict, advance,
};

const TURN: TurnId = TurnId(1);

fn settings(route: &[&str]) -> Settings {
    let spec = ModelSpec {
        context_tokens: Tokens(1_000),
        max_output_tokens: Tokens(100),
        input_microusd_per_mtok: Money(0),
        output_microusd_per_mtok: Money(0),
        priced: true,
    };
    let names: Vec<ModelName> = route.iter().map(|name| ModelName::new(name)).collect();
    let mut settings = Settings { default_model: Some(ModelName::new("any")), ..Settings::default() };
    settings.models = names.iter().map(|name| (name.clone(), spec)).collect();
    settings.routes.insert(ModelName::new("any"), names);
    settings.limits.backoff_ms = 100;
    settings
}

/// A session whose brain is asked again after each thing that happens.
struct Session {
    state: State,
    settings: Settings,
    timers: Vec<Timer>,
    decided: Vec<Event>,
}

impl Session {
    fn begin(route: &[&str]) -> (Session, Option<String>) {
        let timers = Vec::new();
        let mut session = Session { state: State::default(), settings: settings(route), timers, decided: Vec::new() };
        let called =
            session.happens(Event::PromptAccepted { turn: TURN, tokens: Tokens(1), model: None, scheduled: None });
        (session, called)
    }

    /// Lets something happen, with all that follows; the model that is called then, if one is.
    fn happens(&mut self, event: Event) -> Option<String> {
        let batch = advance(&self.state, &self.settings, vec![event]);
        self.state = batch.after;
        self.timers = batch.timers;
        self.decided.extend(batch.facts);
        let mut called = None;
        for effect in batch.starts {
            let seq = self.state.head.next();
            let started = match effect {
                Effect::Model { id, turn, model } => {
                    called = Some(model.to_string());
                    Event::ModelStarted { turn, effect: id, model, reserve_microusd: Money(0) }
                }
                Effect::Tool { id, turn, access, .. } => Event::ToolStarted { turn, effect: id, access },
                Effect::VerifyAccept { .. } => unreachable!("nothing is accepted here"),
            };
            self.state.apply(seq, &started);
        }
        called
    }

    fn fails(&mut self, failure: Failure, retry_after_ms: Option<u64>, said: u64) -> Option<String> {
        let (effect, usage) = (*self.state.open.keys().next().expect("a call runs"), Usage::default());
        let (tokens, cost_microusd) = (Tokens(said), Money(0));
        self.happens(Event::ModelFailed { turn: TURN, effect, failure, retry_after_ms, tokens, usage, cost_microusd })
    }

    fn replies(&mut self, alike: u32) -> Option<String> {
        let effect = *self.state.open.keys().next().expect("a call runs");
        let calls = vec![CallFact { access: Access::Read, verdict: Verdict::Allow }];
        let (stop, usage, cost_microusd) = (Stop::ToolCalls, Usage::default(), Money(0));
        let tokens = Tokens(1);
        self.happens(Event::ModelFinished { turn: TURN, effect, stop, calls, alike, tokens, usage, cost_microusd })
    }

    fn pause_ms(&self) -> Option<u64> {
        self.timers.iter().find(|timer| timer.id.to_string().contains("backoff")).map(|timer| timer.delay_ms)
    }

    fn pause_ends(&mut self) -> Option<String> {
        let timer = *self.timers.iter().find(|timer| timer.id.to_string().contains("backoff")).expect("a pause");
        self.happens(Event::TimerFired { turn: TURN, effect: timer.id })
    }

    fn end(&self) -> Option<(TurnOutcome, Option<Limit>, Option<Failure>)> {
        self.decided.iter().find_map(|event| match event {
            Event::TurnFinished { outcome, limit, failure, .. } => Some((*outcome, *limit, *failure)),
            _ => None,
        })
    }
}

fn called(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[test]
fn before_the_first_word_the_next_of_the_route_is_called_at_once() {
    let (mut session, first) = Session::begin(&["a", "b", "c"]);
    assert_eq!(first, called("a"));
    assert_eq!(session.fails(Failure::Unauthorized, None, 0), called("b"));
    assert_eq!(session.fails(Failure::Overloaded, None, 0), called("c"));
    assert_eq!(session.fails(Failure::Unreachable, None, 0), None);
    assert!(session.pause_ms().is_some_and(|pause| (100..=125).contains(&pause)), "{:?}", session.timers);
    // The one whose key was refused is not asked again in this step.
    assert_eq!(session.pause_ends(), called("b"));
}

#[test]
fn after_the_first_word_no_other_takes_its_place_at_once() {
    let (mut session, _) = Session::begin(&["a", "b"]);
    assert_eq!(session.fails(Failure::Broken, None, 7), None);
    assert_eq!(session.pause_ends(), called("a"));
}

#[test]
fn a_provider_that_asks_for_a_pause_gets_it_and_one_that_asks_for_too_long_ends_the_turn() {
    let (mut session, _) = Session::begin(&["a"]);
    assert_eq!(session.fails(Failure::RateLimited, Some(30_000), 0), None);
    assert_eq!(session.pause_ms(), Some(30_000));
    assert_eq!(session.pause_ends(), called("a"));
    session.fails(Failure::RateLimited, Some(3_600_000), 0);
    assert_eq!(session.end(), Some((TurnOutcome::Failed, None, Some(Failure::RateLimited))));
}

#[test]
fn the_shortest_pause_of_a_route_counts_and_who_asked_for_a_longer_one_waits_for_the_next() {
    let (mut session, _) = Session::begin(&["a", "b"]);
    session.fails(Failure::RateLimited, Some(40_000), 0);
    assert_eq!(session.fails(Failure::RateLimited, Some(2_000), 0), None);
    assert_eq!(session.pause_ms(), Some(2_000));
    assert_eq!(session.pause_ends(), called("b"));
}

#[test]
fn rounds_are_counted_and_end() {
    let (mut session, _) = Session::begin(&["a", "b"]);
    let mut calls = 1;
    while session.end().is_none() {
        let next = session.fails(Failure::Overloaded, None, 0);
        calls += u32::from(next.is_some());
        if next.is_none() && session.end().is_none() {
            calls += u32::from(session.pause_ends().is_some());
        }
    }
    assert_eq!(calls, 2 * session.settings.limits.attempts);
    assert_eq!(session.end(), Some((TurnOutcome::Failed, None, Some(Failure::Overloaded))));
}

#[test]
fn calls_alike_in_a_row_end_the_turn_before_the_last_of_them_runs() {
    let (mut session, _) = Session::begin(&["a"]);
    let most = session.settings.limits.alike_calls;
    session.replies(most);
    assert_eq!(session.end(), Some((TurnOutcome::Limit, Some(Limit::AlikeCalls), None)));
    assert!(session.state.open.is_empty());
    let (mut other, _) = Session::begin(&["a"]);
    other.replies(most - 1);
    assert_eq!((other.end(), other.state.open.len()), (None, 1));
}

#[test]
fn a_fork_has_what_was_said_and_nothing_of_what_was_under_way() {
    let (mut session, _) = Session::begin(&["a"]);
    session.replies(1);
    let parent = SessionId::from_parts(1, 1);
    let before = session.state.window.clone();
    session.state.apply(Seq(99), &Event::SessionForked { parent, at_seq: Seq(98) });
    assert!(!session.state.has_work() && session.state.open.is_empty());
    assert_eq!((session.state.window.clone(), session.state.cost), (before, Money(0)));
    let next =
        Event::PromptAccepted { turn: session.state.last_turn.next(), tokens: Tokens(1), model: None, scheduled: None };
    assert_eq!(session.happens(next), called("a"));
}
