//! A conversation in the terminal.
//!
//! One loop waits for the session's updates, for keys and for signals; nothing else reads the terminal. While a turn
//! runs there is no line to type in: the reply streams, and the first key opens the editor. From then on updates are not
//! read, so that nothing is written into what is being typed; they lie with the daemon until the text is sent or
//! dropped. Nothing is drawn that has to be drawn again while a reply streams, so nothing flickers.
//!
//! Everything that the command line can do is done by it: a slash command is the command, for this session.

mod act;
mod asking;
mod complete;
mod conversation;
mod draw;
mod editor;
mod history;
mod keys;
mod line;
mod slash;
mod tty;

pub(crate) use conversation::{Conversation, Opening};
pub(crate) use history::forget_typed;

#[cfg(test)]
mod tests;
