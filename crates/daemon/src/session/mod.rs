//! A session while it is awake: one task owns it, everybody else sends commands.
//!
//! The owner waits for a stop, its inbox, a finished effect or a timer, makes events of it, asks the brain what
//! follows, appends, and only then applies, publishes and starts. While an append is out it takes nothing else.
//!
//! Deliberately absent: any way to change a session from outside its owner.

mod accepting;
mod again;
mod alike;
mod append;
mod attach;
mod command;
mod context;
mod easel;
mod fact;
mod fork;
mod instructions;
mod live;
mod load;
mod model;
mod owner;
mod perform;
mod recipe;
mod redact;
mod render;
mod saying;
mod tighten;
mod tool;
mod view;
mod words;

pub(crate) use again::{Again, Imagined};
pub use attach::Attached;
pub(crate) use command::{Change, Chosen, Command, Reply, Said, Terms};
pub use command::{Once, Prompt};
pub(crate) use fork::{fork, refused, remove};
pub use live::{Frame, Watch};
pub(crate) use load::{at_rest, no_such_session, state_of};
pub(crate) use owner::Owner;
pub(crate) use perform::unreadable;
pub(crate) use redact::{Gone, MOST_EVENTS, Wish};
pub(crate) use saying::{SCHEDULED_ANSWER_MICROS, title_of, titled};
pub(crate) use view::{open_questions, status};
