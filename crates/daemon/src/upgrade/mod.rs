//! The hand-over from a daemon that runs to another binary.
//!
//! The old daemon starts the new one as its child, with one end of a socket pair as its standard input
//! (`wire::handover` has what is said). While the new one proves that it is fit, the old one serves as ever. Then the old
//! one brings turns to the border of a step, closes the journal, and gives away the descriptors of the lock and of the
//! sockets: the kernel's lock belongs to the open file and not to a process, so there is no instant in which nobody
//! holds it, and a socket goes on listening, so who connects meanwhile waits and is not refused.
//!
//! Whatever the new one does wrong, at whatever step, the old one ends it and goes on. Whoever of the two is killed, the
//! other one has what it needs: the new one goes on without a word from an old one that is gone, and the old one opens
//! the journal again when the new one is. `docs/decisions/0016` has the whole table.
//!
//! Deliberately absent: two daemons that have the journal open at the same time.

mod given;
mod heir;
mod line;
mod step;
mod successor;
mod talk;
mod trial;

pub(crate) use heir::{Heir, HeirError, conversation};
pub use line::Upgrades;
pub(crate) use line::{Ask, Asks, report, under_way};
pub use step::{AtStep, Step};
pub(crate) use successor::{Estate, Successor, UpgradeError, started_from};
pub(crate) use trial::{Desire, Trial};
