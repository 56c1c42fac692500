//! An answer while it comes, as the courier sees it.

use super::fault::Fault;
use crate::backend::{Partial, Reply};
use wire::BlobHash;

/// Takes bytes, tells whether more are needed, and gives the reply or what was said before it went wrong. Pure: no socket
/// and no clock.
pub(crate) trait Answer: Send {
    /// Takes bytes as they came, cut anywhere.
    fn push(&mut self, bytes: &[u8]) -> Result<(), Fault>;
    /// The body ended in good order.
    fn end(&mut self) -> Result<(), Fault>;
    /// Whether nothing more needs to be read.
    fn is_done(&self) -> bool;
    /// A number that grows with every token.
    fn progress(&self) -> u64;
    /// Whether anything was said, so that a failure from here on is one in mid answer.
    fn anything_said(&self) -> bool;
    /// What was said so far, with what it is taken to have cost.
    fn partial(&self) -> Partial;
    /// The reply, if the model was done.
    fn finish(self, request: BlobHash) -> Result<Reply, (Fault, Partial)>;
}
