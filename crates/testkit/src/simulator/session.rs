//! One session from its first event to rest: time goes from one occurrence to the next, and what goes wrong comes
//! when the script says so.

use super::audit::Audit;
use super::coverage::Coverage;
use super::fault::Fault;
use super::invariant::{Checked, Invariant, hold};
use super::journal::Journal;
use super::random::Random;
use super::script::{self, Mishap, Script};
use super::user::{self, Command};
use super::world::World;
use agent::{EffectId, EffectKind, Event, Micros, Phase, Seq, SessionId, Settings, State, TurnId};
use std::collections::BTreeMap;

/// Longer than any limit of a turn.
const A_LONG_WHILE_MS: u64 = 100 * 24 * 60 * 60 * 1000;

/// More occurrences than this and the session is taken not to come to rest.
const MOST_OCCURRENCES: u32 = 4_000;

/// A session, its world and everything that watches it.
pub(super) struct Session {
    pub(super) random: Random,
    pub(super) fault: Option<Fault>,
    pub(super) script: Script,
    pub(super) settings: Settings,
    pub(super) clock_ms: u64,
    pub(super) journal: Journal,
    pub(super) world: World,
    pub(super) audit: Audit,
    pub(super) coverage: Coverage,
    /// The fold of the journal's headers, whoever owns the session.
    pub(super) shadow: State,
    pub(super) owner: Option<Owner>,
    pub(super) daemon: super::lives::Daemon,
    /// What clients were told of, as they were told.
    pub(super) acknowledged: Vec<(Seq, String)>,
    /// Outcomes that a store without room, or of unknown outcome, has not taken yet.
    pub(super) waiting: Vec<Event>,
    pub(super) appends: u32,
    /// Everything is well again, and the session must show that it is.
    pub(super) healing: bool,
    actions_left: u32,
    user_ms: u64,
    /// The last accept that can be taken back.
    undoable: Option<Seq>,
}

/// The one that may change the session: its state and its timers, gone with the process.
pub(super) struct Owner {
    pub(super) state: State,
    pub(super) timers: BTreeMap<EffectId, Armed>,
    /// An append did not happen: what is wanted is asked again when the store has room.
    pub(super) behind: bool,
    /// Its first append, which claims the epoch, is on disk.
    pub(super) began: bool,
    /// The daemon is shutting down: nothing new starts.
    pub(super) stopping: bool,
}

/// A timer that runs.
pub(super) struct Armed {
    pub(super) turn: TurnId,
    pub(super) due_ms: u64,
}

impl Session {
    pub(super) fn new(seed: u64, fault: Option<Fault>) -> Session {
        let mut random = Random::new(seed);
        let script = Script::draw(&mut random);
        let session = SessionId::from_parts(1_764_000_000_000, u128::from(seed));
        let mut audit = Audit::default();
        audit.limits(&script.settings.limits);
        Session {
            fault,
            settings: script.settings.clone(),
            clock_ms: 1_764_000_000_000,
            journal: Journal::new(session, script.session_budget, script.day_budget, fault),
            world: World::default(),
            audit,
            coverage: Coverage::default(),
            shadow: State::default(),
            owner: None,
            daemon: super::lives::Daemon::default(),
            acknowledged: Vec::new(),
            waiting: Vec::new(),
            appends: 0,
            healing: false,
            actions_left: script.actions,
            user_ms: 0,
            undoable: None,
            random,
            script,
        }
    }

    /// Lives the session to its end.
    pub(super) fn run(&mut self) -> Checked {
        for _ in 0..MOST_OCCURRENCES {
            if self.owner.is_none() {
                self.begin_owner()?;
            } else if !self.strike_between()? {
                let Some(next_ms) = self.next_ms() else {
                    if self.script.user_leaves && !self.audit.questions().is_empty() {
                        // Nothing ticks while a turn waits for a person: it is there when they come back.
                        self.script.user_leaves = false;
                        self.clock_ms += A_LONG_WHILE_MS;
                        continue;
                    }
                    let healed = self.healing;
                    self.rest()?;
                    if healed {
                        return Ok(());
                    }
                    continue;
                };
                self.clock_ms = self.clock_ms.max(next_ms);
                if self.random.chance(15) {
                    // The owner was busy for a while: several things have happened by now.
                    self.clock_ms += self.random.between(1, 60);
                }
                let happened = self.happened()?;
                self.circle(happened)?;
                self.probe_nonsense()?;
            }
        }
        hold(false, Invariant::ComesToRest, || format!("after {MOST_OCCURRENCES} occurrences"))
    }

    /// Once the user has nothing more to do, nothing hangs and no model fails: the session is to heal.
    pub(super) fn calm(&self) -> bool {
        self.actions_left == 0
    }

    /// The time as a header has it.
    pub(super) fn now(&self) -> Micros {
        Micros(self.clock_ms as i64 * 1_000)
    }

    /// The next time at which anything happens.
    fn next_ms(&self) -> Option<u64> {
        let answers = !self.script.user_leaves && !self.audit.questions().is_empty();
        let user_ms = (!self.calm() || answers).then_some(self.user_ms);
        let timers = self.owner.iter().flat_map(|owner| owner.timers.values());
        let behind = !self.waiting.is_empty() || self.owner.as_ref().is_some_and(|owner| owner.behind);
        let retry_ms = behind.then_some(self.clock_ms + 100);
        let timers_ms = timers.map(|timer| timer.due_ms).min();
        [self.world.next_ms(), timers_ms, user_ms, retry_ms].into_iter().flatten().min()
    }

