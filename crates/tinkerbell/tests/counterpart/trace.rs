//! What strace wrote with `-f -ttt`: a line for each call, with its thread and when it began.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A system call as it was entered.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// When.
    pub(crate) at: SystemTime,
    /// Its name.
    pub(crate) name: &'a str,
    /// Its arguments and its result; without the result where another thread came between.
    pub(crate) rest: &'a str,
}

impl<'a> Call<'a> {
    fn read(line: &'a str) -> Option<Call<'a>> {
        let (_, line) = line.split_once(' ')?;
        let (at, line) = line.trim_start().split_once(' ')?;
        let (name, rest) = line.split_once('(')?;
        let is_call = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
        let (seconds, micros) = at.split_once('.')?;
        let at = Duration::from_secs(seconds.parse().ok()?) + Duration::from_micros(micros.parse().ok()?);
        is_call.then_some(Call { at: UNIX_EPOCH + at, name, rest })
    }

    /// The first quoted argument: a path, or bytes.
    pub(crate) fn quoted(&self) -> &'a str {
        self.rest.split('"').nth(1).unwrap_or_default()
    }
}

/// The calls of a trace in the order of its lines. The second line of a call that was parted is not one.
pub(crate) fn calls(text: &str) -> Vec<Call<'_>> {
    text.lines().filter_map(Call::read).collect()
}
