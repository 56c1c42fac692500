//! Deliberate breakages: each makes the owner or the journal break one rule of the house, and must be caught. They
//! are the proof that the simulator can fail.

/// A rule that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Effects start when their append is handed over, not when it is on disk.
    StartBeforeDurable,
    /// Clients are told of events before these are on disk.
    AcknowledgeBeforeDurable,
    /// A new owner takes lost model calls to have cost nothing.
    LoseMoney,
    /// A lost tool that touches the world is run again without asking.
    RunLostAgain,
    /// A new owner settles a lost model call although it also brings what that call really cost.
    SettleTwice,
    /// Replaying a journal performs its effects again.
    PerformOnReplay,
    /// The next attempt goes under the name of the first.
    SameIdAgain,
    /// An effect's end is recorded twice.
    EndTwice,
    /// What is no longer wanted is left running.
    IgnoreCancel,
    /// What ends after it was cancelled is not recorded.
    DropLateResults,
    /// A new owner does not say that it began.
    SkipOwnerBegan,
    /// After a full disk the owner tries again only if outcomes wait, not if it was a decision that could not be written.
    ForgetDecisions,
    /// The owner applies what it asked for, not what the append really held.
    ApplyRefused,
    /// Starts are appended before the facts that they follow from.
    StartsFirst,
    /// A number is left out.
    SkipNumber,
    /// The ledger refuses nothing.
    NeverRefuse,
    /// A question is answered again.
    AnswerTwice,
    /// Writers do not wait for what was asked before them.
    WritersTogether,
    /// Whoever reads the journal passes over what was forgotten.
    SkipForgotten,
    /// A new settings value cancels what runs.
    SettingsCancel,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 20] = [
        Fault::StartBeforeDurable,
        Fault::AcknowledgeBeforeDurable,
        Fault::LoseMoney,
        Fault::RunLostAgain,
        Fault::SettleTwice,
        Fault::PerformOnReplay,
        Fault::SameIdAgain,
        Fault::EndTwice,
        Fault::IgnoreCancel,
        Fault::DropLateResults,
        Fault::SkipOwnerBegan,
        Fault::ForgetDecisions,
        Fault::ApplyRefused,
        Fault::StartsFirst,
        Fault::SkipNumber,
        Fault::NeverRefuse,
        Fault::AnswerTwice,
        Fault::WritersTogether,
        Fault::SkipForgotten,
        Fault::SettingsCancel,
    ];
}