    /// Everything that has happened by now and that the owner can take, in the order in which it takes it.
    fn happened(&mut self) -> Checked<Vec<Event>> {
        let mut ahead = self.owner.as_ref().map(|owner| owner.state.clone()).unwrap_or_default();
        let mut happened = Vec::new();
        let user_first = self.random.chance(50);
        for event in std::mem::take(&mut self.waiting) {
            take(&mut ahead, &mut happened, event);
        }
        if user_first {
            self.hear_user(&mut ahead, &mut happened);
        }
        for running in self.world.take_ended(self.clock_ms) {
            let calm = self.calm();
            let event = self.world.end(&mut self.random, &running, calm)?;
            if self.fault == Some(Fault::DropLateResults) && running.cancelled {
                continue;
            }
            if self.fault == Some(Fault::EndTwice) {
                happened.push(event.clone());
            }
            take(&mut ahead, &mut happened, event);
        }
        self.fire_timers(&mut ahead, &mut happened);
        if !user_first {
            self.hear_user(&mut ahead, &mut happened);
        }
        Ok(happened)
    }

    /// A timer fires only in the state that armed it.
    fn fire_timers(&mut self, ahead: &mut State, happened: &mut Vec<Event>) {
        let clock_ms = self.clock_ms;
        let Some(owner) = &mut self.owner else { return };
        let due: Vec<_> =
            owner.timers.iter().filter(|(_, t)| t.due_ms <= clock_ms).map(|(e, t)| (*e, t.turn)).collect();
        for (effect, turn) in due {
            owner.timers.remove(&effect);
            take(ahead, happened, Event::TimerFired { turn, effect });
        }
    }

    fn hear_user(&mut self, ahead: &mut State, happened: &mut Vec<Event>) {
        if self.user_ms > self.clock_ms || (self.calm() && self.audit.questions().is_empty()) {
            return;
        }
        self.user_ms = self.clock_ms + self.random.between(1, self.script.pause_ms);
        let calm = self.calm();
        if calm && self.script.user_leaves {
            return;
        }
        self.actions_left = self.actions_left.saturating_sub(1);
        let command = user::command(&mut self.random, self.audit.questions(), calm);
        if let Command::Reload = command {
            self.reload();
        }
        let stale = match &command {
            Command::Answer { effect, answer } if self.fault == Some(Fault::AnswerTwice) => {
                Some(Event::ApprovalResolved { turn: effect.turn, effect: *effect, answer: *answer })
            }
            _ => None,
        };
        if let Some(event) = user::admit(ahead, self.audit.questions(), self.undoable, command) {
            take(ahead, happened, event);
            happened.extend(stale);
        }
    }

    fn reload(&mut self) {
        self.settings = script::changed(&mut self.random, &self.settings, &self.script.settings);
        self.audit.limits(&self.settings.limits);
        if self.fault == Some(Fault::SettingsCancel) {
            let running: Vec<EffectId> = self.world.running.keys().copied().collect();
            running.into_iter().for_each(|effect| self.world.cancel(&mut self.random, self.clock_ms, effect));
        }
    }

    /// What goes wrong between two appends. Says whether anything did.
    fn strike_between(&mut self) -> Checked<bool> {
        let due =
            self.script.mishaps.front().copied().filter(|(at, mishap)| *at <= self.appends && !mishap.at_append());
        let Some((_, mishap)) = due else { return Ok(false) };
        let in_effects = matches!(mishap, Mishap::KillInEffects | Mishap::KillAfterEffect);
        if in_effects && self.world.running.is_empty() && self.next_ms().is_some() {
            return Ok(false);
        }
        self.script.mishaps.pop_front();
        self.coverage.count("mishap", mishap.word());
        match mishap {
            Mishap::Shutdown => self.shut_down()?,
            Mishap::KillAfterEffect => self.die_after_effect()?,
            _ => self.die()?,
        }
        Ok(true)
    }

    /// Remembers what the user may do next because of an event that is on disk.
    pub(super) fn show_user(&mut self, seq: Seq, event: &Event) {
        match event {
            Event::AcceptFinished { outcome: agent::AcceptOutcome::Done, .. } => self.undoable = Some(seq),
            Event::AcceptUndone { .. } => self.undoable = None,
            _ => {}
        }
    }
}

/// Takes what happened, if it still means anything after all that happened before it.
fn take(ahead: &mut State, happened: &mut Vec<Event>, event: Event) {
    let means = match &event {
        Event::TimerFired { turn, effect } => ahead.turn.as_ref().is_some_and(|running| {
            let waits = matches!(&running.phase, Phase::Model { failed, .. } if !failed.is_empty());
            running.id == *turn && running.ending.is_none() && (effect.kind == EffectKind::Deadline || waits)
        }),
        _ => event.ends().is_none_or(|effect| ahead.open.contains_key(&effect)),
    };
    if means {
        ahead.apply(ahead.head.next(), &event);
        happened.push(event);
    }
}
