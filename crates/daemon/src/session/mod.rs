//! A session while it is awake: one task owns it, everybody else sends commands.
//!
//! The owner waits for a stop, its inbox, a finished effect or a timer, makes events of it, asks the brain what
//! follows, appends, and only then applies, publishes and starts. While an append is out it takes nothing else.
//!
//! Deliberately absent: any way to change a session from outside its owner.

mod accepting;
mod append;
mod command;
mod easel;
mod fact;
mod live;
mod load;
mod model;
mod owner;
mod perform;
mod render;
mod saying;
mod tool;
mod view;

pub(crate) use command::{Change, Command, Reply};
pub use command::{Once, Prompt};
pub use live::{Frame, Watch};
pub(crate) use load::no_such_session;
pub(crate) use owner::Owner;
