//! What every dialect over HTTP needs: a checked endpoint, a warm client, patience with limits, one way to carry a
//! request there and an answer back, and the reading of refusals.
//!
//! A dialect brings a rendered body and an [`Answer`] that takes bytes; the [`Courier`] sends, waits, gives up, and ends
//! in exactly one way. Keys are known here and nowhere beyond: whatever leaves is masked.
//!
//! Deliberately absent: what the bytes mean, redirects (a key must not follow one) and HTTP/2 (one stream at a time needs
//! none).

mod answer;
mod calls;
pub(crate) mod client;
mod config;
mod courier;
mod fault;
mod fetch;
mod picture;
pub(crate) mod refusal;
pub(crate) mod retry_after;
mod words;

pub use config::{ConfigError, StreamLimits, Timeouts};

pub(crate) use answer::Answer;
pub(crate) use calls::{Written, is_object, malformed, own_id, settled};
pub(crate) use config::{Endpoint, PLAUSIBLE_TOKENS};
pub(crate) use courier::{Courier, Dialect};
pub(crate) use fault::Fault;
pub(crate) use fetch::{Missed, fetch};
pub(crate) use picture::{base64_of, left_out, prompt_bytes, read_by_tools};
pub(crate) use words::NOTHING_SAID;
