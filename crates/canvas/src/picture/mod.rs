//! Git's picture of the canvases of one workspace: a small bare repository of our own with a branch for each session,
//! `refs/heads/<session>`, which plain git can read. It shows and never decides: it is derived from the journal, can
//! be deleted at any time, and comes out with the same ids when it is made again.
//!
//! What a branch shows: the files that the session touched, and nothing else. Each step of the canvas is a commit;
//! before one that finds other bytes than the picture has (a path touched for the first time, or changed by the user
//! since it was accepted) stands a *base commit* with what was found, so that every diff is what the session did.
//! Rewinding, rejecting and taking over the user's changes are commits too, forward in history, and say so; an accept
//! changes no file of the canvas and is an empty commit. Author and committer are tinkerbell, the time is the event's,
//! and a trailer names the event, so a drawing goes on where the last one ended.
//!
//! Nothing is synced. What is found broken (a power cut, somebody else's hands, a lock of a killed process) is thrown
//! away and drawn again. A file whose bytes were forgotten is left out.

mod draw;
mod frame;

pub use draw::{Commit, Picture, PictureError};
