//! Deliberate breakages around a real daemon: a disk, a clock, a tool, a proxy that do not keep their word. Each must be
//! caught, which is the proof that the promises can be broken.

/// A rule that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Treachery {
    /// A power cut takes what was synced a while ago: the disk holds an older state.
    DiskForgets,
    /// Between two lives of the daemon somebody changes a header.
    HeaderChanged,
    /// Between two lives a body is changed.
    BodyChanged,
    /// Between two lives a session vanishes that nobody removed.
    SessionVanishes,
    /// Between two lives the answers under idempotency keys are lost.
    KeysLost,
    /// Between two lives it is lost which sessions have work left.
    WakingLost,
    /// Between two lives a day's account is made smaller.
    LedgerChanged,
    /// Between two lives the fold of a state is changed.
    FoldChanged,
    /// A tool does its work twice.
    ToolActsTwice,
    /// A model's tool call is carried out by the model, before the journal knows of it.
    ModelActsItself,
    /// A proxy loses an update on its way to a watcher.
    UpdateLost,
    /// A proxy tells a watcher an update twice.
    UpdateTwice,
    /// A proxy changes an update.
    UpdateChanged,
    /// A proxy loses an answer.
    AnswerLost,
    /// A proxy says that a prompt was taken which was not.
    FalseAcknowledgement,
    /// Timers never fire.
    ClockStands,
    /// What is configured as forbidden is allowed to the daemon.
    RulesNotTold,
    /// The daemon is told of no budget where one is configured.
    BudgetNotTold,
    /// A session that was refused to be removed is taken to be removed.
    FalseRemoval,
    /// The daemon runs with a configuration that nobody wrote.
    StrangeSettings,
    /// Whoever changed the configuration is told that it was taken, whatever became of it.
    FalseReload,
}

impl Treachery {
    /// All of them.
    pub const ALL: [Treachery; 21] = [
        Treachery::DiskForgets,
        Treachery::HeaderChanged,
        Treachery::BodyChanged,
        Treachery::SessionVanishes,
        Treachery::KeysLost,
        Treachery::WakingLost,
        Treachery::LedgerChanged,
        Treachery::FoldChanged,
        Treachery::ToolActsTwice,
        Treachery::ModelActsItself,
        Treachery::UpdateLost,
        Treachery::UpdateTwice,
        Treachery::UpdateChanged,
        Treachery::AnswerLost,
        Treachery::FalseAcknowledgement,
        Treachery::ClockStands,
        Treachery::RulesNotTold,
        Treachery::BudgetNotTold,
        Treachery::FalseRemoval,
        Treachery::StrangeSettings,
        Treachery::FalseReload,
    ];

    /// What is done to the journal's file between two lives of the daemon, as SQL.
    pub(super) fn tampering(self) -> Option<&'static str> {
        match self {
            Treachery::HeaderChanged => {
                Some("UPDATE events SET header = replace(header, '\"tokens\":', '\"tokens\":1')")
            }
            Treachery::BodyChanged => {
                Some("UPDATE events SET body = '{\"text\":\"nobody said this\"}' WHERE body LIKE '%\"text\":\"p1 %'")
            }
            Treachery::SessionVanishes => {
                Some("DELETE FROM sessions WHERE journal = (SELECT max(journal) FROM sessions)")
            }
            Treachery::KeysLost => Some("DELETE FROM answers"),
            Treachery::WakingLost => Some("DELETE FROM waking"),
            Treachery::LedgerChanged => Some("UPDATE accounts SET settled = settled / 2 WHERE name LIKE '2%'"),
            Treachery::FoldChanged => Some(
                "UPDATE folds SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"accepts\":0', '\"accepts\":7') AS BLOB)",
            ),
            _ => None,
        }
    }
}
