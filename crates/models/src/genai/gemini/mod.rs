//! Gemini's contents: candidates whose parts are texts, thoughts and calls, any of them signed.

mod read;
mod write;

pub(super) use read::Reader;
pub(super) use write::contents;
