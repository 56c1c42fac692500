//! What must always hold, each as a sentence.

use std::fmt;

macro_rules! invariants {
    ($($name:ident = $sentence:literal),* $(,)?) => {
        /// A promise of the brain or of its owner that the simulator watches.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Invariant { $(#[doc = $sentence] $name),* }

        impl Invariant {
            /// The promise in words.
            pub fn sentence(self) -> &'static str {
                match self { $(Invariant::$name => $sentence),* }
            }
        }
    };
}

invariants! {
    NumbersAreDense = "events are numbered from 1 without a gap",
    HeadersRoundTrip = "a header reads back as what was written, and is written again to the byte",
    AcknowledgedStays = "what was acknowledged is in the journal, unaltered, for ever",
    ReplayIsLive = "replaying the journal gives the owner's state",
    StateRoundTrips = "a state that was written as JSON and read back is the same state",
    ForgettingChangesNothing = "forgetting every body changes no state, whatever the bodies say",
    NonsenseChangesNothing = "an event that makes no sense in a state changes nothing of it but the head",
    EpochsRise = "each owner's epoch is the one before it plus one",
    StartedOnce = "no effect id is started twice",
    EndsOnce = "only what is open ends, and it ends once",
    StartsAreDurable = "an effect starts only after its start is on disk",
    WorldChangesOnce = "a call changes the world at most once, unless somebody said `retry` in between",
    RunsAreOpen = "what runs is open in the state, and what is open runs or has just been lost",
    PromptsGetTurns = "each prompt gets a turn of its own, in the order they came",
    TurnsInOrder = "a turn starts once and finishes once, and no two overlap",
    TurnClosesAll = "a turn finishes when all that it started has ended or was lost",
    TurnTotals = "a turn's end gives the sum of what its events say, and the outcome that was decided",
    EndingStartsNothing = "a turn that is ending starts nothing and asks nothing",
    SteersAreSeen = "a turn is not done before a model has answered every prompt that was steered into it",
    StopsWhenDone = "once a model has nothing more to do and nobody said anything more, it is not called again",
    OnlyCallsAsked = "a tool runs for a call that the last reply asked for, and each call is settled once",
    OnlyPermitted = "a call runs only if it was allowed, and a lost call that touches the world only on `retry`",
    WritersAlone = "reads run together, writers alone, and both in the order asked",
    AnsweredOnce = "only an open question is answered, once, by an answer that fits it",
    AcceptAlone = "one accept at a time, none beside a writing tool, and a lost one keeps its plan",
    LimitsHold = "no turn makes more steps, or more attempts at a step, than its limits ever allowed",
    PausesHold = "a failed model call is tried again only if that can help, and after its pause",
    ResumesAloud = "a new owner says that it resumes a turn, once, before anything else of that turn",
    DeadlyTurnsAsk = "a turn in which the daemon died again and again goes on only when somebody says so",
    NewestPromptStays = "a context always holds the newest prompt",
    MoneyOnce = "costs in headers, the state's cost and the ledger are equal, and so are reservations",
    BudgetsHold = "no money is set aside beyond a budget",
    ResultsFollowReplies = "a context never holds a result without the reply that asked for it",
    RunningIsKept = "only a turn's ending stops what runs; steers, answers and settings do not",
    NothingLeftToSay = "once an append is applied nothing more is wanted, and without work nothing at all",
    ComesToRest = "once faults stop and questions are answered, every turn ends and nothing is left open",
    Heals = "once all is well again, a new prompt is answered and its turn is done",
    KeysAnsweredOnce = "what was asked under a key happens once, however often it is asked",
    WatchersSeeAll = "a watcher who comes back by the cursor sees every update once, in order, as the journal has it",
    DayIsTheSum = "the account of a day is the sum of what the headers of its sessions say",
    OneConfiguration = "each model call is decided under one whole configuration that is in force",
    TighteningHolds = "no call starts that the configuration in force forbids, once it was acknowledged",
    ReloadsAreWhole = "another configuration counts wholly once it was acknowledged, and one that is refused changes nothing",
    RemovedStaysRemoved = "a session that was removed does not come back",
    ChainsVerify = "every chain of hashes verifies",
    NoFaults = "no answer speaks of a fault in tinkerbell",
    NoPanic = "nothing panics",
}

/// An invariant that did not hold.
#[derive(Debug)]
pub(super) struct Breach {
    pub(super) invariant: Invariant,
    pub(super) detail: String,
}

/// What a check says.
pub(super) type Checked<T = ()> = Result<T, Breach>;

/// Says that something must hold.
pub(super) fn hold(holds: bool, invariant: Invariant, detail: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Breach { invariant, detail: detail() }) }
}

/// A broken promise, with all that is needed to see it again.
#[derive(Debug)]
pub struct Violation {
    /// The seed of the session.
    pub seed: u64,
    /// What did not hold.
    pub invariant: Invariant,
    /// In which way.
    pub detail: String,
    /// What happened up to there, a line for each event.
    pub journal: Vec<String>,
    /// The test that shows it again.
    pub test: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.journal {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "seed {}: broken: {}", self.seed, self.invariant.sentence())?;
        writeln!(f, "  {:?}: {}", self.invariant, self.detail)?;
        write!(f, "  again: TINKERBELL_SEED={} cargo test -p testkit --test {} -- --nocapture", self.seed, self.test)
    }
}
