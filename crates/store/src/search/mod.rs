//! Search: the words of titles, prompts and replies, found again.
//!
//! The index is a projection in a file of its own, `search.db`, which is made from the journal alone: it can be deleted
//! at any time, and is when it is damaged, of another format, or not of this journal. Nothing of it is on the way of an
//! append, and nothing of it is opened when the store is. One thread owns it: some time after an append, and before each
//! search, it follows the chain of heads from where it stopped and takes in what the journals have gained; the same
//! chain tells it of sessions that were removed, and a count in the journal of words that were forgotten.
//!
//! Deliberately absent: what tools said, ranking by statistics (sessions come in the order of lists), and a guarantee
//! against a power cut, which may leave the file damaged; it is not synced, because nothing in it is the only copy.

mod follow;
mod index;
mod indexer;
mod query;
mod words;

pub(crate) use indexer::{Bell, Handle, Indexer, Work, line};
pub use query::{Found, Hit, SearchError, SearchQuery, Snippet};
pub use words::{Vocabulary, WordsKind};
