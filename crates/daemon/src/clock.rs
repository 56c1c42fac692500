//! Wall time and fresh ids: the two things that the brain must be given, in one place.

use agent::{Micros, SessionId};
use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since the Unix epoch.
pub(crate) fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// A new session's id.
pub(crate) fn session_id() -> SessionId {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the kernel gives random bytes");
    SessionId::from_parts((now().0 / 1000) as u64, u128::from_le_bytes(random))
}
