//! Every format that leaves or outlives the process: journal records, which are the updates that clients see; bodies;
//! REST; the file that carries a session; the table of operations; errors with their codes; where things lie on disk. Golden files hold all of it.
//!
//! Deliberately absent: anything that performs. Nothing here opens a file or a socket.

pub mod audit;
pub mod body;
pub mod chain;
pub mod change;
pub mod draining;
pub mod error;
pub mod export;
pub mod handover;
pub mod media;
pub mod operation;
pub mod path;
pub mod places;
pub mod record;
pub mod rest;
pub mod snapshot;
pub mod time;
pub mod tool;

pub use body::Text;
pub use chain::{BlobHash, ChainHash, Salt};
pub use change::{Change, Changeset, Contents, Entry, EntryKind, FileState, Found, Mode};
pub use draining::{DrainReason, Draining};
pub use error::{Code, Problem};
pub use handover::{GivenConfig, GivenSocket, HandOver};
pub use media::MediaType;
pub use path::{PathError, RelPath};
pub use record::{Delta, DeltaKind, Header, Record};
pub use tool::ToolSpec;
