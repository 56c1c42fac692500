//! The steps of a hand-over, by their names, so that tests can end either process at each of them.

/// A step of a hand-over. The first half are the old daemon's, the second the new one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Old: the new one was started.
    Started,
    /// Old: the new one is fit.
    Proved,
    /// Old: nothing runs any more, and the journal is closed.
    Closed,
    /// Old: everything was given away.
    Given,
    /// Old: the new one has opened the state, and was told to serve.
    Told,
    /// Old: the new one serves.
    Relieved,
    /// New: it was spoken to.
    Greeted,
    /// New: it has said that it is fit.
    Fit,
    /// New: it holds the lock and the sockets.
    Taken,
    /// New: the state is open, and nobody knows yet.
    Opened,
    /// New: it was told to serve, or the old one is gone.
    Allowed,
    /// New: it serves.
    Serving,
}

impl Step {
    /// All of them.
    pub const ALL: [Step; 12] = [
        Step::Started,
        Step::Proved,
        Step::Closed,
        Step::Given,
        Step::Told,
        Step::Relieved,
        Step::Greeted,
        Step::Fit,
        Step::Taken,
        Step::Opened,
        Step::Allowed,
        Step::Serving,
    ];

    /// Whether it is one of the new daemon's.
    pub fn is_of_the_new(self) -> bool {
        matches!(self, Step::Greeted | Step::Fit | Step::Taken | Step::Opened | Step::Allowed | Step::Serving)
    }

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Step::Started => "started",
            Step::Proved => "proved",
            Step::Closed => "closed",
            Step::Given => "given",
            Step::Told => "told",
            Step::Relieved => "relieved",
            Step::Greeted => "greeted",
            Step::Fit => "fit",
            Step::Taken => "taken",
            Step::Opened => "opened",
            Step::Allowed => "allowed",
            Step::Serving => "serving",
        }
    }
}

/// What happens at each step beside the step: nothing, outside of tests.
pub type AtStep = fn(Step);
