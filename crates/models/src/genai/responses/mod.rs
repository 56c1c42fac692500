//! OpenAI's responses: items of output, each with an index and an id, and the whole of them again at the end.

mod read;
mod write;

pub(super) use read::Reader;
pub(super) use write::input;
