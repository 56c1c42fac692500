//! Waiting for several descriptors at once, with a limit: the one place that polls.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Waits until one of `descriptors` can be read (or has hung up), or the time is over: which of them, in order.
/// A missing descriptor is never ready. Without a limit it waits for ever.
pub(crate) fn readable<const N: usize>(
    descriptors: [Option<BorrowedFd<'_>>; N],
    limit: Option<Duration>,
) -> io::Result<[bool; N]> {
    let deadline = limit.map(|limit| Instant::now() + limit);
    let mut waiting: Vec<PollFd<'_>> =
        descriptors.iter().flatten().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    loop {
        let left = deadline.map(|deadline| timespec(deadline.saturating_duration_since(Instant::now())));
        match poll(&mut waiting, left.as_ref()) {
            Ok(_) => break,
            // A signal came; its handler has made its own descriptor readable, so the next round sees it.
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut answers = waiting.iter().map(|fd| !fd.revents().is_empty());
    Ok(descriptors.map(|fd| fd.is_some() && answers.next().unwrap_or(false)))
}

/// A descriptor that can be read once the process has ended; `None` when there is no such process any more.
pub(crate) fn process(pid: u32) -> Option<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// Whether there is no such process any more; one whose end nobody has asked after counts as gone.
pub(crate) fn has_ended(pid: u32) -> bool {
    match process(pid) {
        Some(process) => readable([Some(process.as_fd())], Some(Duration::ZERO)).is_ok_and(|[ended]| ended),
        None => true,
    }
}

fn timespec(duration: Duration) -> Timespec {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec: seconds, tv_nsec: i64::from(duration.subsec_nanos()) }
}

#[cfg(test)]
mod tests {
    use super::{has_ended, readable};
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    #[test]
    fn a_process_whose_end_nobody_asked_after_has_ended() {
        assert!(!has_ended(std::process::id()));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let process = super::process(child.id()).unwrap();
        assert_eq!(readable([Some(process.as_fd())], None).unwrap(), [true]);
        assert!(has_ended(child.id()));
        child.wait().unwrap();
        assert!(has_ended(child.id()));
    }

    #[test]
    fn it_says_which_descriptor_is_ready() {
        let (quiet, _open) = UnixStream::pair().unwrap();
        let (ready, mut other) = UnixStream::pair().unwrap();
        other.write_all(b"x").unwrap();
        let answer = readable([Some(quiet.as_fd()), None, Some(ready.as_fd())], None).unwrap();
        assert_eq!(answer, [false, false, true]);
        let over = readable([Some(quiet.as_fd())], Some(Duration::from_millis(1))).unwrap();
        assert_eq!(over, [false]);
    }
}
