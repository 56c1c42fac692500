//! Bodies of REST requests and answers. Unknown fields in requests are errors; unknown fields in answers are to be
//! ignored by clients.

mod audit;
mod canvas;
mod carrying;
mod config;
mod daemon;
mod keys;
mod models;
mod prompt;
mod retention;
mod schedules;
mod sessions;
mod snapshots;

pub use audit::*;
pub use canvas::*;
pub use carrying::*;
pub use config::*;
pub use daemon::*;
pub use keys::*;
pub use models::*;
pub use prompt::*;
pub use retention::*;
pub use schedules::*;
pub use sessions::*;
pub use snapshots::*;

/// The header in which every answer says which version of the daemon gave it.
pub const VERSION_HEADER: &str = "tinkerbell-version";
/// The header that makes a write happen once however often it is sent.
pub const IDEMPOTENCY_HEADER: &str = "idempotency-key";
