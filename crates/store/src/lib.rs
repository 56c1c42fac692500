//! The journal: the only room that speaks SQL.
//!
//! It owns `journal.db`, and with it what law 5 calls the only truth: the journals of the sessions and of the daemon,
//! their blobs, and what is kept in the same transactions (heads, the ledger of money, the waking table, lists, folds,
//! idempotency keys). [`Store`] is a cheap handle; behind it stand one writer thread with one connection, which commits
//! all that is queued with one sync and then answers all, and a few reader threads. An answer of [`Store::append`]
//! means that the events are on disk, synced. Nothing is answered before that.
//!
//! A commit that failed has an *unknown* outcome, never a "no": the store closes every connection, opens the file
//! anew, makes one synced commit, and only then reads heads again. Twice in a row makes it read-only until the daemon
//! is started anew. A full disk is no such failure: it surely did not happen, and the store works on when there is
//! room.
//!
//! A session can be forked, imported and removed. All three are done by the writer in slices, so that no append waits
//! long, and are all or nothing: see `fork`, `import` and `removal`. What was said can be searched for by way of `search.db`, a projection
//! that can be deleted: see `search`.
//!
//! A copy of all of it can be made while it is in use: one moment, whole, without holding an append up: see `copy`.
//!
//! Deliberately absent: any knowledge of what events mean (headers and bodies are text here, apart from the place that
//! a header must begin with and the session that a fork puts into it; which words can be searched for is told by
//! [`Vocabulary`]), the lock against a second daemon, a clock (times come with what is written), and a trait for other
//! databases (there is one store until there are two).
//!
//! A trap for everybody else: nobody in this process may open `journal.db` as a plain file while the store is open.
//! Closing *any* descriptor of it drops the locks that SQLite holds for this process (POSIX advisory locks).

#![forbid(unsafe_code)]

mod append;
mod archive;
mod archiving;
mod audit;
mod auditing;
mod blob;
mod carry;
mod chain;
mod copy;
mod error;
mod file;
mod forget;
mod fork;
mod gaps;
mod gate;
mod gauges;
mod import;
mod ledger;
mod list;
mod options;
mod origin;
mod proof;
mod query;
mod readers;
mod rehearsal;
mod removal;
mod search;
mod signature;
mod sql;
mod store;
mod tidy;
mod transact;
mod writer;

pub use append::{Append, Appended, Ceiling, FoldRow, JournalId, NewAnswer, NewEvent, NewStart, Reserve, Settle};
pub use archive::{Archive, Archived, Fate, Filed};
pub use audit::JournalRow;
pub use blob::Blob;
pub use carry::{Stored, StoredBody};
pub use chain::{HeadsVerified, Verified, VerifyError};
pub use copy::{Copied, CopyError, Pace};
pub use error::{AppendError, Invalid, OpenError, ReadError};
pub use fork::Fork;
pub use gauges::{Health, Mode, Sizes};
pub use import::{Import, Piece, Pieces, Unarchive};
pub use ledger::{Account, Spent};
pub use list::{ListCursor, ListQuery, ListRow, SessionRow};
pub use options::{Limits, Options, Synchronous};
pub use proof::Proof;
pub use query::{Answer, Head, Span};
pub use rehearsal::{Aside, AsideError};
pub use removal::{Remove, Removed};
pub use search::{Found, Hit, SearchError, SearchQuery, Snippet, Vocabulary, WordsKind};
pub use signature::{Link, Signature};
pub use store::Store;
pub use tidy::{Tidied, Tidy, Waste};
