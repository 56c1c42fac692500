//! The voice: every call to a language model goes through this room, behind one border, [`Backend`].
//!
//! A backend takes a [`Request`] (plain data, rendered the same way every time), lets whoever watches hear each piece
//! of text through a [`Sink`], and ends in exactly one [`Ended`]: a whole reply, a failure of a known kind with what
//! had been said before it, or an interruption by us. A stream that was cut never looks like a reply, and a tool call
//! whose arguments did not end never leaves this room.
//!
//! Two backends live here. [`OpenAiChat`] speaks the chat dialect that most servers understand, with a stream parser
//! of our own, since real servers bend the dialect in ways that general clients lose calls over. [`Offline`] needs no
//! server: a small documented grammar that turns plain sentences into tool calls and says honestly what it is.
//!
//! Deliberately absent: retries after a failure, prices, budgets and the choice of a model, which the brain decides
//! from events; and any memory between two calls, except a warm connection.

mod backend;
mod chat;
mod key;
mod offline;

pub use backend::{Attachment, Backend, Carry, Description, Ended, Message, Partial, PendingCall, Reply, ReplyCall, Request, Sink};
pub use chat::{ChatConfig, ConfigError, OpenAiChat, OutputLimit, StreamLimits, Timeouts};
pub use key::{Key, KeyError};
pub use offline::{Offline, answer};
