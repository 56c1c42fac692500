//! Words of ours that stand where a dialect has no room for silence.

/// What stands where a message must not be empty.
pub(crate) const NOTHING_SAID: &str = "(nothing was said)";
