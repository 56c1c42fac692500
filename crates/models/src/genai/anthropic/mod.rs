//! Anthropic's messages: content blocks that begin, grow and stop, each at an index.

mod read;
mod write;

pub(super) use read::Reader;
pub(super) use write::messages;
