//! Audits: a key of the state signs the chain of heads, all chains can be computed anew, and a bundle lets somebody else
//! do the same without us.
//!
//! Signing is no part of an append. A task signs when the daemon begins, after so many links, and some time after the
//! last ones; the end of the daemon in good order is signed as well. What was appended since the last signature rests on
//! the chain alone: `docs/audit.md` says what that proves and what not.
//!
//! Deliberately absent: trust in the key file. Whoever can read it can sign anything, so a link that was written down
//! elsewhere says more than any signature; nobody's clock but ours says when a signature was made.

mod export;
mod key;
mod sign;
mod verify;

pub(crate) use export::{Wanted, export};

pub(crate) use sign::Auditor;
pub(crate) use sign::watch;
pub use verify::audited;
pub(crate) use verify::verify;
